#!/usr/bin/env python3
"""Counts test cases in Meson's testlog.json, and others like it: count.py testlog.json ...

A Check program counts as many as it ran, any other test as one. A case that skips prints a line
"SKIP: why". What failed is shown again, with the end of what it printed, for those who have only the end of a long
log. The last line is "N passed, N failed, N skipped"; the exit status 1 if any failed.
"""
import json
import re
import sys

LINES_SHOWN = 40


def count(test):
    """(passed, failed, skipped) of one test program."""
    output = test.get("stdout", "")
    if test["result"] == "SKIP":
        return 0, 0, 1
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    summary = re.findall(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", output, re.M)
    if not summary:
        return (1, 0, 0) if good else (0, 1, 0)
    checks, failures, errors = map(sum, zip(*(map(int, line) for line in summary)))
    skipped = len(re.findall(r"^SKIP: ", output, re.M))
    failed = failures + errors
    if not good and failed == 0:  # every case passed and yet the program failed, say by a leak
        failed = 1
    return max(checks - failures - errors - skipped, 0), failed, skipped


def show_failure(test):
    """How a failed test ended, and the last that it printed."""
    print("---- {}: {}, exit status {}, {:.1f} s".format(
        test["name"], test["result"], test.get("returncode", "unknown"), test.get("duration", 0)))
    for stream in ("stdout", "stderr"):
        for line in (test.get(stream) or "").splitlines()[-LINES_SHOWN:]:
            print(line)


def read(name):
    """The tests of a log; none where there is no log, as after a build that failed."""
    try:
        with open(name, encoding="utf-8") as log:
            return [json.loads(line) for line in log]
    except FileNotFoundError:
        return []


def main():
    totals = [0, 0, 0]
    logs = [read(name) for name in sys.argv[1:]]
    tests = sum(logs, [])
    reasons = []
    for test in tests:
        totals = [total + part for total, part in zip(totals, count(test))]
        reasons += re.findall(r"^SKIP: .*$", test.get("stdout", ""), re.M)
    for test in tests:
        if count(test)[1]:
            show_failure(test)
    for reason in sorted(set(reasons)):
        print(reason)
    if not all(logs):
        print("no test ran")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] or not all(logs) else 0


if __name__ == "__main__":
    sys.exit(main())
