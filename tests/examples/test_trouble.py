"""The report programs when something is wrong, or stops them."""
import errno
import functools
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

import files
import programs
from programs import REPORT, REPORTS, SMALL, TIMEOUT, Case, history, path, run

DRAWING = ("augment", "autoencoder", "saliency")  # what draws, of the programs of a few lines


class Usage(Case):
    def test_help_and_version(self):
        for program in [*REPORTS, "dlviz-embed", "dlviz-train", "dlviz-compare", "speedrun"]:
            with self.subTest(program):
                process = self.expect(0, run(program, "--help"))
                self.assertTrue(process.stdout.startswith("Usage: "), process.stdout)
                self.assertEqual(process.stderr, "")
                self.assertEqual([line for line in process.stdout.splitlines() if len(line) > 80], [])
                process = self.expect(0, run(program, "--version"))
                self.assertRegex(process.stdout, rf"^{re.escape(program)} \(libdlviz\) \d+\.\d+\.\d+\n$")
                self.assertEqual(process.stderr, "")

    def test_every_option_is_in_the_help(self):
        text = run(REPORT, "--help").stdout
        for option in ("data", "out", "image-size", "batch-size", "epochs", "threads", "seed", "train-limit",
                       "test-limit", "layer", "perplexity", "tsne-iterations", "resume", "force",
                       "keep-checkpoint", "quiet", "help", "version"):
            self.assertIn("--" + option, text)
        self.assertEqual(run(REPORT, "-h").stdout, text)
        # The layers that --layer can name.
        for layer in ("conv1", "bn3", "pool2", "relu5", "fc2"):
            self.assertRegex(text, rf"\b{layer}\b")

    def test_wrong_values(self):
        for option, value in (("epochs", "0"), ("epochs", "1x"), ("epochs", ""), ("epochs", "99999999999999999999"),
                              ("image-size", "30"), ("batch-size", "1"), ("threads", "0"), ("seed", "-1"),
                              ("train-limit", "99"), ("test-limit", "many"), ("perplexity", "0.5"),
                              ("perplexity", "nan"), ("perplexity", "2e6"), ("tsne-iterations", "-1")):
            with self.subTest(option=option, value=value):
                process = run(REPORT, "--data", programs.data, "--out", path("never"), "--" + option, value)
                self.expect_line(2, process, f"--{option} {value}: ", " accepted")
        self.assertFalse(os.path.exists(path("never")))

    def test_unknown_options_and_words(self):
        for arguments in (["--bogus"], ["--epochs"], ["--quiet=yes"], ["-x"]):
            self.expect_usage(run(REPORT, *arguments), arguments[0].split("=")[0])
        self.expect_usage(run(REPORT, "word"), "'word'")
        # What is unambiguous may be shortened.
        self.expect_usage(run(REPORT, "--t", "1000"), "--t may be --threads")
        self.expect_line(2, run(REPORT, "--epo=0"), "--epochs 0")

    def test_an_unknown_layer_names_those_there_are(self):
        process = run(REPORT, "--data", programs.data, "--out", path("never"), *SMALL, "--layer", "nonsense")
        self.expect_line(2, process, "nonsense", "conv1", "bn1", "relu5", "dropout3", "fc2")
        self.assertFalse(os.path.exists(path("never")))


