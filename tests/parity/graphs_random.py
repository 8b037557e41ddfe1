"""Random networks: of any depth, with branches, merges and values that many read.

Which layers are drawn, and with which settings, says the table LAYERS below; what the library does not have
yet is left out. A network is taken when PyTorch's own numbers say that it can be compared: no relu and no
pool decides at the level of rounding, and float32 stays near float64."""
import os
import random
import re

import numpy as np
import torch
import torch.nn.functional as F

import generate
import graphs
from graphs import Net

NUMBER = 60
LIMIT = 320  # numbers of a tensor that are stored; of larger ones, about as many
MOST_NUMBERS = 1500  # of one value of one sample

# Decisions nearer than this, of a value's scale, are those of rounding.
CLOSE = 1e-5
# The largest relative error of PyTorch's float32, and of float64 with all values and gradients disturbed as
# rounding might; and the largest where the truth is as good as 0.
MOST_ERROR, MOST_ZERO = 4e-6, 4e-6
ZERO = 1e-5  # test_graphs.c's
DISTURBANCE = 2.0**-23


# -- Settings ------------------------------------------------------------------------------------------
# Each function is given a source of random numbers and the shape; it returns settings, or None where the
# layer would not fit. Sizes that turn out too large or empty are thrown away later.

def pair(r, least, most):
    return [r.randint(least, most), r.randint(least, most)]


def channels(r):
    return r.choice([1, 2, 3, 4, 4, 5, 8, 8, 13, 16, 17])


