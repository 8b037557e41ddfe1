#!/usr/bin/env python3
"""An installed library serves a stranger who has a compiler and pkg-config, and nothing of Meson.

check_install.py [--no-figures] [--mpi] BUILD_ROOT --c COMMAND... --c++ [COMMAND...]

Installs into a temporary folder, then compiles and runs a program of a few lines (and examples/quickstart.c)
as C and as C++, against the shared library and against the static one, whichever were built; and the programs
that come with it, dlviz-train, dlviz-embed and dlviz-compare. The example gets
a few hundred images of bars, one position a digit, in MNIST's format; of a library without figures it must say that
it draws none.
"""
import glob
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

PROGRAM = r"""
#include <dlviz.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    const int64_t dims[] = {2, 3};
    dlviz_tensor *tensor;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", DLVIZ_VERSION_MAJOR, DLVIZ_VERSION_MINOR,
             DLVIZ_VERSION_PATCH);
    if (strcmp(expected, dlviz_version()) != 0)
        return 2;
    if (dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, dims) != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        return 3;
    }
    printf("%s %d\n", dlviz_version(), (int)dlviz_tensor_num_elements(tensor));
    dlviz_tensor_destroy(tensor);
    return 0;
}
"""

# Started alone, there is no communicator.
MPI_PROGRAM = r"""
#include <dlviz/mpi.h>
#include <stdio.h>

int main(void) {
    dlviz_comm *comm;
    if (dlviz_mpi_start(&comm) != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        return 3;
    }
    printf("%d of %d\n", (int)dlviz_comm_rank(comm), (int)dlviz_comm_num_ranks(comm));
    dlviz_mpi_end(comm);
    return 0;
}
"""
# Both MPIs' headers had classes for C++ once, which nobody should use.
MPI_FLAGS = ["-DOMPI_SKIP_MPICXX", "-DMPICH_SKIP_MPICXX"]


