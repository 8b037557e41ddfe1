#!/usr/bin/env python3
"""What -Dhardening=true promises is in the files that were built.

check_hardening.py [--fortified] FILE...

Each FILE, a shared library or a program: relocations are read-only before any code of it runs, no stack is executable,
a program lies at an address drawn anew each time, and functions with arrays guard their return address. --fortified:
functions that format text are the ones that _FORTIFY_SOURCE puts in their place.
"""
import os
import re
import shutil
import subprocess
import sys

# With _FORTIFY_SOURCE every call of one is one of __NAME_chk; others are where the room is known.
CHECKED = {"printf", "fprintf", "vprintf", "vfprintf"}


def readelf(*arguments):
    tool = shutil.which("readelf")
    if not tool:
        print("SKIP: readelf is missing")
        sys.exit(77)
    return subprocess.run([tool, *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout


def lacks(path):
    """What one file lacks, and the names that it takes from others."""
    text = readelf("-hdlW", path)
    if not re.search(r"^\s+Type:\s+DYN\b", text, re.M):
        yield "is no position-independent program (-Db_pie=true)"
    if "GNU_RELRO" not in text or not re.search(r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", text):
        yield "has relocations that can be written to"
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+)", text)
    if not stack or "E" in stack.group(1):
        yield "has an executable stack"
    if "(TEXTREL)" in text:
        yield "has relocations in its code"
    for flags in re.findall(r"LOAD(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+)", text):
        if "W" in flags and "E" in flags:
            yield "has memory that can be written and executed"


def imported(path):
    return set(re.findall(r"\bUND\s+(\w+)", readelf("--dyn-syms", "-W", path)))


def main():
    fortified = "--fortified" in sys.argv
    files = [name for name in sys.argv[1:] if name != "--fortified"]
    problems = []
    for path in files:
        name = os.path.basename(path)
        problems += ["{} {}".format(name, lack) for lack in lacks(path)]
        names = imported(path)
        if not any(symbol.startswith("__stack_chk") for symbol in names):
            problems.append(name + " has no function that guards its return address")
        if fortified:
            problems += ["{} calls {}, not __{}_chk".format(name, call, call) for call in sorted(names & CHECKED)]
    for problem in problems:
        print(problem)
    print("{} files, {} problems".format(len(files), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
