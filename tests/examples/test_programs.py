#!/usr/bin/env python3
"""Runs the example programs as a user does: test_programs.py [--no-figures] EXAMPLES_FOLDER [test ...]

Needs the standard library alone. The last line counts the cases as Check does, for support/count.py.
"""
import contextlib
import csv
import errno
import fcntl
import json
import math
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
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
RESULTS = ["history.csv", "model.safetensors", "features.npy", "logits.npy", "labels.npy", "pca.npy",
           "tsne.npy", "summary.json", "checkpoint.safetensors"]

folder = examples = data = None  # set by main
with_figures = True


def path(*parts):
    return os.path.join(folder, *parts)


def run(program, *arguments, **options):
    """The finished process, with its output as text."""
    options.setdefault("cwd", folder)
    return subprocess.run([os.path.join(examples, program), *map(str, arguments)], text=True, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def mnist():
    given, cache = os.environ.get("DLVIZ_DATA_DIR"), os.environ.get("XDG_CACHE_HOME")
    candidate = given or os.path.join(cache or os.path.expanduser("~/.cache"), "dlviz", "mnist")
    for name in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"):
        if os.path.exists(os.path.join(candidate, name)):
            return candidate
    return None


class Case(unittest.TestCase):
    longMessage = True

    def expect(self, status, process):
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
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

    def expect_files(self, out, extra=()):
        self.assertEqual(sorted(os.listdir(out)),
                         sorted(RESULTS + (FIGURES if with_figures else []) + list(extra)))

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


class Results(Case):
    """One run, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.out = path("results")
        cls.process = run(REPORT, "--data", data, "--out", cls.out, *QUICK)

    def setUp(self):
        self.expect(0, self.process)

    def summary(self):
        with open(os.path.join(self.out, "summary.json"), encoding="utf-8") as file:
            return json.load(file)

    def npy(self, name, kind, *shape):
        return self.expect_npy(os.path.join(self.out, name), kind, shape)

    def test_files_are_those_promised(self):
        self.expect_files(self.out)
        self.npy("features.npy", "<f4", 200, 512)
        self.npy("logits.npy", "<f4", 200, 10)
        self.npy("labels.npy", "|u1", 200)
        self.npy("pca.npy", "<f4", 200, 2)
        self.npy("tsne.npy", "<f4", 200, 2)

    def test_labels_are_the_first_of_the_test_set(self):
        expected = files.make_images(200, seed=200)[1]
        self.assertEqual(list(self.npy("labels.npy", "|u1", 200)), expected)

    def test_history_has_a_row_an_epoch(self):
        rows = history(self.out)
        self.assertEqual(list(rows[0]), ["epoch", "lr", "train_loss", "train_accuracy", "validation_loss",
                                         "validation_accuracy", "seconds"])
        self.assertEqual([row["epoch"] for row in rows], ["1"])
        row = {key: float(value) for key, value in rows[0].items()}
        self.assertEqual(row["lr"], 1e-3)
        self.assertTrue(0 < row["train_loss"] < 2.3 and 0.3 < row["train_accuracy"] <= 1, row)
        self.assertTrue(row["validation_loss"] > 0 and 0.5 < row["validation_accuracy"] <= 1, row)
        training = self.summary()["training"]
        for key in ("train_loss", "validation_loss", "validation_accuracy"):
            self.assertAlmostEqual(training[key], row[key], delta=1e-6 * abs(row[key]))

    def test_model_has_pytorchs_names(self):
        model = files.read_safetensors(os.path.join(self.out, "model.safetensors"))
        shapes = {"fc1.weight": [512, 4096], "fc1.bias": [512], "fc2.weight": [10, 512], "fc2.bias": [10]}
        channels = {1: (1, 32), 2: (32, 32), 3: (32, 64), 4: (64, 64)}
        for i, (inputs, outputs) in channels.items():
            shapes[f"conv{i}.weight"] = [outputs, inputs, 3, 3]
            shapes[f"conv{i}.bias"] = [outputs]
        for i, outputs in ((1, 32), (2, 32), (3, 64), (4, 64), (5, 512)):
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"bn{i}.{part}"] = [outputs]
            shapes[f"bn{i}.num_batches_tracked"] = []
        self.assertEqual({name: shape for name, (_, shape, _) in model.items()}, shapes)
        for name, (kind, _, values) in model.items():
            counted = name.endswith("num_batches_tracked")
            self.assertEqual(kind, "I64" if counted else "F32", name)
            self.assertTrue(all(map(math.isfinite, values)), name)
            if counted:
                self.assertEqual(values, (9,), name)  # 550 images in batches of 64

    def test_features_lead_to_the_logits(self):
        features = self.npy("features.npy", "<f4", 200, 512)
        logits = self.npy("logits.npy", "<f4", 200, 10)
        model = files.read_safetensors(os.path.join(self.out, "model.safetensors"))
        weight, bias = model["fc2.weight"][2], model["fc2.bias"][2]
        for i in range(0, 200, 7):
            row = features[512 * i:512 * i + 512]
            self.assertGreaterEqual(min(row), 0)  # after the relu
            for j in range(10):
                expected = bias[j] + sum(x * w for x, w in zip(row, weight[512 * j:512 * j + 512]))
                self.assertAlmostEqual(logits[10 * i + j], expected, delta=1e-4)

    def test_test_figures_follow_from_logits_and_labels(self):
        logits, labels = self.npy("logits.npy", "<f4", 200, 10), self.npy("labels.npy", "|u1", 200)
        confusion, loss = [[0] * 10 for _ in range(10)], 0
        for i, label in enumerate(labels):
            row = logits[10 * i:10 * i + 10]
            confusion[label][row.index(max(row))] += 1
            loss += math.log(sum(map(math.exp, row))) - row[label]
        test = self.summary()["test"]
        self.assertEqual(test["confusion"], confusion)
        self.assertAlmostEqual(test["accuracy"], sum(confusion[i][i] for i in range(10)) / 200, delta=1e-9)
        self.assertAlmostEqual(test["loss"], loss / 200, delta=1e-5)
        self.assertGreater(test["accuracy"], 0.6)

    def test_pca_is_that_of_the_features(self):
        features, map_ = self.npy("features.npy", "<f4", 200, 512), self.npy("pca.npy", "<f4", 200, 2)
        total = 0
        for j in range(512):
            column = features[j::512]
            mean = math.fsum(column) / 200
            total += math.fsum((x - mean) ** 2 for x in column) / 199
        pca = self.summary()["pca"]
        self.assertAlmostEqual(pca["total_variance"], total, delta=1e-4 * total)
        ratio = pca["explained_variance_ratio"]
        self.assertEqual(len(ratio), 50)
        self.assertEqual(ratio, sorted(ratio, reverse=True))
        self.assertTrue(ratio[-1] >= 0 and 0.5 < sum(ratio) <= 1.000001, ratio)
        for j in range(2):
            column = map_[j::2]
            self.assertAlmostEqual(math.fsum(column) / 200, 0, delta=1e-3)
            self.assertAlmostEqual(math.fsum(x * x for x in column) / 199, ratio[j] * total, delta=1e-3 * total)
        product = math.fsum(map_[2 * i] * map_[2 * i + 1] for i in range(200)) / 199
        self.assertAlmostEqual(product, 0, delta=1e-4 * total)

    def test_summary_has_every_field(self):
        summary = self.summary()
        self.assertEqual(summary["experiment"], "lr1e-3_20epochs")
        self.assertEqual(summary["title"], "learning rate 1e-3, 1 instead of 20 epochs, 550 images")
        self.assertEqual(summary["dataset"], {"name": "images", "folder": data, "train": 550, "validation": 50,
                                              "test": 200, "image_size": 32})
        self.assertEqual(summary["network"], {"parameters": 2169194, "layer": "relu5", "features": 512})
        training = summary["training"]
        self.assertEqual([training[key] for key in ("optimizer", "learning_rate", "schedule", "epochs",
                                                    "batch_size", "seed")], ["Adam", 1e-3, "constant", 1, 64, 0])
        tsne = summary["tsne"]
        self.assertEqual((tsne["perplexity"], tsne["iterations"]), (30, 60))
        self.assertTrue(0 < tsne["kl_divergence"] < 10, tsne)
        quality = tsne["quality"]
        self.assertEqual(quality["neighbours"], 10)
        for key in ("trustworthiness", "continuity", "neighbour_preservation", "neighbour_accuracy"):
            self.assertTrue(0 <= quality[key] <= 1, quality)
        for key in ("silhouette", "distance_correlation"):
            self.assertTrue(-1 <= quality[key] <= 1, quality)
        seconds = summary["seconds"]
        stages = ["load", "train", "evaluate", "features", "pca", "tsne", "quality", "figures"]
        self.assertEqual(sorted(seconds), sorted(stages + ["total"]))
        self.assertAlmostEqual(seconds["total"], sum(seconds[stage] for stage in stages), delta=1e-6)
        self.assertAlmostEqual(training["images_per_second"] * training["seconds"], 550, delta=550)
        self.assertTrue(20 < summary["peak_memory_mb"] < 20000, summary["peak_memory_mb"])
        self.assertGreaterEqual(summary["threads"], 1)
        self.assertIn(summary["isa"], ("generic", "avx2", "avx512", "neon"))
        self.assertIn("BLAS", summary["blas"])
        version = run(REPORT, "--version").stdout.split()
        self.assertEqual(summary["version"], version[-1])

    def test_figures_are_whole(self):
        if not with_figures:
            self.skipTest("built without figures")
        for name in FIGURES:
            (files.check_png if name.endswith(".png") else files.check_svg)(os.path.join(self.out, name))

    def test_piped_output_is_plain(self):
        text = self.process.stdout + self.process.stderr
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), repr(text))
        self.assertEqual(self.process.stderr, "")
        self.assertEqual(len(re.findall(r"^epoch  1/1 .*images/s$", text, re.M)), 1, text)
        self.assertRegex(text, r"(?m)^fc1 +linear +512 +2097664$")
        self.assertRegex(text, r"(?m)^test accuracy \d+\.\d\d %, loss \d")
        self.assertTrue(text.rstrip().endswith(f"results and figures are in {self.out}"), text)

    def test_compressed_data_give_the_same(self):
        packed, out = files.make_dataset(path("packed"), compress=True), path("packed-out")
        self.expect(0, run(REPORT, "--data", packed, "--out", out, *QUICK))
        self.expect_same(self.out, out, ["model.safetensors", "tsne.npy", "logits.npy", "pca.npy"])

    def test_layer_says_where_features_are_taken(self):
        out = path("layer")
        self.expect(0, run(REPORT, "--data", data, "--out", out, *QUICK, "--layer", "fc2", "--quiet"))
        self.expect_same(self.out, out, ["model.safetensors", "logits.npy"])
        self.assertEqual(files.read(os.path.join(out, "features.npy")),
                         files.read(os.path.join(out, "logits.npy")))

    def test_quiet_prints_nothing(self):
        process = self.expect(0, run(REPORT, "--data", data, "--out", path("quiet"), *SMALL, "--epochs", 1,
                                     "--quiet"))
        self.assertEqual((process.stdout, process.stderr), ("", ""))


class Experiments(Case):
    def test_each_program_runs_its_own(self):
        for program, (name, rate, epochs) in REPORTS.items():
            with self.subTest(program):
                self.expect(0, run(program, "--data", data, *SMALL, "--epochs", 1))
                out = path("report", name)  # the default
                self.expect_files(out)
                self.assertEqual(float(history(out)[0]["lr"]), rate)
                with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
                    summary = json.load(file)
                self.assertEqual((summary["experiment"], summary["training"]["learning_rate"]), (name, rate))
                self.assertEqual(summary["network"]["parameters"], 2169194 - 512 * (4096 - 3136))
                adaptive = "adaptive" in name
                self.assertEqual("ReduceLROnPlateau" in summary["training"]["schedule"], adaptive)
                self.assertIn(f"(default: {epochs})", run(program, "--help").stdout)

    def test_they_run_on_mnist(self):
        if not mnist():
            self.skipTest("MNIST is not on this machine")
        for program in REPORTS:
            with self.subTest(program):
                out = path("mnist", program)
                self.expect(0, run(program, "--data", mnist(), "--out", out, *QUICK))
                self.expect_files(out)
                with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
                    self.assertEqual(json.load(file)["dataset"]["name"], "MNIST")

    def test_the_data_folder_comes_from_the_environment(self):
        environment = dict(os.environ, DLVIZ_DATA_DIR=data)
        self.expect(0, run(REPORT, "--out", path("environment"), *SMALL, "--epochs", 1, env=environment))
        del environment["DLVIZ_DATA_DIR"]
        environment["XDG_CACHE_HOME"] = path("no-cache")
        self.expect_line(1, run(REPORT, *SMALL, env=environment), path("no-cache", "dlviz", "mnist"))

    def test_threads_change_no_bit(self):
        outs = [path(f"threads{threads}") for threads in (1, 2, 3)]
        for threads, out in enumerate(outs, 1):
            self.expect(0, run(REPORT, "--data", data, "--out", out, *QUICK, "--threads", threads))
        for out in outs[1:]:
            self.expect_same(outs[0], out, ["model.safetensors", "tsne.npy", "features.npy", "pca.npy"])
            self.expect_same_history(outs[0], out)

    def test_the_seed_changes_the_result(self):
        outs = [path(f"seed{seed}") for seed in (0, 1)]
        for seed, out in enumerate(outs):
            self.expect(0, run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 1, "--seed", seed))
        self.assertNotEqual(*(files.read(os.path.join(out, "model.safetensors")) for out in outs))

    def test_folder_names_need_not_be_text(self):
        odd = os.fsencode(path("odd")) + b"\xff"
        os.symlink(data, odd)
        self.expect(0, run(REPORT, "--data", os.fsdecode(odd), "--out", path("odd-out"), *SMALL, "--epochs", 1))
        with open(path("odd-out", "summary.json"), encoding="utf-8") as file:
            self.assertTrue(json.load(file)["dataset"]["folder"].endswith("odd?"))


class Usage(Case):
    def test_help_and_version(self):
        for program in [*REPORTS, "embed"]:
            with self.subTest(program):
                process = self.expect(0, run(program, "--help"))
                self.assertTrue(process.stdout.startswith("Usage: "), process.stdout)
                self.assertEqual(process.stderr, "")
                self.assertLessEqual(max(map(len, process.stdout.splitlines())), 100)
                process = self.expect(0, run(program, "--version"))
                self.assertRegex(process.stdout, rf"^{re.escape(program)} \(libdlviz\) \d+\.\d+\.\d+\n$")
                self.assertEqual(process.stderr, "")

    def test_every_option_is_in_the_help(self):
        text = run(REPORT, "--help").stdout
        for option in ("data", "out", "image-size", "batch-size", "epochs", "threads", "seed", "train-limit",
                       "test-limit", "layer", "perplexity", "tsne-iterations", "resume", "quiet", "help",
                       "version"):
            self.assertIn("--" + option, text)

    def test_wrong_values(self):
        for option, value in (("epochs", "0"), ("epochs", "1x"), ("epochs", ""), ("epochs", "99999999999999999999"),
                              ("image-size", "30"), ("batch-size", "1"), ("threads", "0"), ("seed", "-1"),
                              ("train-limit", "99"), ("test-limit", "many"), ("perplexity", "0.5"),
                              ("perplexity", "nan"), ("tsne-iterations", "-1")):
            with self.subTest(option=option, value=value):
                process = run(REPORT, "--data", data, "--out", path("never"), "--" + option, value)
                self.expect_line(2, process, f"--{option} {value}: ", " accepted")
        self.assertFalse(os.path.exists(path("never")))

    def test_unknown_options_and_words(self):
        for arguments in (["--bogus"], ["--epochs"], ["--quiet=yes"]):
            process = self.expect(2, run(REPORT, *arguments))
            self.assertIn(arguments[0].split("=")[0], process.stderr)
            self.assertIn(f"Try '{REPORT} --help'", process.stderr)
        self.expect_line(2, run(REPORT, "word"), "'word'", "--help")

    def test_an_unknown_layer_names_those_there_are(self):
        process = run(REPORT, "--data", data, "--out", path("never"), *SMALL, "--layer", "nonsense")
        self.expect_line(2, process, "nonsense", "conv1", "bn1", "relu5", "dropout3", "fc2")
        self.assertFalse(os.path.exists(path("never")))


class Failures(Case):
    def damage(self, name, is_train, images, content):
        """A copy of the data in which one file has this content."""
        folder_ = path(name)
        shutil.copytree(data, folder_)
        file = files.IDX_NAMES[is_train][0 if images else 1]
        os.remove(os.path.join(folder_, file))
        if content is not None:
            compressed = content[:2] == b"\x1f\x8b"
            files.write(os.path.join(folder_, file + ".gz" * compressed), content)
        return folder_, file

    def expect_damage(self, name, is_train, images, content):
        folder_, file = self.damage(name, is_train, images, content)
        process = run(REPORT, "--data", folder_, "--out", path("never"), *SMALL)
        self.expect_line(1, process, file, "reproduce.sh", "--data")
        self.assertFalse(os.path.exists(path("never")))

    def test_missing_data(self):
        process = run(REPORT, "--data", path("nowhere"), "--out", path("never"))
        self.expect_line(1, process, path("nowhere"), "train-images", "reproduce.sh", "--data")
        self.expect_damage("no-labels", False, False, None)

    def test_damaged_data(self):
        import gzip
        original = files.read(os.path.join(data, files.IDX_NAMES[True][0]))
        packed = bytearray(gzip.compress(original, 1))
        self.expect_damage("truncated", True, True, original[:len(original) // 2])
        self.expect_damage("one-byte-short", True, True, original[:-1])
        self.expect_damage("empty", False, True, b"")
        self.expect_damage("text", True, True, b"this is not an IDX file\n" * 1000)
        self.expect_damage("truncated-gzip", True, True, bytes(packed[:len(packed) // 2]))
        packed[len(packed) // 2] ^= 0xff
        self.expect_damage("damaged-gzip", True, True, bytes(packed))

    def test_labels_that_do_not_fit(self):
        _, labels = files.make_images(200, seed=200)
        self.expect_damage("label-11", False, False, files.idx_labels(labels[:-1] + [11]))
        self.expect_damage("too-few-labels", False, False, files.idx_labels(labels[:-1]))

    def test_an_out_folder_that_cannot_be(self):
        files.write(path("file"), b"in the way")
        for out in (path("file"), path("file", "below"), "/proc/dlviz"):
            process = run(REPORT, "--data", data, "--out", out, *SMALL)
            self.expect_line(1, process, f"'{out}'")
        self.assertEqual(files.read(path("file")), b"in the way")

    def test_a_result_that_cannot_be_written(self):
        out = path("blocked")
        os.makedirs(os.path.join(out, "tsne.npy"))
        process = run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 1)
        self.expect_line(1, process, "tsne.npy", "folder")
        self.assertFalse([name for name in os.listdir(out) if name.endswith((".tmp", ".part"))])

    def test_nothing_to_resume(self):
        process = run(REPORT, "--data", data, "--out", path("nothing"), *SMALL, "--resume")
        self.expect_line(1, process, "checkpoint.safetensors", "without --resume")

    def test_a_checkpoint_of_another_run(self):
        out = path("other-run")
        self.expect(0, run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 1))
        before = {name: files.read(os.path.join(out, name)) for name in os.listdir(out)}
        for option, value, word in (("--seed", "7", "seed"), ("--batch-size", "32", "batch_size"),
                                    ("--image-size", "32", "numbers")):
            process = run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 2, option, value, "--resume")
            self.expect_line(1, process, "checkpoint.safetensors", word, "without --resume")
        files.write(os.path.join(out, "checkpoint.safetensors"), before["checkpoint.safetensors"][:-100])
        process = run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 2, "--resume")
        self.expect_line(1, process, "checkpoint.safetensors")
        del before["checkpoint.safetensors"]
        for name, content in before.items():
            self.assertEqual(files.read(os.path.join(out, name)), content, name)


class FullDisk(Case):
    """Files may not grow beyond a limit, and a disk that is really full."""

    def limited(self, size, *arguments):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return run(REPORT, "--data", data, *arguments, preexec_fn=limit)

    def test_earlier_results_survive(self):
        out = path("full")
        self.expect(0, run(REPORT, "--data", data, "--out", out, *SMALL, "--epochs", 1))
        before = {name: files.read(os.path.join(out, name)) for name in os.listdir(out)}
        checkpoint = "checkpoint.safetensors"
        self.assertGreater(len(before[checkpoint]), 10_000_000)
        process = self.limited(10_000_000, "--out", out, *SMALL, "--epochs", 1, "--seed", 1)
        self.expect_line(1, process, checkpoint, os.strerror(errno.EFBIG))
        self.assertEqual(files.read(os.path.join(out, checkpoint + ".previous")), before[checkpoint])
        os.remove(os.path.join(out, checkpoint + ".previous"))
        # All epochs are done: it goes on with the results.
        process = self.limited(150_000, "--out", out, *SMALL, "--epochs", 1, "--resume")
        self.expect_line(1, process, "model.safetensors", os.strerror(errno.EFBIG))
        self.assertEqual({name: files.read(os.path.join(out, name)) for name in os.listdir(out)}, before)

    def test_a_full_disk(self):
        if subprocess.run(["unshare", "-rm", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            self.skipTest("no file system can be mounted here")
        copied = path("copied")
        os.mkdir(copied)
        os.mkdir(path("disk"))
        # Room for the checkpoint of the first epoch but not for a second one beside it.
        script = """mount -t tmpfs -o size=34m tmpfs "$1" || exit 77
                    out=$1 copied=$2
                    shift 2
                    "$@"
                    status=$?
                    cp -a "$out"/. "$copied"
                    exit $status"""
        process = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", path("disk"), copied,
                                  os.path.join(examples, REPORT), "--data", data, "--out", path("disk"), *SMALL,
                                  "--epochs", "2"],
                                 text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
        if process.returncode == 77:
            self.skipTest("no file system can be mounted here")
        self.expect(1, process)
        self.assertEqual(len(process.stderr.splitlines()), 1, process.stderr)
        self.assertIn(os.strerror(errno.ENOSPC), process.stderr)
        self.assertIn("checkpoint.safetensors", process.stderr)
        self.assertEqual(sorted(os.listdir(copied)),
                         ["checkpoint.safetensors", "checkpoint.safetensors.previous", "history.csv"])
        self.assertIn("fc1.weight", files.read_safetensors(os.path.join(copied, "checkpoint.safetensors")))
        self.assertEqual(len(history(copied)), 1)


class Interruption(Case):
    """SIGINT in the middle of training, and going on."""

    LENGTH = [*SMALL, "--train-limit", "600", "--batch-size", "16", "--epochs", "5"]

    def interrupt(self, out, number):
        """Starts a run and sends the signal soon after its first epoch."""
        with subprocess.Popen([os.path.join(examples, REPORT), "--data", data, "--out", out, *self.LENGTH],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            for line in process.stdout:
                if line.startswith("epoch  1/5"):
                    time.sleep(0.1)
                    process.send_signal(number)
                    break
            return subprocess.CompletedProcess(process.args, None, *process.communicate(timeout=TIMEOUT)), process

    def test_a_resumed_run_is_the_same_run(self):
        whole, stopped = path("whole"), path("stopped")
        self.expect(0, run(REPORT, "--data", data, "--out", whole, *self.LENGTH))
        finished, process = self.interrupt(stopped, signal.SIGINT)
        finished.returncode = process.returncode
        self.expect_line(130, finished, "interrupted", "--resume")
        self.assertIn("checkpoint.safetensors", os.listdir(stopped))
        self.assertFalse(os.path.exists(os.path.join(stopped, "summary.json")))
        self.assertTrue(1 <= len(history(stopped)) < 5)
        resumed = self.expect(0, run(REPORT, "--data", data, "--out", stopped, *self.LENGTH, "--resume"))
        self.assertRegex(resumed.stdout, r"(?m)^going on after epoch [1-4], batch \d+$")
        self.expect_same(whole, stopped, ["model.safetensors", "tsne.npy", "pca.npy", "features.npy", "logits.npy"])
        self.expect_same_history(whole, stopped)
        self.expect_files(stopped, extra=["checkpoint.safetensors.previous"])
        with open(os.path.join(stopped, "summary.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["training"]["epochs"], 5)

    def test_termination_is_an_interruption(self):
        finished, process = self.interrupt(path("terminated"), signal.SIGTERM)
        finished.returncode = process.returncode
        self.expect_line(130, finished, "interrupted", "--resume")

    def test_embed_is_interrupted(self):
        points, labels = files.make_images(300, seed=5)
        files.write_npy(path("many.npy"), [[float(x) for x in image] for image in points])
        with subprocess.Popen([os.path.join(examples, "embed"), "tsne", path("many.npy"), path("many-out.npy"),
                               "--iterations", "100000000"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(errors, "embed: interrupted\n")
        self.assertFalse(os.path.exists(path("many-out.npy")))


class Terminal(Case):
    def on_terminal(self, columns, kind, program, *arguments):
        """(exit status, what appeared on a terminal of that width)"""
        try:
            ours, theirs = pty.openpty()
        except OSError:
            self.skipTest("no pseudo-terminal can be opened here")
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen([os.path.join(examples, program), *map(str, arguments)], cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                              env=dict(os.environ, TERM=kind)) as process:
            os.close(theirs)
            chunks = []

            def collect():
                with contextlib.suppress(OSError):  # the other end is closed
                    while chunk := os.read(ours, 65536):
                        chunks.append(chunk)
            reader = threading.Thread(target=collect)
            reader.start()
            process.wait(timeout=TIMEOUT)
            reader.join()
        os.close(ours)
        return process.returncode, b"".join(chunks).decode().replace("\r\n", "\n")

    ARGUMENTS = [*QUICK, "--batch-size", "16", "--epochs", "2"]

    def test_a_line_of_progress_is_rewritten(self):
        for columns in (120, 80, 40):
            with self.subTest(columns=columns):
                status, text = self.on_terminal(columns, "xterm", REPORT, "--data", data, "--out", path("pty"),
                                                *self.ARGUMENTS)
                self.assertEqual(status, 0, text)
                drawn = re.findall(r"\r([^\r\n\033]+)\033\[K", text)
                self.assertGreater(len(drawn), 2, repr(text))
                for line in drawn:
                    self.assertRegex(line, r"^(epoch  [12]/2 |t-SNE )")
                    self.assertLess(len(line), columns, line)
                if columns == 120:
                    self.assertRegex(drawn[0], r"\[#*\.*\] loss \d.*accuracy .* images/s +\d+ (s|min) left$")
                # It is wiped before a plain line is printed.
                self.assertNotRegex(text, r"left\033\[K\n")
                self.assertRegex(text, r"\r\033\[Kepoch  2/2 .*images/s\n")
                self.assertEqual(re.sub(r"\r[^\r\n]*\033\[K", "", text).count("\r"), 0)

    def test_a_dumb_terminal_has_none(self):
        status, text = self.on_terminal(80, "dumb", REPORT, "--data", data, "--out", path("dumb"), *self.ARGUMENTS)
        self.assertEqual(status, 0, text)
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), repr(text))

    def test_quiet_holds_on_a_terminal(self):
        status, text = self.on_terminal(80, "xterm", REPORT, "--data", data, "--out", path("hush"),
                                        *self.ARGUMENTS, "--quiet")
        self.assertEqual((status, text), (0, ""))

    def test_embed_has_one_too(self):
        files.write_npy(path("line.npy"), [[float(i), float(i * i % 37)] for i in range(100)])
        arguments = ["embed", "tsne", path("line.npy"), path("line-out.npy"), "--iterations", "300"]
        status, text = self.on_terminal(80, "xterm", *arguments)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"\riteration \d+/300 .*\033\[K")
        self.assertRegex(text, r"\r\033\[KKL divergence \d")
        status, text = self.on_terminal(80, "dumb", *arguments)
        self.assertRegex(text, r"^KL divergence \d[^\r\033]*$")


class Embed(Case):
    N, D = 60, 5

    @classmethod
    def setUpClass(cls):
        noise = files.random.Random(3)
        cls.labels = [i % 3 for i in range(cls.N)]
        cls.rows = [[10 * (label == j) + (j + 1) * noise.gauss(0, 1) for j in range(cls.D)] for label in cls.labels]
        cls.input, cls.label_file = path("in.npy"), path("classes.npy")
        files.write_npy(cls.input, cls.rows)
        files.write_npy(cls.label_file, cls.labels, "|u1")

    def embed(self, status, kind, *arguments):
        """Runs `embed kind in.npy out.npy arguments`; the process."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(path("out.npy"))
        process = run("embed", kind, self.input, path("out.npy"), *arguments)
        self.expect(status, process)
        self.assertEqual(os.path.exists(path("out.npy")), status == 0)
        return process

    def map(self, columns):
        return self.expect_npy(path("out.npy"), "<f4", (self.N, columns))

    def variance(self, column):
        mean = math.fsum(column) / len(column)
        return math.fsum((x - mean) ** 2 for x in column) / (len(column) - 1)

    def test_pca(self):
        process = self.embed(0, "pca", "--components", self.D)
        self.assertRegex(process.stdout, r"^5 components explain 100\.00 % of the variance\n$")
        values = self.map(self.D)
        total = sum(self.variance([row[j] for row in self.rows]) for j in range(self.D))
        columns = [values[j::self.D] for j in range(self.D)]
        found = [self.variance(column) for column in columns]
        self.assertEqual(found, sorted(found, reverse=True))
        self.assertAlmostEqual(sum(found), total, delta=1e-4 * total)
        for i in range(self.D):
            for j in range(i):
                product = math.fsum(x * y for x, y in zip(columns[i], columns[j])) / self.N
                self.assertAlmostEqual(product, 0, delta=1e-4 * total)
        self.embed(0, "pca")
        self.map(2)

    def test_pca_solvers_agree(self):
        self.embed(0, "pca")
        expected = self.map(2)
        for solver in ("auto", "covariance", "svd", "randomized"):
            self.embed(0, "pca", "--solver", solver, "--quiet", "--seed", 4, "--threads", 2)
            for x, y in zip(self.map(2), expected):
                self.assertAlmostEqual(x, y, delta=1e-2)

    def test_pca_by_variance_and_whitened(self):
        process = self.embed(0, "pca", "--variance", "0.6")
        count = int(process.stdout.split()[0])
        self.assertTrue(1 <= count < self.D)
        self.map(count)
        self.embed(0, "pca", "--whiten")
        values = self.map(2)
        for j in range(2):
            self.assertAlmostEqual(self.variance(values[j::2]), 1, delta=1e-4)

    def test_tsne(self):
        for arguments, columns in (([], 2), (["--dimensions", 1], 1), (["--dimensions", 3], 3),
                                   (["--method", "exact"], 2), (["--method", "barnes-hut"], 2),
                                   (["--method", "grid"], 2), (["--metric", "cosine"], 2), (["--pca", 3], 2),
                                   (["--init", "random"], 2), (["--learning-rate", 100], 2),
                                   (["--early-exaggeration", 4, "--late-exaggeration", 2], 2),
                                   (["--degrees-of-freedom", 0.8], 2)):
            with self.subTest(arguments=arguments):
                process = self.embed(0, "tsne", "--iterations", 50, "--perplexity", 10, *arguments)
                self.assertRegex(process.stdout, r"^KL divergence \d+\.\d{4} after 50 iterations; ")
                self.map(columns)

    def test_tsne_starts_from_a_map(self):
        start = [[0.25 * i, -0.5 * i * i] for i in range(self.N)]
        files.write_npy(path("start.npy"), start)
        self.embed(0, "tsne", "--init", path("start.npy"), "--iterations", 0)
        self.assertEqual(list(self.map(2)), [x for row in start for x in row])

    def test_tsne_is_the_same_for_any_threads(self):
        maps = []
        for threads in (1, 2, 3):
            self.embed(0, "tsne", "--iterations", 100, "--threads", threads, "--quiet")
            maps.append(self.map(2))
        self.assertTrue(maps[0] == maps[1] == maps[2])

    def test_quality_figure_and_quiet(self):
        figures = [path(f"map.{kind}") for kind in ("png", "svg", "pdf")]
        for figure in figures if with_figures else []:
            self.embed(0, "tsne", "--iterations", 50, "--labels", self.label_file, "--figure", figure, "--title",
                       "Übung <1> & 2")
        if with_figures:
            files.check_png(figures[0])
            files.check_svg(figures[1])
            self.assertTrue(files.read(figures[2]).startswith(b"%PDF"))
        process = self.embed(0, "pca", "--quality", "--labels", self.label_file, "--quiet")
        names = ["trustworthiness@10", "continuity@10", "neighbour preservation@10", "distance correlation",
                 "10-nearest-neighbour accuracy", "silhouette"]
        self.assertEqual([line.rsplit(" ", 1)[0] for line in process.stdout.splitlines()], names)
        process = self.embed(0, "pca", "--quiet")
        self.assertEqual((process.stdout, process.stderr), ("", ""))

    def test_wrong_usage(self):
        for kind, option, value in (("pca", "components", "0"), ("pca", "components", "two"), ("pca", "solver", "fast"),
                                    ("pca", "variance", "half"), ("tsne", "iterations", "-1"),
                                    ("tsne", "dimensions", "4"), ("tsne", "metric", "manhattan"),
                                    ("tsne", "method", "fft"), ("tsne", "threads", "0"), ("tsne", "seed", "1.5"),
                                    ("tsne", "perplexity", "nan"), ("tsne", "perplexity", "0.5"),
                                    ("tsne", "learning-rate", "-1"), ("tsne", "early-exaggeration", "0"),
                                    ("tsne", "late-exaggeration", "-2"), ("tsne", "degrees-of-freedom", "0"), ("pca", "figure", "map.gif"),
                                    ("pca", "variance", "1.5")):
            with self.subTest(option=option, value=value):
                self.expect_line(2, self.embed(2, kind, "--" + option, value), value)
        for arguments in (["pca", self.input, path("out.npy"), "--perplexity", "5"],  # t-SNE's
                          ["tsne", self.input, path("out.npy"), "--whiten"], ["pca", self.input], ["pca"], [],
                          ["umap", self.input, path("out.npy")], ["pca", self.input, path("out.npy"), "more"]):
            with self.subTest(arguments=arguments):
                process = self.expect(2, run("embed", *arguments))
                self.assertIn("Try 'embed --help'.", process.stderr)
                self.assertEqual(process.stdout, "")

    def test_failures(self):
        files.write(path("noise.npy"), b"\x93NUMPY but not really")
        files.write_npy(path("few.npy"), [0, 1, 2], "|u1")
        files.write_npy(path("nan.npy"), [[math.nan, 1.0]] * 20)
        self.expect_line(1, run("embed", "pca", path("none.npy"), path("out.npy")), "none.npy")
        self.expect_line(1, run("embed", "pca", path("noise.npy"), path("out.npy")), "noise.npy")
        self.expect_line(1, run("embed", "pca", path("nan.npy"), path("out.npy")))
        self.expect_line(1, run("embed", "tsne", path("nan.npy"), path("out.npy")))
        self.expect_line(1, run("embed", "pca", self.input, path("no", "folder.npy")), "folder.npy")
        self.expect_line(1, self.embed(1, "pca", "--components", 6), "6")
        self.expect_line(1, self.embed(1, "tsne", "--init", path("few.npy")))
        self.expect_line(1, self.embed(1, "pca", "--labels", path("few.npy"), "--quality"), "3", "60")
        if with_figures:
            process = run("embed", "pca", self.input, path("out.npy"), "--figure", path("no", "map.png"))
            self.expect_line(1, process, "map.png")


class Quickstart(Case):
    def test_it_learns(self):
        process = self.expect(0, run("quickstart", data))
        match = re.fullmatch(r"test accuracy (\d+\.\d\d) %\n", process.stdout)
        self.assertTrue(match, process.stdout)
        self.assertGreater(float(match.group(1)), 60)
        if with_figures:
            files.check_png(path("map.png"))

    def test_it_says_what_is_missing(self):
        process = self.expect(1, run("quickstart", path("nowhere")))
        self.assertEqual(len(process.stderr.splitlines()), 1)
        self.assertIn(path("nowhere"), process.stderr)


def main():
    global folder, examples, data, with_figures
    arguments = sys.argv[1:]
    if "--no-figures" in arguments:
        arguments.remove("--no-figures")
        with_figures = False
    examples = os.path.abspath(arguments.pop(0))
    folder = tempfile.mkdtemp(prefix="dlviz-programs-")
    try:
        data = files.make_dataset(path("data"))
        loader = unittest.defaultTestLoader
        module = sys.modules["__main__"]
        tests = loader.loadTestsFromNames(arguments, module) if arguments else loader.loadTestsFromModule(module)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for _, reason in result.skipped:
        print("SKIP:", reason)
    ran = result.testsRun
    bad = [len({test.id().split(" ")[0] for test, _ in part}) for part in (result.failures, result.errors)]
    print(f"{100 * (ran - sum(bad)) // max(ran, 1)}%: Checks: {ran}, Failures: {bad[0]}, Errors: {bad[1]}")
    return 0 if result.wasSuccessful() and ran else 1


if __name__ == "__main__":
    sys.exit(main())