def write_digits(folder):
    """IDX files under MNIST's names: the image of digit d has a bright bar at columns 2d+4 and 2d+5."""
    os.mkdir(folder)
    for stem, count in (("train", 640), ("t10k", 100)):
        labels = bytes(i % 10 for i in range(count))
        rows = [bytes(200 + row if column // 2 == label + 2 else (row * column) % 32
                      for row in range(28) for column in range(28)) for label in range(10)]
        with open(os.path.join(folder, stem + "-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, count, 28, 28) + b"".join(rows[d] for d in labels))
        with open(os.path.join(folder, stem + "-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, count) + labels)


def check_programs(prefix, libdir, data, folder, environment):
    """Trains on the digits, maps what was learned, and compares the page with itself. Returns how many ran."""
    running = dict(environment)
    running["LD_LIBRARY_PATH"] = os.pathsep.join([libdir, os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(os.pathsep)
    bin_ = os.path.join(prefix, "bin")
    out = os.path.join(folder, "out")
    page = os.path.join(out, "report.html")
    commands = (["dlviz-train", data, "--network", "mlp", "--epochs", "1", "--tsne-iterations", "50", "--out", out],
                ["dlviz-embed", "pca", os.path.join(out, "features.npy"), os.path.join(folder, "map.npy")],
                ["dlviz-compare", os.path.join(folder, "index.html"), page])
    for command in commands:
        run([os.path.join(bin_, command[0]), *command[1:]], env=running, cwd=folder, stdin=subprocess.DEVNULL)
        print("{}, installed: works".format(command[0]))
    if sorted(os.listdir(bin_)) != sorted(command[0] for command in commands):
        raise Failure("installed into {}: {}".format(bin_, ", ".join(sorted(os.listdir(bin_)))))
    return len(commands)


class Failure(Exception):
    pass


def run(command, status=0, **options):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode != status:
        raise Failure("{} ended with {}\n{}".format(" ".join(command), done.returncode, done.stdout))
    return done.stdout


def install(build, folder):
    """Returns (prefix, libdir) of the copy, with dlviz.pc naming the copy's place."""
    run([*meson(), "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", folder])
    found = glob.glob(os.path.join(folder, "**", "dlviz.pc"), recursive=True)
    if len(found) != 1:
        raise Failure("{} dlviz.pc files were installed".format(len(found)))
    with open(found[0], encoding="utf-8") as file:
        text = file.read()
    if folder in text or build in text:
        raise Failure("dlviz.pc names a folder of the build:\n" + text)
    prefix = folder + re.search(r"^prefix=(.*)$", text, re.M).group(1)
    for path in glob.glob(os.path.join(os.path.dirname(found[0]), "dlviz*.pc")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^prefix=.*$", "prefix=" + prefix, text, flags=re.M))
    return prefix, os.path.dirname(os.path.dirname(found[0]))


def check_uninstalled(build, folder, compiler):
    """A program compiles by the pkg-config file for a library that is not installed yet."""
    environment = dict(os.environ)
    environment["PKG_CONFIG_PATH"] = os.path.join(build, "meson-uninstalled")
    source = os.path.join(folder, "uninstalled.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    flags = run(["pkg-config", "--cflags", "dlviz"], env=environment).split()
    run([*compiler, "-std=c11", "-c", source, "-o", os.path.join(folder, "uninstalled.o"), *flags])
    print("uninstalled: compiles")


def query(kind, name, environment):
    static = ["--static"] if kind == "static" else []
    return run(["pkg-config", *static, "--cflags", "--libs", name], env=environment).split()


def meson():
    command = os.environ.get("MESON") or shutil.which("meson")
    if command:
        return [command]
    return [sys.executable, "-m", "mesonbuild.mesonmain"]


def main():
    with_figures = "--no-figures" not in sys.argv
    if not with_figures:
        sys.argv.remove("--no-figures")
    with_mpi = "--mpi" in sys.argv
    if with_mpi:
        sys.argv.remove("--mpi")
    at, at_cpp = sys.argv.index("--c"), sys.argv.index("--c++")
    build = sys.argv[1]
    compilers = [("C", "c", "c11", sys.argv[at + 1:at_cpp])]
    if sys.argv[at_cpp + 1:]:
        compilers.append(("C++", "cpp", "c++17", sys.argv[at_cpp + 1:]))
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    quickstart = os.path.join(root, "examples", "quickstart.c")
    checks = 0
    with tempfile.TemporaryDirectory(prefix="dlviz-install-") as folder:
        prefix, libdir = install(build, os.path.join(folder, "root"))
        pc_path = os.path.join(libdir, "pkgconfig")
        environment = dict(os.environ)
        environment["PKG_CONFIG_PATH"] = os.pathsep.join(
            [pc_path, os.environ.get("PKG_CONFIG_PATH", "")]).rstrip(os.pathsep)
        has_shared = os.path.exists(os.path.join(libdir, "libdlviz.so"))
        has_static = os.path.exists(os.path.join(libdir, "libdlviz.a"))
        if not has_shared and not has_static:
            raise Failure("no library was installed into " + libdir)
        if glob.glob(os.path.join(libdir, "*inside*")):
            raise Failure("the internal library was installed")
        if not os.path.exists(os.path.join(prefix, "include", "dlviz.h")):
            raise Failure("dlviz.h was not installed")

        check_uninstalled(build, folder, compilers[0][3])
        checks += 1

        data = os.path.join(folder, "digits")
        write_digits(data)
        if os.path.isdir(os.path.join(prefix, "bin")):  # built with the examples
            checks += check_programs(prefix, libdir, data, folder, environment)
        programs = [("hello", PROGRAM)]
        if with_mpi:
            programs.append(("mpi", MPI_PROGRAM))
        if os.path.exists(quickstart):
            with open(quickstart, encoding="utf-8") as file:
                programs.append(("quickstart", file.read()))
        kinds = [kind for kind, there in (("shared", has_shared), ("static", has_static)) if there]
        for kind in kinds:
            if kind == "static":
                for name in glob.glob(os.path.join(libdir, "libdlviz*.so*")):
                    os.remove(name)
            flags = query(kind, "dlviz", environment)
            mpi_flags = MPI_FLAGS + query(kind, "dlviz-mpi", environment) if with_mpi else []
            for language, suffix, standard, compiler in compilers:
                for name, text in programs:
                    if name == "quickstart" and language == "C++":
                        continue
                    work = os.path.join(folder, "-".join((name, kind, suffix)))
                    os.mkdir(work)
                    source = os.path.join(work, name + "." + suffix)
                    with open(source, "w", encoding="utf-8") as file:
                        file.write(text)
                    program = os.path.join(work, name)
                    run([*compiler, "-std=" + standard, "-Wall", "-Wextra", "-Werror", source, "-o", program,
                         *(mpi_flags if name == "mpi" else flags)], env=environment)
                    running = dict(environment)
                    if kind == "shared":
                        running["LD_LIBRARY_PATH"] = os.pathsep.join(
                            [libdir, os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(os.pathsep)
                    draws = name == "quickstart"
                    output = run([program, data], status=1 if draws and not with_figures else 0, env=running,
                                 cwd=work, stdin=subprocess.DEVNULL)
                    if draws and not with_figures and "draws no figures" not in output:
                        raise Failure("{} printed '{}'".format(program, output))
                    if name == "hello" and not re.fullmatch(r"\d+\.\d+\.\d+ 6\n", output):
                        raise Failure("{} printed '{}'".format(program, output))
                    if name == "mpi" and output != "0 of 1\n":
                        raise Failure("{} printed '{}'".format(program, output))
                    print("{} as {}, {} library: works".format(name, language, kind))
                    checks += 1
    print(checks, "programs built and run")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(failure)
        sys.exit(1)
