"""The program dlviz-train: on folders of images, archives and tables; and dlviz-compare."""
import io
import json
import os
import random
import re
import shutil
import subprocess
import time
import unittest
import zipfile

import files
import programs
from programs import TIMEOUT, Case, history, path, run

EXPECTED = ["history.csv", "model.safetensors", "network.json", "features.npy", "logits.npy", "labels.npy",
            "pca.npy", "tsne.npy", "summary.json", "report.html"]
FIGURES_OF_ROWS = [name for name in programs.FIGURES if not name.startswith("filters")]
SHORT = ["--tsne-iterations", "60", "--quiet"]


def npy_bytes(rows, kind, shape):
    letter = {"<f4": "f", "|u1": "B", "<i8": "q"}[kind]
    return files.npy_header(kind, shape) + files.struct.pack(f"<{len(rows)}{letter}", *rows)


class Training(Case):
    def train(self, out, *arguments, data=None, status=0):
        process = run("dlviz-train", data or self.pictures, "--out", path(out), *arguments)
        return self.expect(status, process)

    def summary(self, out):
        with open(path(out, "summary.json"), encoding="utf-8") as file:
            return json.load(file)

    def page(self, out):
        return files.read_page(path(out, "report.html"))


class Sources(Training):
    """Data that are no folders of pictures."""

    def test_mnists_files(self):
        self.train("idx", "--epochs", 1, *SHORT, data=programs.data)
        dataset = self.summary("idx")["dataset"]
        self.assertEqual((dataset["test"], dataset["input"]), (200, [1, 28, 28]))
        self.assertNotIn("names", self.page("idx"))

    def test_cifars_files(self):
        noise = random.Random(6)
        os.makedirs(path("cifar", "cifar-10-batches-bin"))
        for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
            content = b"".join(bytes([i % 10]) + noise.randbytes(3072) for i in range(30))
            files.write(path("cifar", "cifar-10-batches-bin", name), content)
        self.train("cifar-run", "--epochs", 1, "--network", "mlp", *SHORT, data=path("cifar"))
        dataset = self.summary("cifar-run")["dataset"]
        self.assertEqual((dataset["name"], dataset["train"], dataset["test"], dataset["input"]),
                         ("CIFAR-10", 135, 30, [3, 32, 32]))
        self.assertEqual(dataset["classes"][0], "airplane")

    def test_an_archive(self):
        images, labels = files.make_images(300, seed=3)
        pixels = [value for image in images for value in image]
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x_train.npy", npy_bytes(pixels[:200 * 784], "|u1", (200, 28, 28, 1)))
            archive.writestr("y_train.npy", npy_bytes(labels[:200], "<i8", (200, 1)))
            archive.writestr("x_test.npy", npy_bytes(pixels[200 * 784:], "|u1", (100, 28, 28, 1)))
            archive.writestr("y_test.npy", npy_bytes(labels[200:], "<i8", (100, 1)))
        files.write(path("data.npz"), content.getvalue())
        self.train("npz", "--epochs", 1, *SHORT, data=path("data.npz"))
        self.assertEqual(list(self.expect_npy(path("npz", "labels.npy"), "|u1", (100,))), labels[200:])
        process = self.train("never", "--labels", "y_test", data=path("data.npz"), status=1)
        self.expect_line(1, process, "--labels y_test", "in parts, x_train and y_train", "without --labels")

    def test_options_without_meaning_for_the_data(self):
        files.write(path("rows.csv"), b"x,label\n1,a\n2,b\n3,a\n")
        table, pictures = path("rows.csv"), programs.data
        for data, option, value in ((table, "image-size", 32), (table, "channels", 3), (table, "memory-limit", "1G"),
                                    (table, "skip-unreadable", None), (pictures, "labels", "y"),
                                    (pictures, "channels", 1), (pictures, "ignore", "x"),
                                    (table, "test-folder", path()), (pictures, "test-folder", path())):
            with self.subTest(option=option, data=data):
                process = self.train("never", f"--{option}", *([value] if value else []), data=data, status=2)
                self.expect_line(2, process, f"--{option} is for")
                self.assertFalse(os.path.exists(path("never")))

    def archive(self, name, **arrays):
        """Each a list of rows of floats, or of whole numbers."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for array, rows in arrays.items():
                if isinstance(rows[0], list):
                    numbers, kind, shape = [value for row in rows for value in row], "<f4", (len(rows), len(rows[0]))
                else:
                    numbers, kind, shape = rows, "<i8", (len(rows),)
                archive.writestr(array + ".npy", npy_bytes(numbers, kind, shape))
        files.write(path(name), content.getvalue())
        return path(name)

    def points(self, n, width=4, seed=1):
        noise = random.Random(seed)
        return [[noise.gauss(i % 3, 1) for _ in range(width)] for i in range(n)], [i % 3 for i in range(n)]

    def test_what_is_wrong_with_an_archive(self):
        """Places are those of the arrays, and parts have their names."""
        x, y = self.points(300)
        more, labels = self.points(60)
        odd, infinite = [list(row) for row in x], [list(row) for row in more]
        odd[250][2], infinite[50][0] = float("nan"), float("inf")
        narrow = [row[:3] for row in more]
        for arrays, words in (({"x": odd, "y": y}, ("x[250] has a NaN",)),
                              ({"x_train": odd, "y_train": y}, ("x_train[250] has a NaN",)),
                              ({"x_train": x, "y_train": y, "x_test": infinite, "y_test": labels},
                               ("x_test[50] has an infinite number",)),
                              ({"x_train": x, "y_train": y, "x_test": narrow, "y_test": labels},
                               ("rows of 4 numbers to train on and rows of 3 numbers to test on",)),
                              ({"x_train": x, "y_train": y, "x_val": narrow, "y_val": labels}, ("rows of 3 numbers to validate",)),
                              ({"x_train": x, "y_train": y, "x_test": more, "y_test": labels[:-1] + [-1]},
                               ("sample 59 of those to test on has the label -1",)),
                              ({"x": x, "y": y[:-1] + [-1]}, ("sample 299 has the label -1",)),
                              ({"x": x, "y": [1] * 300}, ("one class alone",)),
                              ({"x": x, "y": y[:-1] + [65534]}, ("there are 65535 classes; up to 65534",)), ({"x": x, "y": [0] * 300}, ("one class alone",))):
            with self.subTest(words=words):
                self.expect_line(1, self.train("never", data=self.archive("wrong.npz", **arrays), status=1), *words)
                self.assertFalse(os.path.exists(path("never")))
        # Nothing can be split off where there is a part to test on.
        process = self.train("never", data=self.archive("one.npz", x_train=x, y_train=y, x_test=more[:1], y_test=labels[:1]),
                             status=1)
        self.expect_line(1, process, "one sample alone to test on")
        self.assertNotIn("--test", process.stderr)

    def test_what_is_left_aside_is_said(self):
        x, y = self.points(90)
        arguments = ["--epochs", 1, "--tsne-iterations", 30]
        process = self.train("half", *arguments, data=self.archive("half.npz", x_train=x, y_train=y, x_test=x[:40]))
        self.assertIn("'x_test' is left aside: there is no 'y_test' with it\n", process.stdout)
        data = self.archive("parts.npz", x_train=x, y_train=y, x_test=x[:40], y_test=y[:40], x_val=x[40:], y_val=y[40:])
        process = self.train("parts", *arguments, "--validation", 0, "--test", 0.5, data=data)
        self.assertIn("--validation is left aside: ", process.stdout)
        self.assertIn("--test is left aside: ", process.stdout)
        process = self.train("quiet", *arguments, data=data)
        self.assertNotIn("left aside", process.stdout)
        dataset = self.summary("quiet")["dataset"]
        self.assertEqual([dataset[key] for key in ("train", "validation", "test")], [90, 50, 40])

    def test_schedules_that_end(self):
        """Where a checkpoint is kept for epochs that cannot be, this is said when it is asked for."""
        x, y = self.points(60)
        data = self.archive("few.npz", x=x, y=y)
        for schedule, ends in (("onecycle", True), ("cosine", True), ("plateau", False), ("constant", False)):
            with self.subTest(schedule=schedule):
                arguments = ["--keep-checkpoint", "--tsne-iterations", 10, "--schedule", schedule]
                process = self.train(schedule, "--epochs", 2, *arguments, data=data)
                self.assertEqual("more epochs cannot follow the last of 2" in process.stdout, ends)
                process = self.train(schedule, "--epochs", 3, *arguments, "--resume", data=data, status=1 if ends else 0)
                self.assertEqual("schedule" in process.stderr, ends)

    def test_shares_are_of_all_samples(self):
        x, y = self.points(1000, width=2)
        data = self.archive("thousand.npz", x=x, y=y)
        for validation, test, parts in ((0.9, None, (50, 900, 50)), (0.85, 0.1, (50, 850, 100)), (0.5, 0.45, (50, 500, 450))):
            with self.subTest(validation=validation):
                self.train("shares", "--epochs", 1, "--validation", validation, *(["--test", test] if test else []), "--force",
                           "--tsne-iterations", 0, "--quiet", data=data)
                dataset = self.summary("shares")["dataset"]
                self.assertEqual([dataset[key] for key in ("train", "validation", "test")], list(parts))

        x, y = self.points(60)
        process = self.train("never", "--validation", 0.9, "--test", 0.09, data=self.archive("sixty.npz", x=x, y=y), status=1)
        self.expect_line(1, process, "one sample alone to train on", "--validation")
        self.assertFalse(os.path.exists(path("never")))

    def test_other_numbers_with_the_same_labels_do_not_go_on(self):
        x, y = self.points(90)
        rows = "".join(f"{a},{b},{i % 3}\n" for i, (a, b, *_) in enumerate(x))
        files.write(path("table.csv"), f"a,b,label\n{rows}".encode())
        arguments = ["--keep-checkpoint", *SHORT]
        self.train("table", "--epochs", 1, "--ignore", "a", *arguments, data=path("table.csv"))
        process = self.train("table", "--epochs", 2, "--ignore", "b", "--resume", *arguments, data=path("table.csv"), status=1)
        self.expect_line(1, process, "numbers of the samples", "--force instead of --resume")
        self.train("table", "--epochs", 2, "--ignore", "a", "--resume", *arguments, data=path("table.csv"))
        self.train("array", "--epochs", 1, *arguments, data=self.archive("x.npz", x=x, y=y))
        x[89][3] += 1
        process = self.train("array", "--epochs", 2, "--resume", *arguments, data=self.archive("x.npz", x=x, y=y), status=1)
        self.expect_line(1, process, "numbers of the samples", "--force instead of --resume")

    def test_columns_that_are_wrong(self):
        """Two of one name, one that lacks a label, one to leave out that there is not: each is said, without advice that is
        about another."""
        rows = [f"{i},{i % 3},{i % 2},{i % 2}" for i in range(40)]
        files.write(path("two.csv"), "\n".join(["a,b,label,label", *rows]).encode())
        self.expect_line(1, self.train("never", data=path("two.csv"), status=1), "'label' is the name of 2 columns", '"#3"')
        rows[7] = "7,1,,1"
        files.write(path("lacks.csv"), "\n".join(["a,b,label,c", *rows]).encode())
        process = self.train("never", data=path("lacks.csv"), status=1)
        self.expect_line(1, process, "line 9, column 'label'")
        self.assertNotIn("--ignore", process.stderr)
        rows[7] = "7,,1,1"
        files.write(path("lacks.csv"), "\n".join(["a,b,label,c", *rows]).encode())
        self.expect_line(1, self.train("never", data=path("lacks.csv"), status=1), "line 9, column 'b'", "--ignore NAME")
        process = self.train("never", "--ignore", "nix", data=path("lacks.csv"), status=1)
        self.expect_line(1, process, "there is no column 'nix'", "--ignore NAME")

    def test_a_table(self):
        noise = random.Random(4)
        rows = ["length,width,species,color"]
        for i in range(240):
            kind = i % 3
            rows.append(f"{3 * kind + noise.gauss(0, 1):.3f},{1000 - 500 * kind + noise.gauss(0, 90):.3f},"
                        f"{('setosa', 'versicolor', 'virginica')[kind]},{noise.random():.3f}")
        files.write(path("table.csv"), "\n".join(rows).encode())
        process = self.expect(0, run("dlviz-train", path("table.csv"), "--out", path("table"), "--epochs", 20,
                                     "--tsne-iterations", 50))
        summary = self.summary("table")
        self.assertEqual(summary["dataset"]["classes"], ["setosa", "versicolor", "virginica"])
        self.assertEqual((summary["dataset"]["input"], summary["network"]["name"]), ([3], "mlp"))
        self.assertGreater(summary["test"]["accuracy"], 0.8)
        self.assertRegex(process.stdout, r"(?m)^  the columns +\d")
        page = self.page("table")
        self.assertNotIn("sprite", page)
        kinds = ("setosa", "versicolor", "virginica")  # of a row as the file has it, of a point as the page has it
        numbers = [int(name.removeprefix("row ")) for name in page["names"]]
        self.assertEqual([page["classes"][label] for label in files.unpack(page["labels"], "B")],
                         [kinds[(number - 1) % 3] for number in numbers])
        self.assertEqual(len(set(numbers)), 48)
        self.assertIn("column 'species' (--labels", process.stdout)
        self.assertIn("batches of 8 instead of 64", process.stdout)  # 168 rows
        self.assertEqual(summary["training"]["batch_size"], 8)
        self.expect_line(1, self.train("never", "--labels", "none", data=path("table.csv"), status=1), "none", "--labels")
        process = self.train("never", "--labels", "species", "--network", "resnet8", data=path("table.csv"), status=2)
        self.expect_line(2, process, "--network resnet8", "mlp")
        process = self.train("never", "--labels", "species", "--augment", "noise,flip", data=path("table.csv"), status=2)
        self.expect_line(2, process, "--augment flip", "rows", "mixup")
        self.assertFalse(os.path.exists(path("never")))

    def test_a_table_with_names(self):
        rows = [f"{i},n{i},{i % 3 + i / 1000},{'abc'[i % 3]}" for i in range(90)]
        files.write(path("named.csv"), "\n".join(["id,name,x,kind", *rows]).encode())
        process = self.train("never", data=path("named.csv"), status=1)
        self.expect_line(1, process, "--labels NAME", "'id', 'name', 'x', 'kind'")
        self.assertNotIn("'y'", process.stderr)
        process = self.train("never", "--labels", "kind", data=path("named.csv"), status=1)
        self.expect_line(1, process, "column 'name'", "--ignore")
        self.train("named", "--labels", "kind", "--ignore", "id", "--ignore", "name", "--epochs", 1, *SHORT,
                   data=path("named.csv"))
        self.assertEqual(self.summary("named")["dataset"]["input"], [1])
        process = self.train("never", "--labels", "kind", "--ignore", "nome", data=path("named.csv"), status=1)
        self.expect_line(1, process, "'nome'", "'name'")
        # A usual name that is left out is not that of the classes.
        rows = [f"{i % 3 + i / 1000},note {i},{'abc'[i % 3]},{'pq'[i % 2]}" for i in range(90)]
        files.write(path("noted.csv"), "\n".join(["x,label,class,y", *rows]).encode())
        for ignored, classes in ((["label", "y"], ["a", "b", "c"]), (["label", "class"], ["p", "q"])):
            words = [word for name in ignored for word in ("--ignore", name)]
            self.train("noted", *words, "--epochs", 1, "--force", *SHORT, data=path("noted.csv"))
            self.assertEqual(self.summary("noted")["dataset"]["classes"], classes)
        words = [word for name in ("label", "class", "y") for word in ("--ignore", name)]
        process = self.train("never", *words, data=path("noted.csv"), status=1)
        self.expect_line(1, process, "--labels NAME says which one")


def temporary(name):
    """What a file is called while it is written: with a hash of its name (FNV-1a), and a random number."""
    number = 0xcbf29ce484222325
    for byte in name.encode():
        number = (number ^ byte) * 0x100000001b3 % 2 ** 64
    return f".dlviz-{number:016x}-0123456789abcdef.tmp"


class Replacing(Training):
    def test_a_film_takes_the_place_of_an_earlier_one(self):
        """Its permissions stay, and a link to it; what a killed run had begun is removed, and nothing else."""
        rows = [f"{i % 3 + random.Random(i).random():.4f},{i % 5},{'xyz'[i % 3]}" for i in range(90)]
        files.write(path("rows.csv"), ("a,b,kind\n" + "\n".join(rows) + "\n").encode())
        arguments = ["--labels", "kind", "--tsne-iterations", 10, "--perplexity", 5, "--keep-checkpoint"]
        self.train("out", *arguments, "--epochs", 1, data=path("rows.csv"))
        os.makedirs(path("elsewhere"))
        os.replace(path("out", "film.safetensors"), path("elsewhere", "real"))
        os.chmod(path("elsewhere", "real"), 0o604)
        os.symlink(path("elsewhere", "real"), path("out", "film.safetensors"))
        earlier = files.read(path("elsewhere", "real"))
        for name in (temporary("real"), temporary("other"), "real.part"):
            files.write(path("elsewhere", name), b"half a film")
        self.train("out", *arguments, "--epochs", 2, "--resume", data=path("rows.csv"))
        self.assertEqual(sorted(os.listdir(path("elsewhere"))), [temporary("other"), "real", "real.part"])
        self.assertEqual(os.stat(path("elsewhere", "real")).st_mode & 0o777, 0o604)
        self.assertTrue(os.path.islink(path("out", "film.safetensors")))
        self.assertNotEqual(files.read(path("elsewhere", "real")), earlier)
        self.assertEqual(self.summary("out")["training"]["epochs"], 2)


class Train(Training):
    @classmethod
    def setUpClass(cls):
        if not programs.with_images:
            raise unittest.SkipTest("built without PNG")
        cls.pictures = files.make_pictures(path("pictures"), 60)

    def test_a_folder_of_pictures(self):
        process = self.train("shapes", "--epochs", 3, "--tsne-iterations", 100)
        self.assertEqual(process.stderr, "")
        names = [f"{name}.{kind}" for name in ("training", "pca", "tsne", "confusion", "filters") for kind in ("png", "svg")]
        self.assertEqual(sorted(os.listdir(path("shapes"))), sorted(EXPECTED + (names if programs.with_figures else [])))
        summary = self.summary("shapes")
        self.assertEqual(summary["dataset"], {"name": "pictures", "folder": self.pictures, "train": 126, "validation": 18,
                                              "test": 36, "input": [3, 16, 16],
                                              "classes": ["circle", "square", "stripes"]})
        self.assertGreater(summary["test"]["accuracy"], 0.6)
        page = self.page("shapes")
        self.assertEqual((page["title"], page["classes"]), ("pictures", ["circle", "square", "stripes"]))
        self.assertEqual((page["sprite"]["width"], page["sprite"]["channels"]), (16, 3))
        # Stratified, and each point is the file that its name says.
        labels = files.unpack(page["labels"], "B")
        self.assertEqual([labels.count(i) for i in range(3)], [12, 12, 12])
        self.assertEqual([name.split("/")[0] for name in page["names"]], [page["classes"][label] for label in labels])
        self.assertEqual(len(set(page["names"])), 36)
        # The model knows what its data were.
        content = files.read(path("shapes", "model.safetensors"))
        header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
        data = json.loads(header["__metadata__"]["dlviz.network"])["data"]
        self.assertEqual(data["class_names"], ["circle", "square", "stripes"])
        self.assertRegex(process.stdout, r"(?m)^pictures: 126 images to train on, 18 to validate, 36 to test$")

    def test_networks(self):
        for network, layers in (("resnet8", "layer3.sum"), ("mlp", "fc3")):
            self.train(network, "--network", network, "--epochs", 1, *SHORT)
            summary = self.summary(network)
            self.assertEqual(summary["network"]["name"], network)
            self.assertIn(layers, [layer["name"] for layer in summary["network"]["layers"]])
        # One that a run has left, changed by hand: 8 units instead of 512.
        with open(path("mlp", "network.json"), encoding="utf-8") as file:
            network = json.load(file)
        for layer in network["layers"]:
            if layer["name"] == "fc2":
                layer["settings"]["out_features"] = 8
        files.write(path("own.json"), json.dumps(network).encode())
        self.train("own", "--network", path("own.json"), "--epochs", 1, *SHORT)
        summary = self.summary("own")
        self.assertEqual((summary["network"]["layer"], summary["network"]["features"]), ("dropout2", 8))
        self.expect_npy(path("own", "features.npy"), "<f4", (36, 8))
        network["layers"][-1]["settings"]["out_features"] = 5
        files.write(path("five.json"), json.dumps(network).encode())
        process = self.train("never", "--network", path("five.json"), status=1)
        self.expect_line(1, process, "'fc3'", "5 numbers", "3 classes")
        files.write(path("torn.json"), b'{"input": [3,')
        self.expect_line(1, self.train("never", "--network", path("torn.json"), status=1), "torn.json", "JSON")
        process = self.train("never", "--network", path("own.json"), "--channels", 1, status=1)
        self.expect_line(1, process, "--channels 1: ", "own.json", "3")
        with zipfile.ZipFile(path("gray.npz"), "w") as archive:
            archive.writestr("x.npy", npy_bytes([i % 7 / 7 for i in range(30 * 256)], "<f4", (30, 1, 16, 16)))
            archive.writestr("y.npy", npy_bytes([i % 3 for i in range(30)], "<i8", (30,)))
        process = self.train("never", "--network", path("own.json"), data=path("gray.npz"), status=1)
        self.expect_line(1, process, "own.json' takes images with 3 channels", "these have 1")
        self.assertNotIn("--channels", process.stderr)
        self.expect_line(2, self.train("never", "--network", "vgg", status=2), "vgg", "resnet8, mlp")
        self.expect_line(1, self.train("never", "--network", "vgg.json", status=1), "vgg.json")
        self.assertFalse(os.path.exists(path("never")))

    def test_settings_of_the_training(self):
        self.train("cosine", "--epochs", 2, "--schedule", "cosine", "--optimizer", "sgd", "--learning-rate", "0.02",
                   "--batch-size", 32, "--augment", "flip,shift=1,noise=0.1", "--network", "mlp", *SHORT)
        training = self.summary("cosine")["training"]
        self.assertEqual([training[key] for key in ("optimizer", "learning_rate", "schedule", "batch_size", "augmentation")],
                         ["SGD", 0.02, "Cosine", 32, "flip,shift=1,noise=0.1"])
        self.assertLess(float(history(path("cosine"))[-1]["lr"]), 0.01)
        self.train("patient", "--epochs", 40, "--patience", 2, "--network", "mlp", *SHORT)
        rows = history(path("patient"))
        best = self.summary("patient")["training"]["best_epoch"]
        losses = [float(row["validation_loss"]) for row in rows]
        self.assertEqual(best, losses.index(min(losses)) + 1)
        self.assertTrue(len(rows) == best + 2 or len(rows) == 40, (len(rows), best))
        self.assertEqual(self.summary("patient")["title"], f"mlp, {len(rows)} epochs")
        frames = [frame["epoch"] for frame in self.page("patient")["runs"][0]["frames"]]
        self.assertEqual((frames[0], frames[-1]), (0, best))

    @unittest.skipUnless(programs.with_figures, "no figures in this build")
    def test_a_rate_that_falls_is_drawn_in_steps(self):
        self.train("steps", "--epochs", 20, "--network", "mlp", "--schedule", "plateau", "--learning-rate", "0.03", *SHORT)
        self.assertGreater(len({row["lr"] for row in history(path("steps"))}), 1)
        paths = re.findall(r' d="M ([0-9. L]+)"', files.read(path("steps", "training.svg")).decode())
        curves = [[tuple(map(float, place.split())) for place in line.split("L")] for line in paths]
        self.assertTrue(any(len({y for _, y in curve}) > 1 and len(curve) > 3 and
                            all(a[0] == b[0] or a[1] == b[1] for a, b in zip(curve, curve[1:])) for curve in curves))

    def test_shares_and_sizes(self):
        self.train("shares", "--epochs", 1, "--validation", 0, "--test", 0.5, "--image-size", "12x14", "--channels", 1,
                   *SHORT)
        dataset = self.summary("shares")["dataset"]
        self.assertEqual([dataset[key] for key in ("train", "validation", "test", "input")], [90, 0, 90, [1, 12, 14]])
        self.assertEqual(history(path("shares"))[0]["validation_loss"], "")

    def test_pictures_in_parts(self):
        parts = path("parts")
        for part, count in (("train", 30), ("test", 12)):
            files.make_pictures(os.path.join(parts, part), count, seed=count)
        self.train("parted", "--epochs", 1, *SHORT, data=parts)
        self.assertEqual(self.summary("parted")["dataset"]["test"], 36)
        # The same, told by an option; a class without images to test on keeps its number.
        shutil.rmtree(os.path.join(parts, "test", "circle"))
        self.train("told", "--epochs", 1, *SHORT, "--test-folder", os.path.join(parts, "test"),
                   data=os.path.join(parts, "train"))
        labels = self.expect_npy(path("told", "labels.npy"), "|u1", (24,))
        self.assertEqual(sorted(set(labels)), [1, 2])
        self.assertEqual(self.summary("told")["dataset"]["classes"], ["circle", "square", "stripes"])
        os.rename(os.path.join(parts, "test", "square"), os.path.join(parts, "test", "star"))
        process = self.train("never", "--test-folder", os.path.join(parts, "test"), data=os.path.join(parts, "train"),
                             status=1)
        self.expect_line(1, process, "'star'", "none to train on")
        shutil.move(os.path.join(parts, "test", "star"), path("loose"))
        process = self.train("never", "--test-folder", path("loose"), data=os.path.join(parts, "train"), status=1)
        self.expect_line(1, process, "the samples of those to test on have no classes", "a folder for each class")

    def test_pictures_of_many_sizes(self):
        mixed = files.make_pictures(path("mixed"), 20)
        files.make_pictures(path("more"), 20, size=24)
        shutil.move(path("more", "circle"), os.path.join(mixed, "circle", "larger"))
        process = self.expect(0, run("dlviz-train", mixed, "--out", path("sized"), "--epochs", 1, "--tsne-iterations", 50))
        self.assertRegex(process.stdout, "different sizes: cropped and scaled to 64 x 64 .*--image-size")
        self.assertEqual(self.summary("sized")["dataset"]["input"], [3, 64, 64])
        self.train("given", "--epochs", 1, "--image-size", 20, *SHORT, data=mixed)
        self.assertEqual(self.summary("given")["dataset"]["input"], [3, 20, 20])

    def test_pictures_that_cannot_be_read(self):
        torn = files.make_pictures(path("torn"), 20)
        file = os.path.join(torn, "square", "003.png")
        files.write(file, files.read(file)[:100])
        self.expect_line(1, self.train("never", data=torn, status=1), "square/003.png", "--skip-unreadable")
        process = self.expect(0, run("dlviz-train", torn, "--out", path("skipped"), "--epochs", 1, "--skip-unreadable",
                                     "--tsne-iterations", 50))
        self.assertRegex(process.stdout, r"(?m)^skipped square/003\.png: ")
        summary = self.summary("skipped")["dataset"]
        self.assertEqual(summary["train"] + summary["validation"] + summary["test"], 59)

    def test_names_of_files_and_networks_need_not_be_text(self):
        odd = files.make_pictures(path("odd"), 20)
        for folder, _, names in os.walk(odd):
            for name in names:
                os.rename(os.path.join(folder, name), os.path.join(folder, os.fsdecode(b"caf\xe9-") + name))
        self.train("plain", "--epochs", 1, *SHORT, data=odd)
        network = path(os.fsdecode(b"r\xe9seau.json"))
        shutil.copy(path("plain", "network.json"), network)
        self.train("named", "--epochs", 1, "--network", network, *SHORT, data=odd)
        self.assertIn("seau.json", self.summary("named")["network"]["name"])
        self.assertTrue(os.path.exists(path("named", "report.html")))

    def test_images_that_are_not_kept_in_memory(self):
        for out, arguments in (("kept", []), ("decoded", ["--memory-limit", "1K"])):
            self.train(out, "--epochs", 1, *arguments, *SHORT)
        self.expect_same(path("kept"), path("decoded"), ["model.safetensors", "tsne.npy", "report.html"])

    def test_wrong_usage(self):
        self.expect_usage(run("dlviz-train"), "folder or file")
        self.expect_usage(run("dlviz-train", self.pictures), "--out DIR")
        self.expect_usage(run("dlviz-train", self.pictures, "more", "--out", path("never")), "'more'")
        for option, value, words in (("image-size", "3", "4 to 4096"), ("image-size", "32x", "48x64"),
                                     ("channels", "2", "1 or 3"), ("schedule", "linear", "plateau, onecycle or cosine"),
                                     ("optimizer", "adamax", "rmsprop"), ("validation", "1.5", "0 to 0.9"),
                                     ("channels", "5", "1 or 3"),
                                     ("perplexity", "2e6", "1 to 1000000"), ("learning-rate", "1e39", "0 to 1e+30"),
                                     ("memory-limit", "much", "500M"), ("epochs", "0", "1 to"), ("network", "resnet18", "report, resnet8, mlp"),
                                     ("learning-rate", "0,001", "0.001"),
                                     ("test-folder", self.pictures, "trained on"),
                                     ("test-folder", os.path.join(self.pictures, "circle"), "trained on"),
                                     ("layer", "relu9", "conv1, bn1")):
            with self.subTest(option=option):
                process = run("dlviz-train", self.pictures, "--out", path("never"), f"--{option}", value)
                self.expect_line(2, process, f"--{option} {value}: ", words)
        for augment, words in (("flop", ("flop", "vertical-flip")), ("shift=1.5", ("shift=1.5", "whole number")),
                               ("shift=1e30", ("shift=1e30", "up to 1000000")),
                               ("flip=2", ("probability",)), ("", ("there is no ''",))):
            with self.subTest(augment=augment):
                process = run("dlviz-train", self.pictures, "--out", path("never"), "--augment", augment)
                self.expect_line(2, process, *words)
        process = run("dlviz-train", self.pictures, "--out", path("never"), "--learning-rate", 0, "--schedule", "onecycle")
        self.expect_line(2, process, "--learning-rate 0: ", "above 0")
        process = run("dlviz-train", self.pictures, "--out", path("never"), "--test", 0.9, "--validation", 0.2)
        self.expect_line(2, process, "--validation 0.2", "--test 0.9", "less than 1")
        self.expect_line(2, run("dlviz-train", self.pictures, "--out", path("never"), "--test", 0.9), "--test 0.9")
        files.write(path("points.npy"), b"")
        self.expect_line(2, run("dlviz-train", path("points.npy"), "--out", path("never")), "points.npy", ".csv")
        self.assertFalse(os.path.exists(path("never")))
        # What is wrong is said first; then that the folder is in use.
        os.makedirs(path("in-use"))
        files.write(path("in-use", "report.html"), b"")
        self.expect_line(1, run("dlviz-train", path("nowhere"), "--out", path("in-use")), "nowhere")
        self.expect_line(2, run("dlviz-train", self.pictures, "--out", path("in-use"), "--layer", "relu9"), "relu9")

    def test_no_sentence_is_for_programmers(self):
        files.make_pictures(path("a-class-empty"), 4)
        os.makedirs(path("a-class-empty", "also"))
        process = self.train("never", data=path("a-class-empty"), status=1)
        self.expect_line(1, process, "'also'", "--skip-unreadable")
        self.assertNotIn("dlviz_", process.stderr)
        process = self.train("never", data=path("dlviz_no_such: 1"), status=1)  # a name of the user's stays
        self.expect_line(1, process, "dlviz_no_such: 1")
        process = self.train("never", data=path("the dog's; dlviz_no_such"), status=1)  # also behind an apostrophe
        self.expect_line(1, process, "/the dog's; dlviz_no_such'")

    def test_results_are_no_data(self):
        os.symlink(self.pictures, path("other-name"))
        for out in (os.path.join(self.pictures, "run"), os.path.join(self.pictures, "a", "b"), self.pictures,
                    path("other-name", "run"), os.path.join("pictures", "run")):
            with self.subTest(out=out):
                process = run("dlviz-train", self.pictures, "--out", out, cwd=os.path.dirname(self.pictures))
                self.expect_line(2, process, out, "read as images")
        self.assertEqual(sorted(os.listdir(self.pictures)), ["circle", "square", "stripes"])

    def test_data_that_are_none(self):
        os.makedirs(path("no-pictures"), exist_ok=True)
        files.make_pictures(path("single"), 10)
        shutil.rmtree(path("single", "circle"))
        shutil.rmtree(path("single", "square"))
        for data, words in ((path("nowhere"), ("nowhere",)), (path("no-pictures"), ("no-pictures",)),
                            (path("single"), ("one class",)), (path("single", "stripes"), ("no classes",))):
            with self.subTest(data=data):
                self.expect_line(1, self.train("never", data=data, status=1), *words)
        self.expect_line(2, self.train("never", "--layer", "relu9", status=2), "relu9", "conv1", "relu5")
        self.assertFalse(os.path.exists(path("never")))

    def test_results_do_not_become_samples(self):
        kept = files.make_pictures(path("kept-apart"), 20)
        for out in (kept, os.path.join(kept, "results"), os.path.join(kept, "circle", "a", "b"),
                    os.path.join(kept, "..", "kept-apart")):
            with self.subTest(out=out):
                self.expect_line(2, run("dlviz-train", kept, "--out", out, *SHORT), f"--out {out}", f"'{kept}'", "beside it")
        os.symlink(kept, path("way-in"))
        self.expect_line(2, run("dlviz-train", kept, "--out", path("way-in", "results"), *SHORT), "way-in/results")
        process = run("dlviz-train", self.pictures, "--test-folder", kept, "--out", os.path.join(kept, "x"), *SHORT)
        self.expect_line(2, process, "--out")
        self.assertEqual(sorted(os.listdir(kept)), ["circle", "square", "stripes"])
        # Beside the parts of a whole nothing is read; nor is it where the name merely begins alike.
        for part in ("train", "test"):
            files.make_pictures(path("whole", part), 12, seed=7)
        self.train("whole/results", "--epochs", 1, *SHORT, data=path("whole"))
        self.train("kept-apart-results", "--epochs", 1, *SHORT, data=kept)

    def test_too_few_samples(self):
        few = files.make_pictures(path("few"), 1)
        self.expect_line(1, self.train("never", *SHORT, data=few, status=1), "one sample alone to test on", "--test SHARE")
        self.assertFalse(os.path.exists(path("never")))

    def test_classes_of_one_sample_each(self):
        rows = [f"{i % 25 + i / 1000},{i},kind {i % 25}" for i in range(75)]
        files.write(path("ones.csv"), "\n".join(["x,y,label", *rows]).encode())
        process = self.expect(0, run("dlviz-train", path("ones.csv"), "--out", path("ones"), "--epochs", 1, "--test", "0.3333",
                                     "--tsne-iterations", 50))
        self.assertEqual(len(set(self.expect_npy(path("ones", "labels.npy"), "|u1", (25,)))), 25)
        self.assertRegex(process.stdout, r"(?m)^  the features .* -$")
        self.assertNotIn("nan", process.stdout)

    def test_names_in_any_script(self):
        odd = path("Bäume 森")
        files.make_pictures(odd, 20)
        for name, other in (("circle", "tab\there"), ("square", "two\nlines"), ("stripes", "ш" * 120)):
            os.rename(os.path.join(odd, name), os.path.join(odd, other))
        self.train("odd-names", "--epochs", 1, "--network", "mlp", *SHORT, data=odd)
        page = self.page("odd-names")
        self.assertEqual((page["title"], page["classes"]), ("Bäume 森", ["tab\there", "two\nlines", "ш" * 120]))
        self.assertEqual(self.summary("odd-names")["dataset"]["name"], "Bäume 森")
        if programs.with_figures:
            self.assertIn("Bäume 森: ".encode(), files.read(path("odd-names", "tsne.svg")))
        # A name is cut between characters, and labels of a table may be as long as they like.
        files.write(path("long.csv"), ("x,label\n" + "".join(f"{i},{'ab'[i % 2] * 5000}\n" for i in range(40))).encode())
        self.train("long-labels", "--epochs", 1, *SHORT, data=path("long.csv"))
        os.rename(odd, path("ж" * 60))
        self.train("long-name", "--epochs", 1, "--network", "mlp", *SHORT, data=path("ж" * 60))
        self.assertEqual(self.page("long-name")["title"], "ж" * 30 + "…")

    def test_an_interrupted_run_goes_on(self):
        arguments = ["--epochs", 6, "--network", "mlp", "--patience", 50, "--augment", "flip", "--tsne-iterations", "60"]
        self.train("all-at-once", *arguments)
        with subprocess.Popen([os.path.join(programs.examples, "dlviz-train"), self.pictures, "--out", path("in-two"),
                               *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as process:
            for line in process.stdout:
                if line.startswith("epoch  3/6"):
                    process.kill()
                    break
            process.stdout.read()
        process = self.train("in-two", *arguments, status=1)
        self.expect_line(1, process, "an interrupted training", "--resume goes on with it", "--force begins anew")
        process = self.train("in-two", *arguments, "--resume")
        self.assertRegex(process.stdout, r"(?m)^going on (after epoch [2-5]|in epoch [3-6], after batch \d+)$")
        self.expect_same(path("all-at-once"), path("in-two"), ["model.safetensors", "tsne.npy", "report.html"])


    def test_another_run_does_not_go_on(self):
        arguments = ["--network", "mlp", "--keep-checkpoint", *SHORT]
        self.train("kept-on", "--epochs", 1, *arguments)
        for option, value, words in (("--learning-rate", "0.01", ("learning rate", "0.001 in the file and 0.01 here")),
                                     ("--augment", "flip", ("augmentation", '"none" in the file and "flip" here')),
                                     ("--validation", "0.2", ("samples to train on", "126 of mark", "108 of mark"))):
            process = self.train("kept-on", "--epochs", 2, *arguments, option, value, "--resume", status=1)
            self.expect_line(1, process, "settings.json", "--force instead of --resume", *words)
        self.train("kept-on", "--epochs", 2, *arguments, "--resume", "--perplexity", 10)
        process = self.train("kept-on", "--epochs", 1, *arguments, "--resume", status=1)
        self.expect_line(1, process, "--epochs 1: ", "checkpoint.safetensors' has 2 already", "--force")
        self.assertEqual(self.summary("kept-on")["title"], "mlp, 2 epochs")
        process = self.train("kept-on", "--epochs", 3, "--network", "mlp", *SHORT, status=1)
        self.expect_line(1, process, "results of an earlier run", "--resume goes on with more epochs", "--force")
        # What was to be kept is kept, whether or not a run that goes on says so again.
        self.train("kept-on", "--epochs", 3, "--network", "mlp", "--resume", *SHORT)
        self.assertTrue(os.path.exists(path("kept-on", "checkpoint.safetensors")))
        self.train("kept-on", "--epochs", 4, "--network", "mlp", "--resume", *SHORT)


def table(path_):
    """Points in four classes."""
    noise = random.Random(8)
    rows = ["class,a,b,c"] + [f"{i % 4},{','.join(f'{noise.gauss(i % 4 * k % 5, 1):.3f}' for k in (1, 2, 3))}"
                              for i in range(160)]
    files.write(path_, "\n".join(rows).encode())
    return path_


class Folders(Training):
    """What there may be in --out when a run begins, or who."""

    OF_RUN = ["model.safetensors", "features.npy", "tsne.npy"]

    def setUp(self):
        self.arguments = [table(path("t.csv")), "--labels", "class", "--network", "mlp", "--epochs", "2", "--threads", "1",
                          *SHORT[:2]]

    def run_in(self, out, *more, **options):
        return run("dlviz-train", *self.arguments, "--out", path(out), *more, **options)

    def start_in(self, out, *more):
        process = subprocess.Popen([os.path.join(programs.examples, "dlviz-train"), *self.arguments, "--out", path(out),
                                    *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_a_run_that_never_came_to_a_checkpoint(self):
        """What it has left is no result; with --resume or without it, the same command begins anew."""
        self.expect(0, self.run_in("whole", "--keep-checkpoint"))
        for left in ([], ["settings.json"], ["film.safetensors", "settings.json"]):
            for more in ([], ["--resume"]):
                with self.subTest(left=left, more=more):
                    shutil.rmtree(path("begun"), ignore_errors=True)
                    os.mkdir(path("begun"))
                    for name in left:
                        files.write(path("begun", name), files.read(path("whole", name)))
                    process = self.expect(0, self.run_in("begun", *more))
                    line = f"nothing to resume in '{path('begun')}': the training begins\n"
                    self.assertEqual(process.stdout.count(line), len(more))
                    self.expect_same(path("whole"), path("begun"), self.OF_RUN)
                    self.expect_files(path("begun"), figures=FIGURES_OF_ROWS)
        # Results are, whether or not there is such a file beside them.
        files.write(path("begun", "film.safetensors"), files.read(path("whole", "film.safetensors")))
        self.expect_line(1, self.run_in("begun"), "results of an earlier run", "others", "--force replaces them")
        os.mkdir(path("own"))
        files.write(path("own", "pca.npy"), b"somebody's")
        for more in ([], ["--resume"]):
            self.expect_line(1, self.run_in("own", *more), "results of an earlier run: pca.npy;", "--force replaces them")
        self.assertEqual(files.read(path("own", "pca.npy")), b"somebody's")

    def test_files_that_are_the_users_own(self):
        """They have the names of what a run leaves before its first checkpoint; so has a film that a program has saved."""
        self.expect(0, self.run_in("whole", "--keep-checkpoint"))
        film = files.read(path("whole", "film.safetensors"))
        for own in ({"settings.json": b'{"my": 1}'}, {"settings.json": b"[1]"}, {"settings.json": b"no JSON"},
                    {"settings.json": b'{"my": 1}', "film.safetensors": film}, {"film.safetensors": film}):
            for more in ([], ["--resume"]):
                with self.subTest(own=own.keys(), more=more):
                    shutil.rmtree(path("project"), ignore_errors=True)
                    os.mkdir(path("project"))
                    for name, content in own.items():
                        files.write(path("project", name), content)
                    self.expect_line(1, self.run_in("project", *more), *own, "--force replaces")
                    self.assertEqual({name: files.read(path("project", name)) for name in os.listdir(path("project"))}, own)

    def test_a_checkpoint_before_the_last_and_an_earlier_end(self):
        """The film has come to epoch 5 then; one of 4 is the one that a run of 4 makes, to rounding."""
        self.expect(0, self.run_in("four", "--epochs", "4"))
        self.expect(0, self.run_in("five", "--epochs", "5", "--keep-checkpoint"))
        files.write(path("five", "checkpoint.safetensors"), b"half of one")
        process = self.run_in("five", "--epochs", "3", "--resume")
        self.expect(1, process)
        self.assertIn("checkpoint.safetensors.previous' has 4 already", process.stderr)
        self.expect(0, self.run_in("five", "--epochs", "4", "--resume"))
        self.expect_same(path("four"), path("five"), ["model.safetensors", "features.npy"])
        frames = [[frame["epoch"] for frame in self.page(out)["runs"][0]["frames"]] for out in ("four", "five")]
        self.assertEqual(frames, [[0, 1, 2, 3, 4]] * 2)

    def test_the_film_ends_with_the_epoch_that_is_shown(self):
        """With --patience that is the best one, whose network is kept, and not the last."""
        arguments = ["--epochs", "40", "--patience", "2", "--learning-rate", "0.05", "--keep-checkpoint"]
        self.expect(0, self.run_in("patient", *arguments))
        summary, rows = self.summary("patient"), history(path("patient"))
        best = summary["training"]["best_epoch"]
        self.assertLess(best, len(rows))
        self.assertEqual(summary["training"]["epochs"], len(rows))
        frames = self.page("patient")["runs"][0]["frames"]
        self.assertEqual([frame["epoch"] for frame in frames], summary["tsne"]["epochs"])
        self.assertEqual((frames[0]["epoch"], frames[-1]["epoch"]), (0, best))
        self.expect(0, self.run_in("as-long", *arguments[2:], "--epochs", str(best)))
        self.expect_same(path("as-long"), path("patient"), ["model.safetensors", "logits.npy"])

    def test_the_perplexity_that_was_used(self):
        self.expect(0, self.run_in("few"))  # of 32 points, a third of the 31 others
        self.assertAlmostEqual(self.summary("few")["tsne"]["perplexity"], 31 / 3, places=5)
        self.assertIn(["perplexity", "10.3333"], [list(fact) for fact in self.page("few")["runs"][0]["facts"]])
        if programs.with_figures:
            self.assertIn("perplexity 10.3333 ", files.read(path("few", "tsne.svg")).decode())

    def test_one_run_at_a_time_in_a_folder(self):
        process = self.start_in("busy", "--epochs", "100000", "--quiet")
        while not os.path.exists(path("busy", "checkpoint.safetensors")) and process.poll() is None:
            time.sleep(0.05)
        for more in ([], ["--resume"], ["--force"], ["--seed", "9", "--force"]):
            second = self.run_in("busy", *more)
            self.expect_line(1, second, f"'{path('busy')}' is being written by another run", "--out names another")
            found = re.search(r"\(process (\d+)\)", second.stderr)
            self.assertIn(found and int(found[1]), (None, process.pid))
        self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        # With that one's end, the folder is free.
        self.expect_line(1, self.run_in("busy"), "an interrupted training", "--resume goes on with it")
        self.expect(0, self.run_in("busy", "--force"))

    def test_two_runs_that_begin_together(self):
        """The folder is not there yet, or has results: one run's are left, as a whole."""
        for seed in ("0", "9"):
            self.expect(0, self.run_in("seed" + seed, "--seed", seed))
        for _ in range(3):
            both = [self.start_in("raced", "--seed", seed, "--force") for seed in ("0", "9")]
            errors = [process.communicate(timeout=TIMEOUT)[1] for process in both]
            for process, error in zip(both, errors):
                if process.returncode != 0:
                    self.assertEqual(process.returncode, 1, error)
                    self.assertIn("is being written by another run", error)
            self.assertIn(0, [process.returncode for process in both], errors)
            seed = self.summary("raced")["training"]["seed"]
            self.expect_same(path(f"seed{seed}"), path("raced"), [*self.OF_RUN, "report.html"])

    def test_results_of_fewer_epochs_go_with_the_first_checkpoint(self):
        """A run that is killed while it goes on leaves no page of the one before beside its own files."""
        self.expect(0, self.run_in("longer", "--keep-checkpoint"))
        process = self.start_in("longer", "--epochs", "100000", "--resume")
        for line in process.stdout:
            if re.match("epoch +5/", line):
                break
        process.kill()
        process.wait()
        left = os.listdir(path("longer"))
        self.assertEqual(sorted(name for name in left if not name.startswith(".dlviz-") and not name.endswith(".previous")),
                         sorted(["history.csv", *programs.CHECKPOINT]))

    @unittest.skipUnless(programs.with_figures, "no figures in this build")
    def test_figures_that_cannot_be_drawn(self):
        """For want of a font, as of memory: all else is written, and no earlier figure stays."""
        files.write(path("fonts.conf"), b"<fontconfig></fontconfig>")
        environment = dict(os.environ, FONTCONFIG_FILE=path("fonts.conf"))
        self.expect(0, self.run_in("drawn"))
        self.assertIn("tsne.png", os.listdir(path("drawn")))
        process = self.run_in("drawn", "--force", env=environment)
        self.expect_line(0, process, "the figures are left out: ", "font")
        self.assertIn("results are in", process.stdout)
        self.expect_files(path("drawn"), figures=[])
        self.assertEqual(self.page("drawn")["title"], "t")

    @unittest.skipUnless(programs.with_figures, "no figures in this build")
    def test_figures_of_an_earlier_network_do_not_stay(self):
        self.expect(0, self.run_in("figures", "--keep-checkpoint"))
        files.write(path("figures", "filters.png"), b"of a network with convolutions")
        self.expect(0, self.run_in("figures", "--resume"))
        self.assertNotIn("filters.png", os.listdir(path("figures")))


