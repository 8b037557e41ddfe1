"""The programs embed and quickstart."""
import contextlib
import errno
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile

import files
import programs
from programs import Case, path, run


class Clusters(Case):
    """Three clusters of points, in files."""
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
        process = run("dlviz-embed", kind, self.input, path("out.npy"), *arguments)
        self.expect(status, process)
        self.assertEqual(os.path.exists(path("out.npy")), status == 0)
        return process

    def measures(self, process):
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in process.stdout.splitlines())}

    def map(self, columns):
        return self.expect_npy(path("out.npy"), "<f4", (self.N, columns))

    def drawn(self, name):
        return ["--figure", path(name)] if programs.with_figures else []

    def variance(self, column):
        mean = math.fsum(column) / len(column)
        return math.fsum((x - mean) ** 2 for x in column) / (len(column) - 1)


class Embed(Clusters):
    def test_pca(self):
        process = self.embed(0, "pca", "--components", self.D, *self.drawn("five.png"))
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

    def test_pca_of_a_large_file(self):
        """The result is the same, and of a file that is mapped little is in memory."""
        rows, columns, every = 600000, 100, 997
        large, small = path("large.npy"), path("small.npy")
        if shutil.disk_usage(programs.folder).free < 4 * rows * columns * 4:
            self.skipTest("no room on the disk")
        with open(large, "wb") as file:
            header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".ljust(117) + "\n"
            file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
            start = file.tell()
            file.truncate(start + rows * columns * 4)
            for row in range(0, rows, every):
                file.seek(start + row * columns * 4)
                file.write(struct.pack(f"<{columns}f", *(math.sin(row * (j + 1)) / (j + 1) for j in range(columns))))
        # In a process of its own, whose children are this one.
        code = ("import resource, subprocess, sys; status = subprocess.run(sys.argv[1:]).returncode; "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)")
        program = os.path.join(programs.examples, "dlviz-embed")
        process = subprocess.run([sys.executable, "-c", code, program, "pca", large, path("out.npy"), "--quiet",
                                  "--components", "3", "--threads", "2"], text=True, capture_output=True)
        self.expect(0, process)
        if sys.platform == "linux" and "DLVIZ_TEST_SECOND" not in os.environ:  # which sanitizers and emulators have
            self.assertLess(int(process.stdout) / 1024, 120)
        written = self.expect_npy(path("out.npy"), "<f4", (rows, 3))
        # The same rows in an archive are read.
        with zipfile.ZipFile(small, "w") as archive:
            archive.write(large, "x.npy")
        os.rename(small, path("small.npz"))
        self.expect(0, run("dlviz-embed", "pca", path("small.npz"), path("read.npy"), "--components", 3))
        self.assertEqual(written, self.expect_npy(path("read.npy"), "<f4", (rows, 3)))
        for name in (large, path("small.npz")):
            os.remove(name)

    def test_tsne(self):
        for arguments, columns in (([], 2), (["--dimensions", 1], 1), (["--dimensions", 3, *self.drawn("cube.png")], 3),
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
        names = ["trustworthiness@10", "continuity@10", "neighbor preservation@10", "distance correlation",
                 "10-nearest-neighbor accuracy", "silhouette"]
        self.assertEqual([line.rsplit(" ", 1)[0] for line in process.stdout.splitlines()], names)
        self.assertEqual(process.stderr, "")
        # Three clusters that two components tell apart: each number is that of its name.
        values = self.measures(process)
        for name, low, high in zip(names, (0.8, 0.8, 0.3, 0.5, 0.8, 0.2), (1, 1, 0.9, 1, 1, 0.9)):
            self.assertTrue(low <= values[name] <= high, process.stdout)
        self.assertGreater(values[names[0]], values[names[2]])
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
                          ["umap", self.input, path("out.npy")], ["pca", self.input, path("out.npy"), "more"],
                          # Without meaning for what is read, or beside each other.
                          ["pca", self.input, path("out.npy"), "--array", "x"],
                          ["pca", self.input, path("out.npy"), "--ignore", "x"],
                          ["pca", self.input, path("out.npy"), "--components", 3, "--variance", 0.5]):
            with self.subTest(arguments=arguments):
                process = self.expect(2, run("dlviz-embed", *arguments))
                self.assertIn("Try 'dlviz-embed --help'.", process.stderr)
                self.assertEqual(process.stdout, "")

    def test_ranges_are_what_is_accepted(self):
        """What a refusal names is accepted, to its ends."""
        for kind, option, low, high, least, most in (("pca", "variance", "0", "1", "1e-300", "0.9999999999999999"),
                                                     ("tsne", "perplexity", "0.99", "1000001", "1", "1e6"),
                                                     ("tsne", "learning-rate", "-1", "1.1e12", "0", "1e12"),
                                                     ("tsne", "early-exaggeration", "0", "1.1e6", "1e-300", "1e6"),
                                                     ("tsne", "late-exaggeration", "0", "1.1e6", "1e-300", "1e6"),
                                                     ("tsne", "degrees-of-freedom", "0.049", "10001", "0.05", "1e4")):
            lasting = ["--iterations", 1] if kind == "tsne" else []
            for value in (low, high, "1e39"):
                with self.subTest(option=option, value=value):
                    process = self.embed(2, kind, "--" + option, value, *lasting)
                    self.expect_line(2, process, f"--{option} {value}: a number ")
                    self.assertEqual(low == "0", "above 0" in process.stderr, process.stderr)
                    self.assertEqual(high == "1", "below 1 " in process.stderr, process.stderr)
            for value in (least, most):
                with self.subTest(option=option, value=value):
                    self.embed(0, kind, "--" + option, value, *lasting)

    def test_options_before_the_command(self):
        for words in (["--quality", "pca"], ["--quiet", "pca"], ["--perplexity", "5", "tsne"], ["--none"], ["umap"], []):
            with self.subTest(words=words):
                process = run("dlviz-embed", *words)
                self.expect_usage(process, "the first word is 'pca', 'tsne', 'transform' or 'plot'")
        for words in (["--help"], ["-h"], ["--version"], ["--quiet", "--help"], ["--quality", "--help"]):
            self.expect(0, run("dlviz-embed", *words))

    def test_numbers_far_from_zero(self):
        """Times in seconds and positions in metres keep what tells the rows apart."""
        self.embed(0, "pca")
        expected = self.map(2)
        far = [[1.7e9 + 0.01 * x for x in row] for row in self.rows]
        whole = [[1700000000 + round(1000 * x) for x in row] for row in self.rows]
        for rows, kind, scale in ((far, "<f8", 100), (whole, "<i8", 0.001), (far, ">f8", 100)):
            files.write_npy(path("far.npy"), rows, kind)
            process = self.expect(0, run("dlviz-embed", "pca", path("far.npy"), path("out.npy"), "--quality"))
            self.assertGreater(float(re.search(r"explain (\S+) %", process.stdout).group(1)), 60)
            self.assertGreater(float(re.search(r"trustworthiness@10 (\S+)", process.stdout).group(1)), 0.8)
            for x, y in zip(self.map(2), expected):
                self.assertAlmostEqual(scale * x, y, delta=0.02)
        self.expect(0, run("dlviz-embed", "tsne", path("far.npy"), path("out.npy"), "--perplexity", 5, "--iterations", 20))
        # The angle between rows depends on what would be subtracted.
        process = run("dlviz-embed", "tsne", path("far.npy"), path("out.npy"), "--metric", "cosine", "--perplexity", 5)
        self.expect_line(1, process, "far.npy", "float32", "column 0")

    def test_failures(self):
        files.write(path("noise.npy"), b"\x93NUMPY but not really")
        files.write_npy(path("few.npy"), [0, 1, 2], "|u1")
        files.write_npy(path("nan.npy"), [[math.nan, 1.0]] * 20)
        self.expect_line(1, run("dlviz-embed", "pca", path("none.npy"), path("out.npy")), "none.npy")
        self.expect_line(1, run("dlviz-embed", "pca", path("noise.npy"), path("out.npy")), "noise.npy")
        self.expect_line(1, run("dlviz-embed", "pca", path("nan.npy"), path("out.npy")))
        self.expect_line(1, run("dlviz-embed", "tsne", path("nan.npy"), path("out.npy")))
        self.expect_line(1, run("dlviz-embed", "pca", self.input, path("no", "folder.npy")), "folder.npy")
        self.expect_line(1, self.embed(1, "pca", "--components", 6), "6")
        self.expect_line(1, self.embed(1, "tsne", "--init", path("few.npy")))
        self.expect_line(1, self.embed(1, "pca", "--labels", path("few.npy"), "--quality"), "3", "60")
        if programs.with_figures:
            process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--figure", path("no", "map.png"))
            self.expect_line(1, process, "map.png")


