#!/usr/bin/env python3
"""Makes the fixtures of the data tests with NumPy and PyTorch: .npy files of every accepted kind, a
safetensors file, and bilinear resizes of MNIST digits.

    generate_data.py MNIST_FOLDER        writes into fixtures/ beside this file

Every file is small and committed, so the tests need neither Python nor MNIST."""

import io
import json
import pathlib
import struct
import sys

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent / "fixtures"


def save_npy(name, array, version=None):
    buffer = io.BytesIO()
    numpy.lib.format.write_array(buffer, array, version=version, allow_pickle=True)
    (FOLDER / name).write_bytes(buffer.getvalue())


def npy_files():
    """Each holds the numbers 0, 1, ... in C order, as 2 x 3 x 4, unless its name says otherwise."""
    whole = numpy.arange(24).reshape(2, 3, 4)
    for kind in ["f4", "f8", "f2", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]:
        save_npy(f"npy_{kind}.npy", whole.astype("<" + kind))
    for kind in ["f4", "f8", "f2", "u2", "i2", "u4", "i4", "u8", "i8"]:
        save_npy(f"npy_big_{kind}.npy", whole.astype(">" + kind))
    save_npy("npy_fortran_f4.npy", numpy.asfortranarray(whole.astype("<f4")))
    save_npy("npy_fortran_u1.npy", numpy.asfortranarray(whole.astype("u1")))
    save_npy("npy_fortran_big_i4.npy", numpy.asfortranarray(whole.astype(">i4")))
    save_npy("npy_version2.npy", whole.astype("<f4"), (2, 0))
    save_npy("npy_version3.npy", whole.astype("<f4"), (3, 0))
    save_npy("npy_scalar.npy", numpy.array(1.5, "<f4"))
    save_npy("npy_vector.npy", numpy.arange(5, dtype="<f4"))
    save_npy("npy_empty.npy", numpy.zeros((0, 3), "<f4"))
    save_npy("npy_bool.npy", numpy.array([True, False, True]))
    # The halves hold what float16 has: subnormals, the largest number, infinities, NaN.
    halves = [0.0, -0.0, 2**-24, -(2**-14), 65504, numpy.inf, -numpy.inf, numpy.nan, 1 / 3]
    save_npy("npy_halves.npy", numpy.array(halves, "<f2"))
    save_npy("npy_negative_i1.npy", numpy.array([-128, -1, 127], "i1"))
    save_npy("npy_object.npy", numpy.array([{}, 1], dtype=object))
    save_npy("npy_structured.npy", numpy.zeros(2, [("a", "<f4"), ("b", "<i4")]))
    save_npy("npy_complex.npy", numpy.zeros(2, "<c8"))
    save_npy("npy_text.npy", numpy.array(["ab", "c"]))
    save_npy("npy_date.npy", numpy.zeros(2, "<M8[s]"))


def safetensors_file():
    """What PyTorch's tensors look like in the reference implementation's layout."""
    tensors = {
        "doubles": (torch.arange(3, dtype=torch.float64) / 4, "F64"),
        "fc.weight": (torch.arange(6, dtype=torch.float32).reshape(2, 3) - 2.5, "F32"),
        "longs": (torch.tensor([-(2**62), 7]), "I64"),
        "ints": (torch.tensor([-5, 2**31 - 1], dtype=torch.int32), "I32"),
        "halves": (torch.tensor([1 / 3, -65504], dtype=torch.float16), "F16"),
        "brains": (torch.tensor([1 / 3, 1e38], dtype=torch.bfloat16), "BF16"),
        "shorts": (torch.tensor([-3, 300], dtype=torch.int16), "I16"),
        "bytes": (torch.tensor([0, 255], dtype=torch.uint8), "U8"),
        "chars": (torch.tensor([-128, 127], dtype=torch.int8), "I8"),
        "flags": (torch.tensor([True, False, True]), "BOOL"),
        "scalar \u00e9": (torch.tensor(2.0), "F32"),
        "none": (torch.zeros(0, 4), "F32"),
    }
    header, data = {"__metadata__": {"format": "pt", "note": 'a "quoted" \u20ac\n'}}, b""
    for name, (tensor, dtype) in tensors.items():
        raw = bytes(tensor.contiguous().flatten().view(torch.uint8).tolist()) if tensor.dim() and len(
            tensor) else (struct.pack("<f", float(tensor)) if tensor.dim() == 0 else b"")
        header[name] = {"dtype": dtype, "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / "kinds.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def resized_digits(mnist):
    """Three test digits and what PyTorch's interpolate makes of them, computed in float64."""
    raw = (mnist / "t10k-images-idx3-ubyte").read_bytes()[16:]
    digits = numpy.frombuffer(raw, numpy.uint8)[: 3 * 784].reshape(3, 28, 28).copy()
    save_npy("digits.npy", digits)
    pixels = torch.from_numpy(digits).double()[:, None] / 255
    for height, width in [(32, 32), (20, 20), (45, 17), (28, 40), (64, 28)]:
        resized = torch.nn.functional.interpolate(pixels, size=(height, width), mode="bilinear",
                                                  align_corners=False)
        save_npy(f"digits_{height}x{width}.npy", resized.float().numpy())
    colors = torch.rand(2, 3, 7, 5, generator=torch.Generator().manual_seed(1))
    save_npy("colors.npy", colors.numpy())
    resized = torch.nn.functional.interpolate(colors.double(), size=(4, 11), mode="bilinear",
                                              align_corners=False)
    mean = torch.tensor([0.4, 0.5, 0.6]).double()[None, :, None, None]
    deviation = torch.tensor([0.2, 0.25, 0.3]).double()[None, :, None, None]
    save_npy("colors_4x11.npy", ((resized - mean) / deviation).float().numpy())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    FOLDER.mkdir(exist_ok=True)
    npy_files()
    safetensors_file()
    resized_digits(pathlib.Path(sys.argv[1]))
