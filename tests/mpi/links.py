#!/usr/bin/env python3
"""Ranks on machines of their own, joined by links of a given rate and delay: how long steps take, and what is sent.

links.py BUILD_FOLDER OUT.json [--ranks 2,4] [--links 1:50,1:1000,10:50,10:1000] [--short]

Needs root, iproute2 and iptables. Each rank runs in a network namespace with an orted of Open MPI's of its own, over TCP
alone; a bridge joins them, and BUILD_FOLDER/tests/mpi/wires holds packets back as links would. A link is Gbit/s : delay in
microseconds, one way; the delay a message really has is measured too. OUT.json is written anew after each run.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PREFIX = "dlvlink"
LIMIT = 90  # seconds of a run
# What is run, and how many units.
WORKS = [("exchange 8", 30), ("exchange 8192", 20), ("exchange 65536", 20), ("exchange 524288", 10),
         ("train report32 64", 12), ("train resnet8 64", 16), ("train resnet20 64", 12), ("train report32 512", 4),
         ("pca 20000 784", 1), ("neighbors 10000 50", 1), ("tsne 20000", 100)]
# One rank alone: what a unit costs, and where it grows.
ALONE = [("train report32 64", 12), ("train resnet8 64", 16), ("train resnet20 64", 12), ("train report32 512", 3),
         ("pca 20000 784", 1), ("pca 40000 784", 1), ("neighbors 10000 50", 1), ("neighbors 20000 50", 1), ("tsne 20000", 100)]


def call(*words, check=True):
    return subprocess.run(words, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)


def remove(ranks):
    for i in range(1, ranks + 1):
        call("ip", "netns", "del", PREFIX + str(i), check=False)
        call("ip", "link", "del", PREFIX + str(i), check=False)
    call("ip", "link", "del", PREFIX, check=False)


def make(ranks):
    call("ip", "link", "add", PREFIX, "type", "bridge")
    call("ip", "link", "set", PREFIX, "up")
    for i in range(1, ranks + 1):
        name = PREFIX + str(i)
        call("ip", "netns", "add", name)
        call("ip", "link", "add", "name", "eth0", "netns", name, "type", "veth", "peer", "name", name)
        call("ip", "link", "set", name, "master", PREFIX, "up")
        call("ip", "-n", name, "addr", "add", "10.77.0.{}/24".format(i), "dev", "eth0")
        call("ip", "-n", name, "link", "set", "eth0", "up")
        call("ip", "-n", name, "link", "set", "lo", "up")
        call("ip", "netns", "exec", name, "iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-i", "eth0", "-j",
             "NFQUEUE", "--queue-num", "0", "--queue-bypass")


def write_agent(folder):
    path = os.path.join(folder, "agent")
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nn=${1##*.}; shift\nexec ip netns exec " + PREFIX +
                   "$n unshare -u sh -c \"hostname node$n; $*\"\n")
    os.chmod(path, 0o755)
    return path


def run(command, environment):
    """The line of JSON that a run prints; None where it fails."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        out, errors = "", "it took more than {} s".format(LIMIT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode != 0 or not lines:
        print("failed: {}\n{}".format(" ".join(command[-6:]), errors[-500:]), flush=True)
        return None
    return json.loads(lines[0])


def over_links(options, agent, environment, found, save):
    bench = os.path.join(options.build, "tests/bench/bench_ranks")
    for ranks in options.ranks:
        make(ranks)
        hosts = ",".join("10.77.0.{}".format(i) for i in range(1, ranks + 1))
        start = ["ip", "netns", "exec", PREFIX + "1", "unshare", "-u", "sh", "-c", "hostname node1; exec \"$@\"", "sh",
                 "mpirun.openmpi", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "eth0", "--mca",
                 "oob_tcp_if_include", "eth0", "--mca", "plm_rsh_agent", agent, "-host", hosts, "-n", str(ranks), bench]
        for gbit, delay in options.links:
            wires = subprocess.Popen([os.path.join(options.build, "tests/mpi/wires"), gbit, delay] +
                                     [PREFIX + str(i) for i in range(1, ranks + 1)], stdout=subprocess.PIPE, text=True)
            try:
                wires.stdout.readline()
                for work, units in WORKS:
                    units = max(1, units // 4) if options.short else units
                    one = run(start + work.split() + ["--threads", "1", "--units", str(units)], environment)
                    if one:
                        one.update(gbit=float(gbit), delay=float(delay) * 1e-6)
                        found["links"].append(one)
                        print("{} ranks, {:>2} Gbit/s, {:>4} us: {:20} {:10.3f} ms, {:9.3f} MB".format(
                            ranks, gbit, delay, work, 1e3 * one["seconds"], 1e-6 * one["link_bytes"]), flush=True)
                        save()
            finally:
                wires.terminate()
                wires.communicate()
        remove(ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("out")
    parser.add_argument("--ranks", type=lambda text: [int(n) for n in text.split(",")], default=[2, 4])
    parser.add_argument("--links", type=lambda text: [link.split(":") for link in text.split(",")],
                        default="1:50,1:1000,10:50,10:1000")
    parser.add_argument("--short", action="store_true", help="a quarter of the units")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("links.py: making network namespaces takes root")
    missing = [name for name in ("ip", "iptables-legacy", "unshare", "mpirun.openmpi") if not shutil.which(name)]
    if missing:
        sys.exit("links.py: {} is not here".format(missing[0]))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                   "OMPI_MCA_hwloc_base_binding_policy": "none"}
    found = {"cores": os.cpu_count(), "alone": [], "links": []}

    def save():
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)

    remove(max(options.ranks))
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for work, units in ALONE:
                units = max(1, units // 4) if options.short else units
                for threads in (1, 2):
                    one = run([os.path.join(options.build, "tests/bench/bench_ranks")] + work.split() +
                              ["--threads", str(threads), "--units", str(units)], os.environ)
                    found["alone"] += [one] if one else []
            save()
            over_links(options, write_agent(folder), environment, found, save)
    finally:
        remove(max(options.ranks))
    print("{:.0f} s".format(time.monotonic() - begun))


if __name__ == "__main__":
    main()
