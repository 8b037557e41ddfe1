#!/usr/bin/python3
"""Compares PCA and t-SNE with the peers that are installed, and prints Markdown tables.

    compare_embeddings.py --input POINTS.npy [--labels LABELS.npy] [--build BUILD] [--repeat 3] ...

POINTS.npy is n x d float32. The PCA table projects it on --components; the t-SNE table maps that
projection (one and the same for everybody: scikit-learn's full solver in float64; the input itself when
it has no more columns than that). Each run is a process of its own; the methods take turns, so that a
busy machine disturbs them alike; times are medians, without reading files. Peers: scikit-learn, Rtsne (R),
openTSNE, FIt-SNE (fast_tsne); those that are missing are named and left out. Programs join with
--tsne-program and --pca-program NAME=COMMAND, called as
    COMMAND IN ROWS COLUMNS ITERATIONS|COMPONENTS THREADS OUT
where IN and OUT are float32 without a header, OUT the map or the variances; they print "seconds X".

Everybody does the same number of iterations from a PCA start with perplexity 30; learning rates, momentum
and stopping early are as each peer has them, except that nobody stops early. One judge, in float64 and
exact, scores all maps: the divergence from one P (perplexity 30 over 90 exact neighbors, symmetric),
neighbor preservation at 10, and leave-one-out 10-nearest-neighbor accuracy.
"""
import argparse
import importlib.util
import json
import os
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np


def nearest(x, k, block=1000):
    """Indices and squared distances of the k nearest others, by (distance, index); float64."""
    x = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    norms = (x * x).sum(axis=1)
    indices = np.empty((len(x), k), dtype=np.int64)
    squares = np.empty((len(x), k))
    for first in range(0, len(x), block):
        rows = slice(first, min(first + block, len(x)))
        d = norms[rows, None] + norms - 2 * x[rows] @ x.T
        d[np.arange(d.shape[0]), np.arange(rows.start, rows.stop)] = np.inf
        near = np.argpartition(d, k, axis=1)[:, :k]
        # Once more from the differences, without cancellation.
        exact = ((x[rows, None, :] - x[near]) ** 2).sum(axis=2)
        order = np.lexsort((near, exact), axis=1)
        indices[rows] = np.take_along_axis(near, order, axis=1)
        squares[rows] = np.take_along_axis(exact, order, axis=1)
    return indices, squares


