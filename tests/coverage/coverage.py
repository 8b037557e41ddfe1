#!/usr/bin/env python3
"""Which lines of lib/ the tests reach, and which test reaches which line.

coverage.py BUILD [--tests A,B] [--report] [--again]

BUILD is a build folder with -Db_coverage=true, made by GCC; `tests/run.sh --coverage` makes one. The Check programs run
one by one. What each reached is kept in BUILD/coverage, so that a run that was cut off goes on where it was; a test
whose program is newer runs again. BUILD/coverage/map.json has for each line the tests that reach it, for mutate.py.
"""
import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import suite

# What is compiled but cannot be reached here. Code for other processors and systems (isa/neon.h, what #if leaves
# out) is not compiled at all, so no list is needed for it.
LEFT_OUT = {
    "lib/mpi/": "a library of its own, whose tests are programs of several processes",
}
FILES_OF_GCOV_AT_ONCE = 64


def objects_of_library(build):
    """The library's objects, by the paths that ninja calls them."""
    return sorted(str(notes.relative_to(build))[:-len(".gcno")] for notes in (build / "lib").rglob("*.gcno"))


def source_of(path, folder):
    """A source's path as the tree has it, or None for what is not in the tree's lib/."""
    path = Path(os.path.normpath(os.path.join(folder, path)))
    try:
        inside = str(path.relative_to(suite.SOURCE))
    except ValueError:
        inside = str(path).lstrip("/")  # as -ffile-prefix-map writes it
    if not inside.startswith("lib/") or inside.startswith(tuple(LEFT_OUT)):
        return None
    return inside


def ask_gcov(paths, folder):
    """What gcov says of each of the files: (object, its files)."""
    for first in range(0, len(paths), FILES_OF_GCOV_AT_ONCE):
        some = paths[first:first + FILES_OF_GCOV_AT_ONCE]
        answer = subprocess.run(["gcov", "--json-format", "--stdout", *some], cwd=folder, capture_output=True,
                                text=True)
        if answer.returncode:
            raise SystemExit("gcov failed: " + answer.stderr[-500:])
        for line in answer.stdout.splitlines():
            if line.startswith("{"):
                told = json.loads(line)
                yield re.sub(r"\.gc(da|no)$", "", told["data_file"]), told["files"]


def all_lines(build):
    """{source: lines} of all that is compiled."""
    found = defaultdict(set)
    for _, files in ask_gcov([name + ".gcno" for name in objects_of_library(build)], build):
        for told in files:
            source = source_of(told["file"], build)
            if source is not None:
                found[source].update(line["line_number"] for line in told["lines"])
    return found


def make_mirror(build, mirror):
    """A folder for what programs count: gcov wants the compiler's notes beside it."""
    inside = Path(str(mirror) + str(build))
    for name in objects_of_library(build):
        place = inside / (name + ".gcno")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(build / (name + ".gcno"))
    return inside


def measure(test, build, mirror, seconds):
    """Runs one test: what its objects reached, {object: {source: [lines]}}."""
    inside = make_mirror(build, mirror)
    # Who counts takes longer, and a case that runs out of its time tells nothing of what it reached.
    slowly = os.environ.get("CK_TIMEOUT_MULTIPLIER", "20")
    outcome = suite.run(test, seconds=seconds,
                        environment={"GCOV_PREFIX": str(mirror), "CK_TIMEOUT_MULTIPLIER": slowly})
    counted = sorted(str(path.relative_to(inside)) for path in (inside / "lib").rglob("*.gcda"))
    reached = {}
    for name, files in ask_gcov(counted, inside):
        lines_of = {}
        for told in files:
            source = source_of(told["file"], build)
            lines = sorted({line["line_number"] for line in told["lines"] if line["count"]}) if source else []
            if lines:
                lines_of[source] = sorted(set(lines_of.get(source, [])) | set(lines))
        if lines_of:
            reached[name] = lines_of
    shutil.rmtree(mirror)
    return {"test": test.name, "result": outcome.result, "seconds": round(outcome.seconds, 3), "reached": reached,
            "output": "" if outcome.passed else outcome.output[-4000:]}


def result_path(build, test):
    return build / "coverage" / (re.sub(r"\W+", "_", test.name) + ".json.gz")


def measure_all(tests, build, again, seconds):
    for number, test in enumerate(tests, 1):
        kept = result_path(build, test)
        if not again and kept.exists() and kept.stat().st_mtime > test.program.stat().st_mtime:
            continue
        mirror = Path(tempfile.mkdtemp(prefix="dlviz-coverage-"))
        told = measure(test, build, mirror, seconds)
        unfinished = kept.with_suffix(".part")
        with gzip.open(unfinished, "wt") as file:
            json.dump(told, file)
        unfinished.replace(kept)
        print(f"{number:3}/{len(tests)} {test.name}: {told['result']}, {told['seconds']:.1f} s", flush=True)
        if told["result"] != "passed":
            print("    " + told["output"].replace("\n", "\n    "))


