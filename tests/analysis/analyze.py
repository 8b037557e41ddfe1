#!/usr/bin/env python3
"""Reads lib/ with GCC's -fanalyzer, clang-tidy and cppcheck: analyze.py BUILD [options] [part of a file's name ...]

    --tools A,B   only these of gcc, clang-tidy, cppcheck
    --jobs N      files at a time (the processors)

BUILD is a configured build folder: its compile_commands.json says how each file is compiled; a kernel's file is read
as it is for any processor (the first of its variants). A finding that is none is silenced at its place, with the reason
beside it (NOLINT, cppcheck-suppress), or as a whole kind in clang-tidy.yaml and cppcheck.txt, with the reason there.
The last line counts files: "N passed, N failed, N skipped"; the exit status is 0 when no tool has found anything.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(os.path.dirname(HERE)), "lib") + os.sep
# What a command says of its outputs, which here are none.
OUTPUTS = {"-MD": 0, "-MQ": 1, "-MF": 1, "-o": 1}


def entries(build):
    """The first compilation of each file of lib/: its path, folder and arguments without outputs."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    found = {}
    for entry in commands:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if not path.startswith(LIB) or path in found:
            continue
        words, arguments = iter(shlex.split(entry["command"])), []
        for word in words:
            if word in OUTPUTS:
                for _ in range(OUTPUTS[word]):
                    next(words)
            elif word != "-DNDEBUG":  # what is asserted, the tools may rely on
                arguments.append(word)
        if os.path.basename(arguments[0]) == "ccache":
            arguments.pop(0)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        fails = re.search(r"\b(dlz_fail\w*|dlz_comm_(agree|enter))\(", text)
        if fails and not re.search(r"^dlviz_status (dlz_fail|dlz_comm_agree|dlz_comm_enter)\(", text, re.M):
            arguments[-1:-1] = ["-include", os.path.join(HERE, "model.h")]
        found[path] = (entry["directory"], arguments)
    return found


def gcc(build, path, folder, arguments):
    command = ["gcc", *arguments[1:], "-O1", "-fanalyzer", "-fdiagnostics-plain-output", "-c", "-o", os.devnull]
    process = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = [line for line in process.stdout.splitlines() if re.search(r" (warning|error): ", line)]
    return lines or ([process.stdout] if process.returncode else [])


def clang_tidy(build, path, folder, arguments):
    # It does not follow single numbers of a vector, and takes them for undefined.
    fewer = ["--checks=-clang-analyzer-core*"] if "/kernels/" in path else []
    command = ["clang-tidy", "--quiet", f"--config-file={HERE}/clang-tidy.yaml", *fewer, path, "--", *arguments[1:-1],
               "-Wno-unknown-warning-option", "-Wno-ignored-optimization-argument"]
    process = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    # Other libraries' headers are theirs.
    lines = [line for line in process.stdout.splitlines() if re.search(r"^(?!/usr/).*: (warning|error): ", line)]
    return lines or ([process.stderr] if process.returncode else [])


def cppcheck(build, path, folder, arguments):
    kept = [word for word in arguments if word.startswith(("-I", "-D", "-U"))]
    command = ["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
               f"--suppressions-list={HERE}/cppcheck.txt", "--error-exitcode=1", "--max-configs=1",
               "--template={file}:{line}: {severity}: {message} [{id}]", *kept, path]
    process = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return process.stderr.splitlines() or (process.stdout.splitlines() if process.returncode else [])


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
    work = [(tool, path, *rest) for path, rest in sorted(entries(options.build).items()) for tool in tools
            if not options.parts or any(part in path for part in options.parts)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda item: TOOLS[item[0]](options.build, *item[1:]), work)
        for (tool, path, *_), findings in zip(work, results):
            for finding in findings:
                print(f"{tool}: {finding}", flush=True)
            failed += bool(findings)
            passed += not findings
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not work else 0


if __name__ == "__main__":
    sys.exit(main())
