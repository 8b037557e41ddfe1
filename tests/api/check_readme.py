#!/usr/bin/env python3
"""The README's program is examples/quickstart.c, which other tests compile and run."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
readme = (root / "README.md").read_text(encoding="utf-8")
quickstart = (root / "examples" / "quickstart.c").read_text(encoding="utf-8").strip()
blocks = [block.strip() for block in re.findall(r"```c\n(.*?)```", readme, re.S)]
if quickstart not in blocks:
    sys.exit("README.md: none of its C blocks is examples/quickstart.c")
placeholders = re.findall(r"@[A-Z]+@", readme)
if placeholders:
    sys.exit(f"README.md: left to be filled in: {', '.join(placeholders)}")
for target in re.findall(r"\]\(([^)#]+)\)", readme):
    if "://" not in target and not (root / target).exists():
        sys.exit(f"README.md: links to {target}, which does not exist")
