#!/usr/bin/env python3
"""libdlviz serves as a Meson subproject: dependency('dlviz') finds it without a download.

check_subproject.py SOURCE_ROOT
"""
import os
import subprocess
import sys
import tempfile

from check_install import PROGRAM, Failure, meson, run

PROJECT = """
project('consumer', 'c', default_options: ['default_library=static', 'c_std=c11'])
dlviz = dependency('dlviz', fallback: 'dlviz', version: '>=0.1')
test('hello', executable('hello', 'hello.c', dependencies: dlviz))
"""


def main():
    with tempfile.TemporaryDirectory(prefix="dlviz-subproject-") as folder:
        os.mkdir(os.path.join(folder, "subprojects"))
        os.symlink(os.path.abspath(sys.argv[1]), os.path.join(folder, "subprojects", "dlviz"))
        for name, text in (("meson.build", PROJECT), ("hello.c", PROGRAM)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        build = os.path.join(folder, "build")
        configured = run([*meson(), "setup", build, folder, "--wrap-mode=nodownload",
                          "--force-fallback-for=dlviz", "-Doptimization=g"])
        if "Program check" in configured or os.path.exists(os.path.join(build, "subprojects/dlviz/tests")):
            raise Failure("a subproject builds its own tests")
        run([*meson(), "compile", "-C", build, "hello"])
        run([os.path.join(build, "hello")], stdin=subprocess.DEVNULL)
    print("dependency('dlviz') works as a subproject")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(failure)
        sys.exit(1)