class Failures(Case):
    def damage(self, name, is_train, images, content):
        """A copy of the data in which one file has this content."""
        folder_ = path(name)
        shutil.copytree(programs.data, folder_)
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
        original = files.read(os.path.join(programs.data, files.IDX_NAMES[True][0]))
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
            process = run(REPORT, "--data", programs.data, "--out", out, *SMALL)
            self.expect_line(1, process, f"'{out}'")
            self.assertNotIn("Permission", process.stderr)
        self.assertEqual(files.read(path("file")), b"in the way")
        # Before anything is read.
        process = run(REPORT, "--data", path("nowhere"), "--out", path("file"), *SMALL)
        self.expect_line(1, process, f"'{path('file')}'", "Not a directory")

    def test_a_result_that_cannot_be_written(self):
        out = path("blocked")
        os.makedirs(os.path.join(out, "tsne.npy"))
        process = run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 1)
        self.expect_line(1, process, "tsne.npy", "folder")
        self.assertEqual(os.listdir(out), ["tsne.npy"])  # before the work
        os.rmdir(os.path.join(out, "tsne.npy"))
        os.symlink("nowhere", os.path.join(out, "tsne.npy"))
        self.expect_line(1, run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 1), "tsne.npy", "nowhere")
        self.assertEqual(os.listdir(out), ["tsne.npy"])

    def test_an_earlier_run_is_not_replaced_by_mistake(self):
        out = path("twice")
        arguments = ["--data", programs.data, "--out", out, *SMALL, "--epochs", 1]
        files_ = ["notes.txt", "more/notes.txt"]
        os.makedirs(os.path.join(out, "more"))
        for name in files_:
            files.write(os.path.join(out, name), b"mine")
        self.expect(0, run(REPORT, *arguments))  # what the user has there is not in the way
        before = {name: files.read(os.path.join(out, name)) for name in programs.RESULTS}
        process = run(REPORT, *arguments, "--seed", 1)
        self.expect_line(1, process, f"'{out}'", "summary.json, report.html", "others", "--force")
        self.assertEqual({name: files.read(os.path.join(out, name)) for name in programs.RESULTS}, before)
        files.write(os.path.join(out, "checkpoint.safetensors.previous"), b"of a run before")
        self.expect(0, run(REPORT, *arguments, "--seed", 1, "--force", "--layer", "fc1"))
        self.expect_files(out, extra=["notes.txt", "more"])
        self.assertNotEqual(files.read(os.path.join(out, "report.html")), before["report.html"])
        for name in files_:
            self.assertEqual(files.read(os.path.join(out, name)), b"mine")

    def test_nothing_to_resume(self):
        """One repeats a command until it is done, whether or not it had begun when the machine went off."""
        begins = f"(?m)^nothing to resume in '{path('done')}': the training begins$"
        process = self.expect(0, run(REPORT, "--data", programs.data, "--out", path("done"), *SMALL, "--epochs", 1,
                                     "--resume"))
        self.assertRegex(process.stdout, begins)
        self.expect_files(path("done"))
        process = run(REPORT, "--data", programs.data, "--out", path("done"), *SMALL, "--epochs", 2, "--resume")
        self.expect_line(1, process, "finished", "--keep-checkpoint", "--force begins anew")
        process = run(REPORT, "--data", path("nowhere"), "--out", path("done"), "--resume")  # before images are read
        self.expect_line(1, process, "finished")
        self.expect_files(path("done"))
        process = self.expect(0, run(REPORT, "--data", programs.data, "--out", path("done"), *SMALL, "--epochs", 2,
                                     "--resume", "--force"))
        self.assertRegex(process.stdout, begins)
        self.assertEqual(len(history(path("done"))), 2)

    def test_a_checkpoint_of_another_run(self):
        out = path("other-run")
        self.expect(0, run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 1, "--keep-checkpoint"))
        self.expect_files(out, extra=programs.CHECKPOINT)
        before = {name: files.read(os.path.join(out, name)) for name in os.listdir(out)}
        for option, value, word in (("--seed", "7", "seed"), ("--batch-size", "32", "batch_size"),
                                    ("--image-size", "32", "input is [1,28,28]")):
            process = run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 2, option, value, "--resume")
            self.expect_line(1, process, "checkpoint.safetensors", word, "--force instead of --resume")
        # What the checkpoint does not know, and the film would show as one.
        for option, value, words in (("--layer", "fc1", ("layer", '"relu5" in the file', '"fc1" here')),
                                     ("--test-limit", "120", ("samples to test on", "100 of mark", "120 of mark")),
                                     ("--train-limit", "400", ("samples to train on", "275 of mark"))):
            process = run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 2, option, value, "--resume")
            self.expect_line(1, process, "settings.json", "--force instead of --resume", *words)
        settings = before["settings.json"]
        for content, words in ((settings[:-20], ("cannot read", "line ", "no JSON")),
                               (settings.replace(b"layer", b"Layer"), ("layer: nothing in the file", '"relu5" here')),
                               (b"[]", ("layer: nothing in the file",)), (b"", ("cannot read", "no JSON"))):
            files.write(os.path.join(out, "settings.json"), content)
            process = run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 2, "--resume")
            self.expect_line(1, process, "settings.json", "--force instead of --resume", *words)
        files.write(os.path.join(out, "settings.json"), settings)
        files.write(os.path.join(out, "checkpoint.safetensors"), before["checkpoint.safetensors"][:-100])
        process = run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 2, "--resume")
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
        return run(REPORT, "--data", programs.data, *arguments, preexec_fn=limit)

    def test_earlier_results_survive(self):
        out = path("full")
        self.expect(0, run(REPORT, "--data", programs.data, "--out", out, *SMALL, "--epochs", 1, "--keep-checkpoint"))
        before = {name: files.read(os.path.join(out, name)) for name in os.listdir(out)}
        checkpoint = "checkpoint.safetensors"
        self.assertGreater(len(before[checkpoint]), 10_000_000)
        os.rename(os.path.join(out, checkpoint), path(checkpoint))
        process = self.limited(10_000_000, "--out", out, *SMALL, "--epochs", 1, "--seed", 1, "--force")
        self.expect_line(1, process, checkpoint, os.strerror(errno.EFBIG))
        left = {name: files.read(os.path.join(out, name)) for name in os.listdir(out)}
        for name in programs.RESULTS:
            self.assertEqual(left[name], before[name], name)
        os.rename(path(checkpoint), os.path.join(out, checkpoint))
        for name in ("film.safetensors", "settings.json"):
            files.write(os.path.join(out, name), before[name])
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
                                  os.path.join(programs.examples, REPORT), "--data", programs.data, "--out", path("disk"), *SMALL,
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
                         sorted(["history.csv", *programs.CHECKPOINT]))
        self.assertIn("fc1.weight", files.read_safetensors(os.path.join(copied, "checkpoint.safetensors")))
        self.assertEqual(len(history(copied)), 1)


    def test_a_folder_that_can_only_be_read(self):
        """It is told before the work."""
        if subprocess.run(["unshare", "-rm", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            self.skipTest("no file system can be mounted here")
        disk = path("read-only")
        os.mkdir(disk)
        script = """mount -t tmpfs tmpfs "$1" && mkdir "$1"/out && mount -o remount,ro "$1" || exit 77
                    shift
                    exec "$@" """
        for out in (os.path.join(disk, "out"), os.path.join(disk, "new")):
            process = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", disk,
                                      os.path.join(programs.examples, REPORT), "--data", programs.data, "--out", out, *SMALL],
                                     text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
            if process.returncode == 77:
                self.skipTest("no file system can be mounted here")
            self.assertEqual(process.returncode, 1, process.stderr)
            self.assertNotIn("epoch", process.stdout)
            self.assertEqual(len(process.stderr.splitlines()), 1, process.stderr)
            self.assertIn(os.strerror(errno.EROFS), process.stderr)
            self.assertIn(out, process.stderr)


class Interruption(Case):
    """SIGINT in the middle of training, and going on."""

    LENGTH = [*SMALL, "--batch-size", "16", "--epochs", "5"]

    def interrupt(self, out, number, **options):
        """Starts a run and sends the signal soon after its first epoch."""
        with subprocess.Popen([os.path.join(programs.examples, REPORT), "--data", programs.data, "--out", out, *self.LENGTH],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, **options) as process:
            for line in process.stdout:
                if line.startswith("epoch  1/5"):
                    time.sleep(0.1)
                    process.send_signal(number)
                    break
            return subprocess.CompletedProcess(process.args, None, *process.communicate(timeout=TIMEOUT)), process

    def test_a_resumed_run_is_the_same_run(self):
        whole, stopped = path("whole"), path("stopped")
        self.expect(0, run(REPORT, "--data", programs.data, "--out", whole, *self.LENGTH))
        finished, process = self.interrupt(stopped, signal.SIGINT)
        finished.returncode = process.returncode
        self.expect_line(130, finished, "interrupted", "--resume")
        self.assertIn("checkpoint.safetensors", os.listdir(stopped))
        self.assertFalse(os.path.exists(os.path.join(stopped, "summary.json")))
        done = len(history(stopped))
        self.assertTrue(1 <= done < 5)
        fewer = path("fewer")
        shutil.copytree(stopped, fewer)
        ended = run(REPORT, "--data", programs.data, "--out", fewer, *self.LENGTH[:-1], done, "--resume")
        resumed = self.expect(0, run(REPORT, "--data", programs.data, "--out", stopped, *self.LENGTH, "--resume"))
        self.assertRegex(resumed.stdout, r"(?m)^going on (after epoch [1-4]|in epoch [2-5], after batch \d+)$")
        # What began another epoch is no longer the network of those before it.
        if "after batch" in resumed.stdout:
            self.expect_line(1, ended, f"--epochs {done}: ", f"is from within epoch {done + 1}")
            self.assertIn("checkpoint.safetensors", os.listdir(fewer))
        else:
            self.expect(0, ended)
        self.expect_same(whole, stopped, ["model.safetensors", "tsne.npy", "pca.npy", "features.npy", "logits.npy",
                                          "report.html"])
        self.expect_same_history(whole, stopped)
        self.expect_files(stopped)
        with open(os.path.join(stopped, "summary.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["training"]["epochs"], 5)

    def test_a_killed_run_can_be_gone_on_with(self):
        """The page has the same bytes, whenever the run was killed: in training, twice, or after it."""
        whole, killed = path("not-killed"), path("killed")
        arguments = ["--data", programs.data, *self.LENGTH]
        self.expect(0, run(REPORT, *arguments, "--out", whole))
        ends = [r"epoch  2/5", r"epoch  4/5", r"PCA of"]
        for i, end in enumerate(ends):
            resumed = ["--resume"] if i > 0 else []
            with subprocess.Popen([os.path.join(programs.examples, REPORT), *arguments, "--out", killed, *resumed],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True) as process:
                for line in process.stdout:
                    if line.startswith(end):
                        time.sleep(0.05)
                        process.kill()
                        break
                process.stdout.read()
            self.assertEqual(process.returncode, -signal.SIGKILL)
            self.assertIn("checkpoint.safetensors", os.listdir(killed))
        self.expect(0, run(REPORT, *arguments, "--out", killed, "--resume"))
        self.expect_same(whole, killed, ["model.safetensors", "tsne.npy", "report.html"])
        for name in os.listdir(killed):  # of a file that was being written
            if ".tmp" in name or ".part" in name:
                os.remove(os.path.join(killed, name))
        self.expect_files(killed)

    def test_an_answer_within_a_second(self):
        """In every stage, also those that have much to do: whatever appears last says which it is."""
        slowed = programs.second() > 2  # by a sanitizer: then what leads to the stages takes long
        images, labels = files.make_images(3000 if slowed else 6000, seed=9)
        large = path("large")
        shutil.copytree(programs.data, large)
        for images_, content in ((True, files.idx_images(images)), (False, files.idx_labels(labels))):
            files.write(os.path.join(large, files.IDX_NAMES[False][0 if images_ else 1]), content)
        arguments = ["--data", large, "--image-size", "28", "--train-limit", "200", "--epochs", "1",
                     "--tsne-iterations", "1000" if slowed else "2000"]
        for i, (start, wait) in enumerate((("multiply-adds", 0.3), ("test accuracy", 0.05), ("PCA of", 0.5),
                                           ("t-SNE of", 0.2), ("t-SNE of", 2.5), ("  the pixels", 0.2))):
            with self.subTest(start=start, wait=wait):
                out = path(f"answer{i}")
                with subprocess.Popen([os.path.join(programs.examples, REPORT), *arguments, "--out", out],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True) as process:
                    for line in process.stdout:
                        if line.startswith(start):
                            break
                    time.sleep(wait)
                    asked = time.monotonic()
                    process.send_signal(signal.SIGINT)
                    _, errors = process.communicate(timeout=TIMEOUT)
                    took = time.monotonic() - asked
                self.assertEqual(process.returncode, 130, errors)
                self.assertEqual(len(errors.splitlines()), 1, errors)
                self.assertIn("interrupted", errors)
                self.assertLess(took, programs.second())
                self.assertNotIn("summary.json", os.listdir(out))

    def test_termination_is_an_interruption(self):
        """So is a terminal that closes, except under nohup."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                # The suite itself may be run under nohup.
                finished, process = self.interrupt(path(number.name), number,
                                                   preexec_fn=functools.partial(signal.signal, number, signal.SIG_DFL))
                finished.returncode = process.returncode
                self.expect_line(130, finished, "interrupted", "--resume")
        finished, process = self.interrupt(path("nohup"), signal.SIGHUP,
                                           preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        finished.returncode = process.returncode
        self.expect(0, finished)

    def test_embed_answers_within_a_second(self):
        """In t-SNE's iterations, and in the measures, which take as long."""
        noise = random.Random(2)
        files.write_npy(path("cloud.npy"), [[noise.random() for _ in range(20)] for _ in range(9000)])
        for i, (start, arguments) in enumerate((("", ["tsne", "--iterations", "100000"]),
                                                ("2 components", ["pca", "--quality"]),
                                                ("trustworthiness", ["pca", "--quality"]))):
            with self.subTest(start=start):
                out = path(f"cloud{i}.npy")
                with subprocess.Popen([os.path.join(programs.examples, "dlviz-embed"), arguments[0], path("cloud.npy"), out,
                                       *arguments[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True) as process:
                    if start:
                        for line in process.stdout:
                            if line.startswith(start):
                                break
                    time.sleep(0.2 if start else 1.5)
                    asked = time.monotonic()
                    process.send_signal(signal.SIGINT)
                    _, errors = process.communicate(timeout=TIMEOUT)
                    took = time.monotonic() - asked
                self.assertEqual((process.returncode, errors), (130, "dlviz-embed: interrupted\n"))
                self.assertLess(took, programs.second())
                self.assertEqual(os.path.exists(out), bool(start))  # the map was there before the measures

    def test_embed_is_interrupted(self):
        points, labels = files.make_images(300, seed=5)
        files.write_npy(path("many.npy"), [[float(x) for x in image] for image in points])
        with subprocess.Popen([os.path.join(programs.examples, "dlviz-embed"), "tsne", path("many.npy"), path("endless-out.npy"),
                               "--iterations", "100000000"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(errors, "dlviz-embed: interrupted\n")
        self.assertFalse(os.path.exists(path("endless-out.npy")))


class Writing(Case):
    AGAIN = "File too large; the training goes on, and the next epoch tries again"

    @staticmethod
    def limit_size():
        """Files may have 64 KiB: the checkpoint has more, and the network's file as well."""
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, most))

    def train(self, *arguments):
        self.expect(0, run(REPORT, "--data", programs.data, *SMALL, "--epochs", 2, "--quiet", *arguments))

    def test_a_checkpoint_that_cannot_be_written_twice_ends_the_training(self):
        process = run(REPORT, "--data", programs.data, *SMALL, "--epochs", 5, "--quiet", "--out", path("small"),
                      preexec_fn=self.limit_size)
        self.expect(1, process)
        lines = process.stderr.splitlines()
        self.assertEqual(len(lines), 2, process.stderr)
        self.assertIn(self.AGAIN, lines[0])
        self.assertIn("File too large", lines[1])
        self.assertFalse(os.path.exists(path("small/model.safetensors")))

    def test_a_checkpoint_that_cannot_be_written_once_ends_no_training(self):
        """The first of many epochs finds the disk full, a later one does not."""
        with subprocess.Popen([os.path.join(programs.examples, REPORT), "--data", programs.data, *SMALL, "--epochs", "4",
                               "--quiet", "--out", path("passing")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, preexec_fn=self.limit_size) as process:
            self.assertIn(self.AGAIN, process.stderr.readline())
            _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
            _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual((process.returncode, errors), (0, ""))
        self.assertTrue(os.path.exists(path("passing/model.safetensors")))

    def test_a_reader_that_leaves_ends_no_training(self):
        reading, writing = os.pipe()
        os.close(reading)
        out = path("unread")
        process = subprocess.run([os.path.join(programs.examples, REPORT), "--data", programs.data, "--out", out, *SMALL,
                                  "--epochs", "1"], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
        os.close(writing)
        self.expect_line(1, process, "standard output", "Broken pipe")
        self.expect_files(out)

    def test_a_closed_output_is_noticed_and_gets_in_no_file(self):
        out = path("closed")
        process = subprocess.run([os.path.join(programs.examples, REPORT), "--data", programs.data, "--out", out, *SMALL,
                                  "--epochs", "1"], stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
                                 preexec_fn=lambda: os.close(1))
        self.expect_line(1, process, "standard output")
        self.expect_files(out)
        json.loads(files.read(os.path.join(out, "summary.json")))
        with open("/dev/full", "w") as full:
            for option in ("--help", "--version"):
                process = subprocess.run([os.path.join(programs.examples, REPORT), option], stdout=full,
                                         stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
                self.expect_line(1, process, "standard output", os.strerror(errno.ENOSPC))

    def test_programs_of_a_few_lines_notice_it_too(self):
        bars, model, images, data = path("bars.safetensors"), path("model.safetensors"), path("small.idx"), programs.data
        self.expect(0, run("export_onnx", cwd=programs.folder))
        header = json.dumps({"module.features.0.weight": {"dtype": "F32", "shape": [8, 1, 3, 3],
                                                          "data_offsets": [0, 288]}}).encode()
        files.write(model, struct.pack("<Q", len(header)) + header + bytes(288))
        files.write(images, struct.pack(">4i", 0x803, 2, 8, 8) + bytes(128))
        few = [data, "100", "1"]
        for name, *words in (["augment", *few], ["autoencoder", *few], ["custom_layer"], ["export_onnx", bars],
                             ["finetune", model, *few], ["onecycle", *few], ["predict", bars, images],
                             ["regression"], ["resnet", *few], ["ring"], ["saliency", data, "100"],
                             ["serve", bars, images, "1"], ["speedrun", "99.0", "--data", data, "--seeds", "1"]):
            program = os.path.join(programs.examples, name)
            if name == "ring" and not os.path.exists(program) or name in DRAWING and not programs.with_figures:
                continue
            with self.subTest(name), open("/dev/full", "w") as full:
                process = subprocess.run([program, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                                         cwd=programs.folder, timeout=TIMEOUT)
                self.expect(1, process)
                self.assertIn("cannot write to standard output", process.stderr)

    def test_resuming_from_the_checkpoint_before(self):
        out, whole = path("before"), path("whole")
        self.train("--out", whole, "--keep-checkpoint")
        for name, damage in (("missing", None), ("damaged", b"half of one")):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(whole, out)
            newest = os.path.join(out, "checkpoint.safetensors")
            os.remove(newest)
            if damage:
                files.write(newest, damage)
            process = run(REPORT, "--data", programs.data, *SMALL, "--epochs", 2, "--quiet", "--out", out, "--resume",
                          "--keep-checkpoint")
            self.expect(0, process)
            self.assertIn("going on from the checkpoint before it", process.stderr, name)
            self.expect_same(out, whole, ["model.safetensors", "tsne.npy"])

    def test_a_finished_run_gone_on_with_is_finished_no_longer(self):
        """Also where no epoch is left: what it had is not mixed with what comes."""
        out = path("finished")
        self.train("--out", out, "--keep-checkpoint")
        history_ = files.read(os.path.join(out, "history.csv"))
        words = [os.path.join(programs.examples, REPORT), "--data", programs.data, *SMALL, "--epochs", "2", "--out", out,
                 "--resume", "--keep-checkpoint", "--tsne-iterations", "70"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as process:
            for line in process.stdout:
                if line.startswith("PCA of"):
                    process.kill()
                    break
            process.stdout.read()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        left = os.listdir(out)
        self.assertFalse({"summary.json", "report.html", "tsne.png"} & set(left), left)
        self.assertEqual(files.read(os.path.join(out, "history.csv")), history_)
        self.expect(0, subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, timeout=TIMEOUT))
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["tsne"]["iterations"], 70)

    def test_resuming_after_a_kill_between_checkpoint_and_history(self):
        out, whole = path("between"), path("whole")
        self.train("--out", whole, "--keep-checkpoint")
        history_ = files.read(os.path.join(whole, "history.csv"))
        for rows in (None, 1, 2):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(whole, out)
            os.remove(os.path.join(out, "history.csv"))
            if rows:
                files.write(os.path.join(out, "history.csv"), b"".join(history_.splitlines(keepends=True)[:rows]))
            self.train("--out", out, "--resume", "--keep-checkpoint")
            self.assertEqual(files.read(os.path.join(out, "history.csv")), history_)

    def test_nobody_can_foresee_a_temporary_name(self):
        out, victim = path("foreseen"), path("victim")
        os.makedirs(out)
        files.write(victim, b"precious")
        for name in ("summary.json.part", "settings.json.part"):
            os.symlink(victim, os.path.join(out, name))
        self.train("--out", out)
        self.assertEqual(files.read(victim), b"precious")
        self.assertFalse([name for name in os.listdir(out) if name.endswith(".part") and len(name) > 20])
