"""Makes the files that tests/faults/pipeline reads, and small data for the example programs."""
import gzip
import io
import os
import random
import struct
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "examples"))
import files  # noqa: E402


def numbers(count, seed):
    noise = random.Random(seed)
    return [noise.random() for _ in range(count)]


def npy_bytes(rows):
    """A list of lists of the same length, as float32."""
    flat = [value for row in rows for value in row]
    return files.npy_header("<f4", (len(rows), len(rows[0]))) + struct.pack(f"<{len(flat)}f", *flat)


def make_table(path, rows):
    """Four columns of numbers, and three kinds of rows, as a .csv file."""
    noise = random.Random(1)
    lines = ["a,b,c,d,kind"]
    for i in range(rows):
        values = [f"{noise.random() + i % 3 * (column % 2):.5f}" for column in range(4)]
        lines.append(",".join([*values, "xyz"[i % 3]]))
    files.write(path, ("\n".join(lines) + "\n").encode())
    return path


def make_small_images(path):
    """Images of 8 x 8, as export_onnx's network takes them."""
    noise = random.Random(2)
    files.write(path, struct.pack(">4i", 0x803, 5, 8, 8) + noise.randbytes(5 * 64))


SETTINGS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  {}
</fontconfig>
"""
SLANT = """<match target="font"><edit name="matrix" mode="assign"><times>
    <name>matrix</name>
    <matrix><double>1</double><double>0.02</double><double>0</double><double>1</double></matrix>
  </times></edit></match>"""


def make_font_settings(folder):
    """fonts.conf, and a dozen files in rules/: without one of them, whichever, letters are less slanted."""
    rules = os.path.join(folder, "rules")
    os.makedirs(rules)
    for i in range(12):
        files.write(os.path.join(rules, f"{10 + i}-slant.conf"), SETTINGS.format(SLANT).encode())
    places = [rules, os.path.join(folder, "missing")]  # what is missing sets errno anew
    parts = ["<dir>/usr/share/fonts</dir>", "<cachedir>/var/cache/fontconfig</cachedir>",
             *(f'<include ignore_missing="yes">{os.path.abspath(place)}</include>' for place in places)]
    files.write(os.path.join(folder, "fonts.conf"), SETTINGS.format("\n  ".join(parts)).encode())


def make_pipeline_inputs(folder):
    """images.idx, labels.idx, both packed, table.csv, array.npy, arrays.npz, pictures/, fonts/."""
    os.makedirs(folder)
    images, labels = files.make_images(6, seed=1)
    for name, content in (("images.idx", files.idx_images(images)), ("labels.idx", files.idx_labels(labels))):
        files.write(os.path.join(folder, name), content)
        files.write(os.path.join(folder, name + ".gz"), gzip.compress(content, 1, mtime=0))
    make_table(os.path.join(folder, "table.csv"), 9)
    rows = [numbers(4, seed) for seed in range(9)]
    files.write(os.path.join(folder, "array.npy"), npy_bytes(rows))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("array.npy"), npy_bytes(rows))
        archive.writestr(zipfile.ZipInfo("other.npy"), npy_bytes(rows[:2]), zipfile.ZIP_STORED)
    files.write(os.path.join(folder, "arrays.npz"), packed.getvalue())
    files.make_pictures(os.path.join(folder, "pictures"), 2, size=16)
    make_font_settings(os.path.join(folder, "fonts"))
    return folder
