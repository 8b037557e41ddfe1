#!/usr/bin/env python3
"""The recipes of examples/speedrun.c in PyTorch: accuracy and seconds.

Usage: speedrun_torch.py 99.0|99.4|99.5 [--data DIR] [--seeds N] [--threads N] [--epochs N] [--channels-last] [--validate]

Network, initial values, batches, schedule, augmentation and what is timed are the same; the random numbers are
PyTorch's. With --epochs a run ends after so many of the recipe's epochs, for a time of an epoch alone."""

import argparse
import gzip
import os
import statistics
import time

import numpy
import torch
from torch import nn

# First kernel, channels and convolutions of each stage, epochs, batch size, peak rate, shift, smoothing.
RECIPES = {"99.0": (3, (16, 32, 64), (1, 1, 1), 1, 64, 0.01, 0, 0.1),
           "99.4": (5, (16, 32, 64), (1, 2, 1), 2, 64, 0.01, 1, 0.1),
           "99.5": (5, (16, 32, 64), (1, 2, 1), 4, 64, 0.01, 1, 0.1)}


def make_network(first_kernel, channels, convolutions):
    layers, inputs, kernel = [], 1, first_kernel
    for outputs, count in zip(channels, convolutions):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs),
                       nn.ReLU(inplace=True)]
            inputs, kernel = outputs, 3
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * 9, 10))


def read_idx(folder, name, header):
    path = os.path.join(folder, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
        return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())


def read_part(folder, part):
    images = read_idx(folder, f"{part}-images-idx3-ubyte", 16).view(-1, 28, 28)
    return images, read_idx(folder, f"{part}-labels-idx1-ubyte", 8).long()


def windows(images):
    """All 25 places of a window of 24 x 24 in each image: a view, n x 5 x 5 x 24 x 24."""
    return ((images.float() / 255 - 0.1307) / 0.3081).unfold(1, 24, 1).unfold(2, 24, 1)


def batches(images, labels, size, shift):
    """An epoch: images in another order, each shifted and then without its border of two pixels."""
    order = torch.randperm(len(labels))
    places = torch.randint(2 - shift, 3 + shift, (2, len(labels)))
    for first in range(0, len(labels), size):
        chosen = order[first:first + size]
        yield images[chosen, places[0, chosen], places[1, chosen]].unsqueeze(1), labels[chosen]


def fit(network, images, labels, recipe, epochs, layout):
    total, batch_size, peak_rate, shift, smoothing = recipe[3:]
    optimizer = torch.optim.Adam(network.parameters(), lr=peak_rate, betas=(0.9, 0.99))
    steps = total * -(-len(labels) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=steps, cycle_momentum=False)
    network.train()
    for _ in range(epochs):
        for inputs, targets in batches(images, labels, batch_size, shift):
            optimizer.zero_grad(set_to_none=True)
            outputs = network(inputs.contiguous(memory_format=layout))
            nn.functional.cross_entropy(outputs, targets, label_smoothing=smoothing).backward()
            optimizer.step()
            schedule.step()


def evaluate(network, images, labels, layout):
    network.eval()
    with torch.no_grad():
        hits = sum((network(inputs.unsqueeze(1).contiguous(memory_format=layout)).argmax(1) == targets).sum().item()
                   for inputs, targets in zip(images[:, 2, 2].split(500), labels.split(500)))
    return 100 * hits / len(labels)


def run(options, seed):
    recipe = RECIPES[options.target]
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    torch.manual_seed(seed)
    started, used = time.perf_counter(), time.process_time()
    images, labels = read_part(options.data, "train")
    if options.validate:
        order = torch.randperm(len(labels))
        held, order = order[:len(labels) // 6], order[len(labels) // 6:]
        held_images, held_labels, images, labels = images[held], labels[held], images[order], labels[order]
    else:
        held_images, held_labels = read_part(options.data, "t10k")
    network = make_network(*recipe[:3]).to(memory_format=layout)
    images = windows(images)
    began = time.perf_counter()
    fit(network, images, labels, recipe, options.epochs or recipe[3], layout)
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
    parser.add_argument("--epochs", type=int, help="so many of the recipe's epochs alone")
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
