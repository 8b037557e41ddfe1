#!/usr/bin/env python3
"""Writes the fixtures that hold the library to PyTorch (made with 1.13 on one thread).

    /usr/bin/python3 generate.py [--mnist DIR] [part ...]

Parts: digits layers report adam optimizers plateau states. Weights and inputs are not stored: both sides make
them from the same Philox formula (support/parity.c), bit for bit. Of a large tensor a strided sample, the
norm and a few projections are stored. References are PyTorch's in float64; beside each lies how far
PyTorch's own float32 is from it.
"""
import argparse, json, os, struct
import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
PROJECTIONS = 4


# -- Numbers that C makes the same way ---------------------------------------------------------------

def philox(seed, stream, blocks):
    """Blocks 0 ... blocks-1 of Philox4x32-10, as one row of uint32."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    counter = np.arange(blocks, dtype=np.uint64)
    c0, c1 = counter & low, counter >> shift
    c2 = np.full(blocks, stream & 0xFFFFFFFF, np.uint64)
    c3 = np.full(blocks, stream >> 32, np.uint64)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = ((p1 >> shift) ^ c1 ^ np.uint64(k0), p1 & low,
                          (p0 >> shift) ^ c3 ^ np.uint64(k1), p0 & low)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).reshape(-1).astype(np.uint32)


def uniform(count, seed):
    """support.c's fill_uniform: float32 in [-1, 1)."""
    bits = philox(seed, 99, (count + 3) // 4)[:count]
    return np.float32(2) * ((bits >> 8).astype(np.float32) * np.float32(2.0**-24)) - np.float32(1)


def labels_for(count, classes, seed):
    return (philox(seed, 98, (count + 3) // 4)[:count] % np.uint32(classes)).astype(np.int64)


def values_for(count, seed, kind):
    u = uniform(count, seed)
    return np.floor(u * np.float32(2)) * np.float32(0.5) if kind == "ties" else u


def name_hash(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def state_values(name, shape, seed, kind):
    count = int(np.prod(shape, dtype=np.int64))
    u = values_for(count, name_hash(name) ^ seed, kind)
    if name.endswith("running_mean"):
        u = u * np.float32(0.125)
    elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        u = np.float32(1) + u * np.float32(0.5)
    elif name.endswith("bias"):
        u = u * np.float32(0.125)
    elif kind != "ties":
        fan_in = count // shape[0]
        u = u * np.float32(1 / np.sqrt(np.float64(fan_in)))
    return u.reshape(shape)


def fill_states(model, seed, kind="uniform"):
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            values = torch.from_numpy(state_values(name, tuple(tensor.shape), seed, kind).copy())
            tensor.copy_(values.to(tensor.dtype))


# -- Files -------------------------------------------------------------------------------------------

class Writer:
    """A .safetensors file; large tensors as sample, norm and projections."""

    def __init__(self, limit):
        self.tensors, self.limit = {}, limit

    def put(self, key, array):
        assert key not in self.tensors, key
        self.tensors[key] = np.ascontiguousarray(array)

    def reference(self, key, wide, *narrow):
        """wide: PyTorch in float64; narrow: the same in float32, once or in several orders of summation."""
        wide = wide.detach().numpy().astype(np.float64).reshape(-1)
        narrow = [n.detach().numpy().astype(np.float64).reshape(-1) for n in narrow]
        norm = np.linalg.norm(wide)
        if wide.size <= self.limit:
            self.put(key, wide.astype(np.float32))
        else:
            stride = -(-wide.size // self.limit) | 1
            self.put(key + "#sample", wide[::stride].astype(np.float32))
            dots = [float(wide @ uniform(wide.size, 1000 + j).astype(np.float64)) for j in range(PROJECTIONS)]
            self.put(key + "#dots", np.array(dots, np.float64))
        # The norm, and the distance of float32 from float64 in the same norm.
        apart = max(np.linalg.norm(n - wide) for n in narrow)
        self.put(key + "#norm", np.array([norm, apart], np.float64))

    def write(self, name):
        kinds = {"float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8"}
        header, offset, blobs = {}, 0, []
        for key in sorted(self.tensors, key=lambda k: (-self.tensors[k].dtype.itemsize, k)):
            array = self.tensors[key]
            blobs.append(array.tobytes())
            header[key] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape),
                           "data_offsets": [offset, offset + len(blobs[-1])]}
            offset += len(blobs[-1])
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = os.path.join(HERE, name)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
        print(f"{name}: {os.path.getsize(path)} bytes, {len(header)} tensors", flush=True)


# -- Networks ----------------------------------------------------------------------------------------

def pair(text):
    parts = [int(x) for x in text.split("x")]
    return tuple(parts) if len(parts) == 2 else (parts[0], parts[0])


def build(dims, text):
    """A torch.nn.Sequential from the text that layers.txt explains."""
    model, shape = torch.nn.Sequential(), tuple(dims)
    for token in text.split():
        name, rest = token.split(":")
        kind, *options = rest.split(",")
        o = dict(option.split("=") for option in options)
        if kind == "conv":
            kernel, dilation = pair(o["k"]), pair(o.get("dil", "1"))
            padding = o.get("pad", "0")
            padding = (tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel)) if padding == "same"
                       else pair(padding))
            layer = torch.nn.Conv2d(shape[0], int(o["out"]), kernel, pair(o.get("stride", "1")), padding,
                                    dilation, bias=o.get("bias", "1") == "1")
        elif kind == "bn":
            batchnorm = torch.nn.BatchNorm2d if len(shape) == 3 else torch.nn.BatchNorm1d
            layer = batchnorm(shape[0], eps=float(o.get("eps", "1e-5")),
                              momentum=float(o.get("momentum", "0.1")))
        elif kind == "relu":
            layer = torch.nn.ReLU()
        elif kind == "pool":
            layer = torch.nn.MaxPool2d(int(o["k"]), int(o.get("stride", o["k"])), int(o.get("pad", "0")))
        elif kind == "dropout":
            layer = torch.nn.Dropout(float(o["p"]))
        elif kind == "linear":
            layer = torch.nn.Linear(shape[0], int(o["out"]), bias=o.get("bias", "1") == "1")
        elif kind == "flatten":
            layer = torch.nn.Flatten()
        else:
            raise ValueError(token)
        model.add_module(name, layer)
        with torch.no_grad():
            shape = tuple(model[-1].eval()(torch.zeros((2,) + shape)).shape[1:])
    return model, shape


def report_text(p):
    text = []
    for index, channels in enumerate((32, 32, 64, 64), 1):
        text.append(f"conv{index}:conv,out={channels},k=3,pad=same bn{index}:bn relu{index}:relu")
        if index % 2 == 0:
            text.append(f"pool{index // 2}:pool,k=2 dropout{index // 2}:dropout,p={p * 0.25}")
    text.append(f"flatten:flatten fc1:linear,out=512 bn5:bn relu5:relu dropout3:dropout,p={p * 0.5}"
                " fc2:linear,out=10")
    return " ".join(text)


def compare(writer, prefix, dims, text, inputs, labels, kind="uniform", seed=1):
    """Steps in training mode in float64, and in float32 with and without oneDNN (with it the batch back to
    front), which differ in the order of their sums; then logits in evaluation mode."""
    models = []
    for dtype, onednn in ((torch.float64, True), (torch.float32, False), (torch.float32, True)):
        model, _ = build(dims, text)
        model = model.to(dtype)
        fill_states(model, seed, kind)
        order = -1 if models and onednn else 1
        losses = []
        with torch.backends.mkldnn.flags(enabled=onednn):
            model.eval()
            first = model(torch.from_numpy(inputs[0]).to(dtype))
            model.train()
            for x, y in zip(inputs, labels):
                model.zero_grad(set_to_none=True)
                x, y = x[::order].copy(), y[::order].copy()
                loss = F.cross_entropy(model(torch.from_numpy(x).to(dtype)), torch.from_numpy(y))
                loss.backward()
                losses.append(loss.detach().double())
            model.eval()
            last = model(torch.from_numpy(inputs[0]).to(dtype))
        models.append((model, first, last, torch.stack(losses)))
    nets, firsts, lasts, losses = zip(*models)
    writer.reference(prefix + "/logits_before", *firsts)
    writer.reference(prefix + "/logits", *lasts)
    apart = torch.stack([(loss - losses[0]).abs() for loss in losses]).max(dim=0).values
    writer.put(prefix + "/loss", torch.stack([losses[0], apart]).numpy())
    for (name, wide), *narrow in zip(nets[0].named_parameters(), *[n.parameters() for n in nets[1:]]):
        writer.reference(f"{prefix}/grad/{name}", wide.grad, *[p.grad for p in narrow])
    for (name, wide), *narrow in zip(nets[0].named_buffers(), *[n.buffers() for n in nets[1:]]):
        if not name.endswith("num_batches_tracked"):
            writer.reference(f"{prefix}/state/{name}", wide, *narrow)
    return nets[0], nets[2]


# -- Parts -------------------------------------------------------------------------------------------

def make_digits(mnist):
    """64 test digits, resized to 32 x 32 (bilinear, half-pixel centers) and rounded to bytes."""
    with open(os.path.join(mnist, "t10k-images-idx3-ubyte"), "rb") as file:
        file.seek(16)
        images = np.frombuffer(file.read(64 * 784), np.uint8).reshape(64, 1, 28, 28)
    with open(os.path.join(mnist, "t10k-labels-idx1-ubyte"), "rb") as file:
        file.seek(8)
        digits = np.frombuffer(file.read(64), np.uint8)
    wide = F.interpolate(torch.from_numpy(images.copy()).double(), size=(32, 32), mode="bilinear",
                         align_corners=False)
    writer = Writer(0)
    writer.put("images", np.rint(wide.numpy()).clip(0, 255).astype(np.uint8))
    writer.put("labels", digits)
    writer.write("digits.safetensors")


def read_digits():
    with open(os.path.join(HERE, "digits.safetensors"), "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    def get(key):
        begin, end = header[key]["data_offsets"]
        return np.frombuffer(data[begin:end], np.uint8).reshape(header[key]["shape"])
    x = (get("images").astype(np.float32) / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
    return x, get("labels").astype(np.int64)


def make_layers(_):
    writer = Writer(512)
    with open(os.path.join(HERE, "layers.txt")) as file:
        lines = [line.split("|") for line in file if line.strip() and not line.startswith("#")]
    for name, dims, batch, steps, kind, text in lines:
        name, kind, batch, steps = name.strip(), kind.strip(), int(batch), int(steps)
        dims = tuple(int(d) for d in dims.strip().split("x"))
        _, out = build(dims, text)
        inputs = [values_for(batch * int(np.prod(dims)), 100 + t, kind).reshape((batch,) + dims)
                  + np.float32(100 if kind == "far" else 0) for t in range(steps)]
        labels = [labels_for(batch, out[0], 200 + t) for t in range(steps)]
        compare(writer, name, dims, text, inputs, labels, kind)
    writer.write("layers.safetensors")


def make_report(_):
    writer = Writer(2048)
    digits, classes = read_digits()
    # These eight keep away from the kinks of the rectifiers and pools, see test_report.c.
    x, y = digits[41:49], classes[41:49]
    wide, narrow = compare(writer, "digits", (1, 32, 32), report_text(0), [x], [y])
    a, b = torch.from_numpy(x).double(), torch.from_numpy(x)
    with torch.no_grad():
        for (name, layer), other in zip(wide.named_children(), narrow.children()):
            a, b = layer(a), other(b)
            writer.reference(f"features/{name}", a, b)
    for batch, size, seed in ((64, 32, 300), (16, 28, 303)):
        inputs = uniform(batch * size * size, seed).reshape(batch, 1, size, size)
        compare(writer, f"synthetic{size}", (1, size, size), report_text(0), [inputs],
                [labels_for(batch, 10, 301)])
    writer.write("report.safetensors")


def make_adam(_):
    """100 steps of Adam at two rates, batch t being digits 16t ... 16t + 15, modulo 64; in float64, and how far
    three float32 runs with other orders of summation are from it (relative, the largest of them).

    At rate 1e-3 rounding is amplified so much that PyTorch's float32 and float64 losses are 1e-2 apart after a
    few steps; at 1e-5 they stay together."""
    digits, classes = read_digits()
    writer = Writer(64)
    for rate in ("1e-3", "1e-5"):
        tracks = []
        for dtype, onednn, order in ((torch.float64, True, 1), (torch.float32, True, 1),
                                     (torch.float32, False, 1), (torch.float32, True, -1)):
            torch.backends.mkldnn.set_flags(onednn)
            model, _ = build((1, 32, 32), report_text(0))
            model = model.to(dtype)
            fill_states(model, 1)
            model.train()
            optimizer = torch.optim.Adam(model.parameters(), lr=float(rate))
            losses = []
            for t in range(100):
                rows = slice(16 * t % 64, 16 * t % 64 + 16)
                optimizer.zero_grad()
                x, y = digits[rows][::order].copy(), classes[rows][::order].copy()
                loss = F.cross_entropy(model(torch.from_numpy(x).to(dtype)), torch.from_numpy(y))
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            tracks.append(np.array(losses))
        torch.backends.mkldnn.set_flags(True)
        wide = tracks[0]
        writer.put(f"rate{rate}/float64", wide)
        error = np.max([np.abs(narrow - wide) / wide for narrow in tracks[1:]], axis=0)
        writer.put(f"rate{rate}/apart", error)
        print("  worst of each:", [float((np.abs(n - wide) / wide).max()) for n in tracks[1:]])
        for t in (0, 1, 2, 5, 10, 20, 30, 50, 70, 99):
            print(f"  rate {rate}, step {t}: loss {wide[t]:.8f}, float32 off by {error[t]:.2e}, "
                  f"worst so far {error[:t + 1].max():.2e}")
    writer.write("adam.safetensors")


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2, in NumPy: PyTorch 1.13 has none."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    def step(self):
        for group in self.param_groups:
            rate, (beta1, beta2) = group["lr"], group["betas"]
            for parameter in group["params"]:
                p, g = parameter.detach().numpy(), parameter.grad.numpy()
                m = self.state[parameter].setdefault("m", np.zeros_like(p))
                p -= rate * (np.sign(beta1 * m + (1 - beta1) * g) + group["weight_decay"] * p)
                m[...] = beta2 * m + (1 - beta2) * g


# NAdam as documented: without "foreach", 1.13 multiplies by mu_t once more than that, which PyTorch 2.0 put right.
OPTIMIZERS = {
    "adam": (torch.optim.Adam, {}),
    "adam_set": (torch.optim.Adam, dict(betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
    "adam_beta0": (torch.optim.Adam, dict(betas=(0.0, 0.9))),
    "adam_amsgrad": (torch.optim.Adam, dict(betas=(0.9, 0.6), eps=1e-3, amsgrad=True, weight_decay=0.1)),
    "adamw": (torch.optim.AdamW, {}),
    "adamw_set": (torch.optim.AdamW, dict(betas=(0.7, 0.99), eps=1e-6, weight_decay=0.3)),
    "adamw_amsgrad": (torch.optim.AdamW, dict(betas=(0.5, 0.8), eps=1e-3, amsgrad=True, weight_decay=0.3)),
    "lion": (Lion, {}),
    "lion_set": (Lion, dict(betas=(0.6, 0.95), weight_decay=0.5)),
    "nadam": (torch.optim.NAdam, dict(foreach=True)),
    "nadam_set": (torch.optim.NAdam, dict(foreach=True, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1,
                                          momentum_decay=0.2)),
    "nadam_slow": (torch.optim.NAdam, dict(foreach=True, betas=(0.99, 0.9), momentum_decay=0.0)),
    "radam": (torch.optim.RAdam, {}),
    "radam_set": (torch.optim.RAdam, dict(betas=(0.7, 0.95), eps=1e-3, weight_decay=0.1)),
    "radam_short": (torch.optim.RAdam, dict(betas=(0.9, 0.6))),
    "sgd": (torch.optim.SGD, {}),
    "sgd_decay": (torch.optim.SGD, dict(weight_decay=0.2)),
    "sgd_momentum": (torch.optim.SGD, dict(momentum=0.9)),
    "sgd_dampening": (torch.optim.SGD, dict(momentum=0.9, dampening=0.3, weight_decay=0.05)),
    "sgd_nesterov": (torch.optim.SGD, dict(momentum=0.8, nesterov=True)),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rmsprop_set": (torch.optim.RMSprop, dict(alpha=0.8, eps=1e-3, weight_decay=0.1)),
    "rmsprop_momentum": (torch.optim.RMSprop, dict(momentum=0.9)),
    "rmsprop_centered": (torch.optim.RMSprop, dict(alpha=0.9, eps=1e-3, centered=True, momentum=0.5)),
}
OPTIMIZER_NET = "fc1:linear,out=6 relu:relu fc2:linear,out=3"

# The same with factors of the learning rate and of the weight decay for each parameter: those of the first ten
# steps, and those of the rest.
GROUPS = {
    "adamw_groups": (torch.optim.AdamW, dict(weight_decay=0.3), {
        "fc1.weight": ((0.1, 1), (0.5, 1)),
        "b.weight": ((1, 0), (3, 0)),
        "b.bias": ((1, 0), (1, 0)),
        "fc2.weight": ((1, 2), (1, 2)),
        "fc2.bias": ((1, 0), (1, 0))}),
    "sgd_groups": (torch.optim.SGD, dict(momentum=0.9, weight_decay=0.2), {
        "fc1.weight": ((0.5, 1), (0.5, 1)),
        "b.weight": ((0.5, 0), (0.5, 0)),
        "b.bias": ((0.5, 0), (0.5, 0)),
        "fc2.weight": ((2, 1), (2, 4)),
        "fc2.bias": ((0, 0), (2, 0))}),
}
GROUPS_NET = "fc1:linear,out=6,bias=0 b:bn relu:relu fc2:linear,out=3"


def follow_optimizer(net, dtype, kind, settings, factors_of):
    """All parameters after each of 20 steps with learning rate 0.01, and 0.004 from the eleventh."""
    model, _ = build((7,), net)
    model = model.to(dtype)
    fill_states(model, 1)
    model.train()
    optimizer = kind([{"params": [p], "name": name} for name, p in model.named_parameters()], lr=0.01, **settings)
    track = []
    for t in range(20):
        for group in optimizer.param_groups:
            rate, decay = factors_of(group["name"], t)
            group["lr"] = (0.01 if t < 10 else 0.004) * rate
            group["weight_decay"] = settings.get("weight_decay", optimizer.defaults["weight_decay"]) * decay
        x = torch.from_numpy(uniform(5 * 7, 400 + t).reshape(5, 7)).to(dtype)
        y = torch.from_numpy(labels_for(5, 3, 500 + t))
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        track.append(torch.cat([p.detach().reshape(-1) for p in model.parameters()]))
    return torch.stack(track).double().numpy()


def make_optimizers(_):
    writer = Writer(1 << 20)
    cases = {name: (OPTIMIZER_NET, *case, lambda parameter, t: (1, 1)) for name, case in OPTIMIZERS.items()}
    for name, (kind, settings, factors) in GROUPS.items():
        cases[name] = (GROUPS_NET, kind, settings, lambda parameter, t, all=factors: all[parameter][t >= 10])
    for name, (net, *case) in cases.items():
        wide, narrow = (follow_optimizer(net, dtype, *case) for dtype in (torch.float64, torch.float32))
        writer.put(name, wide)
        writer.put(name + "#float32", np.linalg.norm(narrow - wide, axis=1))
    writer.write("optimizers.safetensors")


def make_plateau(_):
    nan, inf = float("nan"), float("inf")
    falling = [1.0 / (t + 1) for t in range(30)]
    stuck = [1.0] * 30
    barely = [0.9999 ** t for t in range(30)]
    noisy = [float(v) for v in 1 + 0.5 * uniform(60, 600).astype(np.float64)]
    cases = {
        "falling": (falling, dict(factor=0.1, patience=3)),
        "stuck": (stuck, dict(factor=0.1, patience=3)),
        "stuck_patience0": (stuck, dict(factor=0.5, patience=0)),
        "stuck_minimum": (stuck, dict(factor=0.3, patience=1, min_lr=1e-4)),
        "stuck_cooldown": (stuck, dict(factor=0.5, patience=1, cooldown=3)),
        "tiny_change": (stuck, dict(factor=0.999995, patience=0)),
        "barely": (barely, dict(factor=0.5, patience=2)),
        "barely_threshold0": (barely, dict(factor=0.5, patience=2, threshold=0)),
        "barely_threshold": (barely, dict(factor=0.5, patience=4, threshold=0.0007)),
        "noisy": (noisy, dict(factor=0.8, patience=2, threshold=0.01, cooldown=1, min_lr=1e-5)),
        "noisy_default": (noisy, dict(factor=0.1, patience=10)),
        "nan": ([1, nan, nan, 0.5, nan, nan, nan, 0.4, 0.3, nan] * 2, dict(factor=0.5, patience=1)),
        "nan_first": ([nan, nan, 1, 2, 3, inf, 0.5, -inf, -inf, 0], dict(factor=0.5, patience=1)),
        "negative": ([-1, -1.00005, -1.2, -1.1, -3, -3, -3, -3, -3.1], dict(factor=0.5, patience=1)),
    }
    writer = Writer(0)
    for name, (metrics, settings) in cases.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
        rates = []
        for metric in metrics:
            schedule.step(metric)
            rates.append(optimizer.param_groups[0]["lr"])
        s = dict(dict(threshold=1e-4, cooldown=0, min_lr=0), **settings)
        writer.put(name + "/settings", np.array([s["factor"], s["patience"], s["threshold"], s["cooldown"],
                                                 s["min_lr"]], np.float64))
        writer.put(name + "/metrics", np.array(metrics, np.float64))
        writer.put(name + "/rates", np.array(rates, np.float64))
    writer.write("plateau.safetensors")


def make_states(_):
    """Names, types and shapes of the report network's state_dict."""
    model, _ = build((1, 32, 32), report_text(1))
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    with open(os.path.join(HERE, "report_states.txt"), "w") as file:
        for name, tensor in model.state_dict().items():
            file.write(" ".join([name, kinds[tensor.dtype]] + [str(d) for d in tensor.shape]) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist", default=os.path.expanduser("~/.cache/dlviz/mnist"))
    parts = dict(digits=make_digits, layers=make_layers, report=make_report, adam=make_adam,
                 optimizers=make_optimizers, plateau=make_plateau, states=make_states)
    parser.add_argument("parts", nargs="*", choices=list(parts) + [[]])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in options.parts or parts:
        parts[part](options.mnist)


if __name__ == "__main__":
    main()
