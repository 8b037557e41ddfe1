#!/usr/bin/env python3
"""Layers by themselves, microseconds: PyTorch against libdlviz, alternating in one run.

Usage: compare_layers.py BENCH_LAYER [BENCH_LAYER_BEFORE] [--only TEXT] [--rounds N] [--seconds X]

Each round takes PyTorch's shortest run, then each program's; the table gives the medians of the rounds."""

import argparse
import re
import statistics
import subprocess
import time

import torch

SHAPES = [
    (layer, 16, (channels, 32, 32)) for layer in ("softmax", "log_softmax") for channels in (2, 3, 5, 8, 10, 16, 24, 32, 40)
] + [(layer, n, dims) for layer in ("softmax", "log_softmax")
     for n, dims in ((8, (21, 64, 64)), (1, (3, 256, 256)), (64, (64, 8, 8)), (64, (1000,)), (64, (10,)), (4096, (10,)),
                     (1, (10,)))
] + [(layer, n, dims) for layer in ("layernorm", "groupnorm", "instancenorm2d")
     for n, dims in ((1, (64, 64, 64)), (2, (32, 128, 128)), (1, (4, 256, 256)), (16, (2, 32, 32)), (16, (4, 32, 32)),
                     (16, (6, 32, 32)), (64, (64, 8, 8)), (64, (16, 14, 14)), (32, (64, 16, 16)))
] + [("layernorm", n, dims) for n, dims in ((64, (1000,)), (4096, (128,)), (1, (100,)))
] + [(layer, n, dims) for layer in ("maxpool2", "maxpool3", "maxpool3s1")
     for n, dims in ((16, (1, 28, 28)), (16, (3, 32, 32)), (16, (6, 28, 28)), (16, (33, 28, 28)), (16, (64, 24, 24)), (1, (32, 56, 56)))
] + [("maxpool13", 1, (256, 20, 20)), ("maxpool13", 16, (3, 20, 20))
] + [(f"linear{outputs}", n, (inputs,)) for n in (1, 16, 64, 256) for inputs, outputs in ((784, 512), (4096, 512), (9216, 128), (84, 10))]


def make(layer, dims):
    if layer.startswith("linear"):
        return torch.nn.Linear(dims[0], int(layer[6:]))
    return {
        "maxpool2": lambda: torch.nn.MaxPool2d(2),
        "maxpool3": lambda: torch.nn.MaxPool2d(3, 2, 1),
        "maxpool3s1": lambda: torch.nn.MaxPool2d(3, 1, 1),
        "maxpool13": lambda: torch.nn.MaxPool2d(13, 1, 6),
        "softmax": lambda: torch.nn.Softmax(1),
        "log_softmax": lambda: torch.nn.LogSoftmax(1),
        "layernorm": lambda: torch.nn.LayerNorm(dims),
        "groupnorm": lambda: torch.nn.GroupNorm(2, dims[0]),
        "instancenorm2d": lambda: torch.nn.InstanceNorm2d(dims[0]),
    }[layer]()


def shortest(run, seconds):
    best, end = 1e30, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return 1e6 * best


def torch_times(layer, n, dims, seconds):
    """Pools in the faster order of the two."""
    if not layer.startswith("maxpool"):
        return torch_times_in(torch.contiguous_format, layer, n, dims, seconds)
    ways = [torch_times_in(order, layer, n, dims, seconds / 2) for order in (torch.contiguous_format, torch.channels_last)]
    return [min(times) for times in zip(*ways)]


def torch_times_in(order, layer, n, dims, seconds):
    module = make(layer, dims)
    x = torch.randn(n, *dims).contiguous(memory_format=order).requires_grad_()
    dy = torch.randn_like(module(x))
    wanted = [x, *module.parameters()]
    y = module(x)
    forward = shortest(lambda: module(x), seconds / 2)
    return forward, shortest(lambda: torch.autograd.grad(y, wanted, dy, retain_graph=True), seconds / 2)


def program_times(program, layer, n, dims, threads, seconds):
    text = subprocess.run([program, layer, "x".join(map(str, dims)), str(n), str(threads), str(seconds)], check=True,
                          capture_output=True, text=True).stdout
    return [float(value) for value in re.findall(r"_us: ([\d.]+)$", text, re.M)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("programs", nargs="+", help="bench_layer, then, if wanted, the one of another build")
    parser.add_argument("--only", default="", help="lines that contain this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each timing")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__} and libdlviz, microseconds, medians of {options.rounds} rounds' shortest\n")
    titles = ["libdlviz", "before"][:len(options.programs)]
    print("| layer | batch | threads | | PyTorch | " + " | ".join(titles) + " | ratio |")
    print("|---|---|---|---|---|" + "---|" * len(titles) + "---|")
    for layer, n, dims in SHAPES:
        text = f"{layer} {'x'.join(map(str, dims))} | {n}"
        for threads in options.threads if options.only in text else []:
            torch.set_num_threads(threads)
            rounds = [[torch_times(layer, n, dims, options.seconds)] +
                      [program_times(program, layer, n, dims, threads, options.seconds)
                       for program in options.programs] for _ in range(options.rounds)]
            for pass_, name in enumerate(("forward", "backward")):
                times = [statistics.median(r[k][pass_] for r in rounds) for k in range(1 + len(options.programs))]
                print(f"| {text} | {threads} | {name} | " + " | ".join(f"{t:.1f}" for t in times) +
                      f" | {times[0] / times[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
