#!/usr/bin/env python3
"""Any network as PyTorch computes it, for parity/test_graphs.c.

    /usr/bin/python3 graphs.py [group ...]

A network is described as in the library's files (metadata "dlviz.network"): {"input": [C, H, W], "layers":
[{"name", "type", "settings", "inputs"}, ...]}, where inputs may be left out for the layer before. Each group is
graphs_<group>.py beside this file with a function cases(), which yields (name, batch, kind, description); kind
says how numbers are made: "uniform", or "ties" (few whole halves). LIMIT there: how many numbers of a tensor
are stored, 512 without it. For each case the network is run in float64
and in float32: output and gradient of the input in evaluation; gradients of the input and of every parameter in
training, for a given gradient of the output; running statistics and output afterwards. The group's descriptions
go to fixtures/graphs_<group>.json, the results to fixtures/graphs_<group>.safetensors.

A layer's type is a function here, decorated with @layer: (settings, input shapes) to a torch module or function
of the inputs. Modules' parameters have the names of the library's.
"""
import glob
import importlib
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import generate

HERE = os.path.dirname(os.path.abspath(__file__))
LAYERS = {}


def layer(function):
    LAYERS[function.__name__.rstrip("_")] = function
    return function


# -- One function a layer ------------------------------------------------------------------------------

class Conv1d(nn.Conv1d):
    """PyTorch's, on images of height 1, with the library's dimension of height 1 in the weight."""

    def __init__(self, channels, s):
        super().__init__(channels, s["out_channels"], s["kernel"][1], s["stride"][1], s["padding"][1],
                         s["dilation"][1], s.get("groups", 1), s["bias"])
        self.weight = nn.Parameter(self.weight.detach().unsqueeze(2))

    def forward(self, x):
        return self._conv_forward(x.squeeze(2), self.weight.squeeze(2), self.bias).unsqueeze(2)


@layer
def conv2d(s, shapes):
    if shapes[0][1] == 1 and s["kernel"][0] == s["stride"][0] == 1 and s["padding"][0] == 0:
        return Conv1d(shapes[0][0], s)
    return nn.Conv2d(shapes[0][0], s["out_channels"], s["kernel"], s["stride"], s["padding"], s["dilation"],
                     s.get("groups", 1), s["bias"])


@layer
def conv_transpose2d(s, shapes):
    return nn.ConvTranspose2d(shapes[0][0], s["out_channels"], s["kernel"], s["stride"], s["padding"],
                              s["output_padding"], s["groups"], s["bias"], s["dilation"])


@layer
def batchnorm(s, shapes):
    kind = nn.BatchNorm2d if len(shapes[0]) == 3 else nn.BatchNorm1d
    return kind(shapes[0][0], s["eps"], s["momentum"], affine=s["affine"])


@layer
def layernorm(s, shapes):
    return nn.LayerNorm(shapes[0], s["eps"], s["affine"])


@layer
def groupnorm(s, shapes):
    return nn.GroupNorm(s["num_groups"], shapes[0][0], s["eps"], s["affine"])


@layer
def instancenorm2d(s, shapes):
    return nn.InstanceNorm2d(shapes[0][0], s["eps"], affine=s["affine"])


@layer
def softmax(s, shapes):
    return nn.Softmax(dim=1)


@layer
def log_softmax(s, shapes):
    return nn.LogSoftmax(dim=1)


@layer
def relu(s, shapes):
    return F.relu


@layer
def leaky_relu(s, shapes):
    return nn.LeakyReLU(s["negative_slope"])


@layer
def elu(s, shapes):
    return nn.ELU(s["alpha"])


@layer
def gelu(s, shapes):
    return F.gelu


@layer
def gelu_tanh(s, shapes):
    return nn.GELU(approximate="tanh")


@layer
def silu(s, shapes):
    return F.silu


@layer
def sigmoid(s, shapes):
    return torch.sigmoid


@layer
def tanh(s, shapes):
    return torch.tanh


@layer
def softplus(s, shapes):
    return nn.Softplus(s["beta"], s["threshold"])


@layer
def hardswish(s, shapes):
    return F.hardswish


@layer
def maxpool2d(s, shapes):
    return nn.MaxPool2d(s["kernel"], s["stride"], s["padding"], ceil_mode=s["ceil_mode"])


@layer
def avgpool2d(s, shapes):
    return nn.AvgPool2d(s["kernel"], s["stride"], s["padding"], s["ceil_mode"], s["count_include_pad"])


@layer
def global_avgpool2d(s, shapes):
    return lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1)


@layer
def adaptive_avgpool2d(s, shapes):
    return nn.AdaptiveAvgPool2d(s["size"])


@layer
def upsample(s, shapes):
    mode = ["nearest", "bilinear"][s["mode"]]
    return nn.Upsample(s["size"], mode=mode, align_corners=s["align_corners"] if s["mode"] else None)


@layer
def reshape(s, shapes):
    return lambda x: x.reshape([len(x)] + s["shape"])


@layer
def pad(s, shapes):
    mode = ["constant", "reflect", "replicate"][s["mode"]]
    return lambda x: F.pad(x, s["horizontal"] + s["vertical"], mode, *[s["value"]] * (s["mode"] == 0))


@layer
def dropout(s, shapes):
    assert s["p"] == 0  # masks are not PyTorch's
    return lambda x: x


@layer
def dropout2d(s, shapes):
    assert s["p"] == 0  # masks are not PyTorch's
    return lambda x: x


@layer
def linear(s, shapes):
    return nn.Linear(shapes[0][0], s["out_features"], s["bias"])


@layer
def flatten(s, shapes):
    return nn.Flatten()