def joint_probabilities(indices, squares, perplexity):
    """P as (i, j, p): conditional Gaussians of the perplexity by bisection, made symmetric."""
    from scipy.sparse import csr_matrix

    n, k = indices.shape
    low, high = np.zeros(n), np.full(n, np.inf)
    shifted = squares - squares[:, :1]
    beta = 1 / np.maximum(shifted.mean(axis=1), 1e-300)
    for _ in range(200):
        p = np.exp(-beta[:, None] * shifted)
        total = p.sum(axis=1)
        entropy = np.log(total) + beta * (p * shifted).sum(axis=1) / total
        sharp = entropy < np.log(perplexity)
        high = np.where(sharp, beta, high)
        low = np.where(sharp, low, beta)
        beta = np.where(np.isinf(high), beta * 2, (low + high) / 2)
    p = np.exp(-beta[:, None] * shifted)
    p /= p.sum(axis=1, keepdims=True)
    conditional = csr_matrix((p.ravel(), indices.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    joint = ((conditional + conditional.T) / (2 * n)).tocoo()
    return joint.row, joint.col, joint.data


class Judge:
    def __init__(self, x, labels):
        self.indices, squares = nearest(x, 90)
        self.p = joint_probabilities(self.indices, squares, 30)
        self.labels = labels

    def divergence(self, y):
        y = np.asarray(y, dtype=np.float64)
        y = y - y.mean(axis=0)
        norms = (y * y).sum(axis=1)
        z = -float(len(y))
        for first in range(0, len(y), 1000):
            block = slice(first, first + 1000)
            squares = y[block] @ (-2 * y.T)
            squares += norms
            squares += 1 + norms[block, None]
            z += np.reciprocal(squares, out=squares).sum()
        i, j, p = self.p
        q = 1 / (1 + ((y[i] - y[j]) ** 2).sum(axis=1))
        return float((p * (np.log(p) - np.log(q / z))).sum())

    def score(self, y):
        from scipy.spatial import cKDTree

        near = cKDTree(y).query(y, 11)[1]
        itself = near == np.arange(len(y))[:, None]
        itself[~itself.any(axis=1), 10] = True  # more than ten others coincide with it
        near = near[~itself].reshape(len(y), 10)
        kept = np.mean([np.intersect1d(a, b).size / 10 for a, b in zip(near, self.indices[:, :10])])
        accuracy = None
        if self.labels is not None:
            votes = np.array([np.bincount(row).argmax() for row in self.labels[near]])
            accuracy = float(np.mean(votes == self.labels))
        return {"kl": self.divergence(y), "preservation": float(kept), "accuracy": accuracy}


def run_program(command):
    """Runs one of the benchmark programs and returns its "name: value" lines."""
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return {"seconds": float(lines["seconds_total"]), "rss": float(lines["peak_rss_mb"])}


def ours_pca(args, output, components):
    program = os.path.join(args.build, "tests", "bench", "bench_pca")
    return run_program([program, "--input", args.input, "--components", str(components), "--repeat", "1",
                        "--threads", str(args.threads), "--variances", output])


def ours_tsne(args, output, components):
    program = os.path.join(args.build, "tests", "bench", "bench_tsne")
    return run_program([program, "--input", args.input, "--output", output, "--iterations",
                        str(args.iterations), "--perplexity", "30", "--threads", str(args.threads)])


def sklearn_pca(args, output, components, solver):
    from sklearn.decomposition import PCA

    x = np.load(args.input)
    start = time.perf_counter()
    pca = PCA(components, svd_solver=solver, random_state=0)
    pca.fit_transform(x)
    seconds = time.perf_counter() - start
    np.save(output, pca.explained_variance_)
    return seconds


def sklearn_tsne(args, output, components):
    from sklearn.manifold import TSNE

    x = np.load(args.input)
    start = time.perf_counter()
    y = TSNE(init="pca", learning_rate="auto", n_iter=args.iterations, random_state=0, min_grad_norm=0,
             n_iter_without_progress=args.iterations, n_jobs=args.threads).fit_transform(x)
    seconds = time.perf_counter() - start
    np.save(output, y)
    return seconds


def opentsne_tsne(args, output, components):
    from openTSNE import TSNE

    x = np.load(args.input)
    start = time.perf_counter()
    y = TSNE(n_iter=args.iterations - 250, early_exaggeration_iter=250, random_state=0,
             negative_gradient_method="fft", n_jobs=args.threads).fit(x)
    seconds = time.perf_counter() - start
    np.save(output, np.asarray(y))
    return seconds


def fitsne_tsne(args, output, components):
    from fast_tsne import fast_tsne

    x = np.load(args.input)
    start = time.perf_counter()
    y = fast_tsne(x, seed=1, max_iter=args.iterations, nthreads=args.threads)
    seconds = time.perf_counter() - start
    np.save(output, y)
    return seconds


RTSNE = """
arguments <- commandArgs(TRUE)
n <- as.integer(arguments[1]); d <- as.integer(arguments[2])
file <- file(arguments[3], "rb"); x <- matrix(readBin(file, "double", n * d), n, d, byrow = TRUE); close(file)
set.seed(0)
start <- proc.time()[["elapsed"]]
first <- prcomp(x, rank. = 2)$x
first <- first / sd(first[, 1]) * 1e-4
y <- Rtsne::Rtsne(x, pca = FALSE, perplexity = 30, theta = 0.5, max_iter = as.integer(arguments[5]),
                  Y_init = first, stop_lying_iter = 250L, mom_switch_iter = 250L,
                  eta = n / 12, num_threads = as.integer(arguments[6]))$Y
cat(proc.time()[["elapsed"]] - start, "\\n")
file <- file(arguments[4], "wb"); writeBin(as.vector(t(y)), file); close(file)
"""


def rtsne_tsne(args, output, components):
    x = np.load(args.input).astype(np.float64)
    raw = output + ".raw"
    x.tofile(raw)
    text = subprocess.run(["Rscript", "-e", RTSNE, str(len(x)), str(x.shape[1]), raw, raw,
                           str(args.iterations), str(args.threads)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    np.save(output, np.fromfile(raw).reshape(len(x), 2))
    return float(text.split()[-1])


def run_peer_program(name, command, args, output, kind):
    last = args.components if kind == "pca" else args.iterations
    x = np.ascontiguousarray(np.load(args.input), dtype=np.float32)
    x.tofile(output + ".in")
    text = subprocess.run([*shlex.split(command), output + ".in", str(len(x)), str(x.shape[1]), str(last),
                           str(args.threads), output + ".out"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    result = np.fromfile(output + ".out", dtype=np.float32)
    np.save(output, result if kind == "pca" else result.reshape(len(x), 2))
    seconds = re.findall(r"^seconds +(\S+)", text, re.MULTILINE)
    if not seconds:
        sys.exit("%s (%s) printed no line \"seconds X\"" % (name, command))
    return float(seconds[-1])


def add_programs(args):
    for kind, methods, options in (("tsne", TSNE, args.tsne_program), ("pca", PCA, args.pca_program)):
        for option in options:
            name, command = option.split("=", 1)
            methods[name] = (lambda a, o, c, name=name, command=command, kind=kind:
                             run_peer_program(name, command, a, o, kind), None)


def has(module):
    return importlib.util.find_spec(module) is not None


def has_rtsne():
    return shutil.which("Rscript") is not None and subprocess.run(
        ["Rscript", "-e", "library(Rtsne)"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0


PCA = {
    "dlviz": (ours_pca, None),
    "scikit-learn full": (lambda *a: sklearn_pca(*a, "full"), lambda: has("sklearn")),
    "scikit-learn randomized": (lambda *a: sklearn_pca(*a, "randomized"), lambda: has("sklearn")),
}
TSNE = {
    "dlviz": (ours_tsne, None),
    "openTSNE (FFT)": (opentsne_tsne, lambda: has("openTSNE")),
    "FIt-SNE": (fitsne_tsne, lambda: has("fast_tsne")),
    "scikit-learn (Barnes-Hut)": (sklearn_tsne, lambda: has("sklearn")),
    "Rtsne (Barnes-Hut)": (rtsne_tsne, has_rtsne),
}


def run_once(args, kind, name, output, components):
    """One run: our programs directly, a peer in a Python process of its own."""
    methods = PCA if kind == "pca" else TSNE
    if name == "dlviz":
        return methods[name][0](args, output, components)
    command = [sys.executable, os.path.abspath(__file__), "--worker", kind, "--method", name, "--output",
               output, "--input", args.input, "--components", str(components), "--iterations",
               str(args.iterations), "--threads", str(args.threads)]
    command += ["--tsne-program=" + p for p in args.tsne_program]
    command += ["--pca-program=" + p for p in args.pca_program]
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads),
                       OPENBLAS_NUM_THREADS=str(args.threads))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        sys.exit("%s failed" % name)  # and has said why
    return json.loads(done.stdout.splitlines()[-1])


def work(args):
    methods = PCA if args.worker == "pca" else TSNE
    seconds = methods[args.method][0](args, args.output, args.components)
    peak = max(resource.getrusage(who).ru_maxrss
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "rss": peak / 1024}))


def measure(args, kind, folder, components):
    methods = PCA if kind == "pca" else TSNE
    wanted = [n for n in methods if not args.methods or any(m in n for m in args.methods.split(","))]
    present = [n for n in wanted if methods[n][1] is None or methods[n][1]()]
    missing = [n for n in wanted if n not in present]
    if missing:
        print("Not installed, left out: " + ", ".join(missing) + ".\n", flush=True)
    runs = {name: [] for name in present}
    for turn in range(args.repeat):
        for name in present:
            output = os.path.join(folder, "%s_%d.npy" % (kind, list(methods).index(name)))
            runs[name].append(run_once(args, kind, name, output, components))
            runs[name][-1]["output"] = output
            print("%s, run %d: %.3f s" % (name, turn + 1, runs[name][-1]["seconds"]), file=sys.stderr)
    return runs


def medians(runs):
    first = statistics.median(r["seconds"] for r in next(iter(runs.values())))
    for name, each in runs.items():
        seconds = statistics.median(r["seconds"] for r in each)
        yield name, seconds, seconds / first, max(r["rss"] for r in each), each[-1]["output"]


def compare_pca(args, folder):
    # Before this process grows: what a child of it may count as its own peak is this one's memory.
    runs = measure(args, "pca", folder, args.components)
    x = np.load(args.input)
    centered = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    if len(x) >= x.shape[1]:
        values = np.linalg.eigvalsh(centered.T @ centered)
    else:
        values = np.linalg.eigvalsh(centered @ centered.T)
    truth = values[::-1][: args.components] / (len(x) - 1)
    print("## PCA, %d x %d to %d, %d threads\n" % (*x.shape, args.components, args.threads))
    print("| | seconds | times ours | peak MB | largest relative error of a variance |\n|---|---|---|---|---|")
    for name, seconds, ratio, rss, output in medians(runs):
        error = np.abs(np.load(output) / truth - 1).max()
        print("| %s | %.3f | %.2f | %.0f | %.1e |" % (name, seconds, ratio, rss, error))
    print()


def project(args):
    from sklearn.decomposition import PCA as Reference

    x = np.load(args.input)
    if x.shape[1] > args.components:
        x = Reference(args.components, svd_solver="full").fit_transform(x.astype(np.float64))
    np.save(args.output, np.ascontiguousarray(x, dtype=np.float32))


def compare_tsne(args, folder):
    projected = os.path.join(folder, "projected.npy")
    subprocess.run([sys.executable, os.path.abspath(__file__), "--worker", "project", "--input", args.input,
                    "--components", str(args.components), "--output", projected], check=True)
    args.input = projected
    runs = measure(args, "tsne", folder, args.components)
    x = np.load(projected)
    labels = np.load(args.labels)[: len(x)].astype(np.int64) if args.labels else None
    judge = Judge(x, labels)
    print("## t-SNE, %d x %d, %d iterations, %d threads\n" % (*x.shape, args.iterations, args.threads))
    print("| | seconds | times ours | peak MB | KL | preservation@10 | 10-NN accuracy | span |")
    print("|---|---|---|---|---|---|---|---|")
    for name, seconds, ratio, rss, output in medians(runs):
        y = np.load(output)
        score = judge.score(y)
        accuracy = "–" if score["accuracy"] is None else "%.4f" % score["accuracy"]
        span = " × ".join("%.0f" % s for s in np.ptp(y, axis=0))
        print("| %s | %.2f | %.2f | %.0f | %.4f | %.4f | %s | %s |"
              % (name, seconds, ratio, rss, score["kl"], score["preservation"], accuracy, span))
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--input", required=True, help="n x d float32, .npy")
    parser.add_argument("--labels", help="n labels, .npy: for the accuracy")
    parser.add_argument("--build", default="build", help="the build folder (default: build)")
    parser.add_argument("--what", choices=["both", "pca", "tsne"], default="both")
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--methods", help="only methods whose name contains one of these words, e.g. dlviz,Rtsne")
    parser.add_argument("--tsne-program", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--pca-program", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    args = parser.parse_args()
    add_programs(args)
    if args.worker == "project":
        project(args)
        return
    if args.worker:
        work(args)
        return
    if args.what == "both":
        codes = [subprocess.run([sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--what", what]).returncode
                 for what in ("pca", "tsne")]
        sys.exit(max(codes))
    with tempfile.TemporaryDirectory() as folder:
        (compare_pca if args.what == "pca" else compare_tsne)(args, folder)


main()
