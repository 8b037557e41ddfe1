#!/usr/bin/env python3
"""Breaks lib/ in one place at a time and looks whether a test notices.

mutate.py BUILD --coverage BUILD2 [--mutants 200] [--seed 1] [--only lib/x.c] [--budget SECONDS] [--survivors]

BUILD is a build folder with all tests built, best with -Doptimization=1 -Ddebug=false -Db_ndebug=true; BUILD2 is one in
which coverage.py ran. `tests/run.sh --mutants N` makes both.

Lines are drawn from all that the compiler counts as code. In a line that a test reaches something is broken
(c_mutants.py), in a copy of the tree; what becomes the same object code, or does not compile, is replaced by another.
The tests that reach the line then run with the broken objects, fastest first, until one fails, crashes or takes ten
times as long as it does. Where none does, they run once more with the broken objects, and these alone, compiled
with sanitizers, which see memory that is lost, or read where nothing is. What happened is appended to
BUILD/mutants/log.jsonl: a run that was cut off goes on where it was. Those that no test noticed are in
BUILD/mutants/survivors.json; those that none can, with the reason, in equivalent.json here.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import c_mutants
import suite

LEAST_LIMIT = 15.0  # seconds that a test may take at least, whatever it usually takes
MOST_MEMORY = 16 << 30
EQUIVALENT = Path(__file__).with_name("equivalent.json")
SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
SANITIZERS = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:allocator_may_return_null=1:hard_rss_limit_mb=16384",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
# What would not be a fault but no C, or a number read as a pointer.
STRICT = ["-w", "-Werror=int-conversion", "-Werror=incompatible-pointer-types", "-Werror=implicit-function-declaration"]


class Builder:
    """Compiles broken sources in a copy of the tree and links tests with them, by the build folder's own commands."""

    def __init__(self, build):
        self.build = build
        self.folder = build / "mutants"
        self.tree = self.folder / "tree"
        self.copy_tree()
        self.commands = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            self.commands[entry["output"].removesuffix(".o")] = entry["command"]  # as coverage.py calls them
        self.originals = {}
        self.links = {}

    def copy_tree(self):
        """The sources as they were compiled: a run goes on while the tree changes, until the library is built."""
        built = (self.build / "lib/libdlviz_inside.a").stat().st_mtime
        done = self.folder / "tree-is-whole"
        if done.exists() and done.stat().st_mtime > built:
            return
        newer = [path for part in ("include", "lib") for path in (suite.SOURCE / part).rglob("*.[ch]")
                 if path.stat().st_mtime > built]
        if newer:
            raise SystemExit(f"{newer[0]} is newer than the library in {self.build}: build it first")
        done.unlink(missing_ok=True)
        shutil.rmtree(self.tree, ignore_errors=True)
        for part in ("include", "lib"):
            shutil.copytree(suite.SOURCE / part, self.tree / part)
        done.touch()

    def source_of(self, name):
        """The source of an object of the build, or None for what it does not have."""
        words = shlex.split(self.commands.get(name, ""))
        return Path(os.path.normpath(self.build / words[-1])) if words else None

    def compile(self, name, to, more=()):
        """Compiles an object from the copy of the tree; whether that worked."""
        # Meson names sources from the build folder, or by their whole path.
        relative, copy = os.path.relpath(suite.SOURCE, self.build), str(self.tree)
        words, kept, skip = shlex.split(self.commands[name]), [], False
        for word in words:
            if skip or word in ("-MD", "ccache"):
                skip = False
            elif word in ("-MQ", "-MF", "-o"):
                skip = True
            elif word.startswith("-ffile-prefix-map="):
                kept.append(f"-ffile-prefix-map={copy}/=")
            else:
                for root in (str(suite.SOURCE), relative):
                    for part in ("lib", "include"):
                        word = re.sub(rf"^(-I|-iquote)?{re.escape(root)}/{part}(?=/|$)", rf"\1{copy}/{part}", word)
                kept.append(word)
        # Kernels too: what counts is what they compute.
        command = kept + ["-O1", *STRICT, *more, "-o", str(to)]
        assert any(word.startswith(copy) and word.endswith(".c") for word in command), command
        return subprocess.run(command, cwd=self.build, capture_output=True, timeout=600).returncode == 0

    def original(self, name):
        if name not in self.originals:
            path = self.folder / "originals" / (name.replace("/", "_") + ".o")
            path.parent.mkdir(exist_ok=True)
            if not self.compile(name, path):
                raise SystemExit(f"{name} does not compile as it is")
            self.originals[name] = path.read_bytes()
            path.unlink()
        return self.originals[name]

    def break_source(self, source, text, objects):
        """The objects that become others with this text for the source, {name: path}; None if one does not compile."""
        for name in objects:
            self.original(name)
        place = self.tree / source
        kept = place.read_bytes()
        made = {}
        try:
            place.write_text(text)
            for number, name in enumerate(objects):
                path = self.folder / f"broken-{number}.o"
                if not self.compile(name, path):
                    return None
                if path.read_bytes() != self.originals[name]:
                    made[name] = path
        finally:
            place.write_bytes(kept)
        return made

    def sanitize(self, source, text, objects):
        """The objects of this text for the source compiled with sanitizers, {name: path}; None if one does not."""
        place = self.tree / source
        kept = place.read_bytes()
        made = {name: self.folder / f"sanitized-{number}.o" for number, name in enumerate(objects)}
        try:
            place.write_text(text)
            good = all(self.compile(name, path, SANITIZE) for name, path in made.items())
        finally:
            place.write_bytes(kept)
        return made if good else None

    def link(self, test, broken, more=()):
        """The test's program with broken objects in place of the archive's."""
        if test.target not in self.links:
            told = subprocess.run(["ninja", "-t", "commands", test.target], cwd=self.build, check=True,
                                  capture_output=True, text=True)
            self.links[test.target] = shlex.split(told.stdout.splitlines()[-1])
        program = self.folder / "program"
        command = list(self.links[test.target])
        command[command.index("-o") + 1] = str(program)
        # An archive's member is not taken when what it defines is there already.
        first = command.index("-o") + 2
        command[first:first] = [str(path) for path in broken.values()]
        linked = subprocess.run(command + [*more, "-Wl,--trace"], cwd=self.build, capture_output=True, text=True)
        if linked.returncode:
            raise SystemExit("linking failed: " + linked.stderr[-1000:])
        # The linker names each file that it took, and members of a thin archive as the files they are.
        taken = {line.split("(")[-1].rstrip(")") for line in linked.stdout.splitlines()}
        for name, path in broken.items():
            if str(path) not in taken:
                raise SystemExit(f"the broken {name} is not in {test.target}")
            if name + ".o" in taken or os.path.basename(name) + ".o" in taken:
                raise SystemExit(f"the sound {name} is in {test.target} beside the broken one")
        return program


