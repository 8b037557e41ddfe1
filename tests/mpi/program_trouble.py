#!/usr/bin/env python3
"""The programs under mpirun in trouble: a full disk, another library on one rank, an interruption, a rank that is killed.
All ranks end soon, one sentence says why, and the last checkpoint is good to go on from.

program_trouble.py MPIEXEC FOLDER_OF_PROGRAMS [--show]
"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from run import ENVIRONMENT, ranks_of, wait_for

LIMIT = 120  # seconds
SOON = 30
NO_ROOM = "No space left on device"


class Trial:
    def __init__(self, mpiexec, programs, folder):
        self.mpiexec, self.programs, self.folder = mpiexec, programs, folder
        self.environment = {**os.environ, **ENVIRONMENT}
        self.problems, self.runs, self.skipped = [], 0, 0
        self.show = "--show" in sys.argv

    def program(self, name):
        return os.path.join(self.programs, name)

    def start(self, words, ranks=2):
        self.runs += 1
        return subprocess.Popen([self.mpiexec, "-n", str(ranks), *words], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

    def end(self, name, process, limit=LIMIT):
        try:
            words, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.problems.append("{}: the ranks do not end within {} seconds".format(name, limit))
            process.terminate()
            try:
                words, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                words, _ = process.communicate()
        if self.show:
            print("--- {}: status {}\n{}".format(name, process.returncode, words), flush=True)
        return process.returncode, words

    def expect(self, name, ended, program, *parts, most=1):
        """That it failed, and what the programs say: one line, with these parts."""
        status, words = ended
        said = [line for line in words.splitlines() if line.startswith(os.path.basename(program)) and ": note:" not in line
                and "the next epoch tries again" not in line]
        if words.count("the next epoch tries again") > 1:
            self.problems.append("{}: tries more than once\n{}".format(name, words))
        if status == 0:
            self.problems.append("{} ended with 0\n{}".format(name, words))
        if len(said) > most or (parts and len(said) != 1) or any(part not in said[0] for part in parts if said):
            self.problems.append("{}: says\n{}\nnot one line with {}".format(name, words, parts))

    def expect_success(self, name, ended):
        if ended[0] != 0:
            self.problems.append("{} ended with {}\n{}".format(name, *ended))


def write_table(path):
    numbers = random.Random(1)
    with open(path, "w", encoding="ascii") as file:
        file.write("a,b,c,d,label\n")
        for i in range(6000):
            row = [numbers.gauss(i % 3, 1) for _ in range(4)]
            file.write(",".join("{:.4f}".format(value) for value in row) + ",{}\n".format("xyz"[i % 3]))


def fill(folder):
    """Takes what room is left on a file system; returns what holds it."""
    path = os.path.join(folder, "ballast")
    try:
        with open(path, "wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
    except OSError:
        pass
    return path


def go_on(trial, name, program, words, out):
    """With an epoch or two more than there are."""
    with open(os.path.join(out, "history.csv"), encoding="ascii") as file:
        epochs = str(len(file.readlines()) + 1)
    name += ", resumed"
    process = trial.start([program, *words, "--epochs", epochs, "--out", out, "--resume"])
    trial.expect_success(name, trial.end(name, process))


def try_full_disk(trial, disk, program, words):
    """The disk becomes full after an epoch; with room again, the checkpoint is gone on from."""
    name = os.path.basename(program)
    out = os.path.join(disk, name)
    process = trial.start([program, *words, "--epochs", "400", "--out", out])
    wait_for(os.path.join(out, "checkpoint.safetensors"), process)
    ballast = fill(disk)
    trial.expect(name + " on a full disk", trial.end(name + " on a full disk", process, SOON), program, out, NO_ROOM)
    os.remove(ballast)
    go_on(trial, name, program, words, out)


def try_full_disks(trial, trainings, points):
    disk = os.path.join(trial.folder, "disk")
    os.mkdir(disk)
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk],
                                                   stderr=subprocess.DEVNULL, check=False).returncode == 0
    if not mounted:
        trial.skipped += 2 * len(trainings) + 2
        return
    try:
        for program, words in trainings:
            try_full_disk(trial, disk, program, words)
        fill(disk)
        embed = trial.program("dlviz-embed")
        for command in (["pca", points, "OUT", "--components", "2"], ["tsne", points, "OUT", "--iterations", "50"]):
            out = os.path.join(disk, command[0] + ".npy")
            process = trial.start([embed, *[out if word == "OUT" else word for word in command]])
            name = "dlviz-embed {} on a full disk".format(command[0])
            trial.expect(name, trial.end(name, process, SOON), embed, out, NO_ROOM)
    finally:
        subprocess.run(["umount", disk], check=False)


def try_other_library(trial, program, words):
    """One rank computes with other instructions, of which bits would be others."""
    out = os.path.join(trial.folder, "other")
    rest = [program, *words, "--epochs", "2", "--out", out]
    trial.runs += 1
    process = subprocess.Popen([trial.mpiexec, "-n", "1", "env", "DLVIZ_ISA=generic", *rest, ":", "-n", "1", *rest],
                               env=trial.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    trial.expect("another library on one rank", trial.end("another library on one rank", process, SOON), program,
                 "the library is", "generic", "on rank 0")


def try_end(trial, name, program, words, hit, most):
    """Something happens to a run that has a checkpoint."""
    out = os.path.join(trial.folder, name.replace(" ", "_"))
    process = trial.start([program, *words, "--epochs", "400", "--out", out], 3)
    wait_for(os.path.join(out, "checkpoint.safetensors"), process)
    time.sleep(0.5)
    hit(process, ranks_of(program, out))
    trial.expect(name, trial.end(name, process, SOON), program, most=most)
    go_on(trial, name, program, words, out)


def try_usage(trial, program, words):
    for name, more, part in (("an unknown option", ["--foo"], "there is no option --foo"),
                             ("a wrong value", ["--epochs", "x"], "--epochs x: "),
                             ("no folder", ["--out", "/proc/no"], "/proc/no")):
        trial.expect(name, trial.end(name, trial.start([program, *words, *more], 3), SOON), program, part)


def main():
    mpiexec, programs = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(mpiexec, programs, folder)
        table = os.path.join(folder, "table.csv")
        write_table(table)
        points = os.path.join(folder, "points.npy")
        train = trial.program("dlviz-train")
        words = [table, "--threads", "1", "--seed", "1", "--tsne-iterations", "30"]
        process = trial.start([trial.program("dlviz-embed"), "pca", table, points, "--ignore", "label", "--components", "4"])
        trial.expect_success("dlviz-embed", trial.end("dlviz-embed", process))
        trainings = [(train, words)]
        report = trial.program("report_lr1e-3_20epochs")
        few = ["--train-limit", "700", "--test-limit", "200", "--tsne-iterations", "30", "--threads", "1"]
        status, said = trial.end("report", trial.start([report, *few, "--epochs", "1", "--out", os.path.join(folder, "r")]))
        if status == 0:
            trainings.append((report, few))
        else:
            trial.skipped += 2
            if "MNIST" not in said:
                trial.problems.append(said)
        try_full_disks(trial, trainings, points)
        try_other_library(trial, train, words)
        try_usage(trial, train, words)
        try_end(trial, "an interruption", train, words, lambda process, ranks: process.send_signal(signal.SIGINT), 1)
        try_end(trial, "an interrupted rank", train, words, lambda process, ranks: os.kill(ranks[-1], signal.SIGINT), 1)
        try_end(trial, "a killed rank", train, words, lambda process, ranks: os.kill(ranks[-1], signal.SIGKILL), 1)
        try_end(trial, "a killed first rank", train, words, lambda process, ranks: os.kill(ranks[0], signal.SIGKILL), 2)
    print("\n".join(trial.problems))
    print("{} runs, {} problems, {} skipped".format(trial.runs, len(trial.problems), trial.skipped))
    return 1 if trial.problems else 0


if __name__ == "__main__":
    sys.exit(main())
