"""Values that several layers read, and layers that read several values."""
from graphs import Net


def residual(n):
    net = Net(3, n, n)
    net.add("conv1", "conv2d", out_channels=8)
    net.add("bn1", "batchnorm")
    net.add("relu1", "relu")
    net.add("conv2", "conv2d", out_channels=8)
    net.add("bn2", "batchnorm")
    net.add("sum", "add", ["bn2", "relu1"])
    net.add("relu2", "relu")
    net.add("pool", "maxpool2d")
    net.add("flatten", "flatten")
    net.add("fc", "linear", out_features=5)
    return net.description


def same_twice():
    net = Net(2, 5, 4)
    net.add("conv", "conv2d", out_channels=3)
    net.add("sum", "add", ["conv", "conv", "conv"])
    net.add("square", "multiply", ["sum", "sum"])
    net.add("relu", "relu")
    return net.description


def gate():
    """A factor for each channel, as in squeeze-and-excite."""
    net = Net(2, 6, 6)
    net.add("conv", "conv2d", out_channels=4)
    net.add("flatten", "flatten", "conv")
    net.add("fc", "linear", out_features=4)
    net.add("scaled", "multiply", ["conv", "fc"])
    net.add("bn", "batchnorm")
    net.add("both", "concat", ["bn", "conv", "input"])
    net.add("last", "conv2d", out_channels=2, kernel=[1, 1], padding=[0, 0])
    return net.description


def post_of_shared():
    """Batch norms and pools that must not put their gradients in the place of what others read."""
    net = Net(1, 8, 8)
    net.add("conv", "conv2d", out_channels=4)
    net.add("a.bn", "batchnorm", "conv")
    net.add("a.relu", "relu")
    net.add("a.pool", "maxpool2d")
    net.add("b.pool", "maxpool2d", "conv")
    net.add("b.relu", "relu")
    net.add("c.pool", "maxpool2d", "conv", kernel=[3, 2], stride=[2, 2], padding=[1, 0])
    net.add("sum", "add", ["a.pool", "b.relu", "c.pool"])
    return net.description


def of_the_input():
    net = Net(3, 6, 6)
    net.add("a", "conv2d", "input", out_channels=3)
    net.add("b", "conv2d", "input", out_channels=3, kernel=[5, 5], padding=[2, 2])
    net.add("c", "relu", "input")
    net.add("sum", "add", ["a", "b", "c", "input"])
    return net.description


def of_vectors():
    net = Net(7)
    net.add("fc1", "linear", out_features=9)
    net.add("relu1", "relu")
    net.add("fc2", "linear", out_features=9)
    net.add("bn2", "batchnorm")
    net.add("sum", "add", ["bn2", "relu1"])
    net.add("wide", "concat", ["sum", "input", "fc1"])
    net.add("bn3", "batchnorm", affine=False)
    net.add("fc3", "linear", out_features=4)
    return net.description


def pools(height, width):
    net = Net(2, height, width)
    net.add("conv", "conv2d", out_channels=3)
    net.add("pool", "maxpool2d", kernel=[3, 2], stride=[2, 3], padding=[1, 1], ceil_mode=True)
    net.add("relu", "relu")
    net.add("again", "maxpool2d", kernel=[2, 2], stride=[2, 2], ceil_mode=True)
    return net.description


def cases():
    for batch in (1, 2, 5):
        for kind in ("uniform", "ties"):
            yield f"residual{batch}{kind}", batch, kind, residual(8 if batch > 1 else 10)
            yield f"twice{batch}{kind}", batch, kind, same_twice()
            yield f"gate{batch}{kind}", batch, kind, gate()
            yield f"shared{batch}{kind}", batch, kind, post_of_shared()
            yield f"input{batch}{kind}", batch, kind, of_the_input()
            yield f"pools{batch}{kind}", batch, kind, pools(9, 11)
            # A batch norm over two vectors makes nearly the same of all numbers: nothing to compare.
            yield f"vectors{batch}{kind}", batch + 4, kind, of_vectors()
