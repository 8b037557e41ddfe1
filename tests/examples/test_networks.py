"""The examples of other networks and trainings: a residual one, one cycle, an autoencoder, a regression, one for
other programs, one that is asked what it saw, one with PyTorch's features."""
import json
import os
import random
import re
import statistics
import struct

import files
import programs
from programs import Case, path, run


class Networks(Case):
    def test_resnet(self):
        lines = self.expect(0, run("resnet", programs.data, "600", "6")).stdout.splitlines()
        self.assertRegex("\n".join(lines), r"layer2\.sum +add +32 x 14 x 14 +reads layer2\.bn2, layer2\.shortcut_bn")
        match = re.fullmatch(r"test accuracy after 6 epochs of 600 images: (\d+\.\d\d) %", lines[-1])
        self.assertTrue(match, lines[-1])
        self.assertGreater(float(match.group(1)), 20)

    def test_onecycle(self):
        lines = self.expect(0, run("onecycle", programs.data, "600", "4")).stdout.splitlines()
        rates = [re.match(r"epoch \d: learning rate (0\.\d{7}), loss \d\.\d{4}$", line) for line in lines[:-1]]
        self.assertEqual(len(rates), 4)
        self.assertEqual(sorted(rates, key=lambda rate: -float(rate.group(1))), rates)  # at the ends of epochs
        match = re.fullmatch(r"test accuracy (\d+\.\d\d) %", lines[-1])
        self.assertTrue(match, lines[-1])
        self.assertGreater(float(match.group(1)), 20)

    def test_speedrun(self):
        """Each recipe learns something of 600 images; the mean and its error are those of the lines."""
        def lines(*arguments):
            process = run("speedrun", *arguments, "--data", programs.data)
            return self.expect(0, process).stdout.splitlines()

        seconds = r"training (\d+\.\d\d) s, whole (\d+\.\d\d) s"
        for target in ("99.0", "99.4", "99.5"):
            out = lines(target, "--seeds", "3", "--threads", "2")
            runs = [re.fullmatch(rf"seed {i}: (\d+\.\d\d) %, {seconds}", line) for i, line in enumerate(out[:-1])]
            self.assertEqual(len(runs), 3)
            self.assertTrue(all(runs), out)
            accuracies = [float(match.group(1)) for match in runs]
            mean = re.fullmatch(rf"mean of 3: (\d+\.\d{{3}}) ± (\d+\.\d{{3}}) %, {seconds}", out[-1])
            self.assertTrue(mean, out[-1])
            self.assertAlmostEqual(float(mean.group(1)), statistics.mean(accuracies), delta=0.0011)
            self.assertAlmostEqual(float(mean.group(2)), statistics.stdev(accuracies) / 3 ** 0.5, delta=0.0011)
            self.assertGreater(float(mean.group(1)), 20)
            for match in runs:
                self.assertLessEqual(float(match.group(2)), float(match.group(3)))
        one = lines("99.0", "--seeds", "1", "--threads", "1")
        self.assertEqual(len(one), 2)
        self.assertEqual(one[0].split(",")[0], lines("99.0", "--seeds", "1", "--threads", "3")[0].split(",")[0])
        self.assertRegex(one[1], r"mean of 1: \d+\.\d{3} %, training")
        held = lines("99.0", "--seeds", "2", "--validate")
        self.assertRegex(held[1], r"seed 1: \d+\.00 %")  # of 100 images
        self.expect_usage(run("speedrun"), "99.0, 99.4 or 99.5")
        self.expect_usage(run("speedrun", "98"), "'98'")
        self.expect_usage(run("speedrun", "99.0", "99.4"), "99.4")
        self.expect_line(1, run("speedrun", "99.0", "--data", path("absent")), "absent")

    def test_autoencoder(self):
        process = self.expect(0 if programs.with_figures else 1, run("autoencoder", programs.data, "600", "20"))
        match = re.fullmatch(r"mean squared error of a pixel: (0\.\d{4})\n", process.stdout)
        self.assertTrue(match, process.stdout)
        self.assertLess(float(match.group(1)), 0.067)  # what the mean of all digits would have
        if programs.with_figures:
            files.check_png(path("autoencoder.png"))

    def test_export_onnx(self):
        lines = self.expect(0, run("export_onnx")).stdout.splitlines()
        self.assertGreater(float(re.fullmatch(r"bars told: (\d+\.\d) %", lines[0]).group(1)), 95)
        self.assertEqual(lines[1:], ['takes "input": n x 1 x 8 x 8', 'gives "fc": n x 2'])
        model = files.read(path("model.onnx"))
        for name in (b"libdlviz", b"BatchNormalization", b"conv.weight", b"bn.running_var", b"fc"):
            self.assertIn(name, model)
        again = self.expect(0, run("export_onnx", "bars.safetensors", "again.onnx"))
        self.assertEqual(again.stdout.splitlines(), lines[1:])
        self.assertEqual(files.read(path("again.onnx")), model)
        self.assertIn("absent", self.expect(1, run("export_onnx", "absent")).stderr)

    def test_saliency(self):
        process = self.expect(0 if programs.with_figures else 1, run("saliency", programs.data, "600"))
        lines = process.stdout.splitlines()
        self.assertEqual(len(lines), 12)
        for line in lines:
            match = re.fullmatch(r"\d, predicted \d: what the pixels share out is off by (\S+) of (\S+)", line)
            self.assertTrue(match, line)
            self.assertLess(abs(float(match.group(1))), 0.1 * abs(float(match.group(2))) + 0.1)
        if programs.with_figures:
            files.check_png(path("saliency.png"))

    def test_regression(self):
        lines = self.expect(0, run("regression")).stdout.splitlines()
        match = re.match(r"without noise: R2 (0\.\d{4}), mean absolute error (0\.\d{3})", lines[-1])
        self.assertTrue(match, lines[-1])
        self.assertGreater(float(match.group(1)), 0.9)
        self.assertLess(float(match.group(2)), 1)

    def test_finetune(self):
        fixtures = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity", "fixtures")
        model = os.path.join(fixtures, "pretrained.safetensors")
        lines = self.expect(0, run("finetune", model, programs.data, "600", "3")).stdout.splitlines()
        self.assertEqual(lines[:-1], ["new: head.weight", "new: head.bias",
                                      "left: classifier.weight", "left: classifier.bias"])
        match = re.fullmatch(r"test accuracy after 3 epochs of 600 images: (\d+\.\d\d) %", lines[-1])
        self.assertTrue(match, lines[-1])
        self.assertGreater(float(match.group(1)), 60)
        other = os.path.join(fixtures, "kinds.safetensors")
        self.expect_line(1, run("finetune", other, programs.data, "600"), "module.*")

    def test_augment(self):
        process = self.expect(0 if programs.with_figures else 1, run("augment", programs.data, "600", "6"))
        if programs.with_figures:
            match = re.fullmatch(r"test accuracy after 6 epochs: (\d+\.\d\d) %\n", process.stdout)
            self.assertTrue(match, process.stdout)
            self.assertGreater(float(match.group(1)), 60)
            files.check_png(path("augment.png"))

    def test_augment_of_images_of_another_size(self):
        noise = random.Random(1)
        os.makedirs(path("small"))
        for train, count in ((True, 100), (False, 50)):
            images, labels = files.IDX_NAMES[train]
            files.write(path("small", images), struct.pack(">4i", 0x803, count, 12, 20) + noise.randbytes(count * 240))
            files.write(path("small", labels), files.idx_labels([noise.randrange(10) for _ in range(count)]))
        process = self.expect(0 if programs.with_figures else 1, run("augment", path("small"), "100", "1"))
        if programs.with_figures:
            self.assertIn("test accuracy after 1 epochs", process.stdout)
            files.check_png(path("augment.png"))