@layer
def add(s, shapes):
    return lambda *inputs: sum(inputs[1:], inputs[0])


@layer
def multiply(s, shapes):
    def product(a, b):
        return a * (b.reshape(b.shape[:2] + (1,) * (a.dim() - 2)) if b.dim() < a.dim() else b)
    return product


@layer
def concat(s, shapes):
    return lambda *inputs: torch.cat(inputs, dim=1)


# -- Building descriptions -----------------------------------------------------------------------------

class Net:
    """Writes a description: net = Net(3, 8, 8); net.add("conv1", "conv2d", CONV, out_channels=4) ..."""

    DEFAULTS = {
        "conv2d": dict(out_channels=1, kernel=[3, 3], stride=[1, 1], padding=[1, 1], dilation=[1, 1], bias=True),
        "conv_transpose2d": dict(out_channels=1, kernel=[3, 3], stride=[1, 1], padding=[0, 0],
                                 output_padding=[0, 0], dilation=[1, 1], groups=1, bias=True),
        "batchnorm": dict(eps=1e-5, momentum=0.1, affine=True),
        "layernorm": dict(eps=1e-5, affine=True),
        "groupnorm": dict(num_groups=1, eps=1e-5, affine=True),
        "instancenorm2d": dict(eps=1e-5, affine=False),
        "dropout2d": dict(p=0.0),
        "maxpool2d": dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], ceil_mode=False),
        "leaky_relu": dict(negative_slope=0.01),
        "elu": dict(alpha=1.0),
        "softplus": dict(beta=1.0, threshold=20.0),
        "avgpool2d": dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], ceil_mode=False, count_include_pad=True),
        "upsample": dict(mode=0, align_corners=False),
        "pad": dict(mode=0, value=0.0),
        "dropout": dict(p=0.0),
        "linear": dict(out_features=1, bias=True),
    }

    def __init__(self, *dims):
        self.description = {"input": list(dims), "layers": []}

    def add(self, name, kind, inputs=None, **settings):
        entry = {"name": name, "type": kind, "settings": {**self.DEFAULTS.get(kind, {}), **settings}}
        if inputs is not None:
            entry["inputs"] = [inputs] if isinstance(inputs, str) else list(inputs)
        self.description["layers"].append(entry)
        return name


class Graph(nn.Module):
    def __init__(self, description):
        super().__init__()
        self.nodes, shapes = [], {"input": tuple(description["input"])}
        before = "input"
        for entry in description["layers"]:
            inputs = entry.get("inputs", [before])
            part = LAYERS[entry["type"]](entry["settings"], [shapes[i] for i in inputs])
            before = entry["name"]
            if isinstance(part, nn.Module):
                self.add_module(before.replace(".", "|"), part)
            self.nodes.append((before, part, inputs))
            with torch.no_grad():
                examples = [torch.zeros((2,) + shapes[i]) for i in inputs]
                evaluated = part.eval()(*examples) if isinstance(part, nn.Module) else part(*examples)
                shapes[before] = tuple(evaluated.shape[1:])
        self.out_shape = shapes[before]

    def forward(self, x):
        values = {"input": x}
        for name, part, inputs in self.nodes:
            values[name] = part(*[values[i] for i in inputs])
        return values[name]

    def named(self, tensors):
        return [(name.replace("|", "."), tensor) for name, tensor in tensors]


def fill_states(model, kind):
    for key, tensor in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            values = generate.state_values(key.replace("|", "."), tuple(tensor.shape), 1, kind)
            tensor.copy_(torch.from_numpy(values.copy()).to(tensor.dtype))


def run(description, batch, kind, dtype, graph=Graph, seed=0):
    torch.manual_seed(seed)
    model = graph(description).to(dtype)
    fill_states(model, kind)
    shape = (batch,) + tuple(description["input"])
    numbers = generate.values_for(int(np.prod(shape)), 100, kind).reshape(shape)
    out = (batch,) + model.out_shape
    gradient = torch.from_numpy(generate.uniform(int(np.prod(out)), 200).reshape(out).copy()).to(dtype)
    results = {}
    for mode in ("eval", "train"):
        x = torch.from_numpy(numbers.copy()).to(dtype).requires_grad_()
        model.train(mode == "train")
        model.zero_grad(set_to_none=True)
        y = model(x)
        y.backward(gradient)
        if mode == "eval":
            results["before"] = y.detach()
        results[mode + "/dx"] = x.grad
    for name, parameter in model.named(model.named_parameters()):
        results["grad/" + name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    for name, value in model.named(model.named_buffers()):
        if not name.endswith("num_batches_tracked"):
            results["state/" + name] = value
    model.eval()
    results["after"] = model(torch.from_numpy(numbers.copy()).to(dtype)).detach()
    return results


def make(group):
    module = importlib.import_module("graphs_" + group)
    writer, entries = generate.Writer(getattr(module, "LIMIT", 512)), []
    for name, batch, kind, description in module.cases():
        entries.append({"name": name, "batch": batch, "kind": kind, "network": description})
        wide = run(description, batch, kind, torch.float64)
        narrow = run(description, batch, kind, torch.float32)
        for key, value in wide.items():
            writer.reference(f"{name}/{key}", value, narrow[key])
    writer.write(f"graphs_{group}.safetensors")
    with open(os.path.join(generate.HERE, f"graphs_{group}.json"), "w") as file:
        json.dump(entries, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    sys.modules["graphs"] = sys.modules["__main__"]
    torch.set_num_threads(1)
    found = sorted(os.path.basename(p)[7:-3] for p in glob.glob(os.path.join(HERE, "graphs_*.py")))
    for group in sys.argv[1:] or found:
        make(group)
