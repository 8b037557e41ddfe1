"""Makes one system call or allocation after another fail, in the pipeline's stages and in the example programs.

    python3 tests/faults/faults.py BUILD [--faults sample|all] [--seed S] [--only TEXT]

`sample` (the default, for continuous integration) takes of every kind of fault a few, the same ones for the same
seed; `all` takes every call, which takes hours. `--only` leaves out what does not have the text in its name: a stage's
or a program's, or that with ` CALL:WHAT`.

Prints what is wrong, and a table: for every call and what becomes of it how many there are, were tried, failed as they
should, made no difference, ended the program, are wrong. The exit status is 0 where nothing is. See tests/README.md.
"""
import argparse
import collections
import csv
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import inputs  # noqa: E402
from inputs import files  # noqa: E402

# What a call may come to. What is not named here is not made to fail.
FAULTS = {
    "write": ["ENOSPC", "EIO", "EDQUOT", "EINTR", "short", "zero", "full"],
    "fsync": ["EIO", "ENOSPC", "EINTR", "EINVAL"],
    "rename": ["EACCES", "EIO", "ENOSPC", "EINTR"],
    "linkat": ["EPERM", "ENOSPC", "EMLINK", "EINTR"],
    "unlink": ["EPERM", "EIO", "EINTR"],
    "unlinkat": ["EIO", "EINTR"],
    "fchmod": ["EPERM", "EINTR"],
    "fchown": ["EPERM", "EINTR"],
    "getxattr": ["EIO", "EINTR"],
    "fremovexattr": ["EIO", "EINTR"],
    "flock": ["ENOTSUP", "EINTR"],
    "close": ["EIO", "EINTR"],
    "open": ["EMFILE", "ENOSPC", "EACCES", "ENOMEM", "EINTR"],
    "openat": ["EIO", "EINTR"],
    "read": ["EIO", "EINTR", "short", "zero"],
    "pread": ["EIO", "EINTR", "short", "zero"],
    "lseek": ["EIO"],
    "mmap": ["ENOMEM", "ENODEV"],
    "mkdir": ["EACCES", "ENOSPC", "EINTR"],
    "fstat": ["EIO", "EINTR"],
    "stat": ["EIO", "EINTR"],
    "lstat": ["EIO", "EINTR"],
    "access": ["EIO", "EINTR"],
    "opendir": ["EMFILE", "EACCES", "EINTR"],
    "readdir": ["EIO"],
    "readlink": ["EINTR"],
    "realpath": ["EIO", "EINTR"],
    "pthread_create": ["EAGAIN", "EAGAIN:all"],
    "malloc": ["ENOMEM"],
    "own": ["ENOMEM"],  # malloc, asked for by the program itself
}
# Another call does the rest: nothing may come of these.
HARMLESS = ["EINTR", "short"]
# What a write to standard output or standard error may come to.
OF_STREAMS = ["ENOSPC", "EIO", "EPIPE", "EAGAIN", "EINTR", "short", "zero", "full"]
# The programs that wait for a descriptor that does not, and go on where a write was interrupted. Those of a few lines
# use the C library's streams, which give up.
PATIENT = ("report_lr1e-6_1epoch", "dlviz-train", "dlviz-embed", "dlviz-compare")
# GLib ends the process where it lacks memory, and so do Pango and HarfBuzz, whose objects are GLib's, and fontconfig,
# by assertions and by NULL pointers that it goes on with (SECURITY.md). What they ask for does not fail here, but for
# what fontconfig reads its settings with. Where it lacks memory later, while text is laid out, letters may come out
# otherwise, and nothing tells. Nor does what the walking program itself asks for fail, which `alloc` is about.
# Nor does what pixman asks for. cairo writes to freed memory then, and after that a crash may come anywhere, or none:
# valgrind shows pixman_image_unref read, count down and write the count of an image of 264 bytes that the same function
# has freed. In cairo-image-compositor.c (1.16.0, and still 1.17.4), where pixman_image_create_bits gives no mask,
# inplace_renderer_init lets go of r->src, but leaves the pointer there, and span_renderer_fini lets go of it once more.
# Translucent shapes of a PNG are drawn there.
# What cairo asks for itself does fail; where its polygons are made of edges, it ends the process too, by a jump to a
# function that has returned (cairo 1.16), and it goes on with copies of pictures, and pictures of letters, that are
# none. So does fontconfig where what it calls lacks memory. Without a thread GLib ends it as well. It must be they
# whose code that happens in (inject_crash.c): a crash anywhere else, in the library above all, is wrong.
WITHOUT_MEMORY_ENDS = ["libglib-2.0", "libgobject-2.0", "libpango", "libharfbuzz", "libfontconfig", "libpixman"]
ENDS = {"malloc": ("libcairo.so.2", "libpixman-1.so.0", "libfontconfig.so.1"), "pthread_create": ("libglib-2.0.so.0",)}
LIBRARIES_SAY = re.compile("(Pango|GLib)(-GObject)?-(WARNING|CRITICAL)|^Fontconfig (error|warning)")
TIMEOUT = 300
# Of a sample: how many kinds of faults of each program, and one in how many of a stage that draws. Of others all.
KINDS, KINDS_OF_STREAMS, THIN = 9, 3, 9
STREAMS = {"1": "output", "2": "errors"}
FIGURES = (".png", ".svg", ".pdf")
OF_TRAINING = ("checkpoint.safetensors", "checkpoint.safetensors.previous", "film.safetensors", "settings.json")

