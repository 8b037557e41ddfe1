#!/usr/bin/python3
"""Makes the fixtures of test_pca.c and test_quality.c with NumPy, SciPy and scikit-learn.

Everything is computed in float64 from the float32 inputs that are stored beside the results. The sizes
are small and the seeds fixed, so that running it again gives the same files (up to rounding).
Run it from anywhere: it writes into fixtures/ beside itself.
"""
import os

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


def save(name, array):
    np.save(os.path.join(FOLDER, name + ".npy"), array)


def fix_signs(components, projected=None):
    """Each component's largest-magnitude loading positive."""
    rows = np.arange(len(components))
    signs = np.sign(components[rows, np.abs(components).argmax(axis=1)])
    signs[signs == 0] = 1
    return components * signs[:, None], None if projected is None else projected * signs


def save_pca(name, x, pca):
    projected = pca.transform(x)
    components, projected = fix_signs(pca.components_, projected)
    save(name + "_x", x.astype(np.float32))
    save(name + "_mean", pca.mean_.astype(np.float32))
    save(name + "_components", components.astype(np.float32))
    save(name + "_variance", pca.explained_variance_.astype(np.float32))
    save(name + "_ratio", pca.explained_variance_ratio_.astype(np.float32))
    save(name + "_singular", pca.singular_values_.astype(np.float32))
    save(name + "_projected", projected.astype(np.float32))


def spectrum(rng, n, d, values):
    """Points with well separated standard deviations `values` along random directions."""
    basis, _ = np.linalg.qr(rng.standard_normal((d, d)))
    scaled = rng.standard_normal((n, len(values))) * values
    return (scaled @ basis[: len(values)] + rng.uniform(-3, 3, d)).astype(np.float32).astype(float)


def make_pca():
    rng = np.random.default_rng(1)
    tall = spectrum(rng, 120, 17, 10.0 * 0.7 ** np.arange(17))
    save_pca("pca_tall", tall, PCA(6, svd_solver="full").fit(tall))
    save_pca("pca_whitened", tall, PCA(4, svd_solver="full", whiten=True).fit(tall))
    wide = spectrum(rng, 14, 90, 8.0 * 0.7 ** np.arange(14))
    save_pca("pca_wide", wide, PCA(9, svd_solver="full").fit(wide))
    deficient = spectrum(rng, 60, 20, 5.0 * 0.6 ** np.arange(5))
    save_pca("pca_deficient", deficient, PCA(5, svd_solver="full").fit(deficient))
    noise = PCA(6, svd_solver="full").fit(tall).noise_variance_
    save("pca_tall_noise", np.array([noise], dtype=np.float32))

    incremental = IncrementalPCA(5)
    for first, last in ((0, 40), (40, 70), (70, 120)):
        incremental.partial_fit(tall[first:last])
    save_pca("pca_incremental", tall, incremental)


def make_quality():
    rng = np.random.default_rng(2)
    n, classes = 160, 4
    labels = rng.integers(0, classes, n)
    points = rng.standard_normal((n, 12)) + 3 * rng.standard_normal((classes, 12))[labels]
    points = points.astype(np.float32)
    map2 = (points[:, :2] + 0.5 * rng.standard_normal((n, 2))).astype(np.float32)
    save("quality_points", points)
    save("quality_map", map2)
    save("quality_labels", labels.astype(np.int64))
    x, y, k = points.astype(float), map2.astype(float), 10
    near = [NearestNeighbors(n_neighbors=k).fit(a).kneighbors(return_distance=False) for a in (x, y)]
    preserved = np.mean([len(set(a) & set(b)) / k for a, b in zip(*near)])
    votes = []
    for i in range(n):
        rest = np.arange(n) != i
        votes.append(KNeighborsClassifier(k).fit(y[rest], labels[rest]).predict(y[i : i + 1])[0])
    save(
        "quality_expected",
        np.array(
            [
                trustworthiness(x, y, n_neighbors=5),
                trustworthiness(x, y, n_neighbors=12),
                trustworthiness(y, x, n_neighbors=12),
                preserved,
                np.mean(np.array(votes) == labels),
                silhouette_score(x, labels),
                silhouette_score(y, labels),
                spearmanr(pdist(x), pdist(y))[0],
            ],
            dtype=np.float32,
        ),
    )


os.makedirs(FOLDER, exist_ok=True)
make_pca()
make_quality()
