#!/usr/bin/env python3
"""Each public header compiles alone, as C11 and as C++17, and documents what it declares.

check_headers.py SOURCE_ROOT --c COMMAND... --c++ [COMMAND...]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import declarations

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
# How DLVIZ_API may be defined: by the user, and as on Windows for who links the static library.
OTHER_EXPORTS = [["-DDLVIZ_API=extern"], ["-D_WIN32", "-DDLVIZ_STATIC"]]
# What a declaration marked DLVIZ_API and one marked DLVIZ_CHECKED begin with, for other compilers.
MARKS = [
    (["-D_WIN32"], "__declspec(dllimport)", "__declspec(dllimport)"),
    (["-D_WIN32", "-DDLVIZ_BUILDING"], "__declspec(dllexport)", "__declspec(dllexport)"),
    (["-D_WIN32", "-DDLVIZ_STATIC"], "", ""),
    (["-D_WIN32", "-D_MSC_VER=1930"], "__declspec(dllimport)", "__declspec(dllimport) _Check_return_"),
    (["-D__STDC_VERSION__=202311L"], "", "[[nodiscard]]"),
    (["-D__cplusplus=201703L"], "", "[[nodiscard]]"),
    (["-D__GNUC__=12"], '__attribute__((visibility("default")))',
     '__attribute__((visibility("default"))) __attribute__((warn_unused_result))'),
]


# Those of libraries of their own, which need more than the library does: check_install.py compiles them.
APART = {"mpi.h"}


def headers(include):
    found = ["dlviz.h"]
    for name in sorted(set(os.listdir(os.path.join(include, "dlviz"))) - APART):
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


def ignored(command, standard, language, include, folder):
    """Who ignores a status is warned; who asks for nothing but what a layer remembers is not."""
    source = os.path.join(folder, "ignored." + language)
    found = []
    for call, warned in (("dlviz_network_build(net, 1)", True), ("dlviz_fail(DLVIZ_ERROR_IO, \"\")", True),
                         ('dlviz_network_add(net, "x", layer)', False),
                         ("dlviz_conv2d_set_bias(layer, false)", False)):
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <dlviz.h>\nvoid f(dlviz_network *net, dlviz_layer *layer);\n"
                       "void f(dlviz_network *net, dlviz_layer *layer) {{ (void)net, (void)layer; {}; }}\n"
                       .format(call))
        run = subprocess.run([*command, "-std=" + standard, "-c", "-Wall", "-I", include, source, "-o", os.devnull],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if run.returncode != 0 or ("-Wunused-result" in run.stdout) != warned:
            found.append("{} as {}: {}a warning\n{}".format(call, standard, "without " if warned else "", run.stdout))
    return "".join(found)


def marks(command, include, folder):
    """The macros of status.h as other compilers see them, whose own headers are not needed for that."""
    source, none = os.path.join(folder, "marks.c"), os.path.join(folder, "none")
    os.mkdir(none)
    for name in ("stdbool.h", "stddef.h", "stdint.h", "sal.h"):
        open(os.path.join(none, name), "w", encoding="utf-8").close()
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <dlviz/status.h>\nfirst: DLVIZ_API;\nsecond: DLVIZ_CHECKED;\n")
    unset = ["-U__STDC_VERSION__", "-U__GNUC__", "-U__clang__", "-U_WIN32", "-U__CYGWIN__", "-w"]
    for defines, *expected in MARKS:
        run = subprocess.run([*command, "-E", "-P", "-nostdinc", *unset, *defines, "-I", none, "-I", include, source],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = " ".join(run.stdout.split())
        found = [match.strip() for match in re.findall(r"(?:first|second): ?(.*?);", text)]
        if run.returncode != 0 or [mark.replace(" ", "") for mark in found] != [
                mark.replace(" ", "") for mark in expected]:
            yield "the marks with {} are {}\n{}".format(" ".join(defines), found, run.stdout if run.returncode else "")


def documentation(include, header):
    """What clang finds wrong in doc comments, such as parameters that there are not."""
    clang = shutil.which("clang++") or shutil.which("clang")
    if not clang:
        return ""
    run = subprocess.run([clang, "-std=c++17", "-x", "c++", *WARNINGS, "-Wdocumentation", "-Wdocumentation-pedantic",
                          "-I", include, os.path.join(include, header)],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return "" if run.returncode == 0 else "{}: {}".format(header, run.stdout)


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
        if re.match(declarations.EXPORT, stripped) or statement:
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
            if name != "dlviz.h" and re.search(declarations.EXPORT, text) and 'extern "C"' not in text:
                problems.append(name + ': no extern "C"')
            problems += ["{}: {} has no doc comment".format(name, function)
                         for function in undocumented(text)]
            problems.append(documentation(include, name))
            problems.append(compiles(c, "c11", "c", include, name, folder))
            if cpp:
                problems.append(compiles(cpp, "c++17", "cpp", include, name, folder))
        for extra in OTHER_EXPORTS:
            problems.append(compiles(c, "c11", "c", include, "dlviz.h", folder, extra))
        problems.append(deprecation(c, include, folder))
        problems.append(ignored(c, "c11", "c", include, folder))
        if cpp:
            problems.append(ignored(cpp, "c++17", "cpp", include, folder))
        problems += marks(c, include, folder)
    problems = [problem for problem in problems if problem]
    for problem in problems:
        print(problem)
    print("{} headers{}, {} problems".format(len(names), "" if cpp else " (no C++ compiler)", len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
