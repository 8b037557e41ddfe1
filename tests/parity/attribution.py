#!/usr/bin/env python3
"""What networks look at, as PyTorch's automatic differentiation says, for parity/test_attribution.c.

    /usr/bin/python3 attribution.py

For the networks of some groups of graphs.py, as fixtures/graphs_<group>.json describes them: the gradient of one
output of each sample, integrated gradients on the way from a baseline, and Grad-CAM at the input and at every layer
that gives images; in float64 and in float32. Where rounding decides so much that those two differ, results are left
out, and maps of Grad-CAM whose terms nearly cancel. They go to fixtures/attribution.safetensors.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import generate
import graphs

GROUPS = ["branches", "nets", "residual", "random"]
STEPS = 7
LIMIT = 24
APART = 1e-4
CANCELS = 1e-2


class Watched(graphs.Graph):
    """Keeps every layer's output, each a tensor of its own."""

    def forward(self, x):
        self.values = {"input": x}
        for name, part, inputs in self.nodes:
            before = [self.values[i] for i in inputs]
            value = part(*before)
            self.values[name] = value.clone() if any(value is other for other in before) else value
        return self.values[name]


def chosen(outputs):
    """The outputs that test_attribution.c chooses, and their numbers."""
    outputs = outputs.flatten(1)
    targets = torch.tensor([(7 * i + 3) % outputs.shape[1] for i in range(len(outputs))])
    return outputs.gather(1, targets[:, None])[:, 0], targets


def run(description, batch, kind, dtype):
    torch.manual_seed(0)
    model = Watched(description).to(dtype)
    graphs.fill_states(model, kind)
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    shape = tuple(description["input"])
    size = int(np.prod(shape))
    inputs = torch.from_numpy(generate.values_for(batch * size, 100, kind).copy()).to(dtype).reshape((batch,) + shape)
    baseline = torch.from_numpy(generate.uniform(size, 300).copy()).to(dtype).reshape((1,) + shape)
    results = {}

    x = inputs.clone().requires_grad_()
    y, _ = chosen(model(x))
    watched = {name: value for name, value in model.values.items() if value.dim() == 4}
    gradients = torch.autograd.grad(y.sum(), [x] + list(watched.values()))
    results["saliency"] = gradients[0]
    for (name, value), gradient in zip(watched.items(), gradients[1:]):
        alpha = gradient.mean((2, 3), keepdim=True)
        terms = (alpha * value).detach()
        if torch.linalg.norm(terms.sum(1)) >= CANCELS * torch.linalg.norm(terms):
            results["cam/" + name] = F.relu(terms.sum(1))

    zeros, weights = np.polynomial.legendre.leggauss(STEPS)
    total = torch.zeros_like(inputs)
    for zero, weight in zip(zeros, weights):
        at = (1 + zero) / 2
        x = ((1 - at) * baseline + at * inputs).requires_grad_()
        y, _ = chosen(model(x))
        total += weight / 2 * torch.autograd.grad(y.sum(), x)[0]
    results["integrated"] = (inputs - baseline) * total
    return results


def graphs_branches_first():
    with open(os.path.join(generate.HERE, "graphs_branches.json"), encoding="utf-8") as file:
        return json.load(file)[0]["network"]


def hold(dtype):
    """What holds some points of a random map among their neighbors: dlviz_network_neighborhood."""
    description, layer, n, k, points = graphs_branches_first(), "sum", 40, 5, [0, 17, 39]
    model = Watched(description).to(dtype)
    graphs.fill_states(model, "uniform")
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    shape = tuple(description["input"])
    size = int(np.prod(shape))
    inputs = torch.from_numpy(generate.uniform(n * size, 100).copy()).to(dtype).reshape((n,) + shape)
    baseline = torch.from_numpy(generate.uniform(size, 300).copy()).to(dtype).reshape((1,) + shape)
    positions = generate.uniform(2 * n, 400).astype(np.float64).reshape(n, 2)

    def features(x):
        model(x)
        return model.values[layer].flatten(1)

    known, results = features(inputs), []
    zeros, weights = np.polynomial.legendre.leggauss(STEPS)
    for i in points:
        others = [j for j in range(n) if j != i]
        neighbors = sorted(others, key=lambda j: ((positions[j] - positions[i]) ** 2).sum())[:k]
        squares = ((known[i] - known[others]) ** 2).sum(1)

        def entropy(beta):
            shares = torch.softmax(-beta * squares, 0)
            return -(shares * torch.log(shares)).sum().item()

        low, high = 0.0, 100.0 / squares.min().item()
        for _ in range(200):
            beta = (low + high) / 2
            low, high = (beta, high) if entropy(beta) > np.log(2 * k) else (low, beta)
        total = torch.zeros((1,) + shape, dtype=dtype)
        for zero, weight in zip(zeros, weights):
            at = (1 + zero) / 2
            x = ((1 - at) * baseline + at * inputs[i:i + 1]).requires_grad_()
            near = -beta * ((features(x) - known) ** 2).sum(1)
            near = torch.logsumexp(near[neighbors], 0) - torch.logsumexp(near[others], 0)
            total += weight / 2 * torch.autograd.grad(near, x)[0]
        results.append((inputs[i:i + 1] - baseline) * total)
    return torch.cat(results)


def main():
    torch.set_num_threads(1)
    writer = generate.Writer(LIMIT)
    count = left_out = 0
    for group in GROUPS:
        with open(os.path.join(generate.HERE, f"graphs_{group}.json"), encoding="utf-8") as file:
            cases = json.load(file)
        for case in cases:
            numbers = case["network"], case["batch"], case["kind"]
            wide, narrow = run(*numbers, torch.float64), run(*numbers, torch.float32)
            for key, value in wide.items():
                apart = key not in narrow or torch.linalg.norm(narrow[key].double() - value) > APART * torch.linalg.norm(value)
                left_out += bool(apart)
                count += not apart
                if not apart:
                    writer.reference(f"{group}/{case['name']}/{key}", value, narrow[key])
    writer.reference("neighborhood", hold(torch.float64), hold(torch.float32))
    print(f"{count} results, {left_out} left out")
    writer.write("attribution.safetensors")


if __name__ == "__main__":
    main()