class Compare(Case):
    @classmethod
    def setUpClass(cls):
        if not programs.with_images:
            raise unittest.SkipTest("built without PNG")
        cls.pictures = files.make_pictures(path("compared"), 40)
        for out, epochs in (("one", 1), ("two", 2)):
            run("dlviz-train", cls.pictures, "--out", path("pages", out), "--epochs", epochs, "--network", "mlp", *SHORT)
        cls.pages = [path("pages", out, "report.html") for out in ("one", "two")]

    def test_runs_side_by_side(self):
        process = self.expect(0, run("dlviz-compare", path("index.html"), *self.pages))
        self.assertEqual(process.stdout, f"2 pages compared in {path('index.html')}\n")
        page = files.read_page(path("index.html"))
        runs = [files.read_page(name)["runs"][0] for name in self.pages]
        self.assertEqual(page["title"], "compared")
        self.assertEqual([run_["name"] for run_ in page["runs"]], [run_["name"] for run_ in runs])
        self.assertEqual([run_["frames"] for run_ in page["runs"]], [run_["frames"] for run_ in runs])
        self.expect(0, run("dlviz-compare", path("again.html"), *self.pages, "--title", "Two", "--quiet"))
        self.assertEqual(files.read_page(path("again.html"))["title"], "Two")

    def test_what_nobody_can_read(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            program = os.path.join(programs.examples, "dlviz-compare")
            process = subprocess.run([program, path("told.html"), *self.pages], stdout=full, stderr=subprocess.PIPE, text=True,
                                     check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("standard output", process.stderr)
        self.assertTrue(os.path.exists(path("told.html")))

    def test_what_cannot_be_compared(self):
        files.make_pictures(path("others"), 40, seed=2)
        run("dlviz-train", path("others"), "--out", path("pages", "other"), "--epochs", 1, "--network", "mlp", *SHORT)
        other = path("pages", "other", "report.html")
        process = run("dlviz-compare", path("never.html"), self.pages[0], other)
        self.expect_line(1, process, other)
        self.expect_line(1, run("dlviz-compare", path("never.html"), path("pages", "one", "labels.npy")), "labels.npy")
        self.expect_line(1, run("dlviz-compare", path("never.html"), path("nowhere.html")), "nowhere.html")
        self.expect_line(2, run("dlviz-compare", self.pages[0], self.pages[0]), "one file", self.pages[0])
        self.expect_usage(run("dlviz-compare", path("never.html")), "one page or more")

    def test_a_forgotten_first_name_replaces_no_page(self):
        before = files.read(self.pages[0])
        self.expect_line(2, run("dlviz-compare", *self.pages), self.pages[0], "--force")
        self.assertEqual(files.read(self.pages[0]), before)
        files.write(path("old.html"), b"old")
        self.expect(0, run("dlviz-compare", path("old.html"), *self.pages, "--force", "--quiet"))
        self.assertEqual(len(files.read_page(path("old.html"))["runs"]), 2)
        self.assertFalse(os.path.exists(path("never.html")))
        self.assertTrue(re.search(b"</html>", files.read(self.pages[0])))
