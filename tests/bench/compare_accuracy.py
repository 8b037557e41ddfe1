#!/usr/bin/env python3
"""Whether training here and training in PyTorch lead to the same place: the report's network on part of
MNIST, several seeds each, mean validation loss and accuracy with their standard errors.

Usage: compare_accuracy.py BENCH_ACCURACY FOLDER [--images N] [--epochs N] [--seeds N]"""

import argparse
import statistics
import subprocess
from pathlib import Path

import numpy as np
import torch
from torch import nn

from report_torch import report_network, train_step

VALIDATION = 10000


def read_idx(folder, name, header):
    return np.fromfile(Path(folder) / name, dtype=np.uint8)[header:]


def load(folder):
    images = read_idx(folder, "train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(folder, "train-labels-idx1-ubyte", 8).astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)


def prepare(images):
    resized = nn.functional.interpolate(images.float() / 255, size=(32, 32), mode="bilinear",
                                        align_corners=False)
    return (resized - 0.1307) / 0.3081


def validate(network, images, labels):
    network.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for first in range(0, len(labels), 500):
            logits = network(prepare(images[first:first + 500]))
            loss += nn.functional.cross_entropy(logits, labels[first:first + 500],
                                                reduction="sum").item()
            right += (logits.argmax(1) == labels[first:first + 500]).sum().item()
    network.train()
    return loss / len(labels), right / len(labels)


def torch_run(images, labels, count, epochs, seed):
    torch.manual_seed(seed)
    network = report_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    history = []
    for _ in range(epochs):
        order, total = torch.randperm(count), 0.0
        for first in range(0, count, 64):
            batch = order[first:first + 64]
            loss = train_step(network, optimizer, prepare(images[batch]), labels[batch])
            total += loss.item() * len(batch)
        history.append((total / count, *validate(network, images[-VALIDATION:],
                                                 labels[-VALIDATION:])))
    return history


def dlviz_run(program, folder, count, epochs, seed):
    text = subprocess.run([program, folder, str(count), str(epochs), str(seed)], check=True,
                          capture_output=True, text=True).stdout
    return [tuple(map(float, line.split()[1:])) for line in text.splitlines()]


def describe(values):
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.4f} ± {error:.4f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", help="the bench_accuracy program")
    parser.add_argument("folder", help="MNIST's raw IDX files")
    parser.add_argument("--images", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2)
    images, labels = load(options.folder)
    runs = {"PyTorch": [], "libdlviz": []}
    for seed in range(options.seeds):
        runs["PyTorch"].append(torch_run(images, labels, options.images, options.epochs, seed))
        runs["libdlviz"].append(dlviz_run(options.program, options.folder, options.images,
                                          options.epochs, seed))
    print(f"{options.images} images, {options.seeds} seeds, mean ± standard error\n")
    print("| epoch | | training loss | validation loss | validation accuracy |")
    print("|---|---|---|---|---|")
    for epoch in range(options.epochs):
        for name, histories in runs.items():
            columns = [describe([history[epoch][i] for history in histories]) for i in range(3)]
            print(f"| {epoch + 1} | {name} | " + " | ".join(columns) + " |")


if __name__ == "__main__":
    main()
