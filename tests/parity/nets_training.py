#!/usr/bin/env python3
"""Trains the networks of graphs_nets.py with Adam or, with gradients clipped, with SGD, for parity/test_nets.c.

    /usr/bin/python3 nets_training.py

Batch t has the numbers of seed 400 + t % 4, and targets of seed 500 + t % 4. Of each training the losses in
float64 are stored, and how far three float32 runs are from them that differ in the order of their sums: at
rate 1e-3 Adam makes much of rounding, as generate.py says."""
import json
import os

import numpy as np
import torch
import torch.nn.functional as F

import generate
import graphs
import graphs_nets

# Name of the training: network, loss, rate, steps, batch; for SGD, what its gradients are clipped by.
TRAININGS = {
    "resnet8": ("resnet8", "cross_entropy", 1e-3, 100, 8),
    "resnet8 slow": ("resnet8", "cross_entropy", 1e-5, 100, 8),
    "unet": ("unet", "mse", 1e-3, 20, 8),
    "separable": ("separable", "cross_entropy", 1e-3, 20, 16),
    "separable slow": ("separable", "cross_entropy", 1e-5, 20, 16),
    "regression": ("regression", "mse", 1e-3, 20, 16),
    "labels": ("labels", "bce_with_logits", 1e-3, 20, 16),
    "clipped norm": ("separable", "cross_entropy", 0.1, 20, 16, "norm", 0.2),
    "short norm": ("regression", "mse", 0.05, 20, 16, "norm", 1e3),
    "clipped value": ("regression", "mse", 0.05, 20, 16, "value", 1e-2),
}


def targets(loss, shape, batch, seed, dtype):
    if loss == "cross_entropy":
        return torch.from_numpy(generate.labels_for(batch, shape[0], seed))
    numbers = generate.uniform(batch * int(np.prod(shape)), seed).reshape((batch,) + shape)
    if loss == "bce_with_logits":
        numbers = (numbers > 0).astype(np.float32)
    return torch.from_numpy(numbers.copy()).to(dtype)


def train(description, loss, rate, steps, batch, clip, dtype, onednn, order):
    torch.manual_seed(0)
    measure = {"cross_entropy": F.cross_entropy, "mse": F.mse_loss,
               "bce_with_logits": F.binary_cross_entropy_with_logits}[loss]
    losses, shape = [], (batch,) + tuple(description["input"])
    with torch.backends.mkldnn.flags(enabled=onednn):
        model = graphs.Graph(description).to(dtype)
        graphs.fill_states(model, "uniform")
        model.train()
        optimizer = (torch.optim.SGD if clip else torch.optim.Adam)(model.parameters(), lr=rate)
        for t in range(steps):
            x = generate.uniform(int(np.prod(shape)), 400 + t % 4).reshape(shape)[::order].copy()
            y = targets(loss, model.out_shape, batch, 500 + t % 4, dtype)
            optimizer.zero_grad()
            value = measure(model(torch.from_numpy(x).to(dtype)), y.flip(0) if order < 0 else y)
            value.backward()
            if clip:
                limit = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}[clip[0]]
                limit(model.parameters(), clip[1])
            optimizer.step()
            losses.append(value.item())
    return np.array(losses)


def make():
    nets = {name: description for name, _, description in graphs_nets.all_nets()}
    writer, entries = generate.Writer(0), []
    for name, (net, loss, rate, steps, batch, *clip) in TRAININGS.items():
        if net not in nets:
            continue
        wide = train(nets[net], loss, rate, steps, batch, clip, torch.float64, True, 1)
        apart = [np.abs(train(nets[net], loss, rate, steps, batch, clip, torch.float32, *how) - wide) / wide
                 for how in ((True, 1), (False, 1), (True, -1))]
        writer.put(f"{name}/float64", wide)
        writer.put(f"{name}/apart", np.max(apart, axis=0))
        entries.append({"name": name, "network": nets[net], "loss": loss, "rate": rate, "steps": steps,
                        "batch": batch, **({f"clip_{clip[0]}": clip[1]} if clip else {})})
        print(f"{name}: loss {wide[0]:.6f} to {wide[-1]:.6f}, float32 off by {np.max(apart):.1e}", flush=True)
    writer.write("nets_training.safetensors")
    with open(os.path.join(generate.HERE, "nets_training.json"), "w") as file:
        json.dump(entries, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