class Labels(Clusters):
    """Labels as people have them: each is drawn and measured, or refused before the work."""

    def label(self, labels, *arguments, kind="<i8", status=0):
        """What embed does with these labels. A refusal is one line, and leaves nothing behind."""
        figure = path("labels.svg")
        for name in (figure, path("out.npy")):
            with contextlib.suppress(FileNotFoundError):
                os.remove(name)
        files.write_npy(path("labels.npy"), labels, kind)
        if programs.with_figures:
            arguments = ["--figure", figure, *arguments]
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("labels.npy"), *arguments)
        self.expect(status, process)
        self.assertEqual(os.path.exists(path("out.npy")), status == 0)
        if programs.with_figures:
            self.assertEqual(os.path.exists(figure), status == 0)
        return process

    def figure(self):
        return files.read(path("labels.svg")) if programs.with_figures else b""

    def test_whole_numbers_of_any_type_and_shape(self):
        expected = self.measures(self.label(self.labels, "--quality", "--quiet", kind="|u1"))
        figure = self.figure()
        column = [[label] for label in self.labels]
        for labels, kind in ((self.labels, "<i8"), (self.labels, "<f4"), (self.labels, "<f8"), (self.labels, ">f8"),
                             (column, "<i8"), (column, "<f8"), ([self.labels], "<i8")):
            with self.subTest(kind=kind, rows=len(labels)):
                process = self.label(labels, "--quality", "--quiet", kind=kind)
                self.assertEqual((self.measures(process), process.stderr), (expected, ""))
                self.assertEqual(self.figure(), figure)

    def test_any_values(self):
        """Not only 0 to 255: the classes are what differs, and the measures are the same."""
        expected = self.measures(self.label(self.labels, "--quality", "--quiet"))
        for values in ((1000, -7, 2 ** 62), (-1, 1, 2), (-3, -2, -1), (0, 255, 256)):
            with self.subTest(values=values):
                process = self.label([values[label] for label in self.labels], "--quality", "--quiet")
                self.assertEqual((self.measures(process), process.stderr), (expected, ""))
        self.label([7 * i for i in range(self.N)])

    def test_noise_is_no_class(self):
        """-1 beside classes from 0: drawn, and left out of what is measured of classes."""
        some = [label if i >= 12 else -1 for i, label in enumerate(self.labels)]
        process = self.label(some, "--quality", "--quiet")
        self.expect_line(0, process, "12 points labeled -1")
        noisy = self.measures(process)
        self.assertGreater(noisy["silhouette"], 0.2)
        # As when those points are not in the map at all.
        self.embed(0, "pca", "--quiet")
        values = self.map(2)
        files.write_npy(path("rest.npy"), [list(values[2 * i:2 * i + 2]) for i in range(12, self.N)])
        files.write_npy(path("rest-labels.npy"), self.labels[12:], "|u1")
        process = run("dlviz-embed", "pca", path("rest.npy"), path("rest-out.npy"), "--labels", path("rest-labels.npy"),
                      "--quality", "--quiet")
        rest = self.measures(self.expect(0, process))
        for name in ("10-nearest-neighbor accuracy", "silhouette"):
            self.assertAlmostEqual(noisy[name], rest[name], delta=2e-4)
        process = self.label([-1] * self.N, "--quality")
        self.assertIn("no 10-nearest-neighbor accuracy", process.stderr)
        self.assertIn("no silhouette", process.stderr)

    def test_what_cannot_be_classes_is_refused(self):
        whole = [float(label) for label in self.labels]
        for labels, kind, words in (([*whole[:-1], 0.5], "<f4", ("label 59", "0.5", "whole numbers")),
                                    ([*whole[:-1], math.nan], "<f8", ("label 59", "nan", "whole numbers")),
                                    ([*whole[:-1], math.inf], "<f4", ("label 59", "inf", "whole numbers")),
                                    ([*whole[:-1], 2.0 ** 24 + 1], "<f8", ("label 59", "1.67772e+07", "integer")),
                                    (self.labels[:-1], "<i8", ("59 labels", "60 points")),
                                    ([[label, label] for label in self.labels], "<i8", ("2 dimensions", "n x 1"))):
            with self.subTest(words=words):
                process = self.label(labels, "--quality", kind=kind, status=1)
                self.expect_line(1, process, *words)
                self.assertEqual(process.stdout, "")
        files.write(path("dates.npy"), files.npy_header("<M8[D]", (self.N,)) + b"a\0\0\0b\0\0\0" * self.N)
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("dates.npy"))
        self.expect_line(1, process, "dates.npy", "<M8[D]", "integers")
        self.assertEqual(process.stdout, "")

    def test_words(self):
        """Each class has its word, in an .npy file of text or of bytes, or one a line."""
        expected = self.measures(self.label(self.labels, "--quality", "--quiet"))
        words = ["ant", "bee", "ça"]  # in the order of their bytes, and one that is no ASCII
        texts = [words[label] for label in self.labels]
        wide = b"".join(text.encode("utf-32-le").ljust(12, b"\0") for text in texts)
        files.write(path("words-u.npy"), files.npy_header("<U3", (self.N,)) + wide)
        swapped = b"".join(text.encode("utf-32-be").ljust(12, b"\0") for text in texts)
        files.write(path("words-b.npy"), files.npy_header(">U3", (self.N,)) + swapped)
        files.write(path("words-s.npy"), files.npy_header("|S4", (self.N,)) +
                    b"".join(text.encode().ljust(4, b"\0") for text in texts))
        files.write(path("words.txt"), "\n".join(texts).encode() + b"\n\n")
        files.write(path("words.csv"), ("kind\r\n" + "\r\n".join(f'"{text}"' for text in texts)).encode())
        for name in ("words-u.npy", "words-b.npy", "words-s.npy", "words.txt", "words.csv"):
            with self.subTest(name=name):
                process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path(name), "--quality",
                              "--quiet", "--html", path("words.html"))
                self.expect(0, process)
                self.assertEqual((self.measures(process), process.stderr), (expected, ""))
                page = files.read_page(path("words.html"))
                self.assertEqual(page["classes"], words)
                self.assertEqual(list(files.unpack(page["labels"], "B")), self.labels)
        # Numbers in text are numbers; a point without a word has no class.
        files.write(path("numbers.txt"), "\n".join(str(label) for label in self.labels).encode())
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("numbers.txt"), "--quality", "--quiet")
        self.assertEqual(self.measures(self.expect(0, process)), expected)
        files.write(path("gaps.txt"), "\n".join([""] * 3 + texts[3:]).encode())
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("gaps.txt"), "--quality", "--quiet")
        self.expect_line(0, process, "3 points labeled -1")
        # A figure takes lines of text, and a word may have what is none.
        files.write(path("tabs.txt"), "\n".join(text + "\t\x85" for text in texts).encode())
        figure = ("--figure", path("tabs.svg")) if programs.with_figures else ()
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("tabs.txt"), "--quiet", *figure)
        self.expect(0, process)
        self.assertTrue(not figure or "ant??" in files.read(path("tabs.svg")).decode())
        files.write(path("few.txt"), "\n".join(texts[1:]).encode())
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("few.txt"))
        self.expect_line(1, process, "59 labels", "60 points")
        files.write(path("cut.npy"), files.read(path("words-u.npy"))[:-5])
        process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path("cut.npy"))
        self.expect_line(1, process, "cut.npy", "cut short")

    def test_empty_lines_at_the_end(self):
        """An empty last line may be a point without a class or a name, or none: no label moves to another point."""
        texts = ["ab"[label > 0] for label in self.labels]
        gaps, digits = [*texts[:-1], ""], [str(label) for label in self.labels]
        some = [*digits[:-1], ""]

        def classes(lines, name="l.csv", status=0):
            files.write(path(name), "".join(line + "\n" for line in lines).encode())
            process = run("dlviz-embed", "pca", self.input, path("out.npy"), "--labels", path(name), "--html", path("l.html"),
                          "--quiet")
            self.expect(status, process)
            if status:
                return process
            page = files.read_page(path("l.html"))
            return [page["classes"][at] if at < len(page["classes"]) else "" for at in files.unpack(page["labels"], "B")]

        for lines in (texts, gaps, some):
            for end in ([], [""], ["", "", ""]):
                with self.subTest(lines=lines[-2:], end=end):
                    self.assertEqual(classes([*lines, *end], "l.txt"), lines)
                    self.assertEqual(classes(["kind", *lines, *end]), lines)
                    self.assertEqual(classes([*lines, *end]), lines)
        self.assertEqual(classes(["kind", *texts[:-1], '""']), gaps)
        self.assertEqual(classes(["", *texts[1:]]), ["", *texts[1:]])
        self.expect_line(1, classes(["kind", *digits[:-1]], status=1), "59 labels", "60 points")
        self.expect_line(1, classes(["kind", *texts[:-2]], status=1), "59 labels", "60 points")
        files.write(path("n.txt"), "".join(f"{word}\n" for word in gaps).encode())
        self.expect(0, run("dlviz-embed", "pca", self.input, path("out.npy"), "--names", path("n.txt"), "--html",
                           path("n.html"), "--quiet"))
        self.assertEqual(files.read_page(path("n.html"))["names"], gaps)

    def test_more_classes_than_colors(self):
        rows = [[float(i % 17), float(i % 23), float(i)] for i in range(300)]
        files.write_npy(path("many.npy"), rows)
        files.write_npy(path("many-labels.npy"), list(range(300)), "<i8")
        arguments = [path("many.npy"), path("many-out.npy"), "--labels", path("many-labels.npy"), "--quality"]
        if programs.with_figures:
            process = run("dlviz-embed", "pca", *arguments, "--figure", path("many.png"))
            self.expect_line(1, process, "300 classes", "256")
            self.assertFalse(os.path.exists(path("many-out.npy")))
        self.expect_line(0, run("dlviz-embed", "pca", *arguments), "silhouette")
        # A page shows more, of numbers as of words.
        self.expect_line(0, run("dlviz-embed", "pca", *arguments, "--html", path("many.html")), "silhouette")
        self.assertEqual(files.read_page(path("many.html"))["classes"], [str(i) for i in range(300)])
        os.remove(path("many-out.npy"))
        files.write_npy(path("most.npy"), [[float(i), float(i * i % 97)] for i in range(65535)])
        for kind in ("", "w"):
            files.write(path("most.txt"), "".join(f"{kind}{i}\n" for i in range(65535)).encode())
            process = run("dlviz-embed", "pca", path("most.npy"), path("many-out.npy"), "--labels", path("most.txt"),
                          "--html", path("many.html"))
            self.expect_line(1, process, "most.txt' has 65535 classes; a page shows up to 65534")
            self.assertFalse(os.path.exists(path("many-out.npy")))

    def test_a_measure_without_meaning_loses_nothing(self):
        for labels in ([4] * self.N, list(range(self.N))):
            process = self.label(labels, "--quality", "--quiet")
            self.expect_line(0, process, "no silhouette", "2 classes")
            self.assertEqual(len(self.measures(process)), 5)
        files.write_npy(path("few.npy"), self.rows[:9])
        files.write_npy(path("few-labels.npy"), self.labels[:9], "|u1")
        figure = ["--figure", path("few.png")] if programs.with_figures else []
        for count, left in ((9, ["distance correlation", "silhouette"]), (2, []), (1, [])):
            files.write_npy(path("few.npy"), self.rows[:count])
            files.write_npy(path("few-labels.npy"), self.labels[:count], "|u1")
            process = run("dlviz-embed", "tsne", path("few.npy"), path("few-out.npy"), "--labels", path("few-labels.npy"),
                          "--quality", "--quiet", "--iterations", 20, *figure)
            self.expect(0, process)
            self.assertEqual(list(self.measures(process)), left)
            self.assertIn(f"no trustworthiness@10: it needs 21 points, there are {count}\n", process.stderr)
            self.expect_npy(path("few-out.npy"), "<f4", (count, 2))
            if figure:
                files.check_png(path("few.png"))
                os.remove(path("few.png"))


