"""Makes and reads the files of the example programs with nothing but the standard library."""
import ast
import base64
import gzip
import json
import os
import random
import struct
import xml.etree.ElementTree
import zlib

SIZE = 28
IDX_NAMES = {True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
             False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def idx_images(images):
    return struct.pack(">4i", 0x803, len(images), SIZE, SIZE) + b"".join(images)


def idx_labels(labels):
    return struct.pack(">2i", 0x801, len(labels)) + bytes(labels)


def make_images(count, seed):
    """`count` images of ten kinds: a pattern of 4 x 4 blocks a class, and noise. (images, labels)"""
    patterns = []
    for label in range(10):
        bits = random.Random(label)
        blocks = [[bits.random() < 0.4 for _ in range(7)] for _ in range(7)]
        patterns.append([150 * blocks[y // 4][x // 4] for y in range(SIZE) for x in range(SIZE)])
    noise = random.Random(seed)
    labels = [noise.randrange(10) for _ in range(count)]
    images = [bytes(value + extra * 105 // 255 for value, extra in zip(patterns[label], noise.randbytes(SIZE * SIZE)))
              for label in labels]
    return images, labels


def make_dataset(folder, train=600, test=200, compress=False):
    """A folder with four files in MNIST's format. The first test labels are those of no known set."""
    os.makedirs(folder)
    for is_train, count in ((True, train), (False, test)):
        images, labels = make_images(count, seed=count)
        for name, content in zip(IDX_NAMES[is_train], (idx_images(images), idx_labels(labels))):
            if compress:
                write(os.path.join(folder, name + ".gz"), gzip.compress(content, 1))
            else:
                write(os.path.join(folder, name), content)
    return folder


def npy_header(kind, shape):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def write_npy(path, rows, kind="<f4"):
    """A list of rows, or of numbers."""
    letter = {"<f4": "f", "|u1": "B", "<f8": "d", ">f8": "d", "<i8": "q"}[kind]
    order = ">" if kind[0] == ">" else "<"
    shape = (len(rows), len(rows[0])) if isinstance(rows[0], (list, tuple)) else (len(rows),)
    flat = [value for row in rows for value in row] if len(shape) == 2 else rows
    write(path, npy_header(kind, shape) + struct.pack(f"{order}{len(flat)}{letter}", *flat))


def read_npy(path):
    """(dtype, shape, flat tuple of the numbers)"""
    content = read(path)
    assert content[:6] == b"\x93NUMPY", path
    wide = content[6] > 1
    length = struct.unpack("<I" if wide else "<H", content[8:12 if wide else 10])[0]
    start = (12 if wide else 10) + length
    assert start % 64 == 0, f"{path}: numbers start at {start}"
    header = ast.literal_eval(content[12 if wide else 10:start].decode("ascii"))
    assert header["fortran_order"] is False, path
    letter = {"<f4": "f", "|u1": "B", "<i8": "q"}[header["descr"]]
    count = 1
    for size in header["shape"]:
        count *= size
    return header["descr"], header["shape"], struct.unpack(f"<{count}{letter}", content[start:])


def read_safetensors(path):
    """{name: (dtype, shape, flat tuple)} of float32 and int64 tensors"""
    content = read(path)
    length = struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for name, entry in json.loads(content[8:8 + length]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        letter, width = {"F32": ("f", 4), "I64": ("q", 8)}[entry["dtype"]]
        values = struct.unpack(f"<{(end - first) // width}{letter}", content[8 + length + first:8 + length + end])
        tensors[name] = entry["dtype"], entry["shape"], values
    return tensors


def write_safetensors(path, tensors, metadata):
    """{name: (shape, numbers)} as float32"""
    header, content = {"__metadata__": metadata}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(content), len(content) + len(packed)]}
        content += packed
    text = json.dumps(header).encode()
    write(path, struct.pack("<Q", len(text)) + text + content)


def check_png(path):
    content = read(path)
    assert content[:8] == b"\x89PNG\r\n\x1a\n", path
    at, kinds = 8, []
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at:at + 8])
        checksum = struct.unpack(">I", content[at + 8 + length:at + 12 + length])[0]
        assert checksum == zlib.crc32(content[at + 4:at + 8 + length]), f"{path}: {kind}"
        kinds.append(kind)
        at += 12 + length
    width, height = struct.unpack(">II", content[16:24])
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND" and b"IDAT" in kinds, f"{path}: {kinds}"
    assert width >= 200 and height >= 200, f"{path}: {width} x {height}"


def write_png(path, rows, channels=1):
    """Rows of bytes, gray or RGB, as a PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), 8, 2 if channels == 3 else 0, 0, 0, 0)
    write(path, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
          chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 1)) + chunk(b"IEND", b""))


def make_pictures(folder, count, size=16, seed=1, channels=3):
    """A folder with `count` PNGs of each of three kinds, told apart by their colors and by their shapes."""
    noise = random.Random(seed)
    for kind, name in enumerate(("circle", "square", "stripes")):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for i in range(count):
            x0, y0, r = noise.randrange(5, size - 5), noise.randrange(5, size - 5), noise.randrange(3, 5)
            rows = []
            for y in range(size):
                row = bytearray()
                for x in range(size):
                    inside = ((x - x0) ** 2 + (y - y0) ** 2 < r * r, abs(x - x0) < r and abs(y - y0) < r,
                              x // 3 % 2 == 0)[kind]
                    row += bytes((200 if channel == kind or channels == 1 else 90) * inside + noise.randrange(50)
                                 for channel in range(channels))
                rows.append(row)
            write_png(os.path.join(folder, name, f"{i:03d}.png"), rows, channels)
    return folder


def read_page(path):
    """The data of a page: the JSON in it, with what is base64 decoded by hand where it is needed."""
    text = read(path).decode("utf-8")
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start:text.index("</script>", start)])


def unpack(text, letter):
    """Numbers that a page has as base64."""
    content = base64.b64decode(text)
    return struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content)


def check_svg(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag.endswith("svg") and len(list(root.iter())) > 8, path