Tally = collections.namedtuple("Tally", "there tried failed unnoticed ended wrong")


class Table:
    def __init__(self):
        self.rows = collections.OrderedDict()
        self.num_wrong = 0

    def add(self, name, fault, *numbers):
        old = self.rows.get((name, fault), Tally(0, 0, 0, 0, 0, 0))
        self.rows[name, fault] = Tally(*(a + b for a, b in zip(old, numbers)))
        self.num_wrong += numbers[-1]

    def show(self):
        print(f"{'':24}{'fault':24}{'there':>8}{'tried':>8}{'failed':>8}{'no harm':>8}{'ended':>8}{'wrong':>8}")
        for (name, fault), tally in self.rows.items():
            if tally.there:
                print(f"{name:24}{fault:24}" + "".join(f"{number:8}" for number in tally))
        total = [sum(column) for column in zip(*self.rows.values())] or [0] * 6
        print(f"{'all':48}" + "".join(f"{number:8}" for number in total))


def environment(build, **settings):
    result = {key: value for key, value in os.environ.items() if not key.startswith("DLVIZ_FAULT")}
    result.update(settings, LD_PRELOAD=os.path.join(build, "tests", "faults", "libinject.so"),
                  OPENBLAS_NUM_THREADS="1", LC_ALL="C.UTF-8")
    return result


# -- The pipeline's stages: it walks by itself ------------------------------------------------------------------------

