#!/usr/bin/env python3
"""What is exported is what is declared, and nothing else.

check_symbols.py SOURCE_ROOT INSIDE_ARCHIVE LIBRARY... [--instrumented]
check_symbols.py SOURCE_ROOT --apart HEADER LIBRARY...

The public functions are those that the headers mark DLVIZ_API or DLVIZ_CHECKED; the shared library exports these
and no other (lib/dlviz.map gives whatever starts with dlviz_ its version). A static library hides nothing, so every
external symbol of it must start with dlviz_ (the public functions) or dlz_ (the rest). A library apart, with a
header of its own, keeps the same rules. No object has a constructor. Sanitizers add constructors and symbols (--instrumented).
No shared library has an executable stack, and none is unloaded: other libraries keep pointers to its functions.
"""
import os
import re
import shutil
import subprocess
import sys

import declarations


def listed(include):
    """The headers of the library itself."""
    with open(os.path.join(include, "meson.build"), encoding="utf-8") as file:
        return re.findall(r"'(dlviz/[^']+)'", file.read())


def declared(include, names):
    """(functions marked as exported, functions declared without that mark) in these headers."""
    marked, bare = set(), set()
    for name in names:
        with open(os.path.join(include, name), encoding="utf-8") as header:
            text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read(), flags=re.S)
        text = re.sub(r"^[ \t]*#(?:\\\n|.)*$", "", text, flags=re.M)
        for statement in text.split(";"):
            match = re.search(declarations.EXPORT + r"[^(]*?\b(\w+)\s*\(", statement, re.S)
            if match:
                marked.add(match.group(2))
            elif "typedef" not in statement:
                bare.update(re.findall(r"\b(dlviz_\w+)\s*\((?!\s*\*)", statement))
    return marked, bare


def nm(*arguments):
    tool = os.environ.get("NM") or shutil.which("nm") or sys.exit("nm is missing")
    return subprocess.run([tool, *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout


def exported(shared):
    """Names and versions of the dynamic symbols that the library defines."""
    for line in nm("--dynamic", "--defined-only", "--with-symbol-versions", shared).splitlines():
        _, kind, name = line.split(maxsplit=2)
        if kind != "A":  # the version's own name
            yield name.split("@")[0]


def external(archive, instrumented):
    for line in nm("--extern-only", "--defined-only", archive).splitlines():
        parts = line.split()
        if len(parts) == 3 and not (instrumented and parts[2].startswith("__odr_asan")):
            yield parts[2]


def constructors(archive):
    """Objects with code that runs as the library is loaded: who links it asked for none."""
    tool = shutil.which("readelf")
    text = subprocess.run([tool, "-SW", archive], text=True, stdout=subprocess.PIPE).stdout if tool else ""
    member = ""
    for line in text.splitlines():
        if line.startswith("File: "):
            member = line[6:]
        elif re.search(r"\s\.(init_array|preinit_array|ctors)\b", line):
            yield member


def dangers(shared):
    """What the file of a shared library promises that it must not, and lacks."""
    tool = shutil.which("readelf")
    if not tool:
        return
    text = subprocess.run([tool, "-dlW", shared], text=True, check=True, stdout=subprocess.PIPE).stdout
    if not re.search(r"\bNODELETE\b", text):
        yield "can be unloaded"
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+)", text)
    if not stack or "E" in stack.group(1):
        yield "has an executable stack"


def differences(left_name, left, right_name, right):
    for here, there, only in ((left_name, right_name, left - right), (right_name, left_name, right - left)):
        for name in sorted(only):
            yield "{} is {} but not {}".format(name, here, there)


def main():
    instrumented = "--instrumented" in sys.argv
    source_root, inside, *libraries = [word for word in sys.argv[1:] if word != "--instrumented"]
    include = os.path.join(source_root, "include")
    apart = inside == "--apart"
    public, bare = declared(include, [libraries.pop(0)] if apart else listed(include))
    problems = ["{} is declared without DLVIZ_API or DLVIZ_CHECKED".format(name) for name in sorted(bare)]
    archives = set() if apart else {inside}
    for library in libraries:
        folder = os.path.dirname(library)
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if name.endswith(".a"):
                archives.add(path)
            elif ".so" in name and os.path.isfile(path) and not os.path.islink(path):
                problems += differences("declared in include/", public,
                                        "exported by " + name, set(exported(path)))
                problems += ["{} {}".format(name, danger) for danger in dangers(path)]
    for archive in sorted(archives):
        names = set(external(archive, instrumented))
        where = os.path.basename(archive)
        if not names:
            problems.append(where + " has no symbols")
        problems += ["{} has the symbol {}, which starts with neither dlviz_ nor dlz_".format(where, name)
                     for name in sorted(names) if not name.startswith(("dlviz_", "dlz_"))]
        problems += ["{} has the symbol {}, which no header declares".format(where, name)
                     for name in sorted(names - public) if name.startswith("dlviz_")]
        if not instrumented:
            problems += ["{} has a constructor".format(member) for member in constructors(archive)]
        if archive == inside:  # the others are made of it
            problems += ["{} lacks {}".format(where, name) for name in sorted(public - names)]
    for problem in problems:
        print(problem)
    print("{} public functions, {} problems".format(len(public), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
