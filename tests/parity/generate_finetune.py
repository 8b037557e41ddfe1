#!/usr/bin/env python3
"""Makes fixtures/pretrained.safetensors: a small network of PyTorch's, trained on MNIST's digits 0 to 4 and saved
with the names that torch.nn.DataParallel gives, for examples/finetune.c; and what its features are for the digits of
digits.npy, in the tensor of another file.

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


def save(path, tensors):
    header, offset, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name, tensor in tensors.items():
        blobs.append(tensor.detach().numpy().astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blobs[-1])]}
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


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
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
