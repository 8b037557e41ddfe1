#!/usr/bin/env python3
"""Models in ONNX Runtime: test_onnxruntime.py WRITE_MODELS

Runs write_models, then compare.js on what it wrote. Skips where there is no node, or ONNX Runtime is neither in
$DLVIZ_ONNXRUNTIME_DIR nor where get_onnxruntime.sh puts it.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def version():
    with open(os.path.join(HERE, "get_onnxruntime.sh"), encoding="utf-8") as script:
        return next(line for line in script if line.startswith("version=")).split("=")[1].strip()


def package():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.environ.get("DLVIZ_ONNXRUNTIME_DIR") or os.path.join(cache, "dlviz", "onnxruntime-" + version())
    return os.path.join(folder, "node_modules", "onnxruntime-node")


def skip(why):
    print("SKIP: models in ONNX Runtime:", why)
    return SKIPPED


def main():
    node = shutil.which("node")
    if not node:
        return skip("there is no node")
    if not os.path.isdir(package()):
        return skip("it is not on this machine; tests/onnx/get_onnxruntime.sh fetches it")
    if subprocess.run([node, "--eval", "require(process.argv[1])", package()], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        return skip("node cannot load it")
    with tempfile.TemporaryDirectory(prefix="dlviz-onnx-") as folder:
        written = subprocess.run([sys.argv[1], folder], stdout=subprocess.PIPE, text=True, check=False)
        if written.returncode != 0:
            print(written.stdout)
            return 1
        compared = subprocess.run([node, os.path.join(HERE, "compare.js"), package(), folder], stdout=subprocess.PIPE,
                                  text=True, check=False)
        print(compared.stdout, end="")
        # It has been seen to crash on its way out, after the last line.
        alike = compared.stdout.splitlines()[-1:] and compared.stdout.splitlines()[-1].startswith("100%:")
        if compared.returncode < 0 and alike:
            print(f"node ended by signal {-compared.returncode} when all was done")
            return 0
        return compared.returncode


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
