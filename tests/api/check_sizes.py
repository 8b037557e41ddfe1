#!/usr/bin/env python3
"""Sizes of memory are 64-bit numbers until they are checked.

check_sizes.py SOURCE_ROOT

Where a size_t has 32 bits, (size_t)(n * k) cuts what does not fit, and too little memory is taken in silence. The
functions named here take counts as they are; this looks for casts to size_t among their arguments.
"""
import os
import re
import sys

CHECKED = re.compile(r"\b(dlz_(?:re)?alloc_array(?:_zero)?|dlz_mul_overflows|dlz_fail_memory|"
                     r"dlz_memory_ask_scratch)\(")


def arguments(text, start):
    """What stands between the parenthesis before `start` and the one that closes it."""
    depth, end = 1, start
    while depth > 0 and end < len(text):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return text[start:end - 1]


def main():
    problems = calls = 0
    for folder, _, names in os.walk(os.path.join(sys.argv[1], "lib")):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for call in CHECKED.finditer(text):
                calls += 1
                if "(size_t)" in arguments(text, call.end()):
                    problems += 1
                    line = text.count("\n", 0, call.start()) + 1
                    print("{}:{}: {} of a size_t: write (uint64_t), or nothing".format(
                        os.path.relpath(path, sys.argv[1]), line, call.group(1)))
    print("{} calls, {} problems".format(calls, problems))
    return 1 if problems or calls == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
