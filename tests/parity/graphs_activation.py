"""Activations alone, behind what they are computed along with, and between layers that share values."""
from graphs import Net

KINDS = {
    "leaky_relu": [{}, dict(negative_slope=-0.3), dict(negative_slope=0.0)],
    "elu": [{}, dict(alpha=0.4)],
    "gelu": [{}],
    "gelu_tanh": [{}],
    "silu": [{}],
    "sigmoid": [{}],
    "tanh": [{}],
    "softplus": [{}, dict(beta=3.0, threshold=1.25)],
    "hardswish": [{}],
}


def vector(kind, s):
    """Alone and behind layers that compute nothing along, in a network that ends with it."""
    net = Net(7)
    net.add("first", kind, **s)
    net.add("fc", "linear", out_features=9)
    net.add("second", kind, **s)
    net.add("fc2", "linear", out_features=3)
    net.add("bn", "batchnorm")
    net.add("last", kind, **s)
    return net.description


def image(kind, s):
    """Behind both kinds of convolution, with and without batch norm, and before a pool. In evaluation the convolutions
    compute it, in tiles that end within images of 9 lines."""
    net = Net(8, 9, 7)
    net.add("conv1", "conv2d", out_channels=9)
    net.add("bn1", "batchnorm")
    net.add("act1", kind, **s)
    net.add("conv2", "conv2d", out_channels=8)
    net.add("act2", kind, **s)
    net.add("pool", "maxpool2d")
    net.add("conv3", "conv2d", out_channels=5, kernel=[2, 3], padding=[0, 2])
    net.add("bn3", "batchnorm", affine=False)
    net.add("act3", kind, **s)
    net.add("drop", "dropout")
    net.add("conv4", "conv2d", out_channels=3)
    net.add("act4", kind, **s)
    return net.description


def before_norm(kind, s):
    """A bias before an activation is not taken out by the batch norm behind it."""
    net = Net(2, 5, 4)
    net.add("conv", "conv2d", out_channels=4)
    net.add("act", kind, **s)
    net.add("bn", "batchnorm")
    net.add("relu", "relu")
    net.add("act2", kind, **s)
    return net.description


def residual(kind, s):
    net = Net(3, 6, 5)
    net.add("conv1", "conv2d", out_channels=8)
    net.add("bn1", "batchnorm")
    net.add("act1", kind, **s)
    net.add("conv2", "conv2d", out_channels=8)
    net.add("bn2", "batchnorm")
    net.add("act2", kind, **s)
    net.add("other", kind, "act1", **s)
    net.add("sum", "add", ["act2", "act1", "other"])
    net.add("act3", kind, **s)
    net.add("conv3", "conv2d", ["act3"], out_channels=2, kernel=[1, 1], padding=[0, 0])
    net.add("squares", "multiply", ["conv3", "conv3"])
    net.add("act4", kind, **s)
    return net.description


def kinks(kind, s):
    """With ties, numbers lie on the edges of pieces."""
    net = Net(4, 4, 5)
    net.add("conv", "conv2d", out_channels=3)
    net.add("act", kind, **s)
    return net.description


def cases():
    for kind, all_settings in KINDS.items():
        for i, s in enumerate(all_settings):
            name = f"{kind}{i}"
            yield f"{name}_vector", 5, "uniform", vector(kind, s)
            yield f"{name}_image", 5, "uniform", image(kind, s)
            if i == 0:
                if kind != "hardswish":  # PyTorch's slope at 3 is 1 or 1.5, as numbers lie in memory
                    yield f"{name}_kinks", 5, "ties", kinks(kind, s)
                yield f"{name}_image1", 1, "uniform", image(kind, s)
                yield f"{name}_before_norm", 5, "uniform", before_norm(kind, s)
                yield f"{name}_residual", 5, "uniform", residual(kind, s)
