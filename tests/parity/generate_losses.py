#!/usr/bin/env python3
"""Writes losses.safetensors: values and gradients of every loss with every setting by PyTorch 1.13 in float64,
metrics by scikit-learn, and the losses of small networks over 20 steps.

    /usr/bin/python3 generate_losses.py

Where samples have weights, the loss is the sum of weight times loss divided by the sum of the weights; where a
loss is of numbers, a sample's is the mean over them.
"""
import numpy as np
import torch
import torch.nn.functional as F
from sklearn import metrics

import generate
from generate import Writer, uniform


def numbers(shape, seed, scale=1.0, ties=False):
    values = uniform(int(np.prod(shape)), seed).reshape(shape)
    return np.round(values * np.float32(3)) / np.float32(2) if ties else values * np.float32(scale)


def put(writer, name, outputs, targets, weights, loss):
    """`loss` gives the batch's mean of (outputs, targets, weights), all float64."""
    x = torch.from_numpy(outputs.astype(np.float64)).requires_grad_()
    t = torch.from_numpy(targets if targets.dtype == np.int64 else targets.astype(np.float64))
    w = torch.ones(len(outputs), dtype=torch.float64) if weights is None else torch.from_numpy(weights.astype(np.float64))
    value = loss(x, t, w)
    value.backward()
    writer.put(name + "/outputs", outputs)
    writer.put(name + "/targets", targets.astype(np.float64) if targets.dtype == np.int64 else targets)
    if weights is not None:
        writer.put(name + "/weights", weights)
    writer.put(name + "/value", np.array([value.item()]))
    writer.put(name + "/gradient", x.grad.numpy().astype(np.float32))


def weighted(losses, weights):
    """losses: n x anything, of each number."""
    return (weights * losses.reshape(len(losses), -1).mean(dim=1)).sum() / weights.sum()


def same(a, b):
    assert abs(a.item() - b.item()) <= 1e-12 * max(1, abs(b.item())), (a, b)
    return a


CLASS_WEIGHTS = {7: [0.5, 2, 0, 1, 1.25, 3, 0.125], 3: [1, 0.25, 2], 1: [2.5]}