def walk_pipeline(build, folder, wanted, most, thin, seed, only, table, maker="", through=""):
    """Walks through the stages with these faults; `most` calls of each stage and fault, or of those that one library
    makes, perhaps only while another one has called it."""
    program = os.path.join(build, "tests", "faults", "pipeline")
    out = os.path.join(folder, "pipeline-out")
    os.makedirs(out, exist_ok=True)
    excluded = ":".join(WITHOUT_MEMORY_ENDS + ["pipeline", "libinject"])
    command = [program, os.path.join(folder, "pipeline-in"), out, "--most", str(most), "--seed", str(seed),
               "--thin", str(thin)]
    if only:
        command += ["--stage", only]
    settings = {"DLVIZ_FAULT_FROM": maker} if maker else {"DLVIZ_FAULT_NOT_FROM": excluded}
    if through:
        settings["DLVIZ_FAULT_THROUGH"] = through
    process = subprocess.run(command + wanted, env=environment(build, **settings), text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = 0
    for line in process.stdout.splitlines():
        fields = line.split("\t")
        if fields[0] == "wrong":
            print("pipeline,", " ".join(fields[1:]), flush=True)
            seen += fields[2] == "without faults"
        elif fields[0] == "walked":
            table.add("pipeline", fields[2], *map(int, fields[3:9]))
    table.num_wrong += seen
    if process.returncode not in (0, 1):
        print(f"pipeline ended with {process.returncode}: {process.stderr.strip()}")
        table.num_wrong += 1


# -- Programs ---------------------------------------------------------------------------------------------------------

def key_of_safetensors(content):
    """All but what has seconds in it."""
    length = struct.unpack("<Q", content[:8])[0]
    header, data, end, found = json.loads(content[8:8 + length]), content[8 + length:], 0, {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        end = max(end, last)
        if not name.startswith(".trainer."):
            found[name] = hashlib.sha256(data[first:last]).hexdigest()
    if end != len(data):
        raise ValueError(f"{len(data)} bytes of tensors, announced are {end}")
    return json.dumps(found, sort_keys=True)


def key_of_history(content):
    text = content.decode("ascii")
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    rows = list(csv.DictReader(io.StringIO(text)))
    return json.dumps([{name: value for name, value in row.items() if name != "seconds"} for row in rows])


def key_of_summary(content):
    whole = json.loads(content)
    whole.pop("seconds"), whole.pop("peak_memory_mb"), whole.pop("command"), whole["dataset"].pop("folder", None)
    for name in ("seconds", "images_per_second"):
        whole["training"].pop(name)
    return json.dumps(whole, sort_keys=True)


def key_of_page(content):
    """Without the facts and curves that have times."""
    text = content.decode("utf-8")
    if not text.rstrip().endswith("</html>"):
        raise ValueError("the page has no end")
    return re.sub(r'\["(?:[^"\\]|\\.)*","[^"]*\d (?:s|min|h|images/s)[^"]*"\]', "", text)


def key_of(name, content):
    """What of a file does not depend on clocks; ValueError where it is not whole."""
    if ".safetensors" in name:
        return key_of_safetensors(content)
    if name == "history.csv":
        return key_of_history(content)
    if name == "summary.json":
        return key_of_summary(content)
    if name.endswith(".html"):
        return key_of_page(content)
    return hashlib.sha256(content).hexdigest()


def keys_of(folder):
    return {name: key_of(name, files.read(os.path.join(folder, name))) for name in sorted(os.listdir(folder))}


class Program:
    """A program, and what it makes in a folder, {out}, in which an earlier run has left its results."""

    def __init__(self, build, folder, name, label, arguments, seeds=(1, 2), whole=False, earlier=None):
        """`whole`: the folder's results are replaced together, so that those of two runs are never mixed. `earlier`:
        the arguments of the run before, if others."""
        self.path, self.label = os.path.join(build, "examples", name), label
        self.name, self.patient = name, name in PATIENT
        self.build, self.folder = build, os.path.join(folder, label)
        self.whole = whole
        self.before, self.after, self.work = (os.path.join(self.folder, part) for part in ("before", "after", "work"))
        os.makedirs(self.before)
        self.arguments = earlier or arguments
        own = self.must_run(self.before, seeds[0], DLVIZ_FAULT_FROM=self.name)["malloc"]
        self.arguments = arguments
        shutil.copytree(self.before, self.after)
        self.seed = seeds[1]
        self.counts = self.must_run(self.after, self.seed)
        self.counts["own"] = own
        self.old, self.new = keys_of(self.before), keys_of(self.after)
        self.draws = any(name.endswith(FIGURES) for name in self.new)

    def run(self, out, seed, **faults):
        return subprocess.run([self.path, *self.words(out, seed)], cwd=out, text=True, errors="replace",
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment(self.build, **faults))

    def words(self, out, seed):
        return [word.replace("{out}", out).replace("{seed}", str(seed)) for word in self.arguments]

    def must_run(self, out, seed, **settings):
        counts = os.path.join(self.folder, "counts")
        process = self.run(out, seed, DLVIZ_FAULT_COUNT=counts, DLVIZ_FAULT_ONLY=self.only(out),
                           DLVIZ_FAULT_NOT_FROM=":".join(WITHOUT_MEMORY_ENDS), **settings)
        if process.returncode != 0:
            raise SystemExit(f"{self.label} fails without faults: {process.stderr}")
        with open(counts, encoding="utf-8") as lines:
            pairs = [line.split() for line in lines if not line.startswith("hit ")]
        return {call: int(count) for call, count in pairs}

    def only(self, out):
        return os.path.dirname(os.path.dirname(out))

    def try_fault(self, call, number, what):
        """(what came of it: a name in Tally, what is wrong)"""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.before, self.work)
        counts = os.path.join(self.folder, "counts")
        name, _, rest = what.partition(":")
        left_out = {"DLVIZ_FAULT_NOT_FROM": ":".join(WITHOUT_MEMORY_ENDS)} if call == "malloc" else {}
        if call == "own":
            call, left_out = "malloc", {"DLVIZ_FAULT_FROM": self.name}
        setting = f"{call}:{number}:{name}" + (":" + rest if rest else "")
        try:
            process = self.run(self.work, self.seed, DLVIZ_FAULT=setting, DLVIZ_FAULT_COUNT=counts,
                               DLVIZ_FAULT_ONLY=self.only(self.work), **left_out)
        except subprocess.TimeoutExpired:
            return "wrong", [f"no end after {TIMEOUT} s"]
        with open(counts, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        hit = any(line.startswith("hit ") for line in lines)
        crash = next((line[6:] for line in lines if line.startswith("crash ")), "")
        if self.draws and process.returncode < 0 and crash.partition(" ")[0] in ENDS.get(call, ()):
            return "ended", []
        wrong = self.judge(process, name, hit, crash)
        return "wrong" if wrong else "failed" if process.returncode != 0 else "unnoticed" if hit else "", wrong

    def judge(self, process, what, hit, crash):
        wrong, message = [], process.stderr.strip()
        if process.returncode < 0:
            return [f"ended by {signal.Signals(-process.returncode).name} in {crash}: {message[-200:]}"]
        if process.returncode != 0:
            wrong += self.judge_message(message, what)
            if not hit or what in HARMLESS:
                wrong.append(f"fails of what is no failure: {message}")
        return wrong + self.judge_files(process.returncode == 0, "the figures are left out: " in message)

    def judge_files(self, done, undrawn=False):
        """Each file is the earlier one or the new one, all are there, and nothing else: no figure where the run says so."""
        wrong, lost, names = [], [], set(os.listdir(self.work))
        checkpoints = {keys[name] for keys in (self.old, self.new) for name in keys if name in OF_TRAINING}
        meant_to_stay = OF_TRAINING if self.whole and not done else ()  # for --resume
        for name in sorted(names - set(self.old) - set(self.new)):
            if name not in meant_to_stay:
                wrong.append(f"'{name}' is left")
        kept = set()
        for name in sorted(set(self.old) | set(self.new)):
            if undrawn and name.endswith(FIGURES):
                wrong += [f"'{name}' is there"] if name in names else []
                continue
            if name not in names:
                lost += [name] if name in self.new and (done or name in self.old) else []
                continue
            try:
                key = key_of(name, files.read(os.path.join(self.work, name)))
            except (ValueError, KeyError, struct.error) as error:
                wrong.append(f"'{name}' is damaged: {error}")
                continue
            good = {self.old.get(name), self.new.get(name)} | (checkpoints if name in OF_TRAINING else set())
            if name == "history.csv":  # one epoch after the other
                good |= {json.dumps(json.loads(self.new[name])[:n]) for n in range(1, 9)}
            if key not in good:
                wrong.append(f"'{name}' is neither the earlier one nor the new one")
            elif done and name not in OF_TRAINING and key != self.new.get(name):
                wrong.append(f"status 0, but '{name}' is not the new one")
            elif name not in OF_TRAINING and key == self.old.get(name) != self.new.get(name):
                kept.add(name)
        if lost and self.whole and not done:
            # Those of training are replaced first; with the first checkpoint there all others go.
            gone = [name for name in lost if name not in OF_TRAINING]
            if gone and kept:
                wrong.append(f"results of two runs: earlier ones ({', '.join(sorted(kept))}) without {', '.join(gone)}")
            if gone and not names & {"checkpoint.safetensors", "checkpoint.safetensors.previous"}:
                wrong.append("neither the earlier results nor a checkpoint of the new ones")
        else:
            # Of a training whose first checkpoint could not be written, but the next, there is no earlier one.
            wrong += [f"'{name}' is lost" for name in lost if not (self.whole and name.endswith(".previous"))]
        return wrong

    def judge_message(self, message, what):
        if not message:
            return ["no sentence"]
        lines = [line for line in message.splitlines() if line and not LIBRARIES_SAY.search(line)]
        if len(lines) > 4:
            return [f"{len(lines)} lines: {message[:300]}"]
        number = errno_of(what)
        if number and os.strerror(number) not in message and "memory" not in message:
            return [f"does not say '{os.strerror(number)}': {message}"]
        return []


class Streams:
    """A program that says something: on standard output where all goes well, on standard error where nothing does."""

    def __init__(self, program):
        self.program, self.build = program, program.build
        self.counts_file = os.path.join(program.folder, "counts")
        self.good = self.run("1")
        self.num_writes = {"1": self.count()}
        self.bad = self.run("2")
        self.num_writes["2"] = self.count()
        if self.good.returncode != 0 or self.bad.returncode <= 0 or not self.bad.stderr:
            ends = f"{self.good.returncode} and {self.bad.returncode}"
            raise SystemExit(f"{program.label} ends with {ends} without faults")

    def command(self, stream):
        program = self.program
        words = [word for word in program.words(program.work, program.seed) if word != "--quiet"]
        return [program.path, *(words if stream == "1" else ["/nowhere/one", "/nowhere/two"])]

    def begin(self):
        shutil.rmtree(self.program.work, ignore_errors=True)
        shutil.copytree(self.program.before, self.program.work)

    def run(self, stream, fault=""):
        self.begin()
        return subprocess.run(self.command(stream), cwd=self.program.work, text=True, errors="replace",
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment(self.build, DLVIZ_FAULT_STREAMS=stream, DLVIZ_FAULT=fault,
                                              DLVIZ_FAULT_ONLY="/nowhere", DLVIZ_FAULT_COUNT=self.counts_file))

    def count(self):
        with open(self.counts_file, encoding="utf-8") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("write "))

    def try_fault(self, stream, number, what):
        """(what came of it: a name in Tally, what is wrong)"""
        try:
            process = self.run(stream, f"write:{number}:{what}")
        except subprocess.TimeoutExpired:
            return "wrong", [f"no end after {TIMEOUT} s"]
        harmless = what == "short" or self.program.patient and what in ("EAGAIN", "EINTR")
        if not self.program.patient and what == "zero":  # the C library asks again
            harmless = True
        wrong = (self.judge_output if stream == "1" else self.judge_errors)(process, what, harmless)
        return "wrong" if wrong else "unnoticed" if harmless or stream == "2" else "failed", wrong

    def judge_output(self, process, what, harmless):
        wrong, message = self.program.judge_files(True), process.stderr.strip()
        if process.returncode != (0 if harmless else 1):
            wrong.append(f"ends with {process.returncode}: {message}")
        if harmless and plain(process.stdout) != plain(self.good.stdout):
            wrong.append(f"says {process.stdout}")
        if not harmless and "cannot write to standard output" not in message:
            wrong.append(f"does not tell: {message}")
        number = errno_of(what)
        if not harmless and self.program.patient and number and os.strerror(number) not in message:
            wrong.append(f"does not say '{os.strerror(number)}': {message}")
        return wrong

    def judge_errors(self, process, what, harmless):
        wrong = []
        if process.returncode != self.bad.returncode:
            wrong.append(f"ends with {process.returncode} instead of {self.bad.returncode}")
        if harmless and self.program.patient and process.stderr != self.bad.stderr:
            wrong.append(f"says {process.stderr}")
        return wrong

    def try_slow_reader(self):
        """The pipe is full, and does not wait, until the program does."""
        self.begin()
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        filled = fill(writer)
        with subprocess.Popen(self.command("1"), cwd=self.program.work, stdin=subprocess.DEVNULL, stdout=writer,
                              stderr=subprocess.PIPE, env=environment(self.build)) as process:
            os.close(writer)
            wait_for_sleep(process)
            with open(reader, "rb") as pipe:
                said = pipe.read()[filled:].decode()
            message = process.stderr.read().decode().strip()
        wrong = self.program.judge_files(True)
        if process.returncode != 0 or plain(said) != plain(self.good.stdout):
            wrong.append(f"ends with {process.returncode}: {message}; says {said}")
        return "wrong" if wrong else "unnoticed", wrong


def plain(text):
    """Without what clocks have put into it."""
    return re.sub(r"\d+:\d\d|[\d.]+ (s|ms|min|h|images/s)\b|(neighbors|affinities|iterations) [\d.]+", "", text)


def fill(writer):
    size = 0
    for block in (b" " * 4096, b" "):
        try:
            while True:
                size += os.write(writer, block)
        except BlockingIOError:
            pass
    return size


def wait_for_sleep(process):
    """Until it has slept five times that one looks, or has ended."""
    slept = 0
    while slept < 5 and process.poll() is None:
        with open(f"/proc/{process.pid}/stat", encoding="utf-8", errors="replace") as file:
            slept = slept + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
        time.sleep(0.02)


def errno_of(what):
    import errno
    return getattr(errno, what, 0)


def cases_of(program):
    """(call, what, how many)"""
    for call, faults in FAULTS.items():
        for what in faults:
            if program.counts.get(call):
                yield call, what, program.counts[call]


def walk_program(program, most, kinds, seed, only, table):
    """`kinds`: how many kinds of faults are tried, chosen by the seed."""
    cases = list(cases_of(program))
    if len(cases) > kinds and not only:
        cases = sorted(random.Random(f"{seed} {program.label}").sample(cases, kinds))
    for call, what, count in cases:
        if only and only not in f"{program.label} {call}:{what}":
            continue
        chosen = random.Random(f"{seed} {program.label} {call} {what}")
        numbers = range(1, count + 1) if count <= most else sorted(chosen.sample(range(1, count + 1), most))
        outcomes = collections.Counter()
        for number in numbers:
            outcome, wrong = program.try_fault(call, number, what)
            if wrong:
                print(f"{program.label}, {call}:{number}:{what}: " + "; ".join(wrong), flush=True)
            outcomes[outcome] += 1
        table.add(program.label, f"{call}:{what}", count, len(numbers),
                  *(outcomes[name] for name in ("failed", "unnoticed", "ended", "wrong")))


def walk_streams(program, most, kinds, seed, only, table):
    """`kinds`: how many kinds of faults are tried, chosen by the seed."""
    dice = random.Random(f"{seed} {program.label} streams")
    cases = [(stream, what) for stream in ("1", "2") for what in OF_STREAMS] + [("1", "slow reader")]
    if not program.patient:
        cases.pop()
    cases = [case for case in cases if not only or only in f"{program.label} {STREAMS[case[0]]}:{case[1]}"]
    if not cases:
        return
    streams = Streams(program)
    if streams.good.stdout and not streams.num_writes["1"]:
        print(f"{program.label} says all of it while it ends, when it cannot fail any more", flush=True)
        table.num_wrong += 1
    for stream, what in sorted(dice.sample(cases, min(kinds, len(cases)))):
        slow = what == "slow reader"
        count = 1 if slow else streams.num_writes[stream]
        numbers = range(1, count + 1) if count <= most else sorted(dice.sample(range(1, count + 1), most))
        outcomes = collections.Counter()
        for number in numbers:
            outcome, wrong = streams.try_slow_reader() if slow else streams.try_fault(stream, number, what)
            if wrong:
                print(f"{program.label}, {STREAMS[stream]}:{number}:{what}: " + "; ".join(wrong), flush=True)
            outcomes[outcome] += 1
        table.add(program.label, f"{STREAMS[stream]}:{what}", count, len(numbers),
                  *(outcomes[name] for name in ("failed", "unnoticed", "ended", "wrong")))


def make_programs(build, folder, wanted):
    data = files.make_dataset(os.path.join(folder, "mnist"), train=200, test=100)
    table = inputs.make_table(os.path.join(folder, "table.csv"), 150)
    models = os.path.join(folder, "models")
    os.makedirs(models)
    quick = ["--tsne-iterations", "10", "--perplexity", "5", "--threads", "1", "--quiet", "--seed", "{seed}",
             "--force"]
    train = [table, "--labels", "kind", "--network", "mlp", "--out", "{out}", *quick]
    resume = train[:-1] + ["--keep-checkpoint"]
    embed = [table, "--labels", "kind", "--threads", "1", "--quiet", "--seed", "{seed}"]
    # Among the files whose calls count, so that looking for its parts may fail.
    parts = os.path.join(folder, "programs", "parts")
    for name, count in (("train", 12), ("val", 2), ("test", 3)):
        files.make_pictures(os.path.join(parts, name), count, size=12, seed=count)
    saved = os.path.join(models, "map.safetensors")
    model = os.path.join(models, "bars.safetensors")

    def run(name, *arguments):
        subprocess.run([os.path.join(build, "examples", name), *arguments], check=True, cwd=models,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def save_map():
        run("dlviz-embed", "tsne", table, "map.npy", "--labels", "kind", "--threads", "1", "--quiet", "--iterations",
            "10", "--perplexity", "5", "--save", saved, "--html", "map.html")

    descriptions = [
        ("report_lr1e-6_1epoch", "report", ["--data", data, "--out", "{out}", "--image-size", "28", "--train-limit",
                                            "120", "--test-limit", "100", "--epochs", "1", *quick],
         {"whole": True}),
        ("dlviz-train", "train", train + ["--epochs", "2", "--keep-checkpoint"], {"whole": True}),
        ("dlviz-train", "train resume", resume + ["--epochs", "2", "--resume"],
         {"whole": True, "seeds": (1, 1), "earlier": resume + ["--epochs", "1"]}),
        ("dlviz-train", "train folder",
         [parts, "--network", "mlp", "--out", "{out}", *quick, "--epochs", "1"], {"whole": True}),
        ("dlviz-embed", "embed tsne",
         ["tsne", *embed[:1], "map.npy", *embed[1:], "--iterations", "10", "--perplexity", "5", "--init", "random",
          "--save", "map.safetensors", "--figure", "map.png", "--html", "map.html", "--quality"], {}),
        ("dlviz-embed", "embed pca", ["pca", *embed[:1], "map.npy", *embed[1:], "--solver", "randomized", "--figure",
                                      "map.pdf"], {}),
        ("dlviz-embed", "embed transform", ["transform", saved, *embed[:1], "map.npy", *embed[1:]], {}),
        ("dlviz-embed", "embed plot", ["plot", os.path.join(models, "map.npy"), "--figure", "map.svg", "--html",
                                       "map.html", "--title", "seed {seed}"], {}),
        ("dlviz-compare", "compare", ["both.html", os.path.join(models, "map.html"), os.path.join(models, "map.html"),
                                      "--force", "--quiet", "--title", "seed {seed}"], {}),
        ("export_onnx", "export_onnx", [], {}),
        ("quickstart", "quickstart", [data], {}),
        ("predict", "predict", [model, os.path.join(folder, "small.idx")], {}),
    ]
    chosen = [row for row in descriptions if not wanted or wanted.startswith(row[1]) or row[1].startswith(wanted)]
    if not chosen:
        return []
    save_map()
    run("export_onnx")
    inputs.make_small_images(os.path.join(folder, "small.idx"))
    return [Program(build, os.path.join(folder, "programs"), name, label, arguments, **more)
            for name, label, arguments, more in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--faults", choices=["sample", "all"], default="sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--most", type=int, help="of each stage or program, and fault")
    options = parser.parse_args()
    build, table = os.path.abspath(options.build), Table()
    everything = options.faults == "all"
    with tempfile.TemporaryDirectory(prefix="dlviz-faults-") as folder:
        if not options.only or options.only.startswith("pipeline"):
            inputs.make_pipeline_inputs(os.path.join(folder, "pipeline-in"))
            stage = options.only.partition(" ")[2]
            own = ["alloc:ENOMEM", "alloc:ENOMEM:all"]
            thin = 1 if everything or stage else THIN
            walk_pipeline(build, folder, own, options.most or (10**9 if everything else 4), 1, options.seed, stage,
                          table)
            others = [f"{call}:{what}" for call, faults in FAULTS.items() for what in faults]
            walk_pipeline(build, folder, others, options.most or (10**9 if everything else 1), thin,
                          options.seed, stage, table)
            if stage in ("", "figures"):  # cairo tells of libpng's lack of memory as of any failure
                walk_pipeline(build, folder, ["malloc:ENOMEM"], options.most or (10**9 if everything else 1), 1,
                              options.seed, "figures", table, maker="libpng")
            for maker in ("libexpat", "libfontconfig") if stage in ("", "letters") else ():  # fontconfig reads settings
                walk_pipeline(build, folder, ["malloc:ENOMEM"], options.most or (10**9 if everything else 24), 1,
                              options.seed, "letters", table, maker=maker, through="libexpat")
        if not options.only.startswith("pipeline"):
            for program in make_programs(build, folder, options.only):
                walk_program(program, options.most or (10**9 if everything else 1), 10**9 if everything else KINDS,
                             options.seed, options.only, table)
                walk_streams(program, options.most or (10**9 if everything else 1),
                             10**9 if everything else KINDS_OF_STREAMS, options.seed, options.only, table)
    table.show()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{usage.ru_utime + usage.ru_stime:.0f} s of processor time")
    return 1 if table.num_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
