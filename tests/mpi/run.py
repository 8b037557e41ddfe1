#!/usr/bin/env python3
"""Runs test_mpi as ranks of several numbers, and sees that all of them end.

run.py MPIEXEC PROGRAM [SMALL_MESSAGES_PROGRAM]
"""
import glob
import os
import subprocess
import sys
import time

# More ranks than processors, and as root, as in containers.
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none"}
# Seconds. Ranks whose launcher has to end them do not take long.
LIMIT, SHORT_LIMIT = 240, 60


def run(mpiexec, number, program, mode, right):
    """What is wrong with a run, or nothing."""
    environment = {**os.environ, **ENVIRONMENT}
    limit = LIMIT if mode == "work" else SHORT_LIMIT
    command = [program, mode] if number == 0 else [mpiexec, "-n", str(number), program, mode]
    begin = time.monotonic()
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit, check=False)
    except subprocess.TimeoutExpired as late:
        return "{} does not end within {} seconds\n{}".format(" ".join(command), limit, late.stdout)
    took = time.monotonic() - begin
    print("{:8} {} ranks: {:.2f} s".format(mode, number, took), flush=True)
    if right is not None and (done.returncode == 0) != right:
        return "{} ended with {}\n{}".format(" ".join(command), done.returncode, done.stdout)
    return ""


def wait_for(path, process):
    """Until there is such a file, or the process has ended."""
    deadline = time.monotonic() + LIMIT
    while not os.path.exists(path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def ranks_of(program, out):
    """The processes of a program that write to a folder, by their numbers."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(os.path.basename(program).encode()) and out.encode() in words:
            found.append(int(path.split("/")[2]))
    return sorted(found)


def main():
    mpiexec, program, *others = sys.argv[1:]
    runs = [(0, program, "alone", True)]
    runs += [(number, program, "work", True) for number in (1, 2, 3, 4, 8)]
    runs += [(number, other, "work", True) for other in others for number in (2, 3)]
    # A rank that ends with status 0 without a word: launchers end the others, and not all call that a failure.
    runs += [(number, program, mode, right) for number in (2, 4)
             for mode, right in (("fail", True), ("leave", True), ("finalize", True), ("longer", True), ("refuse", True),
                                 ("refuse_later", True), ("levels", True), ("after", True), ("exit", None), ("kill", False))]
    # Messages in two parts, of which the second is refused.
    runs += [(2, other, "refuse_later", True) for other in others]
    problems = [problem for problem in (run(mpiexec, *each) for each in runs) if problem]
    print("\n".join(problems))
    print("{} runs, {} problems".format(len(runs), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
