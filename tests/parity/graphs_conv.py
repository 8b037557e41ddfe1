"""Convolutions: in groups, of each channel by itself, transposed, of signals."""
from graphs import Net


def alone(dims, kind="conv2d", **settings):
    net = Net(*dims)
    net.add("conv", kind, **settings)
    return net.description


def between(dims, channels, kind="conv2d", **settings):
    """Behind and in front of a batch norm and a relu, which are left to the neighbors where they can be."""
    net = Net(*dims)
    net.add("first", "conv2d", out_channels=channels, kernel=[1, 1], padding=[0, 0])
    net.add("bn1", "batchnorm")
    net.add("relu1", "relu")
    net.add("conv", kind, **settings)
    net.add("bn2", "batchnorm")
    net.add("relu2", "relu")
    net.add("last", "conv2d", out_channels=3, kernel=[1, 1], padding=[0, 0])
    return net.description


def separable():
    """Depthwise and pointwise by turns, with a shortcut."""
    net = Net(3, 12, 10)
    net.add("stem", "conv2d", out_channels=24, stride=[2, 2])
    net.add("bn1", "batchnorm")
    net.add("relu1", "relu")
    net.add("depthwise", "conv2d", out_channels=24, groups=24)
    net.add("bn2", "batchnorm")
    net.add("relu2", "relu")
    net.add("pointwise", "conv2d", out_channels=24, kernel=[1, 1], padding=[0, 0], bias=False)
    net.add("bn3", "batchnorm")
    net.add("sum", "add", ["bn3", "relu1"])
    net.add("smaller", "conv2d", out_channels=24, groups=24, stride=[2, 2], bias=False)
    net.add("flatten", "flatten")
    net.add("fc", "linear", out_features=5)
    return net.description


def autoencoder():
    net = Net(2, 9, 8)
    net.add("down", "conv2d", out_channels=12, stride=[2, 2])
    net.add("relu1", "relu")
    net.add("code", "conv2d", out_channels=16, stride=[2, 2])
    net.add("relu2", "relu")
    net.add("up1", "conv_transpose2d", out_channels=12, stride=[2, 2], padding=[1, 1], output_padding=[0, 1])
    net.add("bn", "batchnorm")
    net.add("relu3", "relu")
    net.add("both", "concat", ["relu3", "relu1"])
    net.add("up2", "conv_transpose2d", out_channels=2, stride=[2, 2], padding=[1, 1], output_padding=[0, 1])
    return net.description


def signal(**settings):
    return alone((6, 1, 23), **{**dict(out_channels=9, kernel=[1, 5], padding=[0, 2]), **settings})


def cases():
    for batch in (1, 5):
        for kind in ("uniform", "ties"):
            end = f"{batch}{kind}"
            for stride in (1, 2):
                yield f"depthwise{stride}{end}", batch, kind, alone(
                    (20, 9, 8), out_channels=20, groups=20, stride=[stride, stride])
                yield f"between{stride}{end}", batch + 1, kind, between(
                    (2, 9, 11), 17, out_channels=17, groups=17, stride=[stride, stride], bias=stride == 1)
            yield f"multiplier{end}", batch, kind, alone((5, 7, 8), out_channels=15, groups=5, kernel=[5, 2],
                                                         stride=[1, 2], padding=[2, 0], dilation=[1, 2])
            yield f"groups{end}", batch, kind, alone((12, 9, 7), out_channels=6, groups=3)
            yield f"groups_between{end}", batch + 1, kind, between((3, 8, 8), 8, out_channels=10, groups=2,
                                                                    kernel=[3, 4], stride=[2, 1], dilation=[1, 2])
            yield f"groups_wide{end}", batch, kind, alone((32, 9, 7), out_channels=48, groups=2)
            yield f"groups_wide_between{end}", batch + 10, kind, between((2, 6, 9), 51, out_channels=48, groups=3)
            yield f"depthwise_whole{end}", batch, kind, alone((32, 9, 8), out_channels=32, groups=32, stride=[2, 2])
            yield f"transposed{end}", batch, kind, alone((7, 5, 6), "conv_transpose2d", out_channels=4)
            yield f"transposed2{end}", batch, kind, alone((16, 4, 5), "conv_transpose2d", out_channels=9,
                                                          kernel=[2, 2], stride=[2, 2], bias=False)
            yield f"transposed_odd{end}", batch, kind, alone(
                (5, 4, 6), "conv_transpose2d", out_channels=3, kernel=[4, 3], stride=[3, 1], padding=[2, 3],
                output_padding=[2, 1], dilation=[1, 2])
            yield f"transposed_groups{end}", batch, kind, alone(
                (6, 5, 4), "conv_transpose2d", out_channels=9, groups=3, stride=[2, 2], padding=[1, 1])
            yield f"transposed_between{end}", batch + 1, kind, between(
                (2, 6, 5), 9, "conv_transpose2d", out_channels=8, stride=[2, 2], padding=[1, 1], output_padding=[1, 1])
            yield f"signal{end}", batch, kind, signal()
            yield f"signal_odd{end}", batch, kind, signal(stride=[1, 3], dilation=[1, 2], padding=[0, 3], bias=False)
            yield f"signal_groups{end}", batch, kind, signal(groups=3)
            yield f"signal_depthwise{end}", batch, kind, signal(out_channels=6, groups=6, kernel=[1, 9])
            yield f"separable{end}", batch + 1, kind, separable()
            yield f"autoencoder{end}", batch + 1, kind, autoencoder()
