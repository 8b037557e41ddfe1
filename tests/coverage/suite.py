"""The Check programs of a build folder, and how one of them is run: alone, watched, with a time limit.

What coverage.py and mutate.py share.
"""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# These run nothing of the library but through programs that users would run, or look at what is installed.
OTHER_SUITES = {"api", "browser", "examples", "mpi"}


class Test:
    """A test of Meson's: one program, perhaps one of several that differ in their environment."""

    def __init__(self, described, build):
        self.name = described["name"]
        self.suites = {suite.split(":")[-1] for suite in described["suite"]}
        self.command = described["cmd"]
        self.environment = described["env"]
        self.build = build

    @property
    def program(self):
        return Path(self.command[0])

    @property
    def target(self):
        """The program as ninja calls it."""
        return os.path.relpath(self.program, self.build)


def find_tests(build, names=()):
    """The Check programs of the build folder, in Meson's order; only those with the names given, if any."""
    told = subprocess.run(["meson", "introspect", "--tests", str(build)], check=True, capture_output=True, text=True)
    tests = [Test(test, build) for test in json.loads(told.stdout)]
    tests = [test for test in tests if not test.suites & OTHER_SUITES and test.program.name.startswith("test_")]
    unknown = set(names) - {test.name for test in tests}
    if unknown:
        raise SystemExit("no such tests: " + ", ".join(sorted(unknown)))
    return [test for test in tests if not names or test.name in names]


class Outcome:
    """What became of a run: "passed", "failed", "crashed" or "time-out", and what it printed."""

    def __init__(self, result, seconds, output, case):
        self.result, self.seconds, self.output, self.case = result, seconds, output, case

    @property
    def passed(self):
        return self.result == "passed"


def processes_of_session(session):
    """Check gives the process of each case a group of its own, so that only the session finds all of them."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry))
    return found


def end_session(process):
    while True:
        left = processes_of_session(process.pid)
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not left:
            break
        time.sleep(0.01)
    process.wait()


def within_limits(most_memory):
    """What a broken program must not do to the machine: take all its memory or fill its disk."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if most_memory:
            resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_memory, most_memory))
    return limit


def run(test, program=None, seconds=600, environment=(), first_failure=False, most_memory=None):
    """Runs a test's program, or another in its place; `first_failure` ends it when a case has failed."""
    scratch = Path(tempfile.mkdtemp(prefix="dlviz-run-"))
    cases = scratch / "cases.tap"
    output_path = scratch / "output"
    # As meson does: what is read before it is written is not 0 by luck.
    variables = {"MALLOC_PERTURB_": "165", **os.environ, **test.environment, **dict(environment),
                 "TMPDIR": str(scratch)}
    if first_failure:
        variables["CK_TAP_LOG_FILE_NAME"] = str(cases)
    command = [str(program or test.program)] + test.command[1:]
    failed_case, over = None, False
    begin = time.monotonic()
    with open(output_path, "wb") as output:
        process = subprocess.Popen(command, cwd=test.build, env=variables, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=within_limits(most_memory))
        while process.poll() is None:
            passed = time.monotonic() - begin
            try:
                process.wait(min(0.2, 0.02 + passed / 20))
            except subprocess.TimeoutExpired:
                over = passed > seconds
                failed_case = find_failure(cases)
                if over or failed_case:
                    break
        taken = time.monotonic() - begin
        end_session(process)
    failed_case = failed_case or find_failure(cases)
    text = output_path.read_text(errors="replace")
    shutil.rmtree(scratch, ignore_errors=True)
    if failed_case:
        result = "failed"
    elif over:
        result = "time-out"
    elif process.returncode in (0, 77):
        result = "passed"
    else:
        result = "crashed" if process.returncode < 0 else "failed"
    return Outcome(result, taken, text, failed_case)


def find_failure(cases):
    try:
        failure = re.search(r"^not ok \d+ - (.*)$", cases.read_text(errors="replace"), re.M)
    except OSError:
        return None
    return failure.group(1) if failure else None
