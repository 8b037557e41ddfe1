"""The networks of ten_networks.c in PyTorch, as a program would write them; states have the same names."""

import collections
import json

import numpy
import torch
from torch import nn

CLASSES = 10


class Layers:
    """An nn.Sequential in the making."""

    def __init__(self):
        self.layers = collections.OrderedDict()

    def add(self, name, layer):
        self.layers[name] = layer
        return self

    def rectified(self, kind, number, layer):
        return self.add(f"{kind}{number}", layer).add(f"relu{number}", nn.ReLU(inplace=True))

    def normalized(self, kind, number, layer):
        norm = nn.BatchNorm1d(layer.out_features) if isinstance(layer, nn.Linear) else nn.BatchNorm2d(layer.out_channels)
        return self.add(f"{kind}{number}", layer).add(f"bn{number}", norm).add(f"relu{number}", nn.ReLU(inplace=True))

    def done(self):
        return nn.Sequential(self.layers)


def convolution(inputs, outputs, kernel, stride, padding, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)


def report(size):
    return (Layers()
            .normalized("conv", 1, nn.Conv2d(1, 32, 3, padding=1)).normalized("conv", 2, nn.Conv2d(32, 32, 3, padding=1))
            .add("pool1", nn.MaxPool2d(2)).add("dropout1", nn.Dropout(0.25))
            .normalized("conv", 3, nn.Conv2d(32, 64, 3, padding=1)).normalized("conv", 4, nn.Conv2d(64, 64, 3, padding=1))
            .add("pool2", nn.MaxPool2d(2)).add("dropout2", nn.Dropout(0.25)).add("flatten", nn.Flatten())
            .normalized("fc", 5, nn.Linear(64 * (size // 4) ** 2, 512)).add("dropout3", nn.Dropout(0.5))
            .add("fc6", nn.Linear(512, CLASSES)).done())


def mnist():
    return (Layers()
            .rectified("conv", 1, nn.Conv2d(1, 32, 3)).rectified("conv", 2, nn.Conv2d(32, 64, 3))
            .add("pool", nn.MaxPool2d(2)).add("dropout1", nn.Dropout(0.25)).add("flatten", nn.Flatten())
            .rectified("fc", 3, nn.Linear(9216, 128)).add("dropout2", nn.Dropout(0.5))
            .add("fc4", nn.Linear(128, CLASSES)).done())


def lenet5():
    return (Layers()
            .rectified("conv", 1, nn.Conv2d(1, 6, 5, padding=2)).add("pool1", nn.MaxPool2d(2))
            .rectified("conv", 2, nn.Conv2d(6, 16, 5)).add("pool2", nn.MaxPool2d(2)).add("flatten", nn.Flatten())
            .rectified("fc", 3, nn.Linear(400, 120)).rectified("fc", 4, nn.Linear(120, 84))
            .add("fc5", nn.Linear(84, CLASSES)).done())


def vgg():
    layers, inputs, number = Layers(), 3, 0
    for stage, outputs in enumerate((64, 128, 256)):
        for _ in range(2):
            number += 1
            layers.normalized("conv", number, nn.Conv2d(inputs, outputs, 3, padding=1))
            inputs = outputs
        layers.add(f"pool{stage + 1}", nn.MaxPool2d(2))
    return layers.add("flatten", nn.Flatten()).rectified("fc", 7, nn.Linear(4096, 512)).add("fc8", nn.Linear(512, CLASSES)).done()


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = convolution(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = self.shortcut_bn = None
        if stride != 1:
            self.shortcut, self.shortcut_bn = convolution(inputs, outputs, 1, stride, 0), nn.BatchNorm2d(outputs)

    def forward(self, x):
        around = x
        if self.shortcut is not None:
            around = self.shortcut_bn(self.shortcut(x))
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += around
        return self.relu(y)


def resnet(blocks):
    layers, inputs = Layers().normalized("conv", 1, convolution(3, 16, 3, 1, 1)), 16
    for stage, outputs in enumerate((16, 32, 64)):
        for i in range(blocks):
            layers.add(f"layer{stage + 1}_{i + 1}", Block(inputs, outputs, 2 if stage > 0 and i == 0 else 1))
            inputs = outputs
    return layers.add("pool", nn.AdaptiveAvgPool2d(1)).add("flatten", nn.Flatten()).add("fc", nn.Linear(64, CLASSES)).done()


def separable():
    layers, inputs, number = Layers().normalized("conv", 1, convolution(3, 32, 3, 1, 1)), 32, 1
    for outputs, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers.normalized("dw", number + 1, convolution(inputs, inputs, 3, stride, 1, inputs))
        layers.normalized("pw", number + 2, convolution(inputs, outputs, 1, 1, 0))
        inputs, number = outputs, number + 2
    return layers.add("pool", nn.AdaptiveAvgPool2d(1)).add("flatten", nn.Flatten()).add("fc", nn.Linear(256, CLASSES)).done()


def autoencoder():
    return (Layers()
            .rectified("conv", 1, nn.Conv2d(1, 16, 3, 2, 1)).rectified("conv", 2, nn.Conv2d(16, 32, 3, 2, 1))
            .add("conv3", nn.Conv2d(32, 64, 7)).rectified("up", 4, nn.ConvTranspose2d(64, 32, 7))
            .rectified("up", 5, nn.ConvTranspose2d(32, 16, 3, 2, 1, 1)).add("up6", nn.ConvTranspose2d(16, 1, 3, 2, 1, 1))
            .add("sigmoid", nn.Sigmoid()).done())


def mlp():
    return (Layers()
            .normalized("fc", 1, nn.Linear(784, 512)).add("dropout1", nn.Dropout(0.25))
            .normalized("fc", 2, nn.Linear(512, 512)).add("dropout2", nn.Dropout(0.25))
            .add("fc3", nn.Linear(512, CLASSES)).done())


def large():
    return (Layers()
            .normalized("conv", 1, convolution(3, 32, 7, 2, 3)).add("pool1", nn.MaxPool2d(3, 2, 1))
            .normalized("conv", 2, convolution(32, 64, 3, 2, 1)).normalized("conv", 3, convolution(64, 64, 3, 1, 1))
            .normalized("conv", 4, convolution(64, 128, 1, 1, 0)).normalized("conv", 5, convolution(128, 128, 3, 2, 1))
            .add("pool2", nn.AdaptiveAvgPool2d(1)).add("flatten", nn.Flatten()).add("fc", nn.Linear(128, CLASSES)).done())


NETWORKS = {
    "report32": lambda: report(32), "report28": lambda: report(28), "mnist": mnist, "lenet5": lenet5, "vgg": vgg,
    "resnet8": lambda: resnet(1), "resnet20": lambda: resnet(3), "separable": separable, "autoencoder": autoencoder,
    "mlp": mlp, "large": large,
}


def read_safetensors(path):
    """The tensors of a file, as NumPy arrays."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    types = {"F32": "<f4", "I64": "<i8", "U8": "u1"}
    return {name: numpy.frombuffer(data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]],
                                   types[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in json.loads(data[8:start]).items() if name != "__metadata__"}


def load(network, path):
    """All states of a file, which must be those of the network."""
    network.load_state_dict({name: torch.tensor(array) for name, array in read_safetensors(path).items()})


# -- Ways to run one as fast as PyTorch can ----------------------------------------------------------------------------

def frozen(network, inputs, optimize):
    network = torch.jit.freeze(torch.jit.trace(network, inputs))
    return torch.jit.optimize_for_inference(network) if optimize else network


def channels_last(network, inputs):
    if inputs.dim() != 4:
        raise ValueError("no images")
    return network.to(memory_format=torch.channels_last), inputs.contiguous(memory_format=torch.channels_last)


# Each gets a network in evaluation and a batch, and gives what is to be run.
INFERENCE = {
    "eager": lambda network, inputs: (network, inputs),
    "channels-last": channels_last,
    "frozen": lambda network, inputs: (frozen(network, inputs, False), inputs),
    "optimized": lambda network, inputs: (frozen(network, inputs, True), inputs),
    "channels-last frozen": lambda network, inputs: (lambda n, x: (frozen(n, x, False), x))(*channels_last(network, inputs)),
}
TRAINING = {"eager": INFERENCE["eager"], "channels-last": channels_last}
