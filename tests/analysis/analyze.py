#!/usr/bin/env python3
"""Reads lib/ with GCC's -fanalyzer, clang-tidy and cppcheck: analyze.py BUILD [options] [part of a file's name ...]

    --tools A,B   only these of gcc, clang-tidy, cppcheck
    --jobs N      files at a time (the processors)

BUILD is a configured build folder: its compile_commands.json says how each file is compiled; a kernel's file is read
as it is for any processor (the first of its variants), and a file that stands in for a library that is missing as its
neighbors are. What the tools cannot see across files, model/ tells them.

A finding that is none is silenced at its place, with the reason behind it:

    /* NOLINT(check, ...): reason */         on the line, or NOLINTNEXTLINE on the one before; GCC's checks are named
                                             as its warnings are: -Wanalyzer-null-dereference
    /* cppcheck-suppress id ; reason */      on the line, or on one of its own before it

or as a whole kind in gcc.txt, clang-tidy.yaml and cppcheck.txt, with the reason there. A NOLINT or cppcheck-suppress
without a reason is a finding. The last line but one counts files and findings of each tool, the last one files:
"N passed, N failed, N skipped"; the exit status is 0 when no tool has found anything.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(os.path.dirname(HERE)), "lib")
PLANTED = os.path.join(HERE, "planted.c")
# What a command says of its outputs, which here are none.
OUTPUTS = {"-MD": 0, "-MQ": 1, "-MF": 1, "-o": 1}
FINDING = re.compile(r"^(?P<path>[^:]+):(?P<line>\d+):(?:\d+:)? (?:warning|error): .*")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def models():
    """Each file of model/, and the functions that it is of."""
    found = {}
    for path in sorted(glob.glob(f"{HERE}/model/*.h")):
        if names := re.findall(r"^#define (dlz_\w+)\(", read(path), re.M):
            found[path] = "|".join(names)
    return found


def models_for(text):
    """The options that include those of a file's calls; who defines such a function sees it as it is."""
    words = []
    for model, names in models().items():
        if re.search(rf"\b({names})\(", text) and not re.search(rf"^\w.*\b({names})\([^;]*{{$", text, re.M):
            words += ["-include", model]
    return words


