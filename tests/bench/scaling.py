#!/usr/bin/env python3
"""What many machines would take, from what one does and what they exchange.

scaling.py LINKS.json      prints the tables of docs/scaling.md, from what tests/mpi/links.py has measured
"""
import json
import math
import sys

SHORT, EAGER, LEAVES = 8192, 65536, 8  # lib/comm/sum.c; Open MPI's over TCP; lib/comm/comm.h
FRAMES = 1538 / 1448                   # of an Ethernet, to a byte of data


class Work:
    """Exchanges of a rank: those waited for, and those in the background."""

    def __init__(self, ranks):
        self.ranks, self.levels = ranks, math.ceil(math.log2(ranks)) if ranks > 1 else 0
        self.waited, self.behind = [], []

    def gather(self, size):
        """All ranks' even pieces of so many bytes: with each exchange a rank has twice as many."""
        self.waited += [size / self.ranks * 2 ** i for i in range(self.levels)]

    def agree(self, times=1):
        self.waited += [8] * (self.levels * times)

    def broadcast(self, size):
        self.waited += [size / self.ranks * (self.ranks - 1) / max(1, self.levels)] * self.levels

    def sum(self, size, behind=False):
        """Halves of halves, and back; short ones whole."""
        halves = [size] * self.levels if size <= SHORT else [size / 2 ** i for i in range(1, self.levels + 1)] * 2
        (self.behind if behind else self.waited).extend(halves)

    def trade(self, size):
        """Of so many bytes, each other rank gets a piece; up to eight ranks send them at once."""
        pieces = self.ranks - 1
        at_once = pieces if self.ranks <= 8 else 1
        self.waited += [size / self.ranks * at_once] * (pieces // max(1, at_once))

    def bytes(self):
        return sum(self.waited) + sum(self.behind)

    def seconds(self, message, rate):
        def take(size):
            return message * (3 if size > EAGER else 1) + size * FRAMES * 8 / (rate * 1e9)
        return sum(map(take, self.waited)), max(map(take, self.behind), default=0) + \
            sum(self.behind) * FRAMES * 8 / (rate * 1e9)


def report32():
    return [("conv", 1, 32, 3, True), ("bn", 32), ("conv", 32, 32, 3, True), ("bn", 32), ("conv", 32, 64, 3, True),
            ("bn", 64), ("conv", 64, 64, 3, True), ("bn", 64), ("linear", 4096, 512), ("bn", 512), ("linear", 512, 10)]


def resnet(blocks):
    layers, before = [("conv", 3, 16, 3, False), ("bn", 16)], 16
    for channels in (16, 32, 64):
        for _ in range(blocks):
            layers += [("conv", before, channels, 3, False), ("bn", channels), ("conv", channels, channels, 3, False),
                       ("bn", channels)]
            if before != channels:
                layers += [("conv", before, channels, 1, False), ("bn", channels)]
            before = channels
    return layers + [("linear", 64, 10)]


NETWORKS = {"report32": report32(), "resnet8": resnet(1), "resnet20": resnet(3)}


def linear(w, inputs, outputs, batch):
    """A fully connected layer, of which each rank computes its own outputs where there are many weights."""
    w.gather(4 * batch * inputs)
    if inputs * outputs >= 65536:
        w.trade(4 * batch * outputs / w.ranks)
        w.gather(4 * batch * outputs)
        w.gather(4 * outputs)
        w.trade(4 * batch * inputs)
        return
    w.gather(4 * batch * outputs)
    w.gather(4 * inputs * outputs)
    w.gather(4 * outputs)


def train(ranks, network, batch):
    w = Work(ranks)
    for kind, *size in NETWORKS[network]:
        if kind == "conv":
            w.sum(4 * size[0] * size[1] * size[2] ** 2, True)
            if size[3]:
                w.sum(4 * size[1], True)
        elif kind == "bn":
            w.gather(LEAVES * (1 + 2 * size[0]) * 8)
            w.gather(LEAVES * 2 * size[0] * 8)
        else:
            linear(w, *size, batch)
    w.gather(4 * 10 * batch)
    w.gather(8 * ranks)
    return w


def pca(ranks, d=784, count=50):
    w, blocks = Work(ranks), math.ceil(d / 144)
    w.agree(14)
    w.sum(8 * d)
    w.gather(4 * d * ranks)
    w.sum(8 * 144 ** 2 * blocks * (blocks + 1) // 2)
    w.broadcast(8 * count * d)
    return w


def neighbors(ranks, n, d=50, k=90):
    w = Work(ranks)
    w.agree(20)
    for size in (8 * n * k, 16 * n, n * (64 * math.ceil(d / 64) + 4)):
        chunks = math.ceil(size / 2 ** 21)
        for _ in range(chunks):
            w.gather(size / chunks)
    return w


def tsne(ranks, n, values):
    """values: the bytes of the grid's lines, of which each rank trades what is another's, twice."""
    w = Work(ranks)
    w.gather(24 * n)
    w.gather(8 * ranks)
    for _ in range(2 if ranks > 1 else 0):
        w.trade(values / ranks)
    return w


def of(run, ranks, values):
    size = int(run["size"] or 0)
    if run["what"] == "train":
        return train(ranks, run["of"], size)
    if run["what"] == "pca":
        return pca(ranks, size)
    if run["what"] == "neighbors":
        return neighbors(ranks, int(run["of"]), size)
    return tsne(ranks, int(run["of"]), values)


def total(seconds, w, message, rate):
    waited, behind = w.seconds(message, rate)
    return seconds + waited + max(0, behind - seconds / 2)  # sums go on during the way back


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = json.load(file)
    alone = {(r["what"], r["of"], r["size"]): r["seconds"] for r in found["alone"] if r["threads"] == 1}
    two = [r for r in found["links"] if r["what"] == "tsne" and r["ranks"] == 2]
    values = (two[0]["sent"] - 12 * int(two[0]["of"])) * 2 if two else 0
    print("| link | work | ranks | MB sent | model | ratio | ms measured | model | ratio |\n|" + "---|" * 9)
    for r in found["links"]:
        key = (r["what"], r["of"], r["size"])
        if key not in alone:
            continue
        ranks = r["ranks"]
        message = [x["seconds"] for x in found["links"] if x["what"] == "exchange" and x["of"] == "8" and
                   (x["gbit"], x["delay"], x["ranks"]) == (r["gbit"], r["delay"], ranks)][0]
        w = of(r, ranks, values)
        data = r["link_bytes"] - 66 * r["link_packets"]  # without Ethernet's, IP's and TCP's headers
        time = total(alone[key] / min(ranks, found["cores"]), w, message, r["gbit"])
        print("| {:g} Gbit/s, {:g} µs | {} | {} | {:.3f} | {:.3f} | {:.2f} | {:.1f} | {:.1f} | {:.2f} |".format(
            r["gbit"], 1e6 * r["delay"], " ".join(filter(None, key)), ranks, 1e-6 * data, 1e-6 * w.bytes(),
            data / w.bytes(), 1e3 * r["seconds"], 1e3 * time, r["seconds"] / time))
    print("\n| work | link | " + " | ".join("{}".format(2 ** i) for i in range(1, 9)) + " |\n|" + "---|" * 10)
    slope = (alone[("pca", "40000", "784")] - alone[("pca", "20000", "784")]) / 20000
    once = max(0, alone[("pca", "20000", "784")] - 20000 * slope)
    search = alone[("neighbors", "20000", "50")] / 20000 ** 2
    step = alone[("tsne", "20000", "")] / 20000
    works = [("{}, {}".format(net, batch), alone[("train", net, "64")] / 64 * batch, 0,
              lambda p, net=net, batch=batch: train(p, net, batch), LEAVES)
             for net, batch in (("report32", 64), ("report32", 512), ("resnet20", 64), ("resnet20", 512))]
    works += [("PCA 10^8 × 784", slope * 1e8, once, pca, LEAVES),
              ("neighbors, 10^7, all pairs", search * 1e14, 0, lambda p: neighbors(p, 10 ** 7), 4096),
              ("t-SNE iteration, 10^7", step * 1e7, 0, lambda p: tsne(p, 10 ** 7, values * 500), 4096)]
    for name, shared, serial, exchanges, most in works:
        for gbit, message in ((1, 1e-4), (10, 5e-5), (100, 2e-5)):
            one, cells = shared + serial, []
            for i in range(1, 9):
                ranks = 2 ** i
                if ranks > most:
                    cells.append("–" if most == LEAVES and name[0] in "rR" else cells[2])
                    continue
                cells.append("{:.2f}".format(one / total(serial + shared / ranks, exchanges(ranks), message, gbit)))
            print("| {} | {} Gbit/s | {} |".format(name, gbit, " | ".join(cells)))


if __name__ == "__main__":
    main()