def cross_entropy(writer):
    for n, classes, scale, ties in ((1, 3, 1, False), (5, 7, 3, False), (9, 7, 1, True), (6, 3, 1e4, False), (4, 1, 1, False),
                                    (5, 130, 10, False)):
        for smoothing in (0.0, 0.1, 1.0):
            for with_classes in (False, True):
                for with_samples in (False, True):
                    if with_classes and classes not in CLASS_WEIGHTS:
                        continue
                    name = f"cross_entropy/{n}x{classes}_{scale:g}_{int(ties)}_{smoothing:g}_{int(with_classes)}{int(with_samples)}"
                    outputs = numbers((n, classes), 10 + n, scale, ties)
                    labels = generate.labels_for(n, classes, 20 + n)
                    if n > 4:
                        labels[n // 2] = -100
                    if with_classes and n == 1:
                        labels[0] = 0
                    weights = np.abs(numbers((n,), 30)) * np.float32(2) if with_samples else None
                    if with_samples and n > 2:
                        weights[1] = 0
                    class_weights = torch.tensor(CLASS_WEIGHTS[classes], dtype=torch.float64) if with_classes else None

                    def loss(x, t, w):
                        each = F.cross_entropy(x, t, class_weights, reduction="none", label_smoothing=smoothing)
                        kept = torch.where(t == -100, 0, t)
                        norm = w * (1 if class_weights is None else class_weights[kept]) * (t != -100)
                        value = (w * each).sum() / norm.sum()
                        if not with_samples:
                            same(value, F.cross_entropy(x, t, class_weights, label_smoothing=smoothing))
                        return value

                    put(writer, name, outputs, labels, weights, loss)
                    if with_classes:
                        writer.put(name + "/class_weights", class_weights.numpy())
                    writer.put(name + "/smoothing", np.array([smoothing]))


def cross_entropy_maps(writer):
    """A label for each pixel. A sample's weight is that of all its pixels."""
    for n, classes, height, width, scale, ties in ((2, 3, 4, 5, 1, False), (3, 7, 3, 1, 3, True), (1, 1, 2, 2, 1, False),
                                                   (2, 21, 9, 8, 5, False), (1, 2, 1, 1, 1, False)):
        for smoothing in (0.0, 0.1):
            for with_classes in (False, True):
                for with_samples in (False, True):
                    if with_classes and classes not in CLASS_WEIGHTS:
                        continue
                    name = f"cross_entropy/{n}x{classes}x{height}x{width}_{smoothing:g}_{int(with_classes)}{int(with_samples)}"
                    outputs = numbers((n, classes, height, width), 50 + n, scale, ties)
                    labels = generate.labels_for(n * height * width, classes, 60 + n).reshape(n, height, width)
                    if height * width > 4:
                        labels[0, 1] = -100
                    weights = np.abs(numbers((n,), 61)) + np.float32(0.01) if with_samples else None
                    if with_samples and n > 2:
                        weights[1] = 0
                    class_weights = torch.tensor(CLASS_WEIGHTS[classes], dtype=torch.float64) if with_classes else None

                    def loss(x, t, w):
                        each = F.cross_entropy(x, t, class_weights, reduction="none", label_smoothing=smoothing)
                        kept = torch.where(t == -100, 0, t)
                        w = w[:, None, None]
                        norm = w * (1 if class_weights is None else class_weights[kept]) * (t != -100)
                        value = (w * each).sum() / norm.sum()
                        if not with_samples:
                            same(value, F.cross_entropy(x, t, class_weights, label_smoothing=smoothing))
                        return value

                    put(writer, name, outputs, labels, weights, loss)
                    if with_classes:
                        writer.put(name + "/class_weights", class_weights.numpy())
                    writer.put(name + "/smoothing", np.array([smoothing]))


SHAPES = (((1, 1), 1, False), ((3, 5), 2, False), ((7, 3), 1, True), ((2, 3, 4, 5), 1, False), ((3, 300), 1, False),
          ((4, 3), 1e4, False))


def of_numbers(writer, kind, target_of, losses_of, mean_of, settings=()):
    for shape, scale, ties in SHAPES:
        for with_samples in (False, True):
            for setting in settings or (None,):
                outputs = numbers(shape, 40, scale, ties)
                targets = target_of(shape, scale, ties)
                weights = np.abs(numbers(shape[:1], 41)) + np.float32(0.01) if with_samples else None
                if with_samples and len(outputs) > 1:
                    weights[-1] = 0
                of = f"_{setting:g}" if isinstance(setting, float) else f"_{setting}" if setting else ""
                name = f"{kind}/{'x'.join(map(str, shape))}_{scale:g}{of}_{int(with_samples)}"
                channel = torch.tensor([0.5 + 1.5 * c for c in range(shape[1])], dtype=torch.float64)
                channel = channel.reshape((-1,) + (1,) * (len(shape) - 2))
                def loss(x, t, w):
                    value = weighted(losses_of(x, t, setting, channel), w)
                    return value if with_samples else same(value, mean_of(x, t, setting, channel))
                put(writer, name, outputs, targets, weights, loss)


def all_of_numbers(writer):
    any_target = lambda shape, scale, ties: numbers(shape, 50, scale, ties)
    share = lambda shape, scale, ties: (np.float32(0.5) + np.float32(0.5) * numbers(shape, 51)) if not ties else \
        np.round(np.float32(0.5) + np.float32(0.5) * numbers(shape, 51))
    of_numbers(writer, "mse", any_target, lambda x, t, s, c: F.mse_loss(x, t, reduction="none"),
               lambda x, t, s, c: F.mse_loss(x, t))
    of_numbers(writer, "l1", any_target, lambda x, t, s, c: F.l1_loss(x, t, reduction="none"),
               lambda x, t, s, c: F.l1_loss(x, t))
    of_numbers(writer, "huber", any_target, lambda x, t, s, c: F.huber_loss(x, t, reduction="none", delta=s),
               lambda x, t, s, c: F.huber_loss(x, t, delta=s), (1.0, 0.25, 30.0))
    of_numbers(writer, "bce_with_logits", share,
               lambda x, t, s, c: F.binary_cross_entropy_with_logits(x, t, reduction="none", pos_weight=c if s else None),
               lambda x, t, s, c: F.binary_cross_entropy_with_logits(x, t, pos_weight=c if s else None), (False, True))

    def kl(x, t, s, c):
        # The sum over a sample's numbers, from which `weighted` takes the mean.
        return F.kl_div(x, t, reduction="none", log_target=s) * x[0].numel()

    def chances(shape, scale, ties):
        t = np.abs(numbers(shape, 52))
        if ties:
            t[0, 0] = 0
        return t
    log_chances = lambda shape, scale, ties: -np.float32(5) * np.abs(numbers(shape, 53))
    for setting in (False, True):
        of_numbers(writer, "kl_divergence_log" if setting else "kl_divergence",
                   log_chances if setting else chances, lambda x, t, s, c: kl(x, t, setting, c),
                   lambda x, t, s, c: F.kl_div(x, t, reduction="batchmean", log_target=setting))


# -- Metrics -----------------------------------------------------------------------------------------

def all_metrics(writer):
    outputs, labels = numbers((40, 7), 60, 1, True), generate.labels_for(40, 7, 61)
    # Of equal outputs the first comes first.
    order = np.argsort(-outputs, axis=1, kind="stable")
    place = np.array([list(row).index(label) for row, label in zip(order, labels)])
    put_metrics(writer, "cross_entropy", outputs, labels, [metrics.accuracy_score(labels, order[:, 0]), np.mean(place < 5)])
    for name, ties, far in (("mse", False, 0), ("l1", True, 0), ("huber", False, 1e4)):
        outputs, targets = numbers((50, 3), 62, 1, ties), numbers((50, 3), 63, 1, ties)
        targets = (targets + np.float32(far)).astype(np.float32)
        outputs = (outputs * np.float32(0.5) + targets).astype(np.float32)
        o, t = outputs.astype(np.float64), targets.astype(np.float64)
        put_metrics(writer, name, outputs, targets, [metrics.mean_absolute_error(t, o),
                                                     metrics.r2_score(t, o, multioutput="variance_weighted")])
    outputs = numbers((60, 4), 64, 1, True)
    targets = (numbers((60, 4), 65) + np.float32(0.3) * outputs > 0.2).astype(np.float32)
    said = outputs > 0
    put_metrics(writer, "bce_with_logits", outputs, targets,
                [metrics.f1_score(targets, said, average="micro"), metrics.accuracy_score(targets, said),
                 metrics.roc_auc_score(targets, outputs, average="macro")])


def put_metrics(writer, name, outputs, targets, values):
    writer.put(f"metrics/{name}/outputs", outputs)
    writer.put(f"metrics/{name}/targets", targets.astype(np.float64) if targets.dtype == np.int64 else targets)
    writer.put(f"metrics/{name}/values", np.array(values, np.float64))
    print(name, values)


# -- Networks ----------------------------------------------------------------------------------------

NETWORKS = {
    "regression": ((6,), "fc1:linear,out=16 relu:relu fc2:linear,out=3", F.mse_loss),
    "multilabel": ((1, 8, 8), "conv:conv,out=4,k=3,pad=same relu:relu pool:pool,k=2 flat:flatten fc:linear,out=5",
                   lambda x, t: F.binary_cross_entropy_with_logits(
                       x, t, pos_weight=torch.tensor([1, 2, 0.5, 3, 1], dtype=x.dtype))),
    "images": ((3, 5, 4), "conv1:conv,out=6,k=3,pad=same relu:relu conv2:conv,out=2,k=3,pad=same",
               lambda x, t: F.huber_loss(x, t, delta=0.5)),
    "segmentation": ((3, 5, 4), "conv1:conv,out=6,k=3,pad=same relu:relu conv2:conv,out=3,k=3,pad=same",
                     lambda x, t: F.cross_entropy(x, t[:, 0].round().long(), torch.tensor([1, 0.5, 2], dtype=x.dtype))),
}


def networks(writer):
    """20 steps of Adam at 0.01 over batches of 9; targets are a function of the inputs."""
    for name, (dims, text, loss_of) in NETWORKS.items():
        model, shape = generate.build(dims, text)
        model = model.double()
        generate.fill_states(model, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        losses = []
        for step in range(20):
            inputs = uniform(9 * int(np.prod(dims)), 700 + step).reshape((9,) + dims)
            flat = inputs.reshape(9, -1)[:, :int(np.prod(shape))] if np.prod(dims) >= np.prod(shape) else None
            targets = (flat * np.float32(0.5) + np.float32(0.25)).reshape((9,) + shape)
            if name == "multilabel":
                targets = (targets > 0.3).astype(np.float32)
            if name == "segmentation":
                targets = ((targets > 0).astype(np.float32) + (targets > 0.5))[:, :1].astype(np.float32)
            writer.put(f"networks/{name}/targets{step}", targets)
            optimizer.zero_grad()
            loss = loss_of(model(torch.from_numpy(inputs).double()), torch.from_numpy(targets).double())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        writer.put(f"networks/{name}/losses", np.array(losses))
        print(name, losses[0], losses[-1])


def main():
    torch.set_num_threads(1)
    writer = Writer(1 << 30)
    cross_entropy(writer)
    cross_entropy_maps(writer)
    all_of_numbers(writer)
    all_metrics(writer)
    networks(writer)
    writer.write("losses.safetensors")


if __name__ == "__main__":
    main()