def entries(build):
    """The first compilation of each file of lib/, and of PLANTED: its path, folder and arguments without outputs."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    found, neighbors = {}, {}
    for entry in commands:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if not path.startswith(LIB + os.sep) or path in found:
            continue
        words, arguments = iter(shlex.split(entry["command"])), []
        for word in words:
            if word in OUTPUTS:
                for _ in range(OUTPUTS[word]):
                    next(words)
            elif word not in ("-DNDEBUG", "-c"):  # what is asserted, the tools may rely on
                arguments.append(word)
        if os.path.basename(arguments[0]) == "ccache":
            arguments.pop(0)
        found[path] = neighbors[os.path.dirname(path)] = (entry["directory"], arguments[1:-1])
    for path in glob.glob(f"{LIB}/*/without_*.c"):
        found.setdefault(path, neighbors[os.path.dirname(path)])
    found[PLANTED] = found[f"{LIB}/base/status.c"]
    return {path: (folder, arguments + models_for(read(path))) for path, (folder, arguments) in found.items()}


def is_silenced(folder, path, line, check):
    """Whether a NOLINT names this check, for a tool that knows none."""
    lines = read(os.path.join(folder, path)).splitlines()
    places = (("NOLINT", line - 1), ("NOLINTNEXTLINE", line - 2))
    return any(0 <= at < len(lines) and (match := re.search(rf"\b{word}\(([^)]*)\)", lines[at])) and
               check in match[1].split(",") for word, at in places)


def run(command, folder):
    process = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    return process.returncode, process.stdout, process.stderr


def is_kernel(arguments):
    return any(word.startswith("-DDLZ_ISA=") for word in arguments)


def gcc(path, folder, arguments):
    fewer = [line.split()[0] for line in read(f"{HERE}/gcc.txt").splitlines() if line.startswith("-")]
    failed, _, told = run(["gcc", *arguments, "-O1", "-fanalyzer", "-fdiagnostics-plain-output",
                           *(fewer if is_kernel(arguments) else []), "-c", path, "-o", os.devnull], folder)
    findings = []
    for line in told.splitlines():
        if not (match := FINDING.match(line)):
            continue
        check = re.search(r"\[(-W[\w-]+)", line)
        if not check or not is_silenced(folder, match["path"], int(match["line"]), check[1]):
            findings.append(line)
    return findings or ([told] if failed else [])


def clang_tidy(path, folder, arguments):
    # Its analyzer does not follow single numbers of a vector, and takes them for undefined.
    fewer = ["--checks=-clang-analyzer-*,clang-analyzer-deadcode*"] if is_kernel(arguments) else []
    failed, found, told = run(["clang-tidy", "--quiet", f"--config-file={HERE}/clang-tidy.yaml", *fewer, path, "--",
                               *arguments, "-Wno-unknown-warning-option", "-Wno-ignored-optimization-argument"], folder)
    # Other libraries' headers are theirs.
    findings = [line for line in found.splitlines() if FINDING.match(line) and not line.startswith("/usr/")]
    return findings or ([told] if failed else [])


def cppcheck(path, folder, arguments):
    # Other libraries' headers would make it stop, for it has no <limits.h> to give them.
    kept = [word for word in arguments if re.match(r"-[DU]|-I(?!/)", word)]
    failed, found, told = run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability",
                               "--inline-suppr", f"--suppressions-list={HERE}/cppcheck.txt", "--error-exitcode=1",
                               "--max-configs=1", f"--include={HERE}/cppcheck.h",
                               "--template={file}:{line}: {severity}: {message} [{id}]", *kept, path], folder)
    return told.splitlines() or ([found] if failed else [])


def is_blind(tool, folder, arguments):
    """Whether a tool finds anything but the one fault of PLANTED, which it then tells."""
    found = TOOLS[tool](PLANTED, folder, arguments)
    lines = {int(match["line"]) for finding in found if (match := FINDING.match(finding))}
    wanted = {number for number, line in enumerate(read(PLANTED).splitlines(), 1) if "/* found */" in line}
    if lines != wanted:
        print(f"{tool} finds faults in the lines {sorted(lines)} of {PLANTED}, and they are in {sorted(wanted)}:",
              *found, sep="\n", flush=True)
    return lines != wanted


def without_reason(path):
    """Where something is silenced, and it is not said why."""
    silenced = re.compile(r"NOLINT\w*(?!\w|\([^)]+\): \w)|cppcheck-suppress(?!-?\w* ?\[?[\w, ]+\]? ; \w)")
    return [f"{path}:{number}: without a reason: {line.strip()}"
            for number, line in enumerate(read(path).splitlines(), 1) if silenced.search(line)]


TOOLS = {"gcc": gcc, "clang-tidy": clang_tidy, "cppcheck": cppcheck}


def main():
    parser = argparse.ArgumentParser(usage="%(prog)s BUILD [--tools A,B] [--jobs N] [part of a file's name ...]")
    parser.add_argument("build")
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_intermixed_args()
    tools = options.tools.split(",")
    for tool in tools:
        if tool not in TOOLS:
            parser.error(f"there is no tool '{tool}'; there are {', '.join(TOOLS)}")
        if not shutil.which(tool):
            parser.error(f"{tool} is missing")
    sources = entries(options.build)
    planted = sources.pop(PLANTED)
    if any([is_blind(tool, *planted) for tool in tools]):
        return 1
    work = [(tool, path, *rest) for path, rest in sorted(sources.items()) for tool in tools
            if not options.parts or any(part in path for part in options.parts)]
    passed = failed = 0
    files, found = dict.fromkeys(tools, 0), dict.fromkeys(tools, 0)
    unexplained = [finding for path in sorted(glob.glob(f"{LIB}/**/*.[ch]", recursive=True))
                   for finding in without_reason(path)]
    print("".join(f"{finding}\n" for finding in unexplained), end="", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda item: TOOLS[item[0]](*item[1:]), work)
        for (tool, *_), findings in zip(work, results):
            for finding in findings:
                print(f"{tool}: {finding}", flush=True)
            files[tool] += 1
            found[tool] += len(findings)
            failed += bool(findings)
            passed += not findings
    print("; ".join(f"{tool}: {files[tool]} files, {found[tool]} findings" for tool in tools))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or unexplained or not work else 0


if __name__ == "__main__":
    sys.exit(main())
