#!/usr/bin/env python3
"""Ten networks in libdlviz, PyTorch and ONNX Runtime, alternating in one run.

Usage: compare_networks.py BENCH_NETWORKS [--training] [--inference] [--networks NAME ...] [--batches N ...]
                           [--threads T ...] [--rounds N] [--seconds X] [--clock WHICH] [--isa avx2] [--json FILE]
       compare_networks.py BENCH_NETWORKS --check
       compare_networks.py --table FILE.json ... [--markdown docs/networks.md]

Each engine is one process for each line of the table, which makes steps for some time whenever it is its turn, so that
memory is its own and rounds alternate. PyTorch runs in every way that networks_torch.py knows, briefly, and then in
the fastest. A ratio is libdlviz's speed over the other's: above 1, libdlviz is faster. --check compares what
the three compute from the same weights."""

import argparse
import collections
import ctypes
import json
import multiprocessing
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = 16
TRIAL = 0.08  # seconds of each of PyTorch's ways
ISAS = {"avx2": {"DLVIZ_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}

CLOCKS = {"mean": "mean time of a step", "median": "median time of a step", "shortest": "shortest time of a step",
          "processor": "processor time of a step (of several threads: the shortest time)"}
ISA_TITLES = {None: "All instruction sets", "avx2": "AVX2"}

Network = collections.namedtuple("Network", "name dims least_batch title")


def list_networks(program):
    text = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in text.splitlines()]
    return {name: Network(name, tuple(map(int, dims.split("x"))), int(least), title) for name, dims, least, title in rows}


# -- Engines: each has measure(seconds), which gives what bench_networks --serve prints --------------------------------

class Program:
    """A process that reads seconds and answers with JSON."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args} ended")
        return json.loads(answer)

    def measure(self, seconds):
        return self.ask(seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def dlviz_engine(options, network, batch, threads, training):
    return Program([options.program, "--network", network.name, "--batch", str(batch), "--threads", str(threads), "--serve"] +
                   ([] if training else ["--inference"]))


def onnxruntime_package(options):
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = options.onnxruntime or os.path.join(cache, "dlviz", "onnxruntime-1.30.0", "node_modules")
    return os.path.join(folder, "onnxruntime-node")


def onnxruntime_engine(options, model, network, batch, threads):
    return Program(["node", os.path.join(HERE, "onnxruntime_networks.mjs"), onnxruntime_package(options), model, str(batch),
                    str(threads), "x".join(map(str, network.dims))])


class Torch:
    """A fork of this process, in which PyTorch has not yet computed anything."""

    def __init__(self, network, batch, threads, training):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=torch_process, args=(theirs, network, batch, threads, training))
        self.process.start()
        theirs.close()
        self.way = self.pipe.recv()

    def measure(self, seconds):
        self.pipe.send(seconds)
        return self.pipe.recv()

    def close(self):
        self.pipe.send(None)
        self.process.join()


def set_blas_threads(threads):
    """Debian's PyTorch multiplies by OpenBLAS, whose threads it does not know of."""
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(threads)
    except (OSError, AttributeError):
        pass


def torch_process(pipe, network, batch, threads, training):
    import torch
    import networks_torch
    torch.set_num_threads(threads)
    set_blas_threads(threads)
    torch.manual_seed(0)
    steps = {}
    for way, prepare in (networks_torch.TRAINING if training else networks_torch.INFERENCE).items():
        try:
            steps[way] = (torch_training if training else torch_inference)(torch, networks_torch, prepare, network, batch)
            steps[way]()
        except (ValueError, RuntimeError, NotImplementedError):
            steps.pop(way, None)
    trials = {way: trial(step) for way, step in steps.items()}
    best = min(trials, key=trials.get)
    step = steps[best]
    steps.clear()
    if threads > 1:  # the BLAS's threads are others, which may stand in the way
        set_blas_threads(1)
        if trial(step) < trials[best]:
            best += ", BLAS with one thread"
        else:
            set_blas_threads(threads)
    pipe.send(best)
    while (seconds := pipe.recv()) is not None:
        pipe.send(measure(step, seconds))


def torch_inference(torch, networks, prepare, network, batch):
    module, inputs = networks.NETWORKS[network.name]().eval(), torch.rand(batch, *network.dims)
    with torch.no_grad():
        module, inputs = prepare(module, inputs)

    def step():
        with torch.inference_mode():
            module(inputs)
    return step


def torch_training(torch, networks, prepare, network, batch):
    module, inputs = prepare(networks.NETWORKS[network.name]().train(), torch.rand(batch, *network.dims))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    if network.name == "autoencoder":
        loss, targets = torch.nn.functional.mse_loss, [inputs] * TARGETS
    else:
        loss, targets = torch.nn.functional.cross_entropy, [torch.randint(0, 10, (batch,)) for _ in range(TARGETS)]
    number = 0

    def step():
        nonlocal number
        optimizer.zero_grad(set_to_none=True)
        loss(module(inputs), targets[number % TARGETS]).backward()
        optimizer.step()
        number += 1
    return step


def trial(step):
    for _ in range(2):  # a traced module is compiled in its first runs
        step()
    return measure(step, TRIAL)["shortest"]


def peak_megabytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def measure(step, seconds):
    times, processor, started = [], time.process_time(), time.perf_counter()
    last = started
    while not times or last < started + seconds:
        step()
        at = time.perf_counter()
        times.append(at - last)
        last = at
    processor = time.process_time() - processor
    times.sort()
    return {"steps": len(times), "seconds": last - started, "processor": processor, "median": times[len(times) // 2],
            "shortest": times[0], "peak": peak_megabytes()}


def processor_seconds():
    """What all programs have spent, and what the machine's host took away."""
    with open("/proc/stat", encoding="ascii") as file:
        spent = [int(value) for value in file.readline().split()[1:9]]
    return (sum(spent) - spent[3] - spent[4]) / os.sysconf("SC_CLK_TCK")  # neither idle nor waiting


def measure_alone(engine, seconds):
    """With "others": how much of a processor other programs had meanwhile."""
    started, before = time.perf_counter(), processor_seconds()
    found = engine.measure(seconds)
    others = processor_seconds() - before - found["processor"]
    return {**found, "others": max(others, 0) / (time.perf_counter() - started)}


# -- One line of the table ---------------------------------------------------------------------------------------------

def compare(options, network, model, batch, threads, training):
    engines = {}
    if not options.only_dlviz:
        # First: a fork would hold the other processes' pipes open.
        engines["torch"] = Torch(network, batch, threads, training)
        if model:
            engines["onnxruntime"] = onnxruntime_engine(options, model, network, batch, threads)
    engines["dlviz"] = dlviz_engine(options, network, batch, threads, training)
    row = {"network": network.name, "title": network.title, "batch": batch, "threads": threads,
           "mode": "training" if training else "inference", "isa": options.isa,
           "way": getattr(engines.get("torch"), "way", None), "rounds": {name: [] for name in engines}}
    rounds, slowest = options.rounds, 0
    while rounds > 0:
        for name, engine in engines.items():
            time.sleep(0.01)  # threads of the one before may spin for a while
            found = measure_alone(engine, options.seconds)
            row["rounds"][name].append(found)
            slowest = max(slowest, found["median"])
        # Steps of seconds are long enough to need fewer of them.
        rounds = min(rounds, 3 if slowest > 0.5 else rounds) - 1
    for engine in engines.values():
        engine.close()
    return row


# -- Tables ------------------------------------------------------------------------------------------------------------

def rate(row, measured, clock):
    """Images a second of one round."""
    spent = {"mean": measured["seconds"] / measured["steps"], "median": measured["median"], "shortest": measured["shortest"],
             "processor": measured["processor"] / measured["steps"]}
    return row["batch"] / spent[clock]


class Line:
    """What the table says of a row."""

    def __init__(self, row, clock):
        # The processor's time of several threads counts waiting as work.
        clock = "shortest" if clock == "processor" and row["threads"] > 1 else clock
        self.row = row
        self.rates = {name: [rate(row, m, clock) for m in rounds] for name, rounds in row["rounds"].items()}
        self.peaks = {name: max(m["peak"] for m in rounds) for name, rounds in row["rounds"].items()}

    def median(self, engine):
        return statistics.median(self.rates[engine])

    def ratios(self, engine):
        if engine not in self.rates:
            return None
        ratios = [a / b for a, b in zip(self.rates["dlviz"], self.rates[engine])]
        return statistics.median(ratios), min(ratios), max(ratios)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


NAMES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime"}
MODES = ("training", "inference")


def others(lines):
    """The other engines that some of the lines know."""
    return [engine for engine in NAMES if any(engine in line.rates for line in lines)]


def heads(engines):
    texts = ["network", "batch", "threads", "libdlviz"]
    for engine in engines:
        texts += [NAMES[engine], "ratio", "range"]
    return texts + ["MB", "PyTorch's way"]


def marked(ratio):
    return f"**{ratio:.2f}**" if ratio < 1 else f"{ratio:.2f}"


def cells(line, engines):
    row = line.row
    texts = [row["title"], str(row["batch"]), str(row["threads"]), number(line.median("dlviz"))]
    for engine in engines:
        ratios = line.ratios(engine)
        texts += [number(line.median(engine)), marked(ratios[0]), f"{ratios[1]:.2f}–{ratios[2]:.2f}"] if ratios else [""] * 3
    peaks = [f"{line.peaks[engine]:.0f}" if engine in line.peaks else "–" for engine in ["dlviz"] + engines]
    return texts + [" / ".join(peaks), row["way"] or ""]


def table_row(texts):
    return "| " + " | ".join(texts) + " |"


def table_head(texts):
    return [table_row(texts), "|" + "---|" * len(texts)]


def table(lines):
    """The rows of one mode with all that was measured."""
    engines = others(lines)
    return table_head(heads(engines)) + [table_row(cells(line, engines)) for line in lines]


def overview(lines, engine):
    """The ratios alone: a row for each network and number of threads, a column for each batch."""
    batches = sorted({line.row["batch"] for line in lines})
    rows = collections.defaultdict(dict)
    for line in lines:
        ratios = line.ratios(engine)
        if ratios:
            rows[line.row["title"], line.row["threads"]][line.row["batch"]] = marked(ratios[0])
    return (table_head(["network", "threads"] + [f"batch {batch}" for batch in batches]) +
            [table_row([title, str(threads)] + [row.get(batch, "–") for batch in batches]) for (title, threads), row in rows.items()])


def summary(lines):
    """Of each group and each other engine: how many lines, how many of them below 1 and 2, median and smallest ratio."""
    groups = {"training": lambda r: r["mode"] == "training", "inference": lambda r: r["mode"] == "inference",
              "inference, batch 1": lambda r: r["mode"] == "inference" and r["batch"] == 1}
    texts = table_head(["", "beside", "lines", "below 1", "below 2", "median", "smallest"])
    for title, belongs in groups.items():
        for engine, name in NAMES.items():
            ratios = [line.ratios(engine)[0] for line in lines if belongs(line.row) and line.ratios(engine)]
            if ratios:
                texts.append(table_row([title, name, str(len(ratios)), str(sum(r < 1 for r in ratios)),
                                        str(sum(r < 2 for r in ratios)), f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}"]))
    return texts


def smallest(lines, count=20, below=float("inf")):
    """The smallest ratios, one a line."""
    found = [(line.ratios(engine)[0], name, line.row) for line in lines for engine, name in NAMES.items() if line.ratios(engine)]
    return [f"- {ratio:.2f} of {name}: {row['title']}, {row['mode']}, batch {row['batch']}, {threads_text(row['threads'])}"
            for ratio, name, row in sorted(found, key=lambda entry: entry[0])[:count] if ratio < below]


def threads_text(threads):
    return "one thread" if threads == 1 else f"{threads} threads"


# -- A page of it -----------------------------------------------------------------------------------------------------

BEGIN, END = "<!-- measured: compare_networks.py writes what follows -->", "<!-- end of what was measured -->"


def others_text(lines):
    shares = [m["others"] for line in lines for rounds in line.row["rounds"].values() for m in rounds if "others" in m]
    return f"Other programs had {100 * statistics.mean(shares):.0f} % of a processor meanwhile." if shares else ""


def page_part(lines, about):
    """All of one instruction set."""
    texts = [f"{about} {others_text(lines)}".strip(), "", *summary(lines)]
    losing = smallest(lines, count=len(lines) * 2, below=1)
    texts += ["", "Slower than another engine:" if losing else "No line is below 1.", "", *losing]
    for mode in MODES:
        chosen = [line for line in lines if line.row["mode"] == mode]
        for engine in others(chosen):
            texts += ["", f"### {mode.capitalize()}: times as fast as {NAMES[engine]}", "", *overview(chosen, engine)]
    for mode in MODES:
        chosen = [line for line in lines if line.row["mode"] == mode]
        if chosen:
            texts += ["", f"### {mode.capitalize()}: images a second, peak memory", "", *table(chosen)]
    return texts


def write_page(path, groups):
    texts = []
    for isa, (lines, about) in groups.items():
        texts += ["", f"## {ISA_TITLES[isa]}", "", *page_part(lines, about)]
    with open(path, encoding="utf-8") as file:
        page = file.read()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + "\n".join(texts) + "\n\n" + END + after)


def about_text(about, clock):
    return (f"{about['cpu']}, {about['processors']} processors, {about['system']}; libdlviz {about['dlviz']}, "
            f"PyTorch {about['torch']}" + (f", ONNX Runtime {about['onnxruntime']}" if about["onnxruntime"] else "") +
            f". {about['rounds']} rounds of {about['seconds']} s, {CLOCKS[clock]}; {about['date']}.")


# -- The same network? -------------------------------------------------------------------------------------------------

def check(options, networks):
    """Weights of libdlviz, three steps after their start, in all three: outputs of the same inputs."""
    import numpy
    import torch
    import networks_torch
    worst = 0
    for network in networks:
        with tempfile.TemporaryDirectory(prefix="dlviz-networks-") as folder:
            files = {kind: os.path.join(folder, kind) for kind in ("weights", "model.onnx", "in.npy", "out.npy", "raw")}
            inputs = numpy.random.default_rng(1).random((8, *network.dims), dtype=numpy.float32)
            numpy.save(files["in.npy"], inputs)
            inputs.tofile(files["raw"])
            subprocess.run([options.program, "--network", network.name, "--save", files["weights"], "--export-onnx",
                            files["model.onnx"], "--inputs", files["in.npy"], "--outputs", files["out.npy"]], check=True)
            ours = numpy.load(files["out.npy"])
            module = networks_torch.NETWORKS[network.name]().eval()
            networks_torch.load(module, files["weights"])
            with torch.no_grad():
                found = {"PyTorch": module(torch.tensor(inputs)).numpy()}
            if options.with_onnxruntime:
                engine = onnxruntime_engine(options, files["model.onnx"], network, 8, 1)
                engine.ask("check " + files["raw"])
                engine.close()
                found["ONNX Runtime"] = numpy.fromfile(files["raw"] + ".out", numpy.float32).reshape(ours.shape)
        errors = {name: float(numpy.abs(theirs - ours).max() / numpy.abs(theirs).max()) for name, theirs in found.items()}
        worst = max(worst, *errors.values())
        print(f"{network.name:12} outputs {ours.shape}, largest difference of the largest output: " +
              ", ".join(f"{name} {error:.1e}" for name, error in errors.items()), flush=True)
    return 0 if worst < 1e-4 else 1


# --------------------------------------------------------------------------------------------------------------------

def describe(options):
    """What was measured with what."""
    import torch
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    first = subprocess.run([options.program, "--network", "mlp", "--batch", "1", "--inference", "--steps", "1"], check=True,
                           capture_output=True, text=True).stdout
    version = None
    if options.with_onnxruntime:
        with open(os.path.join(onnxruntime_package(options), "package.json"), encoding="utf-8") as file:
            version = json.load(file)["version"]
    return {"cpu": cpu, "processors": os.cpu_count(), "system": system, "dlviz": re.sub(r"^threads: \d+  isa: (\S+)  blas: (.*)$", r"(\1, \2)", first.splitlines()[0]), "torch": torch.__version__,
            "onnxruntime": version, "rounds": options.rounds, "seconds": options.seconds, "clock": options.clock,
            "date": time.strftime("%Y-%m-%d")}


def save(options, about, rows):
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"about": about, "rows": rows}, file, indent=0)


def run_mode(options, networks, mode, folder, done):
    for network in networks:
        model = None
        if mode == "inference" and options.with_onnxruntime:
            model = os.path.join(folder, network.name + ".onnx")
            subprocess.run([options.program, "--network", network.name, "--export-onnx", model], check=True)
        for threads in options.threads:
            for batch in options.batches:
                if mode == "inference" or batch >= network.least_batch:
                    done(compare(options, network, model, batch, threads, mode == "training"))


def run(options, networks):
    about = {} if options.only_dlviz else describe(options)
    lines, rows = [], []

    def done(row):
        rows.append(row)
        lines.append(Line(row, options.clock))
        print(table_row(cells(lines[-1], engines)), flush=True)
        save(options, about, rows)

    with tempfile.TemporaryDirectory(prefix="dlviz-networks-") as folder:
        for mode in MODES:
            if getattr(options, mode):
                engines = [] if options.only_dlviz else ["torch"] + (
                    ["onnxruntime"] if mode == "inference" and options.with_onnxruntime else [])
                print("\n".join(["", *table_head(heads(engines))]), flush=True)
                run_mode(options, networks, mode, folder, done)
    return lines


def read_groups(paths, clock):
    """Lines and what is known of them, by instruction set; of the same line in several files the last."""
    rows, abouts = collections.defaultdict(dict), {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
        for row in whole["rows"]:
            rows[row["isa"]][row["mode"], row["network"], row["threads"], row["batch"]] = row
            abouts[row["isa"]] = about_text(whole["about"], clock)
    return {isa: ([Line(row, clock) for row in of.values()], abouts[isa]) for isa, of in rows.items()}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", nargs="?", help="the bench_networks program")
    parser.add_argument("--training", action="store_true", help="training only")
    parser.add_argument("--inference", action="store_true", help="inference only")
    parser.add_argument("--networks", nargs="+", help="names, as bench_networks --list prints them")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each timing")
    parser.add_argument("--clock", choices=list(CLOCKS), default="mean",
                        help="a step's time: all steps' mean, their median, the shortest of them (for a busy machine), or the "
                        "processor's time (likewise; with several threads the shortest)")
    parser.add_argument("--isa", choices=list(ISAS), help="libdlviz and PyTorch without AVX-512")
    parser.add_argument("--onnxruntime", help="node_modules with onnxruntime-node; 'no': without ONNX Runtime")
    parser.add_argument("--only-dlviz", action="store_true", help="libdlviz alone")
    parser.add_argument("--check", action="store_true", help="compare what the three compute")
    parser.add_argument("--json", help="what was measured, for --table")
    parser.add_argument("--table", nargs="+", metavar="JSON", help="print the tables of earlier measurements; later files win")
    parser.add_argument("--markdown", metavar="PAGE", help="with --table: put them into this page")
    options = parser.parse_args()
    if not options.program and not options.table:
        parser.error("which program?")
    if not options.training and not options.inference:
        options.training = options.inference = True
    options.with_onnxruntime = (options.onnxruntime != "no" and shutil.which("node") and
                                os.path.isdir(onnxruntime_package(options)) and not options.only_dlviz)
    return options


def show_tables(options):
    groups = read_groups(options.table, options.clock)
    if options.markdown:
        write_page(options.markdown, groups)
        return
    for isa, (lines, about) in groups.items():
        print("\n".join([f"## {ISA_TITLES[isa]}", "", *page_part(lines, about), ""]))


def main():
    options = parse()
    if options.table:
        show_tables(options)
        return 0
    networks = list_networks(options.program)
    chosen = [networks[name] for name in options.networks or networks]
    if options.isa:
        os.environ.update(ISAS[options.isa])
    sys.path.insert(0, HERE)
    if options.check:
        return check(options, chosen)
    if not options.only_dlviz:
        import networks_torch  # before the forks, once for all
    lines = run(options, chosen)
    print("\n".join(["", others_text(lines), "", *summary(lines), "", "The smallest ratios:", "", *smallest(lines)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
