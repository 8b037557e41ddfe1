#!/usr/bin/env python3
"""Makes the fixtures of models that come from elsewhere.

pretrained.safetensors: a small network of PyTorch's, trained on MNIST's digits 0 to 4 and saved with the names that
torch.nn.DataParallel gives, for examples/finetune.c; pretrained_features.safetensors: its features for digits.npy.

described.safetensors: a network of PyTorch's with the description that the library's files have, as Python writes JSON;
described_outputs.safetensors: images of uint8, and what PyTorch makes of them, normalized.

    generate_finetune.py MNIST_FOLDER
"""
import gzip
import json
import pathlib
import struct
import sys

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent / "fixtures"


def read_idx(folder, name):
    path = pathlib.Path(folder) / name
    content = path.read_bytes() if path.exists() else gzip.decompress(path.with_suffix(".gz").read_bytes())
    dims = struct.unpack(f">{content[3]}I", content[4:4 + 4 * content[3]])
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * content[3]).reshape(dims)


KINDS = {torch.float32: ("F32", "<f4"), torch.uint8: ("U8", "u1"), torch.int64: ("I64", "<i8")}


def save(path, tensors, **metadata):
    header, offset, blobs = {"__metadata__": {"format": "pt", **metadata}}, 0, []
    for name, tensor in tensors.items():
        kind, dtype = KINDS[tensor.dtype]
        blobs.append(tensor.detach().numpy().astype(dtype).tobytes())
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blobs[-1])]}
        offset += len(blobs[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers = [torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
                  torch.nn.Conv2d(8, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Linear(16 * 7 * 7, 5)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


MEANS, DEVIATIONS = [0.485, 0, 1 / 3], [0.229, 1, 1e-3]
NAMES = ["\u00e4pfel", "\U0001f408 \"cat\"", "\u68a8\n"]


def described():
    net = torch.nn.Sequential()
    net.add_module("conv", torch.nn.Conv2d(3, 4, 3))
    net.add_module("bn", torch.nn.BatchNorm2d(4))
    net.add_module("relu", torch.nn.ReLU())
    net.add_module("flat", torch.nn.Flatten())
    net.add_module("fc", torch.nn.Linear(4 * 4 * 3, 3))
    net(torch.randn(50, 3, 6, 5))  # for the running statistics
    net.eval()
    conv = {"out_channels": 4, "kernel": [3, 3], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "bias": True}
    layers = [("conv", "conv2d", conv), ("bn", "batchnorm", {"eps": 1e-5, "momentum": 0.1, "affine": True}),
              ("relu", "relu", {}), ("flat", "flatten", {}), ("fc", "linear", {"out_features": 3, "bias": True})]
    numbers = [[float(numpy.float32(x)) if x != int(x) else x for x in list] for list in (MEANS, DEVIATIONS)]
    whole = {"data": {"deviations": numbers[1], "class_names": NAMES, "means": numbers[0]},
             "layers": [{"type": type, "name": name, "settings": settings} for name, type, settings in layers],
             "input": [3, 6, 5]}
    save(FOLDER / "described.safetensors", net.state_dict(), **{"dlviz.network": json.dumps(whole, indent=1)})
    images = torch.randint(0, 256, (4, 3, 6, 5), dtype=torch.uint8)
    scaled = (images.float() / 255 - torch.tensor(MEANS)[:, None, None]) / torch.tensor(DEVIATIONS)[:, None, None]
    save(FOLDER / "described_outputs.safetensors", {"outputs": net(scaled), "images": images})


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    described()
    torch.manual_seed(1)
    images, labels = read_idx(sys.argv[1], "train-images-idx3-ubyte"), read_idx(sys.argv[1], "train-labels-idx1-ubyte")
    chosen = labels < 5
    x = (torch.from_numpy(images[chosen]).float()[:, None] / 255 - 0.1307) / 0.3081
    y = torch.from_numpy(labels[chosen].astype(numpy.int64))
    model = torch.nn.DataParallel(Net())
    adam = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in range(2):
        for batch in torch.randperm(len(x)).split(64):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            adam.step()
    save(FOLDER / "pretrained.safetensors", model.state_dict())
    digits = torch.from_numpy(numpy.load(FOLDER / "digits.npy")).float()
    digits = (digits.reshape(-1, 1, 28, 28)[:4] / 255 - 0.1307) / 0.3081
    save(FOLDER / "pretrained_features.safetensors", {"features": model.module.features(digits)})


if __name__ == "__main__":
    main()