class Suite:
    """The tests, how long each takes in this build, and that it passes before anything is broken."""

    def __init__(self, build):
        self.tests = {test.name: test for test in suite.find_tests(build)}
        self.path = build / "mutants" / "times.json"
        self.times = json.loads(self.path.read_text()) if self.path.exists() else {}

    def usual_time(self, name):
        """Seconds, or None for a test that does not pass, or skips."""
        if name not in self.times:
            outcome = suite.run(self.tests[name], seconds=3600, most_memory=MOST_MEMORY)
            good = outcome.passed and not re.search(r"^SKIP: this system has no locale", outcome.output, re.M)
            self.times[name] = outcome.seconds if good else None
            if not good:
                print(f"left out: {name} {outcome.result} with nothing broken")
            self.path.write_text(json.dumps(self.times, indent=0))
        return self.times[name]


class Campaign:
    def __init__(self, given):
        self.given = given
        self.build = given.build.resolve()
        (self.build / "mutants").mkdir(exist_ok=True)
        self.map = json.loads((given.coverage.resolve() / "coverage" / "map.json").read_text())
        self.names = list(self.map["tests"])
        self.suite = Suite(self.build)
        self.builder = Builder(self.build)
        self.sources = {}
        self.sampled = []
        self.noticed_by = defaultdict(Counter)  # source: tests that noticed something broken in it
        self.log_path = self.build / "mutants" / "log.jsonl"
        self.log = {}
        if self.log_path.exists():
            for line in self.log_path.read_text().splitlines():
                told = json.loads(line)
                self.log[self.key_of(told)] = told
        self.equivalent = {}
        if EQUIVALENT.exists():
            self.equivalent = {self.key_of(told): told["why"] for told in json.loads(EQUIVALENT.read_text())}

    @staticmethod
    def key_of(told):
        return told["file"], told["before"], told["after"], told.get("of_same", 0)

    def source(self, path):
        if path not in self.sources:
            made = c_mutants.Source((self.builder.tree / path).read_text())
            by_line = defaultdict(list)
            counted = self.map["files"][path]["lines"]
            for mutation in made.mutations():
                line = next((line for line in made.lines_of_statement(mutation) if str(line) in counted), None)
                if line is not None:
                    by_line[line].append(mutation)
            self.sources[path] = made, by_line
        return self.sources[path]

    def lines(self):
        """All lines of code in an order that the seed decides, and that edits elsewhere leave alone."""
        ordered = []
        for path, told in self.map["files"].items():
            if self.given.only and not path.startswith(self.given.only):
                continue
            if not (self.builder.tree / path).exists():
                continue
            text = (self.builder.tree / path).read_text().splitlines()
            seen = Counter()
            for line in sorted(map(int, told["lines"])):
                words = text[line - 1] if line <= len(text) else ""
                seen[words] += 1
                ordered.append((c_mutants.draw(self.given.seed, path, words, seen[words]), path, line, seen[words]))
        return [where[1:] for where in sorted(ordered)]

    def tests_of(self, path, line, objects):
        """The tests that reach the line in one of the objects; first those that noticed others here, then by time."""
        numbers = set()
        for number, tests in self.map["files"][path]["lines"][str(line)].items():
            if self.map["objects"][int(number)] in objects:
                numbers.update(self.map["sets"][tests])
        names = [self.names[number] for number in sorted(numbers)]
        names = [name for name in names if name in self.suite.tests]
        before = self.noticed_by[path]
        return sorted(names, key=lambda name: (-before[name], self.expected_time(name), name))

    def expected_time(self, name):
        """What a test takes, or may take by what it took while lines were counted."""
        counted, known = self.map["tests"], self.suite.times
        if known.get(name):
            return known[name]
        both = [other for other in known if known[other] and other in counted]
        faster = sum(known[other] for other in both) / sum(counted[other]["seconds"] for other in both) if both else 1.0
        return counted[name]["seconds"] * faster

    def objects_of(self, path, line):
        """The objects to break: all variants of a source, and of those that a header is in some that tests reach."""
        reached = self.map["files"][path]["lines"][str(line)]
        names = [self.map["objects"][int(number)] for number in reached]
        if path.endswith(".c"):
            return sorted(name for name in self.map["objects"] if self.builder.source_of(name) == suite.SOURCE / path)
        names = [name for name in names if name in self.builder.commands]
        return sorted(names, key=lambda name: c_mutants.draw(self.given.seed, path, line, name))[:self.given.objects]

    def run(self):
        done = 0
        for path, line, occurrence in self.lines():
            if done >= self.given.mutants:
                break
            if not self.map["files"][path]["lines"][str(line)]:
                self.record({"file": path, "line": line, "result": "unreached", "before": f"line {line}", "after": ""})
                continue
            result = self.break_line(path, line, occurrence)
            if result:
                done += 1
                print(f"{done:4}/{self.given.mutants} {result}", flush=True)
        return self.summarize()

    def record(self, told):
        known = self.log.get(self.key_of(told))
        if known == told:
            return
        self.log[self.key_of(told)] = told
        if told["result"] != "unreached":
            with open(self.log_path, "a") as file:
                file.write(json.dumps(told) + "\n")

    def break_line(self, path, line, occurrence):
        """Breaks something in the line, unless nothing in it can be; returns what to print."""
        source, by_line = self.source(path)
        choices = sorted(by_line[line], key=lambda mutation: c_mutants.draw(
            self.given.seed, path, occurrence, *source.describe(mutation)))
        for mutation in choices:
            before, after = source.describe(mutation)
            told = {"file": path, "line": mutation.line, "kind": mutation.kind, "before": before, "after": after,
                    "of_same": occurrence}
            known = self.log.get(self.key_of(told))
            if known and known["result"] in ("no code", "same code"):
                continue
            if not known:
                known = self.try_mutation(source, mutation, line, told, [])
                self.record(known)
            elif known["result"] == "survived":
                # Tests that were not there, or not measured, or too many, when it survived.
                before = ([], []) if self.given.survivors else (known["names"], known.get("sanitized", []))
                known = self.try_mutation(source, mutation, line, told, *before)
                self.record(known)
            if known["result"] == "noticed":
                self.noticed_by[path][known["by"]] += 1
            if known["result"] in ("noticed", "survived"):
                self.sampled.append(known)
                return self.sentence(known)
        return None

    def try_mutation(self, source, mutation, line, told, survived, sanitized=()):
        """What becomes of a mutation that survived some tests already, and some of them with sanitizers."""
        path = told["file"]
        objects = self.objects_of(path, line)
        tests = self.tests_of(path, line, objects)
        if not objects or not tests:
            raise SystemExit(f"{path}:{line}: the two build folders do not have the same objects or tests")
        ran, broken = list(survived), None
        spent = sum(self.suite.usual_time(name) or 0.0 for name in ran)
        for name in tests:
            if name in ran:
                continue
            if ran and self.given.budget and spent + self.expected_time(name) > self.given.budget:
                break
            usual = self.suite.usual_time(name)
            if usual is None:
                continue
            spent += usual
            if broken is None:
                broken = self.builder.break_source(path, source.broken(mutation), objects)
                if not broken:
                    return {**told, "result": "no code" if broken is None else "same code"}
            how = self.fails(self.suite.tests[name], broken, max(LEAST_LIMIT, 10 * usual))
            ran.append(name)
            if how:
                return {**told, "result": "noticed", "by": name, "how": how.result, "case": how.case}
        told = {**told, "result": "survived", "tests": len(tests), "names": ran}
        if self.key_of(told) in self.equivalent:
            return told
        return self.try_sanitized(source, mutation, objects, told, sanitized)

    def try_sanitized(self, source, mutation, objects, survived, before):
        """The same tests once more. Some cannot bear sanitizers: they fail with the sound objects too."""
        path = survived["file"]
        names = [name for name in survived["names"] if name not in before]
        broken = self.builder.sanitize(path, source.broken(mutation), objects) if names else None
        for name in names if broken else []:
            test, limit = self.suite.tests[name], max(4 * LEAST_LIMIT, 30 * self.suite.usual_time(name))
            how = self.fails(test, broken, limit, SANITIZE)
            if not how or not re.search(r"ERROR: (Address|Leak)Sanitizer|: runtime error: ", how.output):
                continue
            if not self.fails(test, self.builder.sanitize(path, source.text, objects), limit, SANITIZE):
                told = {key: value for key, value in survived.items() if key not in ("tests", "names")}
                return {**told, "result": "noticed", "by": name, "how": "sanitizers", "case": how.case}
            broken = self.builder.sanitize(path, source.broken(mutation), objects)
        return {**survived, "sanitized": survived["names"]}

    def fails(self, test, broken, limit, more=()):
        """How the test fails with the broken objects, or None. One that takes too long is tried once more."""
        program = self.builder.link(test, broken, more)
        # Sanitizers reserve more addresses than there is memory.
        how = {"environment": SANITIZERS} if more else {"most_memory": MOST_MEMORY}
        outcome = suite.run(test, program, limit, first_failure=True, **how)
        if outcome.result == "time-out":
            outcome = suite.run(test, program, 2 * limit, first_failure=True, **how)
        return None if outcome.passed else outcome

    def sentence(self, told):
        if told["result"] == "noticed":
            end = f"noticed by {told['by']}" + (f" ({told['how']})" if told["how"] != "failed" else "")
        elif self.key_of(told) in self.equivalent:
            end = "equivalent: " + self.equivalent[self.key_of(told)]
        else:
            end = f"SURVIVED {len(told['names'])} of {told['tests']} tests"
        return f"{told['file']}:{told['line']}  {told['before']}  ->  {told['after']}\n          {end}"

    def summarize(self):
        survivors = [told for told in self.sampled if told["result"] == "survived"]
        equal = [told for told in survivors if self.key_of(told) in self.equivalent]
        holes = [told for told in survivors if self.key_of(told) not in self.equivalent]
        (self.build / "mutants" / "survivors.json").write_text(json.dumps(holes, indent=1, ensure_ascii=False) + "\n")
        unreached = sum(told["result"] == "unreached" for told in self.log.values())
        replaced = Counter(told["result"] for told in self.log.values())
        for title, of in (("room", lambda told: told["file"].split("/")[1]), ("kind", lambda told: told["kind"])):
            print(f"\n{title:20}{'mutants':>8}{'noticed':>9}{'equivalent':>12}{'survived':>10}")
            groups = sorted({of(told) for told in self.sampled})
            for group in groups + ["all"]:
                counts = [sum(group in (of(told), "all") for told in part) for part in (
                    self.sampled, [told for told in self.sampled if told["result"] == "noticed"], equal, holes)]
                print(f"{group:20}{counts[0]:8}{counts[1]:9}{counts[2]:12}{counts[3]:10}")
        print(f"\nlines drawn that no test reaches: {unreached}; replaced: {replaced['no code']} that do not compile, "
              f"{replaced['same code']} that become the same code")
        judged = len(self.sampled) - len(equal)
        noticed = judged - len(holes)
        if judged:
            alone = sum(told.get("how") == "sanitizers" for told in self.sampled)
            print(f"{noticed} of {judged} mutants that can be noticed were: {100 * noticed / judged:.1f} %; "
                  f"{alone} with sanitizers alone")
        return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--coverage", type=Path, required=True, help="the build folder in which coverage.py ran")
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only lines of this file, or of files whose paths begin so")
    parser.add_argument("--budget", type=float, default=0,
                        help="no more tests for a mutant than usually take so many seconds together, but one at least")
    parser.add_argument("--objects", type=int, default=6, help="a header is broken in so many objects at most")
    parser.add_argument("--survivors", action="store_true", help="run the tests again for those that survived before")
    return Campaign(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