class Sources(Clusters):
    """Points out of tables and archives, and what is made of them besides a map."""

    def table(self):
        rows = ["a;b;c;d;e;kind"] + [";".join(f"{x!r}" for x in row) + f";kind {label}"
                                     for row, label in zip(self.rows, self.labels)]
        files.write(path("points.csv"), "\n".join(rows).encode())
        return path("points.csv")

    def archive(self):
        with zipfile.ZipFile(path("points.npz"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(self.input, "x.npy")
            archive.write(self.label_file, "y.npy")
        return path("points.npz")

    def test_tables(self):
        self.embed(0, "pca")
        expected = self.map(2)
        process = run("dlviz-embed", "pca", self.table(), path("out.npy"), "--labels", "kind", "--quality", "--quiet",
                      "--html", path("table.html"))
        self.expect(0, process)
        self.assertEqual(len(self.measures(process)), 6)
        for x, y in zip(self.map(2), expected):
            self.assertAlmostEqual(x, y, delta=1e-5)
        self.assertEqual(files.read_page(path("table.html"))["classes"], ["kind 0", "kind 1", "kind 2"])
        self.expect_line(1, run("dlviz-embed", "pca", self.table(), path("out.npy")), "points.csv", "line 2", "kind")
        self.expect_line(1, run("dlviz-embed", "pca", self.table(), path("out.npy"), "--labels", "none"), "none")

    def test_archives(self):
        self.embed(0, "pca")
        expected = self.map(2)
        self.expect(0, run("dlviz-embed", "pca", self.archive(), path("out.npy"), "--array", "x", "--labels", "y",
                           "--quality"))
        self.assertEqual(self.map(2), expected)
        self.expect_line(1, run("dlviz-embed", "pca", self.archive(), path("out.npy")), "points.npz", "--array", "x, y")
        self.expect_line(1, run("dlviz-embed", "pca", self.archive(), path("out.npy"), "--array", "z"), "z")

    def test_plot_draws_a_map(self):
        self.embed(0, "pca", "--quiet")
        shutil.copy(path("out.npy"), path("drawn.npy"))
        before = files.read(path("drawn.npy"))
        figure = ["--figure", path("drawn.svg")] if programs.with_figures else []
        self.expect(0, run("dlviz-embed", "plot", path("drawn.npy"), "--html", path("drawn.html"), "--labels",
                           self.label_file, "--title", "Drawn", *figure))
        page = files.read_page(path("drawn.html"))
        self.assertEqual((page["title"], page["n"], page["runs"][0]["frames"][0]["epoch"]), ("Drawn", self.N, -1))
        if figure:
            files.check_svg(path("drawn.svg"))
        self.assertEqual(files.read(path("drawn.npy")), before)
        self.expect_usage(run("dlviz-embed", "plot", path("drawn.npy")), "--figure F or --html F")
        self.expect_usage(run("dlviz-embed", "plot", path("drawn.npy"), "more.npy", "--html", path("x.html")), "'more.npy'")
        self.expect_usage(run("dlviz-embed", "plot", path("drawn.npy"), "--perplexity", 5), "--perplexity belongs to tsne")

    def test_the_page(self):
        images = [[(i + x * y) % 256 for y in range(6) for x in range(5)] for i in range(self.N)]
        for name, shape in (("gray.npy", (self.N, 6, 5)), ("hwc.npy", (self.N, 2, 5, 3)), ("chw.npy", (self.N, 3, 2, 5))):
            files.write(path(name), files.npy_header("|u1", shape) + bytes(x for image in images for x in image))
        files.write(path("names.txt"), "\n".join(f"point {i}" for i in range(self.N)).encode())
        for name, size in (("gray.npy", (5, 6, 1)), ("hwc.npy", (5, 2, 3)), ("chw.npy", (5, 2, 3))):
            with self.subTest(name=name):
                self.expect(0, run("dlviz-embed", "tsne", self.input, path("out.npy"), "--iterations", 50, "--html",
                                   path("page.html"), "--images", path(name), "--names", path("names.txt"), "--quiet"))
                page = files.read_page(path("page.html"))
                sprite = page["sprite"]
                self.assertEqual((sprite["width"], sprite["height"], sprite["channels"]), size)
                self.assertEqual(page["names"][7], "point 7")
                self.assertEqual(page["title"], "in.npy")
                indices = files.unpack(page["runs"][0]["neighbors"]["indices"], "H")
                distances = sorted((sum((x - y) ** 2 for x, y in zip(self.rows[0], row)), j)
                                   for j, row in enumerate(self.rows) if j != 0)
                self.assertEqual(list(indices[:10]), [j for _, j in distances[:10]])
        first = files.read(path("page.html"))
        self.expect(0, run("dlviz-embed", "tsne", self.input, path("out.npy"), "--iterations", 50, "--html",
                           path("page.html"), "--images", path("chw.npy"), "--names", path("names.txt"), "--threads", 1))
        self.assertEqual(files.read(path("page.html")), first)

    def test_black_and_white_of_any_scale(self):
        """Pictures whose numbers are of no usual scale are as bright as others."""
        def sprite(kind, letter, white, status=0):
            pixels = [white * ((i + y + x) % 2) for i in range(self.N) for y in range(4) for x in range(3)]
            files.write(path("images.npy"), files.npy_header(kind, (self.N, 4, 3)) + struct.pack(f"<{len(pixels)}{letter}", *pixels))
            process = self.embed(status, "pca", "--html", path("scale.html"), "--images", path("images.npy"))
            return process if status else files.read(path("scale.html")).split(b' id="sprite">')[1].split(b"<")[0]

        expected = sprite("|u1", "B", 255)
        for kind, letter, white in (("<f4", "f", 1), ("<f4", "f", 1.02), ("<f4", "f", 2.5), ("<f4", "f", 255), ("<f8", "d", 4095),
                                    ("<i8", "q", 1), ("<i8", "q", 9), ("<i8", "q", 255), ("|b1", "?", True), ("|u1", "B", 1)):
            with self.subTest(kind=kind, white=white):
                self.assertEqual(sprite(kind, letter, white), expected)
        self.assertNotEqual(sprite("<f4", "f", 128), expected)  # gray
        self.assertNotEqual(sprite("|u1", "B", 128), expected)
        self.expect_line(1, sprite("<f4", "f", math.nan, 1), "images.npy' has NaN in picture 0")

    def test_what_does_not_fit_the_page_is_refused(self):
        files.write(path("few-names.txt"), b"one\ntwo\n")
        files.write(path("few-images.npy"), files.npy_header("|u1", (2, 3, 3)) + bytes(18))
        forever = ["--iterations", 10 ** 9, "--html", path("never.html")]
        arguments = ["dlviz-embed", "tsne", self.input, path("never.npy")]
        self.expect_line(1, run(*arguments, *forever, "--names", path("few-names.txt")), "2 names", "60 points")
        self.expect_line(1, run(*arguments, *forever, "--images", path("few-images.npy")), "2 pictures", "60 points")
        self.expect_line(1, run(*arguments, *forever, "--images", self.input), "2 dimensions", "n x h x w")
        self.expect_usage(run(*arguments, "--images", path("few-images.npy")), "--html")
        self.expect_line(1, run("dlviz-embed", "plot", self.input, "--html", path("never.html")), "5 columns", "1 to 3")
        self.expect_line(2, run(*arguments, "--names", path("few-names.txt"), "--html", path("few-names.txt")), "one file")
        self.assertEqual(files.read(path("few-names.txt")), b"one\ntwo\n")
        self.assertFalse(os.path.exists(path("never.npy")) or os.path.exists(path("never.html")))

    def test_new_points_in_an_old_map(self):
        model, pca, of_another = path("map.safetensors"), path("map.pca.safetensors"), b""
        for reduce in ([], ["--pca", 3], []):
            with self.subTest(reduce=reduce):
                self.embed(0, "tsne", "--iterations", 300, "--perplexity", 8, "--save", model, "--quiet", *reduce)
                old = self.map(2)
                self.assertEqual(os.path.exists(pca), bool(reduce))
                of_another = files.read(pca) if reduce else of_another
                # A point goes where its nearest old points are: those of its own class.
                files.write_npy(path("new.npy"), [[x + 0.01 for x in row] for row in self.rows[:9]])
                figure = ["--figure", path("placed.svg")] if programs.with_figures else []
                process = self.expect(0, run("dlviz-embed", "transform", model, path("new.npy"), path("placed.npy"), *figure,
                                             "--html", path("placed.html")))
                if figure:
                    files.check_svg(path("placed.svg"))
                    for name in (b">new points<", b">points of the map<"):
                        self.assertIn(name, files.read(path("placed.svg")))
                page = files.read_page(path("placed.html"))
                self.assertEqual((page["n"], page["classes"]), (9 + self.N, ["new points", "points of the map"]))
                self.assertEqual(list(files.unpack(page["labels"], "B")), [0] * 9 + [1] * self.N)
                self.assertEqual((page["names"][8], page["names"][9]), ("new: row 9", "map: row 1"))
                self.assertRegex(process.stdout, "^9 points placed in the map")
                placed = self.expect_npy(path("placed.npy"), "<f4", (9, 2))
                for i in range(9):
                    distances = sorted((sum((placed[2 * i + k] - old[2 * j + k]) ** 2 for k in range(2)), j)
                                       for j in range(self.N))
                    self.assertEqual(self.labels[distances[0][1]], self.labels[i])
        # Without the PCA, new points would be taken for what it makes of them where they have as many columns.
        whole = path("whole.safetensors")
        self.embed(0, "tsne", "--iterations", 20, "--pca", self.D, "--save", whole, "--quiet")
        os.remove(path("whole.pca.safetensors"))
        process = run("dlviz-embed", "transform", whole, path("new.npy"), path("never.npy"))
        self.expect_line(1, process, "whole.pca.safetensors' is missing", "whole.safetensors'")
        self.assertFalse(os.path.exists(path("never.npy")))
        # As a run leaves it that was ended between the two files.
        files.write(pca, of_another)
        process = run("dlviz-embed", "transform", model, path("new.npy"), path("never.npy"))
        self.expect_line(1, process, "map.pca.safetensors' is of another map than", "map.safetensors'")
        os.remove(pca)
        os.mkfifo(pca)
        process = run("dlviz-embed", "transform", model, path("new.npy"), path("never.npy"))
        self.expect_line(1, process, "map.pca.safetensors': it is no regular file")
        os.remove(pca)
        self.expect_line(1, run("dlviz-embed", "transform", self.input, path("new.npy"), path("never.npy")), "in.npy")
        process = run("dlviz-embed", "transform", model, path("new.npy"), model)
        self.expect_line(2, process, "T.safetensors and OUT.npy", "one file")
        self.expect_usage(run("dlviz-embed", "transform", model, path("new.npy")), "transform needs")
        self.expect_usage(run("dlviz-embed", "tsne", self.input, path("never.npy"), "--components", 2),
                          "--components belongs to pca, not to tsne")


class Early(Clusters):
    """What can be found wrong before the work is."""

    def refuse(self, status, words, *arguments, tsne=False):
        """A refusal of what would otherwise take for ever."""
        work = ["tsne"] if tsne else ["pca"]
        process = run("dlviz-embed", *work, *arguments, *(["--iterations", 10 ** 9] if tsne else []))
        self.expect_line(status, process, *words)
        self.assertEqual(process.stdout, "")

    def test_outputs_that_cannot_be_written(self):
        os.makedirs(path("folder.npy"), exist_ok=True)
        os.makedirs(path("folder.png"), exist_ok=True)
        for link, target in (("gone.npy", path("nowhere", "x.npy")), ("away.npy", path("folder.npy"))):
            with contextlib.suppress(FileExistsError):
                os.symlink(target, path(link))
        for out, word in ((path("no", "out.npy"), "No such file"), (path("folder.npy"), "folder"), ("", "no file"),
                          (path("folder.npy", ""), "no file"), ("/dev/null", "device"), (path("gone.npy"), "No such"),
                          (path("away.npy"), "folder"), (os.path.join(self.input, "x.npy"), "Not a directory"),
                          (path("x" * 300), "too long")):
            with self.subTest(out=out):
                self.refuse(1, (f"'{out}'", word), self.input, out, tsne=True)
        # Which leads to a pipe that has no name.
        self.refuse(1, ("'/dev/stdout'", "FIFO; a regular file is accepted"), self.input, "/dev/stdout", tsne=True)
        if programs.with_figures:
            for figure, word in ((path("no", "map.png"), "No such file"), (path("folder.png"), "folder")):
                self.refuse(1, (figure, word), self.input, path("out.npy"), "--figure", figure, tsne=True)
            self.refuse(1, ("title", "UTF-8"), self.input, path("out.npy"), "--figure", path("map.png"), "--title",
                        os.fsdecode(b"caf\xe9"), tsne=True)

    def test_texts_of_the_page_that_are_none(self):
        with open(path("none.txt"), "wb") as file:
            file.write(b"".join(b"caf\xe9 %d\n" % i for i in range(self.N)))
        self.refuse(1, ("UTF-8",), self.input, path("out.npy"), "--html", path("page.html"), "--names",
                    path("none.txt"), tsne=True)
        files.write(path("labels.txt"), b"".join(b"caf\xe9 %d\n" % (i % 2) for i in range(self.N)))
        self.refuse(1, ("labels.txt", "UTF-8"), self.input, path("out.npy"), "--html", path("page.html"), "--labels",
                    path("labels.txt"), tsne=True)
        self.refuse(1, ("title", "UTF-8"), self.input, path("out.npy"), "--html", path("page.html"), "--title",
                    os.fsdecode(b"caf\xe9"), tsne=True)

    def test_a_file_has_one_purpose(self):
        own = path("own.npy")
        files.write_npy(own, self.rows)
        before = files.read(own)
        for name, make in (("soft.npy", os.symlink), ("hard.npy", os.link)):
            with contextlib.suppress(FileExistsError):
                make(own, path(name))
        os.makedirs(path("sub"), exist_ok=True)
        for other in (own, "own.npy", "./own.npy", path("sub", "..", "own.npy"), path("soft.npy"), path("hard.npy")):
            with self.subTest(other=other):
                self.refuse(2, ("IN and OUT.npy", f"'{other}'"), own, other, tsne=True)
        self.refuse(2, ("--labels and OUT.npy",), self.input, own, "--labels", own, tsne=True)
        self.refuse(2, ("--init and OUT.npy",), self.input, own, "--init", own, tsne=True)
        if programs.with_figures:
            os.makedirs(path("sub"), exist_ok=True)
            self.refuse(2, ("OUT.npy and --figure",), self.input, path("new.png"), "--figure",
                        path("sub", "..", "new.png"), tsne=True)
            with contextlib.suppress(FileExistsError):
                os.link(own, path("own.png"))
            self.refuse(2, ("IN and --figure",), own, path("out.npy"), "--figure", path("own.png"), tsne=True)
            self.refuse(2, ("--labels and --figure",), self.input, path("out.npy"), "--labels", own, "--figure",
                        path("own.png"), tsne=True)
        self.assertEqual(files.read(own), before)
        # What is only read may be one file: a column of whole numbers is points and labels.
        files.write_npy(path("column.npy"), self.labels, "<i8")
        self.expect(0, run("dlviz-embed", "pca", path("column.npy"), path("out.npy"), "--components", 1, "--labels",
                           path("column.npy")))

    def test_a_file_that_nobody_has_named_is_kept(self):
        """Beside --save the PCA has its place, and there may be something else."""
        other = path("map.pca.safetensors")
        files.write_safetensors(path("foreign"), {"x": ([1], [1.0])}, {"of": "another program"})
        for content in (b"notes", files.read(path("foreign"))):
            for reduce in ([], ["--pca", 3]):
                files.write(other, content)
                self.refuse(1, (f"'{other}'", "--save", "move it away"), self.input, path("out.npy"), "--save",
                            path("map.safetensors"), *reduce, tsne=True)
                self.assertEqual(files.read(other), content)
        self.assertFalse(os.path.exists(path("map.safetensors")))

    def test_settings_that_do_not_go_together(self):
        self.refuse(2, ("--method grid", "1 or 2 dimensions"), self.input, path("out.npy"), "--method", "grid",
                    "--dimensions", 3, tsne=True)
        files.write_npy(path("start.npy"), [[0.5 * i, 1.0] for i in range(self.N)])
        self.refuse(1, ("start.npy", "60 x 2", "60 x 3"), self.input, path("out.npy"), "--init", path("start.npy"),
                    "--dimensions", 3, tsne=True)

    def test_a_lowered_perplexity_is_said(self):
        for asked, used in ((500, "19.7"), (30, "19.7")):
            process = self.embed(0, "tsne", "--perplexity", asked, "--iterations", 20)
            self.expect_line(0, process, f"perplexity {asked} lowered to {used}", "59 neighbors")
            lowered = self.map(2)
            self.assertEqual(self.embed(0, "tsne", "--perplexity", asked, "--iterations", 20, "--quiet").stderr, "")
        process = self.embed(0, "tsne", "--perplexity", 59 / 3, "--iterations", 20)
        self.assertEqual(process.stderr, "")
        self.assertEqual(self.map(2), lowered)

    def test_standard_output_that_is_full(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            process = subprocess.run([os.path.join(programs.examples, "dlviz-embed"), "pca", self.input, path("out.npy")],
                                     stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                                     timeout=programs.TIMEOUT, check=False)
        process.stdout = ""
        self.expect_line(1, process, "standard output", os.strerror(errno.ENOSPC))
        self.map(2)


class Quickstart(Case):
    def test_it_learns(self):
        process = self.expect(0 if programs.with_figures else 1, run("quickstart", programs.data))
        lines = process.stdout.splitlines()
        self.assertRegex(lines[0], "^training for 2 epochs")
        match = re.fullmatch(r"test accuracy (\d+\.\d\d) %", lines[1])
        self.assertTrue(match, process.stdout)
        self.assertGreater(float(match.group(1)), 60)
        self.assertEqual(lines[2:], ["map.png shows the test images as layer relu2 tells them apart"] *
                         programs.with_figures)
        if programs.with_figures:
            files.check_png(path("map.png"))
        else:
            self.assertIn("draws no figures", process.stderr)

    def test_it_says_what_is_missing(self):
        process = self.expect(1, run("quickstart", path("nowhere")))
        self.assertEqual(len(process.stderr.splitlines()), 1)
        self.assertIn(path("nowhere"), process.stderr)