class Answers(Case):
    def test_what_gives_no_classes_is_refused(self):
        """A network may end with images: a class of these would be a pixel, and they are more numbers than classes."""
        settings = {"out_channels": 2, "kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "bias": False}
        network = {"version": 1, "input": [1, 28, 28], "layers": [{"name": "conv", "type": "conv2d", "settings": settings}],
                   "loss": {"type": "mse"}, "data": {"means": [], "deviations": []}}
        files.write_safetensors(path("images.safetensors"), {"conv.weight": ([2, 1, 3, 3], [0.5] * 18)},
                                {"dlviz.network": json.dumps(network)})
        images = os.path.join(programs.data, "t10k-images-idx3-ubyte")
        for program in ("predict", "serve"):
            process = run(program, path("images.safetensors"), images)
            self.expect_line(1, process, "the model's output is no vector of classes")
            self.assertEqual(process.stdout, "")

    def test_one_number_is_no_class(self):
        network = {"version": 1, "input": [1, 28, 28], "loss": {"type": "mse"},
                   "layers": [{"name": "flat", "type": "flatten"},
                              {"name": "fc", "type": "linear", "settings": {"out_features": 1, "bias": False}}],
                   "data": {"means": [], "deviations": []}}
        files.write_safetensors(path("one.safetensors"), {"fc.weight": ([1, 784], [0.5] * 784)},
                                {"dlviz.network": json.dumps(network)})
        process = run("predict", path("one.safetensors"), os.path.join(programs.data, "t10k-images-idx3-ubyte"))
        self.expect_line(1, process, "the model's output is no vector of classes")
        self.assertEqual(process.stdout, "")
