#!/usr/bin/env python3
"""Kills runs of the example programs and goes on with them: kills.py BUILD [--kills N] [--every] [--seed S] [--folder DIR]

Half of the kills come before or after some call that stores a file, half at a random time; with --every the N kills at
random times come after two at every call that stores a file, before and after it. Some runs are killed again while they go on. A kill is SIGKILL: nothing can
be tidied up. After each one
  - a result that is there is whole: it has the bytes of the undisturbed run, or of the earlier run that it would have
    replaced;
  - `--resume` ends with the undisturbed run's results, to the bit. Where no checkpoint had been written yet, the run
    begins anew, and so it does by the same command as before, as what is left is no result;
  - nothing else is left in the folder.

Prints what was killed when, and last a line that counts the kills. The exit status is 1 if one went wrong.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "examples"))

import files

TIMEOUT = 600
CHECKPOINTS = ["checkpoint.safetensors", "checkpoint.safetensors.previous"]
# The calls that libinject.so names `save`.
SAVE = ("write pwrite writev fsync fdatasync ftruncate fallocate link linkat rename renameat unlink unlinkat close fchmod "
        "fchown fsetxattr mkdir creat").split()
# What a run that is under way has besides results; --resume tells whether it is whole.
STATES = [*CHECKPOINTS, "film.safetensors", "settings.json"]


def table(path):
    """A CSV file with four classes of points."""
    noise = random.Random(1)
    rows = ["class,a,b,c,d"]
    for i in range(160):
        rows.append(",".join([str(i % 4)] + [f"{noise.gauss(i % 4 * k % 5, 0.6):.3f}" for k in range(1, 5)]))
    files.write(path, "\n".join(rows).encode() + b"\n")


class Run:
    """A program with its arguments, and the results that it has when nothing disturbs it."""

    def __init__(self, name, build, folder, arguments):
        self.name, self.inject = name, os.path.join(build, "tests", "faults", "libinject.so")
        self.command = [os.path.join(build, "examples", name), *arguments]
        self.out = os.path.join(folder, name)
        self.command += ["--out", self.out]
        self.count = os.path.join(folder, "count")
        self.earlier = {}
        started = time.monotonic()
        status, errors = self.run()
        self.seconds = time.monotonic() - started
        if status != 0:
            raise SystemExit(f"{name} fails without any kill: {errors}")
        self.whole = self.results()
        status, errors = self.run("--force", environment={"LD_PRELOAD": self.inject, "DLVIZ_FAULT_COUNT": self.count})
        if status != 0 or self.wrong_results():
            raise SystemExit(f"{name} gives other results when run again: {errors}{self.wrong_results()}")
        self.calls = sum(int(line.split()[1]) for line in files.read(self.count).decode().splitlines()
                         if line.split()[0] in SAVE)
        self.start()
        status, errors = self.run("--seed", "5")
        if status != 0:
            raise SystemExit(f"{name} fails with another seed: {errors}")
        self.earlier = self.results()

    def start(self, over_earlier=False):
        """An empty folder, or one with the results of an earlier run with another seed."""
        shutil.rmtree(self.out, ignore_errors=True)
        if over_earlier:
            os.mkdir(self.out)
            for name, content in self.earlier.items():
                files.write(os.path.join(self.out, name), content)

    def run(self, *more, environment=None, after=None):
        """(exit status, what it said); killed after so many seconds."""
        with subprocess.Popen([*self.command, *more], env=dict(os.environ, **(environment or {})), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                _, errors = process.communicate(timeout=TIMEOUT if after is None else after)
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
                if after is None:
                    return "no end", errors
            return process.returncode, errors

    def results(self):
        return {name: files.read(os.path.join(self.out, name)) for name in os.listdir(self.out)}

    def wrong_files(self):
        """What is there and should not be, or is neither the run's own file nor the earlier one."""
        wrong = []
        for name, content in (self.results() if os.path.isdir(self.out) else {}).items():
            if re.fullmatch(r"\.dlviz-[0-9a-f]+-[0-9a-f]+\.tmp", name) or name in STATES:
                continue  # what was being written, and what --resume will judge
            known = [plain(name, known[name]) for known in (self.whole, self.earlier) if name in known]
            now = plain(name, content)
            if name == "history.csv":  # is written anew after each epoch
                good = any(now == lines[:len(now)] for lines in known)
            else:
                good = now in known
            if not good:
                wrong.append(f"'{name}' is no whole file" if known else f"'{name}' is left")
        return wrong

    def wrong_results(self):
        now = self.results()
        wrong = [f"'{name}' is left" for name in sorted(now) if name not in self.whole]
        for name, content in self.whole.items():
            if plain(name, now.get(name, b"")) != plain(name, content):
                wrong.append(f"'{name}' is another one")
        return wrong


