#!/usr/bin/env python3
"""Images a second of the report's network, PyTorch against libdlviz, alternating in one run.

Usage: compare_pytorch.py BENCH_TRAIN [--rounds N] [--seconds X] [--quick]

Each round times PyTorch and then bench_train on the same shape; the table gives the medians, and the
median, smallest and largest of the rounds' ratios. bench_train also loads, resizes and normalizes its
images; PyTorch is given ready ones."""

import argparse
import ctypes
import re
import statistics
import subprocess
import time

import torch

from report_torch import report_network, train_step


def set_threads(threads):
    """PyTorch's, and those of Debian's OpenBLAS, by which it multiplies and of whose threads it does not know."""
    torch.set_num_threads(threads)
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(threads)
    except (OSError, AttributeError):
        pass


def torch_rate(size, batch, threads, inference, seconds):
    set_threads(threads)
    torch.manual_seed(0)
    network = report_network(size)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    images, labels = torch.randn(batch, 1, size, size), torch.randint(0, 10, (batch,))
    network.train(not inference)

    def step():
        if inference:
            with torch.no_grad():
                network(images)
        else:
            train_step(network, optimizer, images, labels)

    for _ in range(3):
        step()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - started)


def dlviz_run(program, size, batch, threads, inference, steps):
    command = [program, "--image-size", str(size), "--batch-size", str(batch), "--threads",
               str(threads), "--steps", str(steps)] + (["--inference"] if inference else [])
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in re.findall(r"^(\w+): ([\d.]+)$", text, re.M)}


def compare(program, size, batch, threads, inference, rounds, seconds):
    # As many steps as take about `seconds`, found once.
    trial = dlviz_run(program, size, batch, threads, inference, 10)
    steps = max(10, int(seconds * trial["images_per_second"] / batch))
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(torch_rate(size, batch, threads, inference, seconds))
        ours.append(dlviz_run(program, size, batch, threads, inference, steps)["images_per_second"])
    ratios = [a / b for a, b in zip(ours, theirs)]
    print(f"| {'inference' if inference else 'training'} | {size} x {size} | {batch} | {threads} "
          f"| {statistics.median(theirs):.0f} | {statistics.median(ours):.0f} "
          f"| {statistics.median(ratios):.2f} | {min(ratios):.2f}-{max(ratios):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", help="the bench_train program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each timing")
    parser.add_argument("--quick", action="store_true", help="32 x 32, batch 64, 2 threads only")
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__} and libdlviz, images a second, medians of {options.rounds} "
          "alternating rounds\n")
    print("| | images | batch | threads | PyTorch | libdlviz | ratio | range |")
    print("|---|---|---|---|---|---|---|---|")
    shapes = [(32, 64, 2)] if options.quick else [
        (size, batch, threads) for threads in (2, 1) for size in (32, 28) for batch in (32, 64, 128)]
    for inference in (False, True):
        for size, batch, threads in shapes:
            compare(options.program, size, batch, threads, inference, options.rounds,
                    options.seconds)


if __name__ == "__main__":
    main()
