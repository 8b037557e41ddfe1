"""The results of the report programs."""
import json
import math
import os
import re

import files
import programs
from programs import FIGURES, QUICK, REPORT, REPORTS, SMALL, Case, history, mnist, path, run


class Results(Case):
    """One run, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.out = path("results")
        cls.process = run(REPORT, "--data", programs.data, "--out", cls.out, *QUICK)

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

    def test_another_program_predicts_with_the_model(self):
        """Size and normalization come with the file: the images are as MNIST's files have them."""
        model, images = os.path.join(self.out, "model.safetensors"), os.path.join(programs.data, "t10k-images-idx3-ubyte")
        lines = self.expect(0, run("predict", model, images)).stdout.split()
        logits = self.npy("logits.npy", "<f4", 200, 10)
        rows = [logits[i:i + 10] for i in range(0, 2000, 10)]
        self.assertEqual([int(line) for line in lines], [row.index(max(row)) for row in rows])
        self.expect_line(1, run("predict", images, images), "t10k-images")
        self.expect_line(1, run("predict", model, model), "model.safetensors")
        self.expect(2, run("predict"))

    def test_many_threads_serve_the_model(self):
        model, images = os.path.join(self.out, "model.safetensors"), os.path.join(programs.data, "t10k-images-idx3-ubyte")
        lines = self.expect(0, run("serve", model, images, 3)).stdout.splitlines()
        match = re.fullmatch(r"(\d+) images, threads: 3, \d+ images a second", lines[0])
        self.assertTrue(match, lines)
        self.assertGreaterEqual(int(match.group(1)), 200)
        self.assertRegex(lines[1], r"an answer takes \d+ microseconds \(median\), \d+ \(99 of 100\)")
        self.expect_line(1, run("serve", model, model), "model.safetensors")
        for threads in ("0", "257", "-1", "2x", "", "two", "99999999999999999999"):
            self.expect(2, run("serve", model, images, threads))

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
        self.assertEqual(summary["dataset"], {"name": "images", "folder": programs.data, "train": 550, "validation": 50,
                                              "test": 200, "input": [1, 32, 32],
                                              "classes": [str(i) for i in range(10)]})
        self.assertEqual(summary["command"][1:], ["--data", programs.data, "--out", self.out, *QUICK])
        network = summary["network"]
        self.assertEqual((network["name"], network["parameters"], network["layer"], network["features"]),
                         ("report", 2169194, "relu5", 512))
        self.assertEqual([layer["name"] for layer in network["layers"]][::21], ["conv1", "fc2"])
        with open(os.path.join(self.out, "network.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["layers"], network["layers"])
        training = summary["training"]
        self.assertEqual([training[key] for key in ("optimizer", "learning_rate", "schedule", "epochs",
                                                    "batch_size", "seed")], ["Adam", 1e-3, "constant", 1, 64, 0])
        tsne = summary["tsne"]
        self.assertEqual((tsne["perplexity"], tsne["iterations"]), (30, 60))
        self.assertTrue(0 < tsne["kl_divergence"] < 10, tsne)
        self.assertEqual(tsne["epochs"], [0, 1])
        for whose in ("quality", "untrained", "pixels"):
            quality = tsne[whose]
            self.assertEqual(quality["neighbors"], 10)
            for key in ("trustworthiness", "continuity", "neighbor_preservation", "neighbor_accuracy"):
                self.assertTrue(0 <= quality[key] <= 1, quality)
            for key in ("silhouette", "distance_correlation"):
                self.assertTrue(-1 <= quality[key] <= 1, quality)
        self.assertNotEqual(tsne["quality"], tsne["untrained"])
        self.assertNotEqual(tsne["pixels"], tsne["untrained"])
        self.assertTrue(0 <= summary["test"]["untrained_accuracy"] < 0.5, summary["test"])
        seconds = summary["seconds"]
        stages = ["load", "train", "evaluate", "pca", "tsne", "pixels", "quality", "neighbors", "figures", "page"]
        self.assertEqual(sorted(seconds), sorted(stages + ["total"]))
        self.assertAlmostEqual(seconds["total"], sum(seconds[stage] for stage in stages), delta=1e-6)
        self.assertAlmostEqual(training["images_per_second"] * training["seconds"], 550, delta=550)
        self.assertTrue(20 < summary["peak_memory_mb"] < 20000, summary["peak_memory_mb"])
        self.assertGreaterEqual(summary["threads"], 1)
        self.assertIn(summary["isa"], ("generic", "avx2", "avx512", "neon"))
        self.assertIn("BLAS", summary["blas"])
        version = run(REPORT, "--version").stdout.split()
        self.assertEqual(summary["version"], version[-1])

    def test_summary_is_for_people(self):
        """Numbers of a list have one line, and so has a layer."""
        with open(os.path.join(self.out, "summary.json"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertLess(len(lines), 150)
        ratios = [line for line in lines if "explained_variance_ratio" in line]
        self.assertEqual(len(json.loads("{" + ratios[0].strip().rstrip(",") + "}")["explained_variance_ratio"]), 50)
        self.assertEqual(sum(line.strip().startswith('{"name": ') for line in lines), 22)

    def test_the_page_is_about_this_run(self):
        page, summary = files.read_page(os.path.join(self.out, "report.html")), self.summary()
        self.assertEqual((page["title"], page["n"], page["classes"]), ("images", 200, [str(i) for i in range(10)]))
        self.assertEqual(files.unpack(page["labels"], "B"), self.npy("labels.npy", "|u1", 200))
        self.assertEqual((page["sprite"]["width"], page["sprite"]["height"]), (28, 28))
        (run_,) = page["runs"]
        self.assertEqual(run_["name"], summary["title"])
        self.assertEqual((run_["maps"], run_["layer"]), (["t-SNE", "PCA"], "relu5"))
        self.assertEqual([frame["epoch"] for frame in run_["frames"]], [0, 1])
        logits = self.npy("logits.npy", "<f4", 200, 10)
        expected = [row.index(max(row)) for row in (logits[i:i + 10] for i in range(0, 2000, 10))]
        self.assertEqual(list(files.unpack(run_["frames"][-1]["predictions"], "B")), expected)
        self.assertAlmostEqual(run_["frames"][0]["accuracy"], summary["test"]["untrained_accuracy"], delta=1e-6)
        measures = {measure["name"]: measure for measure in run_["measures"]}
        right = measures["right class by neighbors in the map"]
        for key, whose in (("value", "quality"), ("untrained", "untrained"), ("pixels", "pixels")):
            self.assertAlmostEqual(right[key], 100 * summary["tsne"][whose]["neighbor_accuracy"], delta=1e-6)
        self.assertEqual([layer["name"] for layer in run_["layers"] if layer["name"] != "input"],
                         [layer["name"] for layer in summary["network"]["layers"]])
        # The film's last map is the run's: a point lies where tsne.npy has it, up to scale and place.
        xy = files.unpack(run_["frames"][-1]["maps"][0], "H")
        tsne = self.npy("tsne.npy", "<f4", 200, 2)
        for axis in range(2):
            ours, theirs = xy[axis::2], tsne[axis::2]
            order = sorted(range(200), key=lambda i: theirs[i])
            places = [ours[i] for i in order]
            self.assertEqual(places, sorted(places), f"axis {axis}")
        # Neighbors are those of the features.
        features = self.npy("features.npy", "<f4", 200, 512)
        rows = [features[i:i + 512] for i in range(0, 200 * 512, 512)]
        indices = files.unpack(run_["neighbors"]["indices"], "H")
        for i in (0, 77, 199):
            distances = sorted((sum((x - y) ** 2 for x, y in zip(rows[i], row)), j)
                               for j, row in enumerate(rows) if j != i)
            self.assertEqual(set(indices[10 * i:10 * i + 10]), {j for _, j in distances[:10]})

    def test_figures_are_whole(self):
        if not programs.with_figures:
            self.skipTest("built without figures")
        for name in FIGURES:
            (files.check_png if name.endswith(".png") else files.check_svg)(os.path.join(self.out, name))

    def test_piped_output_is_plain(self):
        text = self.process.stdout + self.process.stderr
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), repr(text))
        self.assertEqual(self.process.stderr, "")
        epochs = re.findall(r"^epoch  1/1  loss \d\.\d{4} acc [\d.]+%  val loss \d\.\d{4} acc [\d.]+%.*  \d+:\d\d$",
                            text, re.M)
        self.assertEqual(len(epochs), 1, text)
        self.assertLess(max(map(len, text.replace(self.out, "").splitlines())), 80)
        self.assertRegex(text, r"(?m)^fc1 +linear +512 +2097664$")
        self.assertRegex(text, r"(?m)^test accuracy \d+\.\d\d %, loss \d")
        summary = self.summary()
        for whose, key in (("the features", "quality"), ("the untrained network", "untrained"), ("the pixels", "pixels")):
            right = f"{100 * summary['tsne'][key]['neighbor_accuracy']:.2f}"
            self.assertRegex(text, rf"(?m)^  {whose} +{re.escape(right)} %")
        self.assertTrue(text.rstrip().endswith(f"results and figures are in {self.out}; open {self.out}/report.html"), text)

    def test_compressed_data_give_the_same(self):
        packed, out = files.make_dataset(path("packed"), compress=True), path("packed-out")
        self.expect(0, run(REPORT, "--data", packed, "--out", out, *QUICK))
        self.expect_same(self.out, out, ["model.safetensors", "tsne.npy", "logits.npy", "pca.npy"])

    def test_layer_says_where_features_are_taken(self):
        out = path("layer")
        self.expect(0, run(REPORT, "--data", programs.data, "--out", out, *QUICK, "--layer", "fc2", "--quiet"))
        self.expect_same(self.out, out, ["model.safetensors", "logits.npy"])
        self.assertEqual(files.read(os.path.join(out, "features.npy")),
                         files.read(os.path.join(out, "logits.npy")))

    def test_quiet_prints_nothing(self):
        process = self.expect(0, run(REPORT, "--data", programs.data, "--out", path("quiet"), *SMALL, "--epochs", 1,
                                     "--quiet"))
        self.assertEqual((process.stdout, process.stderr), ("", ""))


class Experiments(Case):
    def test_each_program_runs_its_own(self):
        for program, (name, rate, epochs) in REPORTS.items():
            with self.subTest(program):
                self.expect(0, run(program, "--data", programs.data, *SMALL, "--epochs", 1))
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
        environment = dict(os.environ, DLVIZ_DATA_DIR=programs.data)
        self.expect(0, run(REPORT, "--out", path("environment"), *SMALL, "--epochs", 1, env=environment))
        del environment["DLVIZ_DATA_DIR"]
        environment["XDG_CACHE_HOME"] = path("no-cache")
        process = run(REPORT, *SMALL, "--out", path("never"), env=environment)
        self.expect_line(1, process, path("no-cache", "dlviz", "mnist"))

    def test_threads_change_no_bit(self):
        outs = [path(f"threads{threads}") for threads in (1, 2, 3)]
        for threads, out in enumerate(outs, 1):
            self.expect(0, run(REPORT, "--data", programs.data, "--out", out, *QUICK, "--threads", threads))
        for out in outs[1:]:
            self.expect_same(outs[0], out, ["model.safetensors", "tsne.npy", "features.npy", "pca.npy", "report.html"])
            self.expect_same_history(outs[0], out)

    def test_the_seed_changes_the_result(self):
        outs = [path(f"seed{seed}") for seed in (0, 1)]
        for seed, out in enumerate(outs):
            self.expect(0, run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 1, "--seed", seed))
        self.assertNotEqual(*(files.read(os.path.join(out, "model.safetensors")) for out in outs))

    def test_folder_names_need_not_be_text(self):
        odd = os.fsencode(path("odd")) + b"\xff"
        os.symlink(programs.data, odd)
        self.expect(0, run(REPORT, "--data", os.fsdecode(odd), "--out", path("odd-out"), *SMALL, "--epochs", 1))
        with open(path("odd-out", "summary.json"), encoding="utf-8") as file:
            self.assertTrue(json.load(file)["dataset"]["folder"].endswith("odd?"))
