"""The examples of other networks: a residual one, an autoencoder, a regression."""
import re

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

    def test_autoencoder(self):
        process = self.expect(0 if programs.with_figures else 1, run("autoencoder", programs.data, "600", "20"))
        match = re.fullmatch(r"mean squared error of a pixel: (0\.\d{4})\n", process.stdout)
        self.assertTrue(match, process.stdout)
        self.assertLess(float(match.group(1)), 0.067)  # what the mean of all digits would have
        if programs.with_figures:
            files.check_png(path("autoencoder.png"))

    def test_regression(self):
        lines = self.expect(0, run("regression")).stdout.splitlines()
        match = re.match(r"without noise: R2 (0\.\d{4}), mean absolute error (0\.\d{3})", lines[-1])
        self.assertTrue(match, lines[-1])
        self.assertGreater(float(match.group(1)), 0.9)
        self.assertLess(float(match.group(2)), 1)

    def test_augment(self):
        process = self.expect(0 if programs.with_figures else 1, run("augment", programs.data, "600", "6"))
        if programs.with_figures:
            match = re.fullmatch(r"test accuracy after 6 epochs: (\d+\.\d\d) %\n", process.stdout)
            self.assertTrue(match, process.stdout)
            self.assertGreater(float(match.group(1)), 60)
            files.check_png(path("augment.png"))
