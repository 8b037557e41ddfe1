"""Norms whose statistics are a sample's own, batch norm without affine, softmax."""
from graphs import Net


def one(dims, kind, **settings):
    """The layer between others, so that it has readers and an input with a gradient."""
    net = Net(*dims)
    if len(dims) == 3:
        net.add("conv", "conv2d", out_channels=dims[0])
    else:
        net.add("fc0", "linear", out_features=dims[0])
    net.add("norm", kind, **settings)
    net.add("relu", "relu")
    return net.description


def alone(dims, kind, **settings):
    net = Net(*dims)
    net.add("norm", kind, **settings)
    return net.description


def block():
    """Each reads what another reads too."""
    net = Net(4, 7, 6)
    net.add("conv", "conv2d", out_channels=6)
    net.add("group", "groupnorm", "conv", num_groups=3)
    net.add("layer", "layernorm", "conv")
    net.add("instance", "instancenorm2d", "conv", affine=True)
    net.add("sum", "add", ["group", "layer", "instance", "conv"])
    net.add("soft", "softmax")
    net.add("gated", "multiply", ["soft", "conv"])
    net.add("drop", "dropout2d")
    net.add("log", "log_softmax")
    net.add("both", "add", ["log", "soft"])
    net.add("pool", "maxpool2d")
    net.add("flatten", "flatten")
    net.add("fc", "linear", out_features=5)
    net.add("last", "layernorm")
    return net.description


def batchnorm_without_affine():
    net = Net(3, 6, 5)
    net.add("conv", "conv2d", out_channels=4)
    net.add("bn", "batchnorm", affine=False)
    net.add("relu", "relu")
    net.add("pool", "maxpool2d")
    net.add("flatten", "flatten")
    net.add("bn2", "batchnorm", affine=False, momentum=0.25, eps=1e-3)
    net.add("fc", "linear", out_features=3)
    return net.description


def cases():
    images = [(3, 7, 5), (16, 4, 4), (1, 5, 9), (18, 3, 2)]
    for batch in (1, 5):
        for kind in ("uniform", "ties"):
            end = f"{batch}{kind}"
            for at, dims in enumerate(images):
                yield f"layer{at}{end}", batch, kind, one(dims, "layernorm")
                yield f"instance{at}{end}", batch, kind, one(dims, "instancenorm2d", affine=at % 2 == 1)
                yield f"softmax{at}{end}", batch, kind, alone(dims, "softmax")
                yield f"log_softmax{at}{end}", batch, kind, alone(dims, "log_softmax")
            yield f"layerplain{end}", batch, kind, one((5, 3, 4), "layernorm", affine=False, eps=1e-3)
            yield f"layerfew{end}", batch, kind, alone((7,), "layernorm")
            yield f"layermany{end}", batch, kind, one((131,), "layernorm")
            yield f"group2{end}", batch, kind, one((6, 5, 7), "groupnorm", num_groups=2)
            yield f"group8{end}", batch, kind, one((32, 3, 3), "groupnorm", num_groups=8, eps=0.01)
            yield f"group5{end}", batch, kind, one((5, 4, 3), "groupnorm", num_groups=5, affine=False)
            yield f"groupvector{end}", batch, kind, alone((24,), "groupnorm", num_groups=4)
            yield f"softvector{end}", batch, kind, one((37,), "softmax")
            yield f"logvector{end}", batch, kind, one((10,), "log_softmax")
            yield f"block{end}", batch, kind, block()
    # A batch norm over two vectors makes nearly the same of all numbers: nothing to compare.
    for kind in ("uniform", "ties"):
        yield f"batch5{kind}", 5, kind, batchnorm_without_affine()
