"""The script reproduce.sh, with programs in the place of those that build, fetch and train; and get_mnist.sh."""
import os
import re
import shutil
import subprocess

import files
import programs
from programs import Case, path

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")

# Writes down what it was started with, and leaves what an experiment does.
EXPERIMENT = r"""#!/bin/sh
printf '%s' "${0##*/}" >> "$LOG"
printf ' %s' "$@" >> "$LOG"
echo >> "$LOG"
out=
while [ $# -gt 0 ]; do
    [ "$1" != --out ] || out=$2
    shift
done
echo '{}' > "$out/summary.json"
"""
COMPARE = r"""#!/bin/sh
[ "$1" != --quiet ] || shift
[ ! -e "$1" ] || exit 2
echo 'the page' > "$1"
"""


class Reproduce(Case):
    def setUp(self):
        """The script in a folder of its own, with nothing of what it would do for real."""
        self.caller = path("caller")
        for name in ("examples", "bin", "caller/built/examples", "build/examples"):
            os.makedirs(path(name))
        for name in ("reproduce.sh", "common.sh"):
            shutil.copy(os.path.join(SOURCES, name), path("examples", name))
        files.write(path("examples", "get_mnist.sh"), b'#!/bin/sh\nprintf "%s\\n" "${1:-/fetched}"\n')
        with open(path("examples", "common.sh"), "a", encoding="ascii") as file:
            file.write("require_packages() { :; }\n")
        for build in ("build", "caller/built"):
            files.write(path(build, "build.ninja"), b"")
            for name in programs.REPORTS:
                self.program(path(build, "examples", name), EXPERIMENT)
            self.program(path(build, "examples", "dlviz-compare"), COMPARE)
        self.program(path("bin", "python3"), "#!/bin/sh\nexit 1\n")  # the table has "-" for what it would read
        for name in ("ninja", "meson"):
            self.program(path("bin", name), '#!/bin/sh\necho "%s $*" >> "$LOG"\n' % name)

    def program(self, name, text):
        files.write(name, text.encode())
        os.chmod(name, 0o755)

    def reproduce(self, status, *arguments, **environment):
        """What was started, line by line, and the process."""
        files.write(path("log"), b"")
        variables = dict(os.environ, PATH=path("bin") + ":" + os.environ["PATH"], LOG=path("log"), **environment)
        if not environment:
            variables.pop("BUILD_DIR", None)
        process = subprocess.run(["sh", path("examples", "reproduce.sh"), *arguments], cwd=self.caller, env=variables,
                                 text=True, capture_output=True, timeout=programs.TIMEOUT, stdin=subprocess.DEVNULL)
        self.expect(status, process)
        return files.read(path("log")).decode().splitlines(), process

    def test_three_experiments_and_a_page(self):
        lines, process = self.reproduce(0)
        self.assertEqual([line.split()[0] for line in lines], ["ninja", *programs.REPORTS])
        for line, (folder, _, _) in zip(lines[1:], programs.REPORTS.values()):
            self.assertIn(f" --data /fetched --out {path('report', 'short', folder)} --force", line)
        self.assertEqual(["--train-limit 8000" in line for line in lines[1:]], [False, True, True])
        self.assertTrue(os.path.exists(path("report", "short", "index.html")))
        self.assertIn("all epochs, and of 60,000 images the second and the third experiment take", process.stderr)
        self.reproduce(0)  # the default folder is the script's own

    def test_folders_are_the_callers(self):
        lines, _ = self.reproduce(0, "--data", "images", "--out", "site", BUILD_DIR="built")
        self.assertEqual(lines[0], f"ninja -C {path('caller', 'built')}")
        for line, (folder, _, _) in zip(lines[1:], programs.REPORTS.values()):
            self.assertIn(f" --data {path('caller', 'images')} --out {path('caller', 'site', folder)}", line)

    def test_a_page_of_the_users_is_kept(self):
        page = path("caller", "site", "index.html")
        os.makedirs(os.path.dirname(page))
        files.write(page, b"mine")
        lines, process = self.reproduce(1, "--out", "site")
        self.assertEqual((lines, files.read(page)), ([], b"mine"))
        self.assertEqual(process.stderr, f"reproduce.sh: '{page}' is there already; -- --force replaces it\n")
        for word in ("--force", "--resume", "--forc", "--res"):
            files.write(page, b"of an earlier run")
            self.reproduce(0, "--out", "site", "--", word)
            self.assertEqual(files.read(page), b"the page\n")

    def test_its_own_options_behind_the_dashes(self):
        for words in (["--out", "x"], ["--out=x"], ["--data", "x"], ["--epochs", "3"], ["--train-limit=9"],
                      ["--test-limit", "9"], ["--threads", "1"], ["--o", "x"], ["--dat=x"], ["--full"], ["--fu"]):
            lines, process = self.reproduce(2, "--", "--seed", "1", *words)
            self.assertEqual(lines, [])
            self.assertIn(f"reproduce.sh: {words[0].split('=')[0]} is an option of this script's: before --", process.stderr)
        for word in ("-h", "--help", "--he", "--version"):
            lines, process = self.reproduce(2, "--", word)
            self.assertEqual(lines, [])
            self.assertIn(": the programs would run no experiment", process.stderr)
        lines, _ = self.reproduce(0, "--", "--seed", "1")
        self.assertTrue(all("--seed 1" in line for line in lines[1:]))

    def test_what_it_says_of_its_limits(self):
        _, process = self.reproduce(0, "--epochs", "3", "--train-limit", "100")
        for text in (process.stderr, process.stdout):
            self.assertRegex(text, r"epochs of each experiment: 3, and .*\bthe experiments\b")
            self.assertTrue(re.search(r"first 100\b", text) and "all epochs" not in text, text)


