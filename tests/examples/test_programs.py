#!/usr/bin/env python3
"""Runs the example programs as a user does: test_programs.py [option ...] EXAMPLES_FOLDER [test ...]

--no-figures, --no-images   what the library was built without
--through SCRIPT            runs each program by `sh SCRIPT PROGRAM ...`

A test is named as in test_embed.Embed.test_pca. Needs the standard library alone. The last line counts the
cases as Check does, for support/count.py.
"""
import os
import shlex
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the sources may lie where nothing should be written

import files
import programs

MODULES = ["test_results", "test_trouble", "test_terminal", "test_train", "test_embed", "test_custom_layer", "test_cpp",
           "test_networks", "test_names", "test_reproduce", "test_documents"]


def run_through(script, examples):
    """A folder with the programs of `examples`, each run by `script PROGRAM ...`."""
    folder = programs.path("through")
    os.mkdir(folder)
    for entry in os.scandir(examples):
        if entry.is_file() and os.access(entry.path, os.X_OK):
            words = shlex.join(["sh", os.path.abspath(script), entry.path])
            files.write(os.path.join(folder, entry.name), f'#!/bin/sh\nexec {words} "$@"\n'.encode())
            os.chmod(os.path.join(folder, entry.name), 0o755)
    return folder


def main():
    arguments = sys.argv[1:]
    through = None
    if "--through" in arguments:
        at = arguments.index("--through")
        through = arguments[at + 1]
        del arguments[at:at + 2]
    if "--no-figures" in arguments:
        arguments.remove("--no-figures")
        programs.with_figures = False
    if "--no-images" in arguments:
        arguments.remove("--no-images")
        programs.with_images = False
    programs.examples = os.path.abspath(arguments.pop(0))
    programs.folder = tempfile.mkdtemp(prefix="dlviz-programs-")
    if through:
        programs.examples = run_through(through, programs.examples)
    leaks = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "leaks.supp")
    os.environ["LSAN_OPTIONS"] = f"suppressions={leaks}:print_suppressions=0"
    try:
        programs.data = files.make_dataset(programs.path("data"))
        tests = unittest.defaultTestLoader.loadTestsFromNames(arguments or MODULES)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    finally:
        shutil.rmtree(programs.folder, ignore_errors=True)
    for _, reason in result.skipped:
        print("SKIP:", reason)
    ran = result.testsRun
    bad = [len({test.id().split(" ")[0] for test, _ in part}) for part in (result.failures, result.errors)]
    print(f"{100 * (ran - sum(bad)) // max(ran, 1)}%: Checks: {ran}, Failures: {bad[0]}, Errors: {bad[1]}")
    return 0 if result.wasSuccessful() and ran else 1


if __name__ == "__main__":
    sys.exit(main())
