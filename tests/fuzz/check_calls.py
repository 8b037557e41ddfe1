#!/usr/bin/env python3
"""Which public functions the fuzz target of random calls (calls*.c) leaves out, and why.

check_calls.py SOURCE_ROOT
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import declarations  # noqa: E402

LEAST_SHARE = 0.9
# What is not called, and why.
LEFT_OUT = {
    "dlviz_log_to_stream": "writes to a stream",
}


def code_of(path):
    """A file's text without comments and strings."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


def main():
    root = sys.argv[1]
    code = "\n".join(code_of(path) for path in glob.glob(os.path.join(root, "tests/fuzz/calls*.c")))
    called = set(re.findall(r"\bdlviz_\w+", code))
    # Macros name some by their noun.
    for noun in re.findall(r"\bX\((\w+), \d+\)", code_of(os.path.join(root, "tests/fuzz/calls.h"))):
        called.add("dlviz_%s_destroy" % noun)
    public = {function.name for header in declarations.headers(root) for function in header.functions}
    missing = public - called
    problems = ["%s is not called, and LEFT_OUT does not say why" % name for name in sorted(missing - set(LEFT_OUT))]
    problems += ["%s is in LEFT_OUT and is called" % name for name in sorted(set(LEFT_OUT) & called)]
    problems += ["%s is in LEFT_OUT and is no public function" % name for name in sorted(set(LEFT_OUT) - public)]
    share = 1 - len(missing) / len(public)
    print("%d of %d public functions are called (%.1f %%)" % (len(public) - len(missing), len(public), 100 * share))
    if share < LEAST_SHARE:
        problems.append("that is less than %.0f %%" % (100 * LEAST_SHARE))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
