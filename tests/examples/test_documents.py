"""Command lines that README.md and docs/ show are ones that the programs understand."""
import glob
import os
import re
import shlex

from programs import REPORTS, Case, run

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAMS = [*REPORTS, "dlviz-embed", "dlviz-train", "dlviz-compare", "speedrun"]


class Documents(Case):
    def test_command_lines(self):
        """Each, with --help at its end, which is the last that is read: what comes before is right by then."""
        found = set()
        for document in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))]:
            with open(document, encoding="utf-8") as file:
                blocks = re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S)
            for line in "".join(blocks).replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                at = [i for i, word in enumerate(words) if os.path.basename(word) in PROGRAMS]
                if not at:
                    continue
                program, arguments = os.path.basename(words[at[0]]), words[at[0] + 1:]
                with self.subTest(document=os.path.basename(document), line=line):
                    self.assertTrue(self.expect(0, run(program, *arguments, "--help")).stdout.startswith("Usage: "))
                found.add(program)
        self.assertTrue({"dlviz-embed", "dlviz-train", "dlviz-compare"} <= found, found)
