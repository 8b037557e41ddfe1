#!/usr/bin/env python3
"""Who includes whom inside lib/: the rule is the table in lib/README.md.

check_includes.py SOURCE_ROOT
"""
import os
import re
import sys

# The door to each of these is one room.
DOORS = {
    "cblas.h": "linalg", "lapacke.h": "linalg", "lapack.h": "linalg", "openblas_config.h": "linalg",
    "f77blas.h": "linalg", "cairo.h": "plot", "cairo-svg.h": "plot", "cairo-pdf.h": "plot",
}


def rules(readme):
    """{room: rooms it may include} from rows like | `data/` | what | base, kernels |"""
    table = {}
    with open(readme, encoding="utf-8") as text:
        for line in text:
            row = re.match(r"\|\s*`(\w+)/`\s*\|.*\|\s*([^|]*?)\s*\|\s*$", line)
            if row:
                allowed = re.findall(r"\w+", row.group(2))
                table[row.group(1)] = set(allowed) | {row.group(1)}
    return table


def sources(folder):
    for path, _, files in os.walk(folder):
        for name in files:
            if name.endswith((".c", ".h", ".inc")):
                yield os.path.join(path, name)


def main():
    root = sys.argv[1]
    lib = os.path.join(root, "lib")
    table = rules(os.path.join(lib, "README.md"))
    problems = []
    rooms = {name for name in os.listdir(lib) if os.path.isdir(os.path.join(lib, name))}
    for room in sorted(rooms ^ set(table)):
        problems.append("lib/README.md and the folders of lib/ disagree about '{}'".format(room))
    for room, allowed in sorted(table.items()):
        for other in sorted(allowed - set(table)):
            problems.append("lib/README.md lets {} include '{}', which is no room".format(room, other))
    count = 0
    for path in sorted(sources(lib)):
        parts = os.path.relpath(path, lib).split(os.sep)
        room = parts[0]
        shown = os.path.relpath(path, root)
        with open(path, encoding="utf-8") as text:
            lines = text.read().splitlines()
        count += 1
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            quote, name = match.groups()
            where = "{}:{}: ".format(shown, number)
            if quote == '"':
                target = name.split("/")[0]
                if "/" not in name or ".." in name.split("/"):
                    problems.append(where + "'{}' should be named from lib/, as room/file.h".format(name))
                elif target not in table:
                    problems.append(where + "'{}' is in no room; public headers go in <>".format(name))
                elif target not in table.get(room, set()):
                    problems.append(where + "{} may not include {}".format(room, target))
            elif name == "dlviz.h":
                problems.append(where + "name the one public header that is needed")
            base = name.split("/")[-1]
            if base in DOORS and room != DOORS[base]:
                problems.append(where + "{} is for lib/{} alone".format(base, DOORS[base]))
    for folder in ("include",):
        for path in sources(os.path.join(root, folder)):
            with open(path, encoding="utf-8") as text:
                for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text.read(), re.M):
                    problems.append("{} includes \"{}\": public headers use <>".format(
                        os.path.relpath(path, root), name))
    for problem in problems:
        print(problem)
    print("{} files, {} rooms, {} problems".format(count, len(table), len(problems)))
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
