#!/usr/bin/env python3
"""Writes augmentations.safetensors: images resampled by affine maps with PyTorch's grid_sample in float64 (half-pixel
centers, a constant all around), and the cross-entropy of mixed batches with its gradient.

    /usr/bin/python3 generate_augmentations.py
"""
import numpy as np
import torch
import torch.nn.functional as F

import generate
from generate import Writer, uniform


# -- Resampling ------------------------------------------------------------------------------------

# From pixels to where they come from, in pixels from the center: xx, xy, x0, yx, yy, y0.
MAPS = {
    "none": (1, 0, 0, 0, 1, 0),
    "shift": (1, 0, 0.3, 0, 1, -1.7),
    "far": (1, 0, 40, 0, 1, 0),
    "whole": (1, 0, -2, 0, 1, 1),
    "mirror": (-1, 0, 0, 0, 1, 0),
    "mirror_shift": (-1, 0, 2, 0, -1, -1),
    "turn": (np.cos(0.4), np.sin(0.4), 0, -np.sin(0.4), np.cos(0.4), 0),
    "quarter": (0, 1, 0.1, -1, 0, -0.2),
    "shrink": (3.7, 0, 0, 0, 3.7, 0),
    "tiny": (1000, 0, 0.25, 0, 1000, 0.25),
    "grow": (0.21, 0, 0, 0, 0.21, 0),
    "huge": (0.001, 0, 0.125, 0, 0.001, -0.375),
    "shear": (1, 0.6, 0, 0, 1, 0),
    "any": (0.83117, -0.41279, 1.30713, 0.37131, 1.21097, -0.70139),
}


def resample(image, numbers, mode, fill):
    channels, height, width = image.shape
    xx, xy, x0, yx, yy, y0 = numbers
    theta = torch.tensor([[[xx, xy * height / width, 2 * x0 / width],
                           [yx * width / height, yy, 2 * y0 / height]]], dtype=torch.float64)
    grid = F.affine_grid(theta, (1, channels, height, width), align_corners=False)
    x = torch.from_numpy(image.astype(np.float64))[None] - fill
    return (F.grid_sample(x, grid, mode=mode, padding_mode="zeros", align_corners=False) + fill)[0].numpy()


def resampling(writer):
    for channels, height, width in ((1, 13, 13), (3, 7, 10), (2, 1, 5), (1, 1, 1), (1, 6, 1)):
        for name, numbers in MAPS.items():
            image = uniform(channels * height * width, 5).reshape(channels, height, width)
            labels = generate.labels_for(height * width, 200, 6).reshape(1, height, width)
            key = f"resample/{channels}x{height}x{width}/{name}"
            writer.put(key + "/map", np.array(numbers, np.float64))
            writer.put(key + "/image", image)
            writer.put(key + "/out", resample(image, numbers, "bilinear", 0.25))
            writer.put(key + "/labels", labels.astype(np.float64))
            writer.put(key + "/out_labels", resample(labels, numbers, "nearest", -100.0))


# -- Mixtures --------------------------------------------------------------------------------------

CLASS_WEIGHTS = [0.5, 2, 0, 1, 1.25]


def mixtures(writer):
    n = 6
    for shape in ((5,), (5, 3, 4)):
        for smoothing in (0.0, 0.1):
            for with_classes in (False, True):
                for with_samples in (False, True):
                    for ignored in (False, True):
                        one(writer, n, shape, smoothing, with_classes, with_samples, ignored)


def one(writer, n, shape, smoothing, with_classes, with_samples, ignored):
    pixels = int(np.prod(shape[1:]))
    outputs = (uniform(n * shape[0] * pixels, 70) * np.float32(3)).reshape(n, *shape)
    own = generate.labels_for(n * pixels, shape[0], 71).reshape(n, *shape[1:])
    partners = generate.labels_for(n * pixels, shape[0], 72).reshape(n, *shape[1:])
    if ignored:
        own[1] = -100
        partners[2] = -100
    share = np.float32(0.75) + np.float32(0.25) * uniform(n, 73)
    share[3] = 1
    weights = np.abs(uniform(n, 74)) + np.float32(0.1) if with_samples else np.ones(n, np.float32)
    own_weights = (weights * share).astype(np.float32)
    partner_weights = (weights[::-1] * (1 - share)).astype(np.float32)
    class_weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64) if with_classes else None

    x = torch.from_numpy(outputs.astype(np.float64)).requires_grad_()
    total = norm = 0
    for labels, weight in ((own, own_weights), (partners, partner_weights)):
        t = torch.from_numpy(labels)
        w = torch.from_numpy(weight.astype(np.float64)).reshape(n, *[1] * (len(shape) - 1))
        each = F.cross_entropy(x, t, class_weights, reduction="none", label_smoothing=smoothing)
        kept = torch.where(t == -100, 0, t)
        total = total + (w * each).sum()
        norm = norm + (w * (1 if class_weights is None else class_weights[kept]) * (t != -100)).sum()
    value = total / norm
    if not (with_classes or with_samples or ignored):  # as it is usually written
        lam = torch.from_numpy(share.astype(np.float64)).reshape(n, *[1] * (len(shape) - 1))
        usual = (lam * F.cross_entropy(x, torch.from_numpy(own), reduction="none", label_smoothing=smoothing) +
                 (1 - lam) * F.cross_entropy(x, torch.from_numpy(partners), reduction="none",
                                             label_smoothing=smoothing)).mean()
        assert abs(value.item() - usual.item()) < 1e-7, (value, usual)
    value.backward()
    name = "mixture/{}_{:g}_{}{}{}".format("x".join(map(str, (n, *shape))), smoothing, int(with_classes),
                                           int(with_samples), int(ignored))
    writer.put(name + "/outputs", outputs)
    writer.put(name + "/own", own.astype(np.float64))
    writer.put(name + "/partners", partners.astype(np.float64))
    writer.put(name + "/own_weights", own_weights)
    writer.put(name + "/partner_weights", partner_weights)
    writer.put(name + "/value", np.array([value.item()]))
    writer.put(name + "/gradient", x.grad.numpy().astype(np.float32))


def main():
    torch.set_num_threads(1)
    writer = Writer(1 << 30)
    resampling(writer)
    mixtures(writer)
    writer.write("augmentations.safetensors")


if __name__ == "__main__":
    main()
