#!/usr/bin/env python3
"""The programs where memory is limited (ulimit -v): each run ends by itself, is done, or says what memory was
lacking for, and leaves nothing half written.

    test_programs.py EXAMPLES
"""

import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

SECONDS = 120
WITHOUT = "the figures are left out"


def write_points(path, rows, columns):
    numbers = random.Random(1)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, columns)
    header += " " * (117 - len(header)) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
        for row in range(rows):
            file.write(struct.pack("<%df" % columns, *(numbers.gauss(8 * (column == row % 5), 1)
                                                       for column in range(columns))))


def write_table(path, rows):
    numbers = random.Random(2)
    with open(path, "w", encoding="ascii") as file:
        file.write("a,b,c,class\n")
        for row in range(rows):
            file.write("%f,%f,%f,%d\n" % (numbers.random(), row % 3 + numbers.random(), numbers.random(), row % 3))


def run(arguments, folder, megabytes, **more):
    """Status, or minus a signal, or None, and what was written to stderr."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    program = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, preexec_fn=limit, start_new_session=True,
                               env=dict(os.environ, DLVIZ_NUM_THREADS="2", **more))
    try:
        words = program.communicate(timeout=SECONDS)[1].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        return None, "it did not end"
    return program.returncode, words


def least(program, folder):
    """The megabytes in which it is loaded, without threads of OpenBLAS's."""
    for megabytes in range(20, 1000, 2):
        if run([program, "--help"], folder, megabytes, OPENBLAS_NUM_THREADS="1")[0] == 0:
            return megabytes
    sys.exit("%s does not start with 1000 MB" % program)


def is_expected(program, status, words):
    """Done; a sentence about memory; or what OpenBLAS says where its threads are refused, before main."""
    if status == 0:
        return True
    if status == 1 and words.startswith(program + ": ") and "out of memory" in words:
        return True
    return "OpenBLAS blas_thread_init" in words


def results(folder):
    out = os.path.join(folder, "run")
    return os.listdir(out) if os.path.exists(out) else []


def is_drawn(folder):
    return any(name.endswith((".png", ".svg")) for name in results(folder))


def has_what_it_says(folder, status, words):
    """A run that is done has its page, and figures unless it says why it has none."""
    if status != 0 or not results(folder):
        return True
    told = WITHOUT not in words or "out of memory" in words and not is_drawn(folder)
    return told and {"report.html", "summary.json"} <= set(results(folder))


def walk(examples, program, arguments, folder):
    """From what is just enough to start with to what is enough for all. Returns the number of failures."""
    path = os.path.join(examples, program)
    start = least(path, folder)
    statuses, failures, undrawn = [], 0, 0
    for more in (0, 1, 2, 4, 7, 11, 16, 24, 40, 80, 130, 800):
        shutil.rmtree(os.path.join(folder, "run"), ignore_errors=True)
        status, words = run([path] + arguments, folder, start + more)
        statuses.append(status)
        if status == 0 and WITHOUT in words:
            undrawn += 1
        if not is_expected(program, status, words) or not has_what_it_says(folder, status, words):
            failures += 1
            print("%s with %d MB: %s\n%s" % (program, start + more, status, words))
    if statuses[-1] != 0 or all(status == 0 for status in statuses) or is_drawn(folder) and not undrawn:
        failures += 1
        print("%s: %s" % (program, statuses))
    print("%s: %d MB to start with, then %s, of them %d without figures" % (program, start, statuses, undrawn))
    return failures


def main():
    examples = os.path.abspath(sys.argv[1])
    if os.environ.get("LD_PRELOAD") or not os.path.exists("/proc/self/exe"):
        print("SKIP: programs cannot be limited here")
        return 0
    with tempfile.TemporaryDirectory(prefix="dlviz-limits-") as folder:
        write_points(os.path.join(folder, "x.npy"), 300, 20)
        write_table(os.path.join(folder, "t.csv"), 200)
        failures = walk(examples, "dlviz-embed", ["tsne", "x.npy", "y.npy", "--iterations", "60", "--quiet"], folder)
        failures += walk(examples, "dlviz-embed", ["pca", "x.npy", "y.npy", "--components", "5", "--quiet"], folder)
        failures += walk(examples, "dlviz-train",
                         ["t.csv", "--labels", "class", "--out", "run", "--epochs", "2", "--quiet"], folder)
        left = [name for name in os.listdir(folder) if name.startswith(".dlviz-")]
        if left:
            failures += 1
            print("left behind: %s" % left)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
