"""What the programs show on a terminal."""
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import files
import programs
from programs import QUICK, REPORT, TIMEOUT, Case, path


class Terminal(Case):
    def on_terminal(self, columns, kind, program, *arguments):
        """(exit status, what appeared on a terminal of that width)"""
        try:
            ours, theirs = pty.openpty()
        except OSError:
            self.skipTest("no pseudo-terminal can be opened here")
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen([os.path.join(programs.examples, program), *map(str, arguments)], cwd=programs.folder,
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
                status, text = self.on_terminal(columns, "xterm", REPORT, "--data", programs.data, "--out", path(f"pty{columns}"),
                                                *self.ARGUMENTS)
                self.assertEqual(status, 0, text)
                drawn = re.findall(r"\r([^\r\n\033]+)\033\[K", text)
                self.assertGreater(len(drawn), 2, repr(text))
                for line in drawn:
                    self.assertRegex(line, r"^(epoch  [12]/2|[a-zA-Z][a-zA-Z-]+( [a-z]+)*)( |$)")
                    self.assertLess(len(line), columns, line)
                batches = [line for line in drawn if line.startswith("epoch") and "left" in line]
                self.assertTrue(batches)
                for line in batches:  # the time left is the last thing to go
                    self.assertRegex(line, r"  \d+:\d\d left$")
                if columns == 120:
                    self.assertRegex(batches[0], r"\[#*\.*\]  loss \d.*, accuracy .* %, \d+ images/s  \d+:\d\d left$")
                # It is wiped before a plain line is printed.
                self.assertNotRegex(text, r"left\033\[K\n")
                self.assertRegex(text, r"\r\033\[Kepoch  2/2 .* acc .*\n")
                self.assertTrue({line.split(" [")[0] for line in drawn} & {"figures", "film", "attributions"}, drawn)
                self.assertEqual(re.sub(r"\r[^\r\n]*\033\[K", "", text).count("\r"), 0)

    def test_a_dumb_terminal_has_none(self):
        status, text = self.on_terminal(80, "dumb", REPORT, "--data", programs.data, "--out", path("dumb"), *self.ARGUMENTS)
        self.assertEqual(status, 0, text)
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), repr(text))

    def test_quiet_holds_on_a_terminal(self):
        status, text = self.on_terminal(80, "xterm", REPORT, "--data", programs.data, "--out", path("hush"),
                                        *self.ARGUMENTS, "--quiet")
        self.assertEqual((status, text), (0, ""))

    def test_embed_has_one_too(self):
        files.write_npy(path("line.npy"), [[float(i), float(i * i % 37)] for i in range(3000)])
        arguments = ["dlviz-embed", "tsne", path("line.npy"), path("line-out.npy"), "--iterations", "600"]
        status, text = self.on_terminal(80, "xterm", *arguments)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"\rt-SNE .*iteration \d+/600, KL divergence .*\033\[K")
        self.assertRegex(text, r"\r\033\[KKL divergence \d")
        status, text = self.on_terminal(80, "dumb", *arguments)
        self.assertRegex(text, r"^KL divergence \d[^\r\033]*$")