class GetMnist(Case):
    def get(self, status, *arguments):
        """Of a mirror that is not there, without npm."""
        os.makedirs(path("bin"), exist_ok=True)
        for name in ("npm", "curl"):
            files.write(path("bin", name), b"#!/bin/sh\nexit 1\n")
            os.chmod(path("bin", name), 0o755)
        variables = dict(os.environ, PATH=path("bin") + ":" + os.environ["PATH"], XDG_CACHE_HOME=path("cache"),
                         DLVIZ_MNIST_MIRROR="file://" + path("mirror"))
        variables.pop("DLVIZ_DATA_DIR", None)
        return self.expect(status, subprocess.run(
            ["sh", os.path.join(SOURCES, "get_mnist.sh"), "--no-substitute", *arguments], env=variables, text=True,
            capture_output=True, timeout=programs.TIMEOUT, stdin=subprocess.DEVNULL))

    def test_files_of_ones_own_stay(self):
        own = path("own", "train-labels-idx1-ubyte")
        os.makedirs(path("own"))
        files.write(own, b"mine")
        process = self.get(1, path("own"))
        self.assertIn(f"get_mnist.sh: '{path('own')}' has some of the four files, which are not MNIST's", process.stderr)
        self.assertNotIn("Downloading", process.stderr)
        self.assertEqual(files.read(own), b"mine")
        self.assertEqual(os.listdir(path("own")), ["train-labels-idx1-ubyte"])

    def test_links_of_ones_own_stay(self):
        """Also where they lead nowhere, as to a disk that is not there now."""
        os.makedirs(path("links"))
        os.symlink("/nowhere/labels.gz", path("links", "t10k-labels-idx1-ubyte.gz"))
        process = self.get(1, path("links"))
        self.assertIn("has some of the four files", process.stderr)
        self.assertEqual(os.listdir(path("links")), ["t10k-labels-idx1-ubyte.gz"])

    def test_what_is_not_to_be_had(self):
        os.makedirs(path("mirror"))
        os.makedirs(path("empty"))
        process = self.get(1, path("empty"))
        self.assertIn("could not be fetched", process.stderr)
        self.assertEqual(os.listdir(path("empty")), [])