def conv(r, s):
    kernel = r.choice([[3, 3], [3, 3], [3, 3], [1, 1], [5, 5], [2, 2], pair(r, 1, 4)])
    dilation = r.choice([[1, 1], [1, 1], [1, 1], [2, 1], [2, 2]])
    same = [d * (k - 1) // 2 for k, d in zip(kernel, dilation)]
    return dict(out_channels=channels(r), kernel=kernel, dilation=dilation,
                padding=r.choice([same, same, pair(r, 0, 2)]),
                stride=r.choice([[1, 1], [1, 1], [1, 1], [2, 2], [1, 2]]), bias=r.random() < 0.7)


def grouped(r, s):
    groups = r.choice([g for g in range(1, s[0] + 1) if s[0] % g == 0])
    return dict(conv(r, s), groups=groups, out_channels=groups * r.choice([1, 1, 2, 3]))


def transposed(r, s):
    stride = r.choice([[1, 1], [2, 2], [2, 2], [3, 2]])
    return dict(out_channels=channels(r), kernel=r.choice([[3, 3], [2, 2], [4, 4], [2, 3]]), stride=stride,
                padding=r.choice([[0, 0], [1, 1]]), output_padding=[r.randrange(stride[0]), r.randrange(stride[1])],
                groups=1, dilation=[1, 1], bias=r.random() < 0.7)


def norm(r, s):
    return dict(eps=r.choice([1e-5, 1e-3, 0.1]), momentum=r.choice([0.1, 0.01, 0.5]), affine=r.random() < 0.8)


def window(r, s):
    kernel = r.choice([[2, 2], [2, 2], [2, 2], [3, 3], [3, 2], [1, 3]])
    return dict(kernel=kernel, stride=r.choice([kernel, [2, 2], [1, 1], [1, 2]]),
                padding=r.choice([[0, 0], [0, 0], [k // 2 for k in kernel]]), ceil_mode=r.random() < 0.3)


def average(r, s):
    return dict(window(r, s), count_include_pad=r.random() < 0.5)


def upsample(r, s):
    return dict(size=[s[1] * r.randint(1, 2) + r.randint(0, 1), s[2] * r.randint(1, 2)], mode=r.randint(0, 1),
                align_corners=False)


def pad(r, s):
    return dict(vertical=pair(r, 0, 2), horizontal=pair(r, 0, 2), mode=r.randint(0, 2), value=r.choice([0.0, 0.5]))


def to_vector(r, s):
    return dict(shape=[int(np.prod(s))])


def to_image(r, s):
    height = r.choice([h for h in (1, 2, 3, 4) if s[0] % h == 0])
    width = r.choice([w for w in (1, 2, 3, 5) if s[0] // height % w == 0])
    return dict(shape=[s[0] // height // width, height, width])


def group_norm(r, s):
    return dict(num_groups=r.choice([g for g in range(1, s[0] + 1) if s[0] % g == 0]), eps=1e-3,
                affine=r.random() < 0.8)


def nothing(r, s):
    return {}


# A layer is a line here: its type, the numbers of dimensions that it takes, how often it is drawn, its settings.
LAYERS = [
    ("conv2d", (3,), 5, conv),
    ("conv2d", (3,), 5, grouped),
    ("conv_transpose2d", (3,), 5, transposed),
    ("batchnorm", (1, 3), 4, norm),
    ("relu", (1, 3), 3, nothing),
    ("maxpool2d", (3,), 3, window),
    ("avgpool2d", (3,), 3, average),
    ("adaptive_avgpool2d", (3,), 1, lambda r, s: dict(size=pair(r, 1, 5))),
    ("global_avgpool2d", (3,), 1, nothing),
    ("upsample", (3,), 3, upsample),
    ("pad", (3,), 4, pad),
    ("reshape", (3,), 1, to_vector),
    ("reshape", (1,), 3, to_image),
    ("flatten", (3,), 1, nothing),
    ("linear", (1,), 4, lambda r, s: dict(out_features=r.choice([3, 4, 7, 12, 16, 33]), bias=r.random() < 0.7)),
    ("dropout", (1, 3), 0.5, lambda r, s: dict(p=0.0)),
    ("layernorm", (1, 3), 2, lambda r, s: dict(eps=1e-3, affine=r.random() < 0.8)),
    ("groupnorm", (3,), 3, group_norm),
    ("instancenorm2d", (3,), 2, lambda r, s: dict(eps=1e-3, affine=r.random() < 0.8)),
    ("leaky_relu", (1, 3), 1, lambda r, s: dict(negative_slope=r.choice([0.01, 0.3]))),
    ("elu", (1, 3), 1, lambda r, s: dict(alpha=r.choice([1.0, 0.5]))),
    ("softplus", (1, 3), 1, lambda r, s: dict(beta=r.choice([1.0, 2.0]), threshold=20.0)),
] + [(kind, (1, 3), 1, nothing) for kind in ("gelu", "gelu_tanh", "silu", "sigmoid", "tanh", "hardswish", "softmax",
                                             "log_softmax")]

ACTIVATIONS = ["relu", "leaky_relu", "elu", "softplus", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh", "hardswish"]

# Where the derivative of an activation jumps.
KINKS = {"relu": [0], "leaky_relu": [0], "hardswish": [-3, 3]}


def known():
    """The types of layer that the library and graphs.py have."""
    names, room = set(), os.path.join(graphs.HERE, "..", "..", "lib", "layers")
    for folder, _, files in os.walk(room):
        if "meson.build" in files:
            with open(os.path.join(folder, "meson.build")) as file:
                names |= set(re.findall(r"^\s*'(\w+)',$", file.read(), re.M))
    return names & set(graphs.LAYERS)


def has_groups():
    return "conv_transpose2d" in known()


# -- Drawing a network ---------------------------------------------------------------------------------

class Drawn:
    """A network that grows. Its values have names and shapes; those that nothing reads yet are open."""

    def __init__(self, seed):
        r = self.r = random.Random(seed)
        self.batch = r.choice([1, 2, 3, 4, 5, 5])
        self.input = ((r.randint(1, 5), r.randint(3, 10), r.randint(3, 10)) if r.random() < 0.85
                      else (r.randint(2, 14),))
        self.net = Net(*self.input)
        self.shapes, self.open, self.count = {"input": self.input}, ["input"], 0
        types = known()
        self.rows = [row for row in LAYERS if row[0] in types and (row[3] is not grouped or has_groups())]

    def put(self, kind, inputs, **settings):
        """Adds a layer; the name of its value, or None where it does not fit or grows too large."""
        name = f"{kind}{self.count}" if self.r.random() < 0.8 else f"part{self.count % 3}.{kind}{self.count}"
        settings = {**Net.DEFAULTS.get(kind, {}), **settings}
        try:
            part = graphs.LAYERS[kind](settings, [self.shapes[i] for i in inputs])
            part = part.eval() if isinstance(part, torch.nn.Module) else part
            with torch.no_grad():
                shape = tuple(part(*[torch.zeros((2,) + self.shapes[i]) for i in inputs]).shape[1:])
        except (RuntimeError, ValueError, AssertionError):
            return None
        if not 1 <= np.prod(shape) <= MOST_NUMBERS:
            return None
        if kind == "batchnorm" and self.batch * int(np.prod(shape[1:])) < 8:
            return None  # of few numbers it makes nearly the same, whatever they are
        if kind in ("layernorm", "groupnorm", "instancenorm2d") and np.prod(shape) < 8:
            return None
        before = self.net.description["layers"][-1]["name"] if self.count else "input"
        self.net.add(name, kind, None if list(inputs) == [before] else inputs, **settings)
        self.count += 1
        self.shapes[name] = shape
        self.open = [value for value in self.open if value not in inputs] + [name]
        return name

    def one(self, value):
        """Any layer that reads this value, which is given back where none fits."""
        shape = self.shapes[value]
        rows = [row for row in self.rows if len(shape) in row[1]]
        for _ in range(10):
            kind, _, _, settings = self.r.choices(rows, [row[2] for row in rows])[0]
            chosen = settings(self.r, shape)
            name = self.put(kind, [value], **chosen) if chosen is not None else None
            if name:
                return name
        return value

    def chain(self, value, most=4):
        for _ in range(self.r.randint(1, most)):
            value = self.one(value)
        return value

    def alike(self, value):
        """A short chain whose result has the value's shape."""
        shape, r = self.shapes[value], self.r
        if len(shape) == 3:
            k = r.choice([1, 3, 5])
            result = self.put("conv2d", [value], out_channels=shape[0], kernel=[k, k], padding=[k // 2, k // 2],
                              bias=r.random() < 0.5)
        else:
            result = self.put("linear", [value], out_features=shape[0])
        activations = [row[0] for row in self.rows if row[0] in ACTIVATIONS]
        for kind in ("batchnorm", r.choice(["relu", r.choice(activations)])):
            if r.random() < 0.6:
                chosen = next(row[3] for row in self.rows if row[0] == kind)(r, shape)
                result = self.put(kind, [result], **chosen) or result
        return result

    # What can grow from a value.

    def residual(self, value):
        branch = self.alike(value)
        if self.r.random() < 0.5:
            branch = self.alike(branch)
        inputs = [branch, value] + [self.alike(value) for _ in range(self.r.choice([0, 0, 1, 2]))]
        self.r.shuffle(inputs)
        return self.put("add", inputs)

    def over_a_pool(self, value):
        """Two ways to half the size."""
        if len(self.shapes[value]) != 3 or min(self.shapes[value][1:]) < 2:
            return self.residual(value)
        pooled = self.put("maxpool2d", [value], kernel=[2, 2], stride=[2, 2], ceil_mode=True)
        other = self.put("conv2d", [value], out_channels=self.shapes[value][0], stride=[2, 2])
        if self.r.random() < 0.5:
            pooled = self.alike(pooled)
        return self.put(self.r.choice(["add", "multiply", "concat"]), [pooled, other])

    def down_and_up(self, value):
        """To half the size and back, beside what was there."""
        shape, r = self.shapes[value], self.r
        if len(shape) != 3 or "conv_transpose2d" not in {row[0] for row in self.rows}:
            return self.residual(value)
        small = self.put("conv2d", [value], out_channels=channels(r), stride=[2, 2])
        small = self.chain(small, 2) if small and r.random() < 0.5 else small
        if not small or self.shapes[small][1:] != ((shape[1] + 1) // 2, (shape[2] + 1) // 2):
            return small or value
        large = self.put("conv_transpose2d", [small], out_channels=r.choice([shape[0], 5]), stride=[2, 2],
                         padding=[1, 1], output_padding=[1 - shape[1] % 2, 1 - shape[2] % 2])
        return self.put("concat", [large, value]) if large else small

    def side_by_side(self, value):
        branches = [self.alike(value) if self.r.random() < 0.7 else value for _ in range(self.r.randint(2, 4))]
        kind = self.r.choice(["add", "concat", "concat"] + ["multiply"] * (len(branches) == 2))
        return self.put(kind, branches)

    def gate(self, value):
        """A factor for each channel."""
        shape = self.shapes[value]
        if len(shape) == 1:
            return self.put("multiply", [value, self.alike(value)])
        small = self.put("flatten", [value])
        small = self.put("linear", [small], out_features=self.r.choice([3, 6]))
        small = self.put("relu", [small]) if self.r.random() < 0.5 else small
        factor = self.put("linear", [small], out_features=shape[0])
        return self.put("multiply", [value, factor])

    def grow(self):
        value = self.r.choice(self.open if self.r.random() < 0.7 else list(self.shapes))
        grow = self.r.choice([self.chain, self.chain, self.residual, self.over_a_pool, self.down_and_up,
                              self.side_by_side, self.gate])
        return grow(value)

    def close(self):
        """Merges what nothing reads yet."""
        if "input" in self.open:
            self.one("input")
        while len(self.open) > 1:
            first = self.shapes[self.open[0]]
            same = [v for v in self.open if self.shapes[v] == first]
            flat = [v for v in self.open if self.shapes[v][1:] == first[1:] and len(self.shapes[v]) == len(first)]
            if len(same) > 1 and self.r.random() < 0.7:
                result = self.put("add", same)
            elif len(flat) > 1:
                result = self.put("concat", flat)
            else:
                result = self.put("flatten", [next(v for v in self.open if len(self.shapes[v]) == 3)])
            if not result:
                return False
        if self.r.random() < 0.5:
            self.one(self.open[0])
        return len(self.open) == 1

    def draw(self):
        for _ in range(self.r.randint(1, 5)):
            self.grow()
        return self.close() and 2 <= self.count <= 26


# -- Whether PyTorch can be compared with --------------------------------------------------------------

def decides_clearly(values, wide):
    """Numbers that are compared with 0: all clearly different, or equal in either precision."""
    scale = wide.square().mean().sqrt()
    return bool(((values[0].abs() > CLOSE * scale) | ((values[0] == 0) & (values[1] == 0))).all())


def windows(x, settings):
    """Every window's largest number less each of the others, 0 for the largest itself."""
    kernel, stride, padding = settings["kernel"], settings["stride"], settings["padding"]
    n, c, h, w = x.shape
    x = F.pad(x, [padding[1], padding[1] + stride[1], padding[0], padding[0] + stride[0]], value=-torch.inf)
    parts = x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1]).flatten(4)
    parts = parts[torch.isfinite(parts).any(-1)]
    return parts.max(-1, keepdim=True).values - parts


def decisions(entry, wide, narrow):
    if entry["type"] in KINKS:
        return all(decides_clearly([wide - k, narrow - k], wide) for k in KINKS[entry["type"]])
    if entry["type"] == "maxpool2d":
        a, b = windows(wide, entry["settings"]), windows(narrow, entry["settings"])
        a, b = [torch.where(torch.isfinite(t), t, torch.ones_like(t)) for t in (a, b)]
        return decides_clearly([a, b], wide)
    return True


def is_clear(description, batch):
    shape = (batch,) + tuple(description["input"])
    numbers = generate.values_for(int(np.prod(shape)), 100, "uniform").reshape(shape)
    models = [graphs.Graph(description).to(dtype) for dtype in (torch.float64, torch.float32)]
    with torch.no_grad():
        for model in models:
            graphs.fill_states(model, "uniform")
        for training in (False, True):
            values = [{"input": torch.from_numpy(numbers.copy()).to(t)} for t in (torch.float64, torch.float32)]
            for model in models:
                model.train(training)
            for entry, *nodes in zip(description["layers"], models[0].nodes, models[1].nodes):
                name, _, inputs = nodes[0]
                if not decisions(entry, values[0][inputs[0]], values[1][inputs[0]]):
                    return False
                for value, (_, part, _) in zip(values, nodes):
                    value[name] = part(*[value[i] for i in inputs])
                if not torch.isfinite(values[0][name]).all() or values[0][name].abs().max() > 1e4:
                    return False
    return True


class Disturbed(torch.autograd.Function):
    """Each number changes in its last digits, and all of a channel together, as where a factor is rounded."""

    @staticmethod
    def change(x):
        each = x * (2 * torch.rand_like(x) - 1)
        largest = x.abs().amax([i for i in range(x.dim()) if i != 1], keepdim=True)
        return x + DISTURBANCE * (each + largest * (torch.rand_like(largest) - 0.5))

    @staticmethod
    def forward(context, x):
        return Disturbed.change(x)

    @staticmethod
    def backward(context, gradient):
        return Disturbed.change(gradient)


class DisturbedGraph(graphs.Graph):
    def forward(self, x):
        values = {"input": x}
        for name, part, inputs in self.nodes:
            values[name] = Disturbed.apply(part(*[values[i] for i in inputs]))
        return values[name]


def is_well_conditioned(description, batch):
    wide = graphs.run(description, batch, "uniform", torch.float64)
    others = [graphs.run(description, batch, "uniform", torch.float32)]
    for seed in range(4):
        others.append(graphs.run(description, batch, "uniform", torch.float64, DisturbedGraph, seed))
    for key, value in wide.items():
        norm = value.norm().item()
        for other in others:
            # What PyTorch's float32 makes of a sum that is 0 in truth, the library need not compute at all.
            if norm < 1e-9 and other is not others[0]:
                continue
            if not (other[key].double() - value).norm().item() <= (MOST_ZERO if norm < ZERO else MOST_ERROR * norm):
                return False
    return True


def cases():
    seed = rejected = 0
    used = {}
    for number in range(NUMBER):
        while True:
            seed += 1
            drawn = Drawn(seed)
            if drawn.draw() and is_clear(drawn.net.description, drawn.batch) and \
                    is_well_conditioned(drawn.net.description, drawn.batch):
                break
            rejected += 1
        for entry in drawn.net.description["layers"]:
            used[entry["type"]] = used.get(entry["type"], 0) + 1
        yield f"seed{seed}", drawn.batch, "uniform", drawn.net.description
    print(f"{rejected} networks left out; layers:", ", ".join(f"{n} {used[n]}" for n in sorted(used)))
