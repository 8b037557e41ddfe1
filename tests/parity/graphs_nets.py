"""Networks as people train them: residual, U-shaped, separable, of vectors, with several labels.

nets_training.py trains them, too. Those with layers that the library does not have yet are left out."""
from graphs import Net
from graphs_random import has_groups, known

LIMIT = 256
SAME = dict(kernel=[1, 1], padding=[0, 0])


def convolve(net, name, inputs, channels, stride=1, activated=True, **settings):
    """Convolution, batch norm and, perhaps, relu; the name of the last."""
    net.add(name + ".conv", "conv2d", inputs, out_channels=channels, stride=[stride, stride], bias=False, **settings)
    last = net.add(name + ".bn", "batchnorm")
    return net.add(name + ".relu", "relu") if activated else last


def average(net, size):
    if "global_avgpool2d" in known():
        net.add("pool", "global_avgpool2d")
    else:
        net.add("pool", "maxpool2d", kernel=[size, size], stride=[size, size])
        net.add("flatten", "flatten")


def resnet8(classes=10):
    net = Net(3, 32, 32)
    value = convolve(net, "stem", None, 16)
    for number, channels in enumerate((16, 32, 64), 1):
        stride = 1 if number == 1 else 2
        block = f"block{number}"
        branch = convolve(net, block + ".first", value, channels, stride)
        branch = convolve(net, block + ".second", branch, channels, activated=False)
        if stride == 2:
            value = convolve(net, block + ".shortcut", value, channels, stride, activated=False, **SAME)
        net.add(block + ".sum", "add", [branch, value])
        value = net.add(block + ".relu", "relu")
    average(net, 8)
    net.add("fc", "linear", out_features=classes)
    return net.description


def unet():
    """Without batch norms: what it gives in training is what it gives in evaluation."""
    net = Net(1, 16, 16)
    net.add("down1", "conv2d", out_channels=8)
    high = net.add("relu1", "relu")
    net.add("down2", "conv2d", out_channels=16, stride=[2, 2])
    middle = net.add("relu2", "relu")
    net.add("down3", "conv2d", out_channels=24, stride=[2, 2])
    net.add("relu3", "relu")
    up = dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0])
    net.add("up2", "conv_transpose2d", out_channels=16, **up)
    net.add("both2", "concat", ["up2", middle])
    net.add("conv2", "conv2d", out_channels=16)
    net.add("relu4", "relu")
    net.add("up1", "conv_transpose2d", out_channels=8, kernel=[4, 4], stride=[2, 2], padding=[1, 1])
    net.add("both1", "concat", ["up1", high])
    net.add("last", "conv2d", out_channels=1)
    return net.description


def separable():
    net = Net(3, 24, 20)
    value = convolve(net, "stem", None, 16, 2)
    for number, (channels, stride) in enumerate([(24, 1), (32, 2), (32, 1)], 1):
        before, inside = value, (16, 24, 32)[number - 1]
        value = convolve(net, f"depth{number}", value, inside, stride, groups=inside)
        value = convolve(net, f"point{number}", value, channels, activated=channels != inside, **SAME)
        if channels == inside:
            net.add("sum", "add", [value, before])
            value = net.add("relu", "relu")
    net.add("flatten", "flatten")
    net.add("fc", "linear", out_features=7)
    return net.description


def regression():
    net = Net(13)
    for number, size in enumerate((64, 48, 32), 1):
        net.add(f"fc{number}", "linear", out_features=size)
        net.add(f"relu{number}", "relu")
    net.add("out", "linear", out_features=2)
    return net.description


def several_labels():
    net = Net(3, 16, 14)
    for number, channels in enumerate((12, 24, 32), 1):
        net.add(f"conv{number}", "conv2d", out_channels=channels)
        net.add(f"relu{number}", "relu")
        net.add(f"pool{number}", "maxpool2d")
    net.add("flatten", "flatten")
    net.add("fc", "linear", out_features=9)
    return net.description


def all_nets():
    """Name, batch, description of those that the library has the layers of."""
    yield "resnet8", 4, resnet8()
    if "conv_transpose2d" in known():
        yield "unet", 5, unet()
    if has_groups():
        yield "separable", 5, separable()
    yield "regression", 16, regression()
    yield "labels", 6, several_labels()


def cases():
    for name, batch, description in all_nets():
        yield name, batch, "uniform", description
