#!/usr/bin/env python3
"""Writes fixtures/schedules.safetensors: learning rates of PyTorch's schedulers, step by step.

    /usr/bin/python3 generate_schedules.py

Each case holds the rate of the first step and the one after each step of the scheduler, from a base rate of 0.1. A
scheduler is stepped once an epoch, or after each step of the optimizer; test_schedules.c has the same cases.
"""
import math
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as s

from generate import Writer

BASE = 0.1
STEPS_PER_EPOCH = 7


def sequence(optimizer, length, start, then):
    return s.SequentialLR(optimizer, [s.LinearLR(optimizer, start, 1, length), then(optimizer)], [length])


def one_cycle(optimizer, total, **settings):
    return s.OneCycleLR(optimizer, settings.pop("peak", 0.5), total, cycle_momentum=False, **settings)


# name: (steps of the scheduler, the scheduler)
CASES = {
    "step": (30, lambda o: s.StepLR(o, 7, 0.3)),
    "multistep": (30, lambda o: s.MultiStepLR(o, [3, 8, 8, 20], 0.2)),
    "exponential": (40, lambda o: s.ExponentialLR(o, 0.93)),
    "growing": (40, lambda o: s.ExponentialLR(o, 1.2)),
    "cosine": (20, lambda o: s.CosineAnnealingLR(o, 20)),
    "cosine_minimum": (50, lambda o: s.CosineAnnealingLR(o, 50, 1e-3)),
    "restarts": (23, lambda o: s.CosineAnnealingWarmRestarts(o, 5)),
    "restarts_growth": (60, lambda o: s.CosineAnnealingWarmRestarts(o, 3, 2, 1e-5)),
    "polynomial": (15, lambda o: s.PolynomialLR(o, 12)),
    "polynomial_power": (15, lambda o: s.PolynomialLR(o, 12, 2.5)),
    "one_cycle": (4 * STEPS_PER_EPOCH - 1, lambda o: one_cycle(o, 4 * STEPS_PER_EPOCH)),
    "one_cycle_short": (36, lambda o: one_cycle(o, 37)),
    "one_cycle_linear": (59, lambda o: one_cycle(o, 60, pct_start=0.25, anneal_strategy="linear",
                                                 div_factor=10, final_div_factor=100)),
    "one_cycle_falling": (19, lambda o: one_cycle(o, 20, pct_start=0.0)),
    "one_cycle_rising": (19, lambda o: one_cycle(o, 20, pct_start=1.0)),
    "one_cycle_of_1": (0, lambda o: one_cycle(o, 1)),
    "linear": (20, lambda o: s.LinearLR(o, 0.1, 1, 12)),
    "linear_cosine": (40, lambda o: sequence(o, 10, 0.01, lambda p: s.CosineAnnealingLR(p, 30))),
    "linear_step": (25, lambda o: sequence(o, 5, 0.25, lambda p: s.StepLR(p, 3, 0.5))),
    "linear_polynomial": (25, lambda o: sequence(o, 3 * STEPS_PER_EPOCH, 0.5, lambda p: s.PolynomialLR(p, 4, 1))),
    "lambda": (30, lambda o: s.LambdaLR(o, lambda t: 1 / math.sqrt(1 + t))),
}
# With the part of the epoch that is done: name: (epochs, the scheduler)
FRACTIONS = {
    "restarts_smooth": (9, lambda o: s.CosineAnnealingWarmRestarts(o, 2)),
    "restarts_smooth_growth": (20, lambda o: s.CosineAnnealingWarmRestarts(o, 1, 3, 1e-4)),
}


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)


def rates(steps, make):
    own = optimizer()
    schedule = make(own)
    found = [own.param_groups[0]["lr"]]
    for _ in range(steps):
        own.step()
        schedule.step()
        found.append(own.param_groups[0]["lr"])
    return found


def fractional_rates(epochs, make):
    own = optimizer()
    schedule = make(own)
    found = []
    for step in range(epochs * STEPS_PER_EPOCH + 1):
        schedule.step(step // STEPS_PER_EPOCH + step % STEPS_PER_EPOCH / STEPS_PER_EPOCH)
        found.append(own.param_groups[0]["lr"])
    return found


def main():
    warnings.simplefilter("ignore")
    writer = Writer(0)
    for cases, follow in ((CASES, rates), (FRACTIONS, fractional_rates)):
        for name, (count, make) in cases.items():
            writer.put(name, np.array(follow(count, make), np.float64))
    writer.write("schedules.safetensors")


if __name__ == "__main__":
    main()
