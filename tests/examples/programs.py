"""What the tests of the example programs share: where they are, running them, looking at what they leave."""
import csv
import math
import os
import subprocess
import unittest

import files

# Generous: a sanitizer slows the programs down tenfold, and other work may share the machine.
TIMEOUT = 900
REPORTS = {"report_lr1e-6_1epoch": ("lr1e-6_1epoch", 1e-6, 1),
           "report_lr1e-3_20epochs": ("lr1e-3_20epochs", 1e-3, 20),
           "report_adaptive_23epochs": ("adaptive_23epochs", 1e-3, 23)}
REPORT = "report_lr1e-3_20epochs"
QUICK = ["--train-limit", "600", "--test-limit", "200", "--epochs", "1", "--tsne-iterations", "60"]
SMALL = ["--image-size", "28", "--train-limit", "300", "--test-limit", "100", "--tsne-iterations", "60"]
FIGURES = [f"{name}.{kind}" for name in ("training", "pca", "tsne", "confusion", "filters")
           for kind in ("png", "svg")]
RESULTS = ["history.csv", "model.safetensors", "network.json", "features.npy", "logits.npy", "labels.npy",
           "pca.npy", "tsne.npy", "summary.json", "report.html"]
CHECKPOINT = ["checkpoint.safetensors", "film.safetensors", "settings.json"]

# Set by test_programs.py: the folder of the tests' own files, the programs, the made data set.
folder = examples = data = None
with_figures = with_images = True


def path(*parts):
    return os.path.join(folder, *parts)


def run(program, *arguments, **options):
    """The finished process, with its output as text."""
    options.setdefault("cwd", folder)
    return subprocess.run([os.path.join(examples, program), *map(str, arguments)], text=True, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def second():
    """A second, on a machine that may have other work, and in programs that sanitizers may slow down."""
    return float(os.environ.get("DLVIZ_TEST_SECOND", 1.5))


def mnist():
    given, cache = os.environ.get("DLVIZ_DATA_DIR"), os.environ.get("XDG_CACHE_HOME")
    candidate = given or os.path.join(cache or os.path.expanduser("~/.cache"), "dlviz", "mnist")
    for name in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"):
        if os.path.exists(os.path.join(candidate, name)):
            return candidate
    return None


class Case(unittest.TestCase):
    longMessage = True

    def run(self, result=None):
        """Each test has a folder of its own: what one leaves behind is not in another's way."""
        global folder
        shared = folder
        folder = path(self.id().split(".", 1)[1])
        os.makedirs(folder, exist_ok=True)
        try:
            return super().run(result)
        finally:
            folder = shared

    def expect(self, status, process):
        self.assertEqual(process.returncode, status, (process.stdout or "") + process.stderr)
        return process

    def expect_line(self, status, process, *words):
        """It ended with that status and one line that begins with the program's name and has the words."""
        self.expect(status, process)
        lines = process.stderr.splitlines()
        self.assertEqual(len(lines), 1, process.stderr)
        program = os.path.basename(process.args[0])
        self.assertTrue(lines[0].startswith(program + ": "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])

    def expect_usage(self, process, *words):
        """It ended for wrong usage with a line that has the words, and one that names --help."""
        self.expect(2, process)
        program = os.path.basename(process.args[0])
        lines = process.stderr.splitlines()
        self.assertEqual(lines[1:], [f"Try '{program} --help'."], process.stderr)
        self.assertTrue(lines[0].startswith(program + ": "), lines[0])
        self.assertNotIn("/", lines[0].split(":")[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(process.stdout, "")

    def expect_files(self, out, extra=(), figures=FIGURES):
        self.assertEqual(sorted(os.listdir(out)),
                         sorted(RESULTS + (figures if with_figures else []) + list(extra)))

    def expect_npy(self, file, kind, shape):
        found_kind, found_shape, values = files.read_npy(file)
        self.assertEqual((found_kind, found_shape), (kind, shape), file)
        self.assertTrue(all(map(math.isfinite, values)), file)
        return values

    def expect_same(self, first, second, names):
        for name in names:
            self.assertEqual(files.read(os.path.join(first, name)), files.read(os.path.join(second, name)), name)

    def expect_same_history(self, first, second):
        histories = [history(first), history(second)]
        for rows in histories:
            for row in rows:
                del row["seconds"]
        self.assertEqual(histories[0], histories[1])


def history(out):
    with open(os.path.join(out, "history.csv"), encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))
