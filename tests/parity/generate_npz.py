#!/usr/bin/env python3
"""Makes the .npz fixtures with NumPy, in each of the ways in which it, or Python's zipfile, writes them.

    generate_npz.py        writes into fixtures/ beside this file

Every file holds the arrays of ARRAYS."""

import io
import pathlib
import zipfile

import numpy

FOLDER = pathlib.Path(__file__).parent / "fixtures"
ARRAYS = {
    "images": (numpy.arange(5 * 2 * 3) * 7).astype("u1").reshape(5, 2, 3),
    "labels": numpy.array([[2], [0], [1], [2], [0]], "<i8"),
    "targets": numpy.linspace(0, 1, 10, dtype="<f4").reshape(5, 2),
    # Compresses well, and is larger than any buffer.
    "long": numpy.arange(100_000, dtype="<i4") // 1000,
    # Steps of 0.25 at 1.7e9, where float32 has steps of 128.
    "times": 1.7e9 + numpy.arange(40.0).reshape(20, 2) / 4,
    "folder/x": numpy.asfortranarray(numpy.arange(6, dtype=">f4").reshape(2, 3)),
    "größe": numpy.array(1.5, "<f4"),
    "none": numpy.zeros((0, 3), "<f4"),
}


class Unseekable(io.RawIOBase):
    """A stream such as a pipe: sizes follow the data, for they are not known before."""

    def __init__(self):
        super().__init__()
        self.bytes = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.bytes += bytes(data)
        return len(data)


def write(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"a comment"
        archive.writestr("readme.txt", "no array")
        for name, array in ARRAYS.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as entry:
                numpy.lib.format.write_array(entry, array)


def main():
    few = {name: array for name, array in ARRAYS.items() if name != "long"}
    numpy.savez(FOLDER / "npz_stored.npz", **few)
    numpy.savez_compressed(FOLDER / "npz_compressed.npz", **ARRAYS)
    stream = Unseekable()
    write(stream)
    (FOLDER / "npz_streamed.npz").write_bytes(stream.bytes)
    # All sizes and places in zip64's fields, as in an archive of more than 4 GiB.
    zipfile.ZIP64_LIMIT = zipfile.ZIP_FILECOUNT_LIMIT = 0
    write(FOLDER / "npz_zip64.npz")


if __name__ == "__main__":
    main()
