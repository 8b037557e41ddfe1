"""The report's network in PyTorch, for the scripts that compare with it."""

import torch
from torch import nn


def report_network(size=32):
    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(1, 32), *block(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *block(32, 64), *block(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(64 * (size // 4) ** 2, 512), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(512, 10))


def train_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss
