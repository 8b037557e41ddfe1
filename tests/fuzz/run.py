#!/usr/bin/env python3
"""Fuzzes: run.py BUILD [--seconds S | --hours H] [--jobs J] [--targets A,B] [--seed N]

Gives each target its valid files and whatever it has found so far, and lets libFuzzer look for inputs that
fail. Prints a line for each target, and last "N passed, N failed, N skipped". BUILD is set up with
-Dfuzz=true; "ninja -C BUILD fuzz" makes the targets.

What was found stays in BUILD/fuzz: the corpus, which the next run goes on from, and inputs that failed.
"""
import argparse
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# A single input may take so long, a program so much memory, under sanitizers and on a busy machine.
SECONDS_OF_AN_INPUT, MEGABYTES = 60, 2048
MOST_BYTES_SHOWN = 4096
SANITIZERS = {
    "ASAN_OPTIONS": "allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Target:
    """A program and what it is called with; the folders that it reads and writes."""

    def __init__(self, build, name, command, words, most_bytes):
        self.name, self.command, self.most_bytes = name, command, most_bytes
        self.dictionary = HERE / f"{words}.dict"
        self.found = HERE / "found" / name
        work = build / "fuzz"
        self.seeds, self.corpus, self.failed = (work / kind / name for kind in ("seeds", "corpus", "failed"))
        self.log = work / f"{name}.log"
        for folder in (self.seeds, self.corpus, self.failed):
            folder.mkdir(parents=True, exist_ok=True)

    def arguments(self, seconds, seed):
        options = {
            "max_total_time": seconds, "seed": seed, "max_len": self.most_bytes, "print_final_stats": 1,
            "timeout": SECONDS_OF_AN_INPUT, "rss_limit_mb": MEGABYTES, "malloc_limit_mb": MEGABYTES // 4,
            "reload": 0, "artifact_prefix": f"{self.failed}/",
        }
        if self.name == "calls":  # counting how often each of its many features occurs would take most of the time
            options["entropic"] = 0
        if self.dictionary.exists():
            options["dict"] = self.dictionary
        folders = [folder for folder in (self.corpus, self.seeds, self.found) if folder.is_dir()]
        return self.command + [f"-{name}={value}" for name, value in options.items()] + folders


class Result:
    """What a run of a target came to, from what libFuzzer printed. Rates are by the processor's time, so that other
    programs' work does not count."""

    def __init__(self, target, status, text, seconds):
        self.target, self.text, self.seconds = target, text, max(seconds, 0.01)
        executed = re.search(r"^stat::number_of_executed_units: (\d+)", text, re.M)
        progress = re.findall(r"^#(\d+)\s.* cov: (\d+) .* corp: (\d+)", text, re.M)
        last = progress[-1] if progress else ("0", "0", "0")
        self.executions = int(executed[1]) if executed else int(last[0])
        self.coverage, self.corpus = int(last[1]), int(last[2])
        self.input = re.search(r"Test unit written to (\S+)", text)
        self.good = status == 0 and self.executions > 0

    def line(self):
        rate = self.executions / self.seconds
        return (f"{self.target.name:16}{self.executions:12,} executions {rate:9,.0f}/s  corpus {self.corpus:5}  "
                f"coverage {self.coverage:6}{'' if self.good else '  FAILED'}")

    def trouble(self):
        """What went wrong, and how to see it again."""
        said = [line for line in self.text.splitlines() if re.search(r"ERROR|error:|last error|Assertion", line)]
        lines = said[:4] or self.text.splitlines()[-4:]
        command = " ".join(map(str, self.target.command))
        again = f"{command} {self.input[1]}" if self.input else f"see {self.target.log}"
        return "\n".join(["    " + line for line in lines] + [f"    again: {again}"] + self.bytes_of_input())

    def bytes_of_input(self):
        """For who has the log alone: the machine that found it may be gone."""
        path = pathlib.Path(self.input[1]) if self.input else None
        if not path or not path.is_file() or path.stat().st_size > MOST_BYTES_SHOWN:
            return []
        return [f"    base64: {base64.b64encode(path.read_bytes()).decode()}"]


def targets_of(build):
    folder = build / "tests" / "fuzz"
    program = folder / "fuzz_file"
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    targets = []
    for line in listed.splitlines():
        name, words, most_bytes = line.split()
        targets.append(Target(build, name, [program, f"--loader={name}"], words, int(most_bytes)))
    targets.append(Target(build, "calls", [folder / "fuzz_calls"], "calls", 4096))
    return targets


def run(target, seconds, seed, running):
    """One target for so long; its output goes to a file, of which the end is read."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dlviz-fuzz-", dir=memory) as scratch:
        environment = {**SANITIZERS, **os.environ, "TMPDIR": scratch}
        if target.name != "calls":
            subprocess.run(target.command + [f"--write-seeds={target.seeds}"], env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with open(target.log, "wb") as log:
            process = subprocess.Popen(target.arguments(seconds, seed), env=environment, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT)
            running.add(process)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            running.discard(process)
        text = target.log.read_text(encoding="utf-8", errors="replace")
    return Result(target, process.returncode, text, usage.ru_utime + usage.ru_stime)


def write_log(path, results):
    """As Meson's testlog.json, for tests/support/count.py."""
    with open(path, "w", encoding="utf-8") as log:
        for result in results:
            test = {"name": f"fuzz {result.target.name}", "result": "OK" if result.good else "FAIL"}
            if not result.good:
                test["stdout"] = result.trouble()
            json.dump(test, log)
            log.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    parser.add_argument("--hours", type=float, help="for all of them together")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time (the processors)")
    parser.add_argument("--targets", help="some of them, with commas between")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000, help="of libFuzzer (the clock)")
    parser.add_argument("--log", help="writes the results there, as Meson does")
    options = parser.parse_args()
    build = options.build.resolve()
    targets = targets_of(build)
    if options.targets:
        wanted = options.targets.split(",")
        unknown = set(wanted) - {target.name for target in targets}
        if unknown:
            parser.error(f"there is no target {', '.join(sorted(unknown))}; there are "
                         f"{', '.join(target.name for target in targets)}")
        targets = [target for target in targets if target.name in wanted]
    seconds = options.seconds
    if options.hours is not None:
        seconds = options.hours * 3600 * options.jobs / len(targets)
    seconds = max(1, round(seconds))
    print(f"{len(targets)} targets, {seconds} seconds each, {options.jobs} at a time, seed {options.seed}", flush=True)
    running, results = set(), []

    def end(_number, _frame):
        for process in list(running):
            process.terminate()
        sys.exit(130)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run, target, seconds, options.seed, running) for target in targets]
        for future in concurrent.futures.as_completed(futures):
            results.append(future.result())
            print(results[-1].line(), flush=True)
            if not results[-1].good:
                print(results[-1].trouble(), flush=True)
    executions, failed = sum(r.executions for r in results), sum(not r.good for r in results)
    print(f"{'all':16}{executions:12,} executions in {sum(r.seconds for r in results):,.0f} s of the processor")
    if options.log:
        write_log(options.log, results)
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
