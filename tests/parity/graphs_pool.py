"""Pooling, upsampling, padding, reshaping: on odd shapes, alone and between convolutions."""
from graphs import Net

NEAREST, BILINEAR = 0, 1
CONSTANT, REFLECT, REPLICATE = 0, 1, 2


def alone(dims, kind, **settings):
    """Also the gradient of the input, on numbers that are nobody's output."""
    net = Net(*dims)
    net.add("layer", kind, **settings)
    return net.description


def between(dims, kind, **settings):
    """Behind a batch norm and relu, before a convolution."""
    net = Net(*dims)
    net.add("conv", "conv2d", out_channels=17)
    net.add("bn", "batchnorm")
    net.add("relu", "relu")
    net.add("layer", kind, **settings)
    net.add("last", "conv2d", out_channels=3, kernel=[1, 1], padding=[0, 0])
    return net.description


def normalized(kind, **settings):
    """A batch norm behind: the convolution's bias may or may not have a gradient."""
    net = Net(2, 6, 5)
    net.add("conv", "conv2d", out_channels=8)
    net.add("layer", kind, **settings)
    net.add("bn", "batchnorm")
    net.add("relu", "relu")
    return net.description


def squeeze_and_excite():
    net = Net(3, 8, 6)
    net.add("conv", "conv2d", out_channels=16)
    net.add("squeeze", "global_avgpool2d")
    net.add("fc1", "linear", out_features=4)
    net.add("relu", "relu")
    net.add("fc2", "linear", out_features=16)
    net.add("scaled", "multiply", ["conv", "fc2"])
    net.add("up", "upsample", size=[16, 12])
    return net.description


def decoder():
    net = Net(7)
    net.add("fc", "linear", out_features=96)
    net.add("relu", "relu")
    net.add("image", "reshape", shape=[24, 2, 2])
    net.add("up1", "upsample", size=[4, 4], mode=BILINEAR)
    net.add("conv", "conv2d", out_channels=5)
    net.add("up2", "upsample", size=[8, 8])
    net.add("border", "pad", vertical=[1, 1], horizontal=[1, 1], mode=REFLECT)
    net.add("last", "conv2d", out_channels=2, padding=[0, 0])
    return net.description


WINDOWS = [dict(kernel=[2, 2], stride=[2, 2]),
           dict(kernel=[3, 2], stride=[2, 3], padding=[1, 1], ceil_mode=True),
           dict(kernel=[3, 3], stride=[1, 1], padding=[1, 1]),
           dict(kernel=[5, 4], stride=[3, 2], padding=[2, 0]),
           dict(kernel=[2, 5], stride=[3, 4], ceil_mode=True)]


def settings():
    for i, windows in enumerate(WINDOWS):
        yield f"max{i}", "maxpool2d", windows
        yield f"average{i}", "avgpool2d", windows
        yield f"inner{i}", "avgpool2d", dict(windows, count_include_pad=False)
    yield "global", "global_avgpool2d", {}
    for size in ([1, 1], [3, 2], [4, 7], [11, 9]):
        yield f"adaptive{size[0]}x{size[1]}", "adaptive_avgpool2d", dict(size=size)
    for size in ([18, 14], [27, 7], [5, 4], [10, 16], [1, 1]):
        name = f"{size[0]}x{size[1]}"
        yield "nearest" + name, "upsample", dict(size=size)
        yield "bilinear" + name, "upsample", dict(size=size, mode=BILINEAR)
        yield "aligned" + name, "upsample", dict(size=size, mode=BILINEAR, align_corners=True)
    yield "constant", "pad", dict(vertical=[2, 0], horizontal=[1, 3], value=-0.75)
    yield "cropped", "pad", dict(vertical=[-1, 2], horizontal=[-2, -1])
    yield "reflected", "pad", dict(vertical=[2, 8], horizontal=[1, 0], mode=REFLECT)
    yield "replicated", "pad", dict(vertical=[0, 3], horizontal=[9, 1], mode=REPLICATE)


def cases():
    for i, (name, kind, chosen) in enumerate(settings()):
        yield f"{name}/alone", 1, "ties", alone((3, 9, 7), kind, **chosen)
        if i % 3 == 0:
            yield f"{name}/wide", 2, "uniform", alone((18, 9, 7), kind, **chosen)
        elif i % 3 == 1 and kind != "global_avgpool2d":
            yield f"{name}/between", 5, "uniform", between((2, 9, 7), kind, **chosen)
    # Where PyTorch's float arithmetic takes another pixel than whole numbers would.
    yield "nearest41", 1, "uniform", alone((1, 2, 3), "upsample", size=[2, 123])
    for shape in ([4, 9, 7], [12, 7, 3], [1, 18, 14], [252, 1, 1], [252]):
        yield f"reshape{len(shape)}-{shape[0]}", 2, "uniform", alone((4, 9, 7), "reshape", shape=shape)
        yield f"image{len(shape)}-{shape[0]}", 2, "uniform", alone((252,), "reshape", shape=shape)
    for i, (kind, chosen) in enumerate([
            ("avgpool2d", WINDOWS[0]), ("avgpool2d", WINDOWS[2]), ("avgpool2d", dict(WINDOWS[2], count_include_pad=False)),
            ("maxpool2d", WINDOWS[1]), ("global_avgpool2d", {}), ("adaptive_avgpool2d", dict(size=[2, 3])),
            ("upsample", dict(size=[12, 10], mode=BILINEAR)), ("pad", dict(vertical=[1, 1], horizontal=[1, 1])),
            ("pad", dict(vertical=[1, 1], horizontal=[1, 1], mode=REPLICATE)),
            ("reshape", dict(shape=[16, 5, 3])), ("reshape", dict(shape=[4, 10, 6])), ("reshape", dict(shape=[240]))]):
        yield f"normalized{i}", 5, "uniform", normalized(kind, **chosen)
    for batch in (1, 5):
        yield f"excite{batch}", batch, "uniform", squeeze_and_excite()
        yield f"decoder{batch}", batch, "uniform", decoder()
