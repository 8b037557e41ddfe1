#!/usr/bin/env python3
"""The report's program and dlviz-embed under mpirun: the results of one process, to the bit, for any number of ranks and
threads; and what is left when a rank is killed, from which any number of ranks goes on.

programs.py MPIEXEC FOLDER_OF_PROGRAMS
"""
import hashlib
import os
import signal
import subprocess
import sys
import tempfile

from run import ENVIRONMENT, ranks_of, wait_for

PROGRAM = "report_lr1e-3_20epochs"
RESULTS = ["model.safetensors", "features.npy", "logits.npy", "pca.npy", "tsne.npy"]
OPTIONS = ["--train-limit", "700", "--test-limit", "200", "--epochs", "3", "--tsne-iterations", "60"]
LIMIT = 300  # seconds


def command(mpiexec, programs, ranks, threads, out, *more):
    start = [mpiexec, "-n", str(ranks)] if ranks else []
    return start + [os.path.join(programs, PROGRAM), *OPTIONS, "--threads", str(threads), "--out", out, *more]


def finish(arguments, environment):
    return subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT, check=False)


def digests(out):
    found = {}
    for name in RESULTS:
        with open(os.path.join(out, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def differences(name, done, out, right):
    if done.returncode != 0:
        return ["{} ended with {}\n{}".format(name, done.returncode, done.stdout[-1500:])]
    found = digests(out)
    return ["{}: {} is not that of one process".format(name, file) for file in RESULTS if found[file] != right[file]]


def kill_one(arguments, environment, out):
    """Kills one rank once there is a checkpoint; how the launcher ended, and its words."""
    process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    wait_for(os.path.join(out, "checkpoint.safetensors"), process)
    ranks = ranks_of(PROGRAM, out)
    if ranks:
        os.kill(max(ranks), signal.SIGKILL)
    words, _ = process.communicate(timeout=60)
    return process.returncode, words


def main():
    mpiexec, programs = sys.argv[1:]
    environment = {**os.environ, **ENVIRONMENT}
    problems, runs = [], 0
    with tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "alone")
        done = finish(command(mpiexec, programs, 0, 1, first), environment)
        if done.returncode != 0 and "MNIST" in done.stdout:
            print("skipped: MNIST is not there")
            return 77
        if done.returncode != 0:
            print(done.stdout)
            return 1
        right = digests(first)
        for ranks, threads in ((0, 2), (1, 1), (2, 1), (2, 2), (3, 1), (4, 1), (8, 1)):
            out = os.path.join(folder, "{}x{}".format(ranks, threads))
            more = ["--resume"] if ranks == 2 else []  # where there is nothing yet: all ranks begin
            done = finish(command(mpiexec, programs, ranks, threads, out, *more), environment)
            problems += differences("{} ranks, {} threads".format(ranks, threads), done, out, right)
            runs += 1
        points = os.path.join(first, "features.npy")
        for words in (["pca", points, "OUT", "--components", "3"], ["tsne", points, "OUT", "--iterations", "60"]):
            made = []
            for ranks in (0, 2, 4):
                out = os.path.join(folder, "{}{}.npy".format(words[0], ranks))
                start = [mpiexec, "-n", str(ranks)] if ranks else []
                arguments = [out if word == "OUT" else word for word in words]
                done = finish(start + [os.path.join(programs, "dlviz-embed"), *arguments, "--threads", "1"], environment)
                if done.returncode != 0:
                    problems.append(done.stdout)
                    continue
                with open(out, "rb") as file:
                    made.append(file.read())
                runs += 1
            if len(set(made)) != 1:
                problems.append("dlviz-embed {}: other results with several ranks".format(words[0]))
        out = os.path.join(folder, "killed")
        status, words = kill_one(command(mpiexec, programs, 2, 1, out), environment, out)
        if status == 0:
            problems.append("with a rank killed, the others went on\n" + words)
        done = finish(command(mpiexec, programs, 4, 1, out, "--resume"), environment)
        problems += differences("4 ranks after 2, of which one was killed", done, out, right)
        runs += 2
    print("\n".join(problems))
    print("{} runs, {} problems".format(runs, len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
