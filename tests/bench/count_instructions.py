#!/usr/bin/env python3
"""Instructions that a step of each of the ten networks takes on 64-bit ARM, counted under QEMU.

Usage: count_instructions.py BENCH_NETWORKS PLUGIN [--networks NAME ...] [--batch N] [--isas neon generic]

BENCH_NETWORKS is built for aarch64 (tests/README.md), and the plugin for this machine:

    cc -O2 -fPIC -shared -o count_instructions.so tests/bench/count_instructions.c

Runs of two steps and of one differ by what a step takes. Counts are no times: they say how much NEON saves, and how
large a part of what is executed are multiply-adds."""

import argparse
import os
import re
import subprocess


def count(options, network, isa, inference, steps):
    command = [options.qemu, "-plugin", os.path.abspath(options.plugin), options.program, "--network", network, "--batch",
               str(options.batch), "--threads", "1", "--steps", str(steps)] + (["--inference"] if inference else [])
    done = subprocess.run(command, env={**os.environ, "DLVIZ_ISA": isa}, capture_output=True, text=True, check=True)
    if f"isa: {isa} " not in done.stdout:
        raise SystemExit(f"{isa} is not what it ran with:\n{done.stdout}")
    return {name: int(value) for name, value in re.findall(r"^(\w+): (\d+)$", done.stderr, re.M)}


def of_a_step(options, network, isa, inference):
    one, two = (count(options, network, isa, inference, steps) for steps in (1, 2))
    return {name: two[name] - one[name] for name in one}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", help="bench_networks for aarch64")
    parser.add_argument("plugin", help="count_instructions.so")
    parser.add_argument("--qemu", default="qemu-aarch64")
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--isas", nargs="+", default=["generic", "neon"])
    options = parser.parse_args()
    listed = subprocess.run([options.qemu, options.program, "--list"], capture_output=True, text=True, check=True).stdout
    networks = options.networks or [line.split("\t")[0] for line in listed.splitlines()]
    print(f"Millions of instructions of a step, batch {options.batch}, and how many of them are multiply-adds of vectors\n")
    print("| network | | " + " | ".join(f"{isa} | multiply-adds" for isa in options.isas) + " | " +
          f"{options.isas[0]} / {options.isas[-1]} |")
    print("|---|---|" + "---|---|" * len(options.isas) + "---|")
    for network in networks:
        for inference in (False, True):
            counts = [of_a_step(options, network, isa, inference) for isa in options.isas]
            cells = " | ".join(f"{c['instructions'] / 1e6:.1f} | {100 * c['vector_fma'] / c['instructions']:.0f} %" for c in counts)
            print(f"| {network} | {'inference' if inference else 'training'} | {cells} "
                  f"| {counts[0]['instructions'] / counts[-1]['instructions']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
