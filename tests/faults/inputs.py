"""Makes the files that tests/faults/pipeline reads, and small data for the example programs."""
import gzip
import io
import os
import random
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "examples"))
import files  # noqa: E402


def numbers(count, seed):
    noise = random.Random(seed)
    return [noise.random() for _ in range(count)]


def npy_bytes(rows):
    """A list of lists of the same length, as float32."""
    import struct
    flat = [value for row in rows for value in row]
    return files.npy_header("<f4", (len(rows), len(rows[0]))) + struct.pack(f"<{len(flat)}f", *flat)


def make_pipeline_inputs(folder):
    """images.idx, labels.idx, both packed, table.csv, array.npy, arrays.npz, pictures/."""
    os.makedirs(folder)
    images, labels = files.make_images(6, seed=1)
    for name, content in (("images.idx", files.idx_images(images)), ("labels.idx", files.idx_labels(labels))):
        files.write(os.path.join(folder, name), content)
        files.write(os.path.join(folder, name + ".gz"), gzip.compress(content, 1, mtime=0))
    rows = [numbers(4, seed) for seed in range(9)]
    lines = ["a,b,c,d,kind"] + [",".join(f"{value:.6f}" for value in row) + f",{'xyz'[i % 3]}" for i, row in enumerate(rows)]
    files.write(os.path.join(folder, "table.csv"), ("\n".join(lines) + "\n").encode())
    files.write(os.path.join(folder, "array.npy"), npy_bytes(rows))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("array.npy"), npy_bytes(rows))
        archive.writestr(zipfile.ZipInfo("other.npy"), npy_bytes(rows[:2]), zipfile.ZIP_STORED)
    files.write(os.path.join(folder, "arrays.npz"), packed.getvalue())
    files.make_pictures(os.path.join(folder, "pictures"), 2, size=16)
    return folder