def make_map(tests, build):
    """Joins what was kept of each test; writes and returns the map.

    {"tests": {name: {"seconds", "result"}}, "objects": [names], "sets": [[numbers of tests]],
    "files": {source: {"lines": {line: {number of object: number of set}}}}}
    So for each line it has the objects in which tests reached it, and which did.
    """
    every = all_lines(build)
    kept = []
    for test in tests:
        if result_path(build, test).exists():
            with gzip.open(result_path(build, test), "rt") as file:
                kept.append(json.load(file))
    objects = objects_of_library(build)
    number_of_object = {name: number for number, name in enumerate(objects)}
    reached = defaultdict(list)  # (source, line, object): tests
    for number, told in enumerate(kept):
        for name, lines_of in told["reached"].items():
            for source, lines in lines_of.items():
                for line in lines:
                    reached[source, line, number_of_object[name]].append(number)
    sets, number_of_set = [], {}
    files = {source: {"lines": {line: {} for line in sorted(lines)}} for source, lines in sorted(every.items())}
    for (source, line, name), numbers in sorted(reached.items()):
        key = tuple(numbers)
        if key not in number_of_set:
            number_of_set[key] = len(sets)
            sets.append(numbers)
        files[source]["lines"].setdefault(line, {})[name] = number_of_set[key]
    made = {"tests": {told["test"]: {"seconds": told["seconds"], "result": told["result"]} for told in kept},
            "objects": objects, "sets": sets, "files": files}
    path = build / "coverage" / "map.json"
    path.with_suffix(".part").write_text(json.dumps(made))
    path.with_suffix(".part").replace(path)
    return made


def room_of(source):
    return source.split("/")[1]


def function_starts(source):
    """(line, name) of what looks like the beginning of a function; gcov does not tell of those that were inlined."""
    starts = []
    for number, line in enumerate((suite.SOURCE / source).read_text().splitlines(), 1):
        match = re.match(r"[A-Za-z_][^;={]*?(\w+)\(", line)
        if match:
            starts.append((number, match.group(1)))
    return starts


def function_of(line, starts):
    return max([start for start in starts if start[0] <= line], default=(0, "(no function)"))[1]


def report(made, limit):
    lines_of, reached_of = defaultdict(int), defaultdict(int)
    gaps = defaultdict(list)
    for source, told in made["files"].items():
        starts = function_starts(source)
        for line, objects in told["lines"].items():
            lines_of[room_of(source)] += 1
            if objects:
                reached_of[room_of(source)] += 1
            else:
                gaps[source, function_of(int(line), starts)].append(int(line))
    print(f"\n{'room':14}{'lines':>8}{'reached':>9}{'%':>8}")
    for room in sorted(lines_of):
        print(f"{room:14}{lines_of[room]:8}{reached_of[room]:9}{100 * reached_of[room] / lines_of[room]:8.1f}")
    total, reached = sum(lines_of.values()), sum(reached_of.values())
    print(f"{'lib':14}{total:8}{reached:9}{100 * reached / total:8.1f}")
    print(f"\nLines that no test reaches, {total - reached}, by function; most first:")
    ordered = sorted(gaps.items(), key=lambda gap: (-len(gap[1]), gap[0]))
    for (source, function), lines in ordered[:limit]:
        print(f"{len(lines):4}  {source} {function}: {ranges(lines)}")
    if len(ordered) > limit:
        print(f"      and {len(ordered) - limit} more functions")
    failed = [name for name, told in made["tests"].items() if told["result"] != "passed"]
    if failed:
        print("\nThese did not pass, and may have reached more: " + ", ".join(failed))
    return not failed


def ranges(lines):
    parts = []
    for line in lines:
        if parts and parts[-1][1] == line - 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--tests", help="only these tests, a,b,c", default="")
    parser.add_argument("--report", action="store_true", help="run nothing, report what was kept")
    parser.add_argument("--again", action="store_true", help="run also what was kept")
    parser.add_argument("--functions", type=int, default=60, help="so many functions with unreached lines are listed")
    parser.add_argument("--seconds", type=float, default=3600, help="the longest that one test may take")
    given = parser.parse_args()
    build = given.build.resolve()
    tests = suite.find_tests(build, [name for name in re.split(r",(?! )", given.tests) if name])
    if not objects_of_library(build):
        raise SystemExit(f"{build} was not compiled by GCC with -Db_coverage=true")
    (build / "coverage").mkdir(exist_ok=True)
    if not given.report:
        measure_all(tests, build, given.again, given.seconds)
    # What other tests reached counts too, though only some ran now.
    return 0 if report(make_map(suite.find_tests(build), build), given.functions) else 1


if __name__ == "__main__":
    sys.exit(main())
