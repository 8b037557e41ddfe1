"""The programs embed and quickstart."""
import contextlib
import math
import os
import re

import files
import programs
from programs import Case, path, run


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
        for figure in figures if programs.with_figures else []:
            self.embed(0, "tsne", "--iterations", 50, "--labels", self.label_file, "--figure", figure, "--title",
                       "Übung <1> & 2")
        if programs.with_figures:
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
        if programs.with_figures:
            process = run("embed", "pca", self.input, path("out.npy"), "--figure", path("no", "map.png"))
            self.expect_line(1, process, "map.png")


class Quickstart(Case):
    def test_it_learns(self):
        process = self.expect(0 if programs.with_figures else 1, run("quickstart", programs.data))
        match = re.fullmatch(r"test accuracy (\d+\.\d\d) %\n", process.stdout)
        self.assertTrue(match, process.stdout)
        self.assertGreater(float(match.group(1)), 60)
        if programs.with_figures:
            files.check_png(path("map.png"))
        else:
            self.assertIn("draws no figures", process.stderr)

    def test_it_says_what_is_missing(self):
        process = self.expect(1, run("quickstart", path("nowhere")))
        self.assertEqual(len(process.stderr.splitlines()), 1)
        self.assertIn(path("nowhere"), process.stderr)
