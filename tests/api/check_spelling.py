#!/usr/bin/env python3
"""American spelling in names of files, comments, messages and identifiers: "neighbor", "normalize", "center", "color".

check_spelling.py SOURCE_ROOT
"""
import os
import re
import sys

FOLDERS = ("include", "lib", "examples", "tests", "docs")
FILES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
TEXT = (".c", ".h", ".cpp", ".in", ".py", ".sh", ".md", ".build", ".ini", ".txt", ".map")
# Beginnings of words that British English writes otherwise; DLVIZ_CANCELLED has its two l in both.
BRITISH = re.compile(
    r"neighbour|colour|centre(?![a-z])|centre[ds]|centring|behaviour|favour|honour|labelled|labelling|modelled|"
    r"modelling|catalogue|artefact|judgement|analys(?:e|ed|ing)(?![a-z])|grey(?![a-z])|whilst|"
    r"(?:normal|optim|initial|summar|recogn|organ|symmetr|general|minim|maxim|regular|quant|serial|parallel|"
    r"vector|random|standard|synchron|factor|visual|local|real|util|special|memor|emphas|character|final|"
    r"categor|penal|discret)is(?:e|ed|es|er|ers|ing|ation|ations)(?![a-z])", re.I)


def texts(root):
    yield from FILES
    for folder in FOLDERS:
        for path, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            for name in names:
                yield os.path.relpath(os.path.join(path, name), root)


def main():
    root, problems, count = sys.argv[1], [], 0
    for path in sorted(texts(root)):
        word = BRITISH.search(os.path.basename(path))
        if word:
            problems.append("{}: its name has '{}'".format(path, word.group(0)))
        if not path.endswith(TEXT) or os.path.basename(path) == os.path.basename(__file__):
            continue
        count += 1
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                problems += ["{}:{}: '{}'".format(path, number, word.group(0)) for word in BRITISH.finditer(line)]
    for problem in problems:
        print(problem)
    print("{} files, {} problems".format(count, len(problems)))
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
