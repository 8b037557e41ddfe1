#!/usr/bin/env python3
"""The README's program is examples/quickstart.c, which other tests compile and run. The pieces of C in docs/ compile.

check_readme.py SOURCE_ROOT COMPILER..."""

import pathlib
import re
import subprocess
import sys

# What the pieces leave out.
PROLOGUE = """#include <dlviz.h>
#include <stdio.h>
void check(dlviz_status status);
void piece(dlviz_network *net, dlviz_dataset *train, dlviz_dataset *validation);
void piece(dlviz_network *net, dlviz_dataset *train, dlviz_dataset *validation) {
dlviz_trainer *trainer = NULL; dlviz_optimizer *optimizer = NULL; dlviz_safetensors *file = NULL;
dlviz_dataset *images = NULL; dlviz_tensor *outputs = NULL; dlviz_figure *figure = NULL;
dlviz_tensor *x = NULL, *saliency = NULL, *shares = NULL, *gaps = NULL, *cam = NULL, *classes = NULL;
(void)net, (void)train, (void)validation, (void)trainer, (void)optimizer, (void)file, (void)images, (void)outputs;
(void)figure, (void)x, (void)saliency, (void)shares, (void)gaps, (void)cam, (void)classes;
"""

root = pathlib.Path(sys.argv[1])
compiler = sys.argv[2:]


def pieces(path):
    return [block.strip() for block in re.findall(r"```c\n(.*?)```", path.read_text(encoding="utf-8"), re.S)]


def check_links(path):
    text = path.read_text(encoding="utf-8")
    placeholders = re.findall(r"@[A-Z]+@", text)
    if placeholders:
        sys.exit(f"{path.name}: left to be filled in: {', '.join(placeholders)}")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target and not (path.parent / target).exists():
            sys.exit(f"{path.name}: links to {target}, which does not exist")


readme = root / "README.md"
quickstart = (root / "examples" / "quickstart.c").read_text(encoding="utf-8").strip()
if quickstart not in pieces(readme):
    sys.exit("README.md: none of its C blocks is examples/quickstart.c")
check_links(readme)
for path in sorted((root / "docs").glob("*.md")):
    check_links(path)
    for i, piece in enumerate(pieces(path), 1):
        done = subprocess.run([*compiler, "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                               "-I", root / "include", "-"], input=PROLOGUE + piece + "\n}\n", text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{path.name}: piece {i} of C does not compile\n{done.stderr}")
