#!/usr/bin/env python3
"""Each public header compiles alone, as C11 and as C++17, and documents what it declares.

check_headers.py SOURCE_ROOT --c COMMAND... --c++ [COMMAND...]
"""
import os
import re
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
# How DLVIZ_API may be defined: by the user, and as on Windows for who links the static library.
OTHER_EXPORTS = [["-DDLVIZ_API=extern"], ["-D_WIN32", "-DDLVIZ_STATIC"]]


def headers(include):
    found = ["dlviz.h"]
    for name in sorted(os.listdir(os.path.join(include, "dlviz"))):
        found.append("dlviz/" + name)
    return found


def compiles(command, standard, language, include, header, folder, extra=()):
    """Alone, then twice, then after everything else: what is needed is included, guards work."""
    source = os.path.join(folder, "one." + language)
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <{0}>\n#include <{0}>\n#include <dlviz.h>\nint main(void) {{ return 0; }}\n"
                   .format(header))
    run = subprocess.run([*command, "-std=" + standard, *WARNINGS, *extra, "-I", include, source],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return "" if run.returncode == 0 else "{} as {}:\n{}".format(header, " ".join([standard, *extra]), run.stdout)


def deprecation(command, include, folder):
    """Who uses what is marked DLVIZ_DEPRECATED is warned, with the text."""
    source = os.path.join(folder, "old.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write('#include <dlviz.h>\nDLVIZ_API DLVIZ_DEPRECATED("use new_one") void old_one(void);\n'
                   'int main(void) { old_one(); return 0; }\n')
    run = subprocess.run([*command, "-std=c11", "-fsyntax-only", "-I", include, source],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return "" if run.returncode == 0 and "use new_one" in run.stdout else "DLVIZ_DEPRECATED: " + run.stdout


def guard(text):
    match = re.search(r"^#ifndef (\w+)\n#define (\w+)$", text, re.M)
    return match.group(1) if match and match.group(1) == match.group(2) else None


def undocumented(text):
    """Functions without a comment of their own or one that they share.

    A comment /** ... */ holds for the declaration after it, and for those that follow it without an empty
    line between: a documented group."""
    documented = in_comment = False
    statement = ""
    for line in text.splitlines():
        stripped = line.strip()
        if in_comment:
            in_comment = "*/" not in stripped
            continue
        if stripped.startswith("/**"):
            documented = True
            in_comment = "*/" not in stripped
            continue
        if stripped.startswith("/*"):
            in_comment = "*/" not in stripped
            continue
        if not stripped and not statement:
            documented = False
            continue
        if stripped.startswith("DLVIZ_API") or statement:
            statement += " " + stripped
            if ";" in stripped:
                if not documented:
                    yield re.search(r"(\w+)\s*\(", statement).group(1)
                statement = ""


def main():
    at, at_cpp = sys.argv.index("--c"), sys.argv.index("--c++")
    root, c, cpp = sys.argv[1], sys.argv[at + 1:at_cpp], sys.argv[at_cpp + 1:]
    include = os.path.join(root, "include")
    problems, guards = [], {}
    with open(os.path.join(include, "dlviz.h"), encoding="utf-8") as file:
        included = set(re.findall(r"#include <(dlviz/[^>]+)>", file.read()))
    with open(os.path.join(include, "meson.build"), encoding="utf-8") as file:
        installed = set(re.findall(r"'(dlviz/[^']+)'", file.read()))
    names = headers(include)
    for what, other in (("included by dlviz.h", included), ("listed in include/meson.build", installed)):
        for name in sorted(set(names[1:]) ^ other):
            problems.append("{} is {}".format(name, "not " + what if name in names else what + " but absent"))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if name != "dlviz.h" and name not in installed:
                continue
            with open(os.path.join(include, name), encoding="utf-8") as file:
                text = file.read()
            mark = guard(text)
            expected = re.sub(r"\W", "_", name).upper()
            if mark != expected:
                problems.append("{}: the include guard is {}, not {}".format(name, mark, expected))
            elif mark in guards:
                problems.append("{} and {} share the guard {}".format(name, guards[mark], mark))
            guards[mark] = name
            if name != "dlviz.h" and "DLVIZ_API " in text and 'extern "C"' not in text:
                problems.append(name + ': no extern "C"')
            problems += ["{}: {} has no doc comment".format(name, function)
                         for function in undocumented(text)]
            problems.append(compiles(c, "c11", "c", include, name, folder))
            if cpp:
                problems.append(compiles(cpp, "c++17", "cpp", include, name, folder))
        for extra in OTHER_EXPORTS:
            problems.append(compiles(c, "c11", "c", include, "dlviz.h", folder, extra))
        problems.append(deprecation(c, include, folder))
    problems = [problem for problem in problems if problem]
    for problem in problems:
        print(problem)
    print("{} headers{}, {} problems".format(len(names), "" if cpp else " (no C++ compiler)", len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