def timeless(tree):
    if isinstance(tree, dict):
        return {key: timeless(value) for key, value in tree.items() 
                if key not in ("command", "machine", "seconds", "images_per_second", "peak_memory_mb")}
    return [timeless(value) for value in tree] if isinstance(tree, list) else tree


def plain(name, content):
    """A file without how long things took and what the command was."""
    if name == "history.csv":
        return [line.rsplit(b",", 1)[0] for line in content.splitlines()]
    if name == "summary.json" and content:
        try:
            summary = json.loads(content)
        except ValueError:
            return content
        return timeless(summary)
    return content


def kill(run, where, over_earlier, dice):
    """Starts a run and kills it at that place; (when that was, what was wrong)."""
    run.start(over_earlier)
    more = ["--force"] if over_earlier else []
    if attempt(run, where, more) is None:
        return None, run.wrong_results()
    wrong = run.wrong_files()
    stage = "before the first checkpoint"
    while True:
        there = run.results() if os.path.isdir(run.out) else {}
        # Earlier results are there until the first checkpoint is.
        more = ["--force"] if over_earlier else dice.choice([[], ["--resume"]])
        if any(name in there for name in CHECKPOINTS):
            stage, more = "after a checkpoint", ["--resume"]
        elif "summary.json" in there and not over_earlier:
            stage, more = "after all results", ["--force"]
        if dice.random() < 0.7:
            break
        if attempt(run, dice.random() * run.seconds, more) is None:  # it has come to its end
            return stage, wrong + run.wrong_results()
        wrong += run.wrong_files()
    status, errors = run.run(*more)
    if status != 0:
        wrong.append(f"{' '.join(more) or 'the same command'} ends with {status}: {errors.strip()}")
    return stage, wrong + run.wrong_results()


def attempt(run, where, more):
    """True if the run was killed, None if it had ended before."""
    if isinstance(where, float):
        status, errors = run.run(*more, after=where)
    else:
        status, errors = run.run(*more, environment={"LD_PRELOAD": run.inject, "DLVIZ_FAULT": where})
    if status == -signal.SIGKILL:
        return True
    if status != 0:
        raise SystemExit(f"{run.name} ends with {status} instead of by the kill {where}: {errors}")
    return None


def main():
    parser = argparse.ArgumentParser(usage="%(prog)s BUILD [--kills N] [--every] [--seed S] [--folder DIR]")
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    folder = options.folder or tempfile.mkdtemp(prefix="dlviz-kills-")
    os.makedirs(folder, exist_ok=True)
    data = files.make_dataset(os.path.join(folder, "data"), 300, 100)
    table(os.path.join(folder, "table.csv"))
    quick = ["--threads", "1", "--quiet", "--tsne-iterations", "20"]
    build = os.path.abspath(options.build)
    runs = [Run("dlviz-train", build, folder, [os.path.join(folder, "table.csv"), "--labels", "class", "--network", "mlp",
                                               "--epochs", "4", *quick]),
            Run("report_adaptive_23epochs", build, folder, ["--data", data, "--image-size", "28", "--train-limit", "150",
                                                            "--test-limit", "100", "--epochs", "3", *quick])]
    # Two thirds are of the program that is done sooner.
    counts, failures = {}, []
    for run, share in zip(runs, (options.kills - options.kills // 3, options.kills // 3)):
        places = [f"save:{n + 1}:{how}" for n in range(run.calls) for how in ("kill", "kill-after")]
        if not options.every:
            places = dice.sample(places, min(len(places), share // 2))
            share -= len(places)
        places += [dice.random() * run.seconds for _ in range(share)]
        for where in places:
            over_earlier = dice.random() < 0.3
            stage, wrong = kill(run, where, over_earlier, dice)
            if not stage and not wrong:
                continue
            key = (run.name, "at a call" if isinstance(where, str) else "at a time", stage or "not killed")
            counts[key] = counts.get(key, 0) + 1
            if wrong:
                failures.append(where)
                print(f"{run.name} killed at {where}{', over an earlier run' if over_earlier else ''}: {'; '.join(wrong)}",
                      flush=True)
        print(f"{run.name}: {run.calls} calls that store files, {run.seconds:.1f} s undisturbed")
    for (name, how, stage), count in sorted(counts.items()):
        print(f"{count:6} {name} {how}, {stage}")
    if not options.folder:
        shutil.rmtree(folder, ignore_errors=True)
    done = sum(counts.values())
    print(f"{100 * (done - len(failures)) // max(done, 1)}%: Checks: {done}, Failures: {len(failures)}, Errors: 0")
    return 1 if failures or not done else 0


if __name__ == "__main__":
    sys.exit(main())
