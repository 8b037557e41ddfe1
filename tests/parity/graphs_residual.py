"""Sums, and what lies before and behind them: batch norms that the sum applies while it loads, a relu that it
applies itself, gradients of many readers that it adds up, and all that may not be computed so."""
from graphs import Net

LIMIT = 200


def normed(net, name, source, channels, relu=False):
    net.add(name + ".conv", "conv2d", source, out_channels=channels)
    net.add(name, "batchnorm")
    if relu:
        net.add(name + ".relu", "relu")
    return name + ".relu" if relu else name


def ended(net):
    net.add("end.pool", "maxpool2d", kernel=[2, 2], stride=[2, 2])
    net.add("end.flat", "flatten")
    net.add("end.fc", "linear", out_features=4)
    return net.description


def blocks(height, width, channels):
    """Values left pending and read by a convolution and a sum; sums read by two convolutions, and by one and a sum."""
    net = Net(3, height, width)
    before = normed(net, "stem", "input", channels, relu=True)
    for i, (out, stride) in enumerate([(channels, 1), (channels, 1), (channels + 5, 2)]):
        b = f"b{i}"
        net.add(b + ".conv1", "conv2d", before, out_channels=out, stride=[stride, stride], bias=False)
        net.add(b + ".bn1", "batchnorm")
        net.add(b + ".relu1", "relu")
        net.add(b + ".conv2", "conv2d", out_channels=out, bias=False)
        net.add(b + ".bn2", "batchnorm")
        around = before
        if stride > 1:
            net.add(b + ".side", "conv2d", before, out_channels=out, stride=[stride, stride], kernel=[1, 1],
                    padding=[0, 0], bias=False)
            around = net.add(b + ".side_bn", "batchnorm")
        net.add(b + ".sum", "add", [b + ".bn2", around])
        net.add(b, "relu")
        before = b
    return ended(net)


def preactivated():
    """Batch norms behind sums, which have other readers too."""
    net = Net(2, 6, 7)
    net.add("stem", "conv2d", out_channels=9)
    before = "stem"
    for i in range(2):
        b = f"b{i}"
        net.add(b + ".bn", "batchnorm", before)
        net.add(b + ".relu", "relu")
        net.add(b + ".conv", "conv2d", out_channels=9)
        net.add(b, "add", [before, b + ".conv"])
        before = b
    net.add("bn", "batchnorm")
    net.add("relu", "relu")
    return ended(net)


def three():
    """Three inputs, two of them pending, one of those with a relu; the sum itself is read beside its relu."""
    net = Net(2, 8, 6)
    a, b = normed(net, "a", "input", 7), normed(net, "b", "input", 7, relu=True)
    net.add("c", "conv2d", "input", out_channels=7)
    net.add("sum", "add", [a, b, "c"])
    net.add("relu", "relu", "sum")
    net.add("side", "conv2d", "sum", out_channels=7)
    net.add("all", "add", ["relu", "side", "sum"])
    return ended(net)


def twice():
    """A pending value that the sum adds to itself, and a sum behind a sum."""
    net = Net(2, 6, 6)
    a = normed(net, "a", "input", 5, relu=True)
    net.add("double", "add", [a, a])
    net.add("relu", "relu")
    net.add("four", "add", ["relu", "relu", "relu", "relu"])
    net.add("five", "add", ["four", a])
    net.add("last", "relu")
    return ended(net)


def read_twice():
    """A relu behind a sum, read by a convolution, a pool, a multiplication and a sum."""
    net = Net(2, 6, 6)
    a, b = normed(net, "a", "input", 6), normed(net, "b", "input", 6)
    net.add("sum", "add", [a, b])
    net.add("relu", "relu")
    net.add("conv", "conv2d", "relu", out_channels=6)
    net.add("product", "multiply", ["relu", "conv"])
    net.add("again", "add", ["product", "relu", b])
    net.add("again.relu", "relu")
    net.add("pool1", "maxpool2d", "again.relu", kernel=[2, 2], stride=[2, 2])
    net.add("pool2", "avgpool2d", "relu", kernel=[2, 2], stride=[2, 2], padding=[0, 0])
    net.add("end", "add", ["pool1", "pool2"])
    return ended(net)


def behind(*kinds):
    """Other things behind a sum than a relu alone."""
    net = Net(2, 8, 8)
    a = normed(net, "a", "input", 6)
    net.add("b", "conv2d", "input", out_channels=6)
    net.add("sum", "add", [a, "b"])
    for i, (kind, settings) in enumerate(kinds):
        net.add(f"behind{i}", kind, **settings)
    net.add("last", "conv2d", out_channels=3)
    return net.description


def wide():
    """Pending values read by many convolutions; a branch that cannot read them so."""
    net = Net(3, 7, 5)
    a, b = normed(net, "a", "input", 17, relu=True), normed(net, "b", "input", 17, relu=True)
    for i in range(3):
        net.add(f"a{i}", "conv2d", a, out_channels=5, kernel=[1 + 2 * (i // 2)] * 2, padding=[i // 2] * 2)
    net.add("b0", "conv2d", b, out_channels=5)
    net.add("b1", "maxpool2d", b, kernel=[3, 3], stride=[1, 1], padding=[1, 1])
    net.add("b2", "conv2d", "b1", out_channels=5)
    net.add("sum", "add", ["a0", "a1", "a2", "b0", "b2"])
    net.add("relu", "relu")
    net.add("norm", "batchnorm")
    return ended(net)


def of_vectors():
    net = Net(9)
    net.add("fc1", "linear", out_features=20)
    net.add("bn1", "batchnorm")
    net.add("relu1", "relu")
    net.add("fc2", "linear", out_features=20)
    net.add("bn2", "batchnorm")
    net.add("sum", "add", ["bn2", "relu1"])
    net.add("relu2", "relu")
    net.add("fc3", "linear", "relu2", out_features=20)
    net.add("sum2", "add", ["fc3", "relu2"])
    net.add("relu3", "relu")
    return net.description


BEHIND = {
    "nothing": [],
    "relu": [("relu", {})],
    "pool": [("relu", {}), ("maxpool2d", dict(kernel=[2, 2], stride=[2, 2]))],
    "poolfirst": [("maxpool2d", dict(kernel=[2, 2], stride=[2, 2])), ("relu", {})],
    "norm": [("batchnorm", {}), ("relu", {})],
    "late": [("relu", {}), ("batchnorm", {})],
    "dropout": [("relu", {}), ("dropout", dict(p=0.0))],
    "twice": [("relu", {}), ("relu", {}), ("relu", {})],
    "gelu": [("gelu", {})],
    "silu": [("silu", {}), ("relu", {})],
    "leaky": [("leaky_relu", dict(negative_slope=0.1))],
    "sigmoid": [("relu", {}), ("sigmoid", {})],
}


def cases():
    for batch in (2, 5):
        for kind in ("uniform", "ties"):
            tag = f"{batch}{kind}"
            yield "blocks" + tag, batch, kind, blocks(9, 8, 16 if batch == 2 else 11)
            yield "preactivated" + tag, batch, kind, preactivated()
            yield "three" + tag, batch, kind, three()
            yield "twice" + tag, batch, kind, twice()
            yield "read" + tag, batch, kind, read_twice()
            yield "wide" + tag, batch, kind, wide()
            yield "vectors" + tag, batch + 4, kind, of_vectors()
    for name, kinds in BEHIND.items():
        yield "behind." + name, 3, "uniform", behind(*kinds)
