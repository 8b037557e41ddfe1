#!/usr/bin/env python3
"""Makes C of the page's template: the parts between its marks, and which mark follows each. The page's policy then allows its one
style and its one script by their hashes, and no other.

page.py page.html page.c
"""
import base64
import hashlib
import re
import sys

MARKS = ("TITLE", "NOSCRIPT", "DATA", "SPRITE")


def seal(text):
    """The template with the hashes of its style and its script in the place of 'unsafe-inline'."""
    for tag in ("style", "script"):
        content, = re.findall("<{0}>(.*?)</{0}>".format(tag), text, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
        allowed = "{}-src 'unsafe-inline'".format(tag)
        if text.count(allowed) != 1:
            sys.exit("the policy needs \"{}\" once".format(allowed))
        text = text.replace(allowed, "{}-src 'sha256-{}'".format(tag, digest))
    return text


def array(name, text):
    data = text.encode("utf-8")
    lines = [", ".join("{}".format(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
    return "static const unsigned char {}[] = {{\n    {}}};\n".format(name, ",\n    ".join(lines or ["0"]))


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8", newline="") as file:
        text = seal(file.read())
    pieces = re.split(r"/\*({})\*/".format("|".join(MARKS)), text)
    if sorted(pieces[1::2]) != sorted(MARKS):
        sys.exit("{}: it has the marks {}, and needs each of {} once".format(
            source, " ".join(pieces[1::2]) or "none", " ".join(MARKS)))
    code = '/* Made of page.html by page.py. */\n#include "report/page.h"\n\n'
    code += "".join(array("part{}".format(i), part) for i, part in enumerate(pieces[::2]))
    rows = ["    {{part{}, {}, DLZ_PAGE_{}}},\n".format(i, len(part.encode("utf-8")), (pieces[1::2] + ["END"])[i])
            for i, part in enumerate(pieces[::2])]
    code += "\nconst dlz_page_part dlz_page[] = {{\n{}}};\n".format("".join(rows))
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.write(code)


if __name__ == "__main__":
    main()
