#!/usr/bin/env python3
"""The recipes of examples/speedrun.c in PyTorch: accuracy and seconds.

Usage: speedrun_torch.py 99.0|99.4|99.5 [--data DIR] [--seeds N] [--threads N] [--steps N] [--channels-last] [--validate]

Network, initial values, batches, schedule, augmentation and what is timed are the same; the random numbers are
PyTorch's. With --steps a run ends after so many of the recipe's steps, to time these alone."""

import argparse
import gzip
import math
import os
import statistics
import time

import numpy
import torch
from torch import nn

# Epochs, peak rate, shift.
RECIPES = {"99.0": (0.6, 0.02, 0), "99.4": (2.25, 0.01, 1), "99.5": (5.5, 0.01, 1)}
BATCH_SIZE = 64
CROP = 4


def convolution(inputs, outputs, kernel, padding):
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True)]


def make_network():
    return nn.Sequential(*convolution(1, 16, 5, 0), nn.MaxPool2d(2), *convolution(16, 32, 3, 1),
                         *convolution(32, 32, 3, 1), nn.MaxPool2d(2), *convolution(32, 64, 3, 1),
                         nn.Flatten(), nn.Linear(64 * 4 * 4, 10))


def read_idx(folder, name, header):
    path = os.path.join(folder, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
        return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())


def read_part(folder, part):
    images = read_idx(folder, f"{part}-images-idx3-ubyte", 16).view(-1, 28, 28)
    return images, read_idx(folder, f"{part}-labels-idx1-ubyte", 8).long()


def windows(images):
    """All places of a window of 20 x 20 in each image: a view, n x 9 x 9 x 20 x 20."""
    size = images.shape[1] - 2 * CROP
    return ((images.float() / 255 - 0.1307) / 0.3081).unfold(1, size, 1).unfold(2, size, 1)


def batches(images, labels, shift):
    """An epoch: images in another order, each shifted and then without its border."""
    order = torch.randperm(len(labels))
    places = torch.randint(CROP - shift, CROP + shift + 1, (2, len(labels)))
    for first in range(0, len(labels), BATCH_SIZE):
        chosen = order[first:first + BATCH_SIZE]
        yield images[chosen, places[0, chosen], places[1, chosen]].unsqueeze(1), labels[chosen]


def fit(network, images, labels, recipe, total, steps, layout):
    """`steps` of a training that is `total` steps long."""
    _, peak_rate, shift = recipe
    optimizer = torch.optim.Adam(network.parameters(), lr=peak_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=total, cycle_momentum=False)
    network.train()
    while True:
        for inputs, targets in batches(images, labels, shift):
            optimizer.zero_grad(set_to_none=True)
            outputs = network(inputs.contiguous(memory_format=layout))
            nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1).backward()
            optimizer.step()
            steps -= 1
            if steps == 0:
                return
            schedule.step()


def evaluate(network, images, labels, layout):
    network.eval()
    with torch.no_grad():
        hits = sum((network(inputs.unsqueeze(1).contiguous(memory_format=layout)).argmax(1) == targets).sum().item()
                   for inputs, targets in zip(images[:, CROP, CROP].split(500), labels.split(500)))
    return 100 * hits / len(labels)


def run(options, seed):
    recipe = RECIPES[options.target]
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    torch.manual_seed(seed)
    started, used = time.perf_counter(), time.process_time()
    images, labels = read_part(options.data, "train")
    total = math.ceil(recipe[0] * len(labels) / BATCH_SIZE)
    if options.validate:
        order = torch.randperm(len(labels))
        held, order = order[:len(labels) // 6], order[len(labels) // 6:]
        held_images, held_labels, images, labels = images[held], labels[held], images[order], labels[order]
    else:
        held_images, held_labels = read_part(options.data, "t10k")
    network = make_network().to(memory_format=layout)
    images = windows(images)
    began = time.perf_counter()
    fit(network, images, labels, recipe, total, min(options.steps or total, total), layout)
    training = time.perf_counter() - began
    accuracy = evaluate(network, windows(held_images), held_labels, layout)
    whole = time.perf_counter() - started
    print(f"seed {seed}: {accuracy:.2f} %, training {training:.2f} s, whole {whole:.2f} s, "
          f"processor {time.process_time() - used:.2f} s", flush=True)
    return accuracy, training, whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", choices=RECIPES)
    parser.add_argument("--data", default=".", help="with MNIST's four files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, help="so many of the recipe's steps alone, to time them")
    parser.add_argument("--channels-last", action="store_true", help="images' channels last in memory")
    parser.add_argument("--validate", action="store_true", help="measure on a sixth of the training images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    accuracies, trainings, wholes = zip(*(run(options, seed) for seed in range(options.seeds)))
    error = f" ± {statistics.stdev(accuracies) / len(accuracies) ** 0.5:.3f}" if len(accuracies) > 1 else ""
    print(f"mean of {len(accuracies)}: {statistics.mean(accuracies):.3f}{error} %, "
          f"training {statistics.mean(trainings):.2f} s, whole {statistics.mean(wholes):.2f} s")


if __name__ == "__main__":
    main()
