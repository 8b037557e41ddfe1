#!/usr/bin/env python3
"""The report's page in Chromium: test_browser.py EXAMPLES_FOLDER [NAME ...]

Makes two small runs and a page of both with the example programs, then main.js on them. DLVIZ_TEST_REPORT names a folder
of finished runs instead: their folders, and index.html, as examples/reproduce.sh leaves them. Names select cases. Skips where
there is no Chromium, no node, no MNIST, or no playwright-core and axe-core where get_browser.sh puts them.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
# Folder, and the options of a run that takes seconds.
RUNS = [("one_epoch", ["--epochs", "1", "--train-limit", "1000"]), ("three_epochs", ["--epochs", "3", "--train-limit", "4000"])]
LIMITS = ["--test-limit", "2000", "--tsne-iterations", "400", "--perplexity", "20", "--quiet"]


def version():
    with open(os.path.join(HERE, "get_browser.sh"), encoding="utf-8") as script:
        return next(line for line in script if line.startswith("version=")).split("=")[1].strip()


def cache(*parts):
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dlviz", *parts)


def packages():
    return os.path.join(os.environ.get("DLVIZ_BROWSER_DIR") or cache("browser-" + version()), "node_modules")


def skip(why):
    print("SKIP: the report in a browser:", why)
    return SKIPPED


def why_not(images):
    if not shutil.which("node"):
        return "there is no node"
    if not shutil.which("chromium"):
        return "there is no chromium; tests/browser/get_browser.sh installs it"
    if not all(os.path.isdir(os.path.join(packages(), name)) for name in ("playwright-core", "axe-core")):
        return "playwright-core and axe-core are not on this machine; tests/browser/get_browser.sh fetches them"
    if not any(os.path.exists(os.path.join(images, "t10k-images-idx3-ubyte" + end)) for end in ("", ".gz")):
        return "there is no MNIST; examples/get_mnist.sh fetches it"
    return None


def make_runs(examples, images, folder):
    """Runs in folders of their own, and a page of them all."""
    program = os.path.join(examples, "report_lr1e-3_20epochs")
    for name, options in RUNS:
        subprocess.run([program, "--data", images, "--out", os.path.join(folder, name)] + options + LIMITS, check=True)
    pages = [os.path.join(folder, name, "report.html") for name, _ in RUNS]
    subprocess.run([os.path.join(examples, "dlviz-compare"), os.path.join(folder, "index.html")] + pages, check=True)


def look(folder, images, names):
    runs = sorted(entry for entry in os.listdir(folder) if os.path.exists(os.path.join(folder, entry, "report.html")))
    folders = [os.path.join(folder, entry) for entry in runs] or [folder]
    index = os.path.join(folder, "index.html")
    return subprocess.run(["node", os.path.join(HERE, "main.js"), packages(), shutil.which("chromium"), images,
                           index if os.path.exists(index) else "-"] + folders + ["--"] + names, check=False).returncode


def main():
    examples, names = sys.argv[1], sys.argv[2:]
    images = os.environ.get("DLVIZ_DATA_DIR") or cache("mnist")
    reason = why_not(images)
    if reason:
        return skip(reason)
    if os.environ.get("DLVIZ_TEST_REPORT"):
        return look(os.environ["DLVIZ_TEST_REPORT"], images, names)
    if not os.path.exists(os.path.join(examples, "dlviz-compare")):
        return skip("the example programs are not built")
    os.environ["LSAN_OPTIONS"] = "suppressions={}:print_suppressions=0".format(os.path.join(HERE, "..", "support", "leaks.supp"))
    with tempfile.TemporaryDirectory(prefix="dlviz-browser-") as folder:
        make_runs(examples, images, folder)
        return look(folder, images, names)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
