#!/usr/bin/env python3
"""Runs the example programs as a user does: test_programs.py [--no-figures] [--no-images] EXAMPLES_FOLDER [test ...]

A test is named as in test_embed.Embed.test_pca. Needs the standard library alone. The last line counts the
cases as Check does, for support/count.py.
"""
import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the sources may lie where nothing should be written

import files
import programs

MODULES = ["test_results", "test_trouble", "test_terminal", "test_train", "test_embed", "test_custom_layer", "test_cpp",
           "test_networks", "test_names"]


def main():
    arguments = sys.argv[1:]
    if "--no-figures" in arguments:
        arguments.remove("--no-figures")
        programs.with_figures = False
    if "--no-images" in arguments:
        arguments.remove("--no-images")
        programs.with_images = False
    programs.examples = os.path.abspath(arguments.pop(0))
    programs.folder = tempfile.mkdtemp(prefix="dlviz-programs-")
    # Fontconfig keeps its patterns until the process ends, and finds what they have by offsets, which look like no pointers.
    files.write(programs.path("leaks"), b"leak:libfontconfig\n")
    os.environ["LSAN_OPTIONS"] = f"suppressions={programs.path('leaks')}:print_suppressions=0"
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
