#!/usr/bin/python3
"""Makes many real points: pictures of MNIST and Fashion-MNIST, turned and shifted, and their
principal components.

    make_points.py OUT.npy [--points 1000000] [--components 50 | --components 0] [--mnist FOLDER]
                   [--fashion FOLDER]

The first 140,000 are the pictures as they are, in an order drawn once; each further 140,000 are turned by up to
15 degrees and shifted by up to two pixels. --components 0 writes the 784 pixels.
FOLDERs hold IDX files, plain or .gz (Debian's dataset-fashion-mnist).
"""
import argparse
import glob
import gzip
import os

import numpy as np
from scipy import ndimage


def read(folder):
    pictures = []
    for part in ("train", "t10k"):
        path = glob.glob(os.path.join(folder, part + "-images-idx3-ubyte*"))[0]
        data = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
        pictures.append(np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28))
    return np.concatenate(pictures)


def augment(pictures, random):
    """All pictures by one of 256 drawn maps each: as good as one map a picture, and faster."""
    out = np.empty_like(pictures)
    kinds = random.integers(0, 256, len(pictures))
    for kind in range(256):
        angle = np.deg2rad(random.uniform(-15, 15))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = 13.5 - turn @ np.array([13.5, 13.5]) + random.uniform(-2, 2, 2)
        matrix = np.eye(3)
        matrix[1:, 1:] = turn
        some = kinds == kind
        out[some] = ndimage.affine_transform(pictures[some], matrix, [0, *offset], order=1)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--points", type=int, default=1000000)
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--mnist", default=os.path.expanduser("~/.cache/dlviz/mnist"))
    parser.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    pictures = np.concatenate([read(options.mnist), read(options.fashion)])
    pictures = pictures[random.permutation(len(pictures))]
    flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    mean = flat.mean(axis=0)
    width = options.components or flat.shape[1]
    axes = np.eye(flat.shape[1], dtype=np.float32)
    if options.components:
        axes = np.linalg.eigh(np.cov(flat[::4].T.astype(np.float64)))[1][:, :-width - 1:-1].astype(np.float32)
    out = np.lib.format.open_memmap(options.out, "w+", np.float32, (options.points, width))
    for first in range(0, options.points, len(pictures)):
        some = flat if first == 0 else augment(pictures, random).reshape(len(pictures), -1).astype(np.float32) / 255
        some = some[:options.points - first]
        out[first:first + len(some)] = (some - mean) @ axes if options.components else some


if __name__ == "__main__":
    main()
