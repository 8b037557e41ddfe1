"""What the public headers declare, for the scripts that check it."""
import os
import re

# What a public declaration begins with.
EXPORT = r"\b(DLVIZ_API|DLVIZ_CHECKED)\b"


class Function:
    def __init__(self, header, mark, returns, name, parameters):
        self.header, self.mark, self.returns, self.name, self.parameters = header, mark, returns, name, parameters


class Header:
    """One public header: its text, and what is in it without comments and directives."""

    def __init__(self, include, path):
        self.name = path
        with open(os.path.join(include, path), encoding="utf-8") as file:
            self.text = file.read()
        code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", self.text, flags=re.S)
        code = re.sub(r'extern "C" \{', " ", re.sub(r"^[ \t]*#(?:\\\n|.)*$", "", code, flags=re.M))
        self.handles = set(re.findall(r"typedef struct (dlviz_\w+) \1;", code))
        self.enums = {name: re.findall(r"\b(DLVIZ_\w+)\s*=", values) for values, name in
                      re.findall(r"typedef enum \w+ \{(.*?)\} (\w+);", code, re.S)}
        self.callbacks = {name: split(parameters) for name, parameters in
                          re.findall(r"typedef [\w ]+ \(\*(dlviz_\w+)\)\((.*?)\);", code, re.S)}
        self.functions = []
        for statement in code.split(";"):
            match = re.search(EXPORT + r"(.*?)\b(dlviz_\w+)\s*\((.*)\)\s*$",
                              re.sub(r"\bDLVIZ_PRINTF\(.*?\)", "", statement), re.S)
            if match:
                mark, returns, name, parameters = match.groups()
                self.functions.append(Function(path, mark, " ".join(returns.split()), name,
                                               split(parameters)))


def split(text):
    """[(type, name)] of a list of parameters; of a pointer to a function, the type is all of it."""
    parts, depth, start = [], 0, 0
    text = " ".join(text.split())
    for at, letter in enumerate(text + ","):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    result = []
    for part in parts:
        function = re.match(r".*?\(\*(\w+)\)", part)
        plain = re.match(r"(.*?)\s*\b(\w+)\s*(\[\w*\])?$", part)
        if function:
            result.append((part, function.group(1)))
        elif part not in ("void", "", "..."):
            result.append((plain.group(1) + (plain.group(3) or ""), plain.group(2)))
    return result


def headers(source_root):
    include = os.path.join(source_root, "include")
    with open(os.path.join(include, "meson.build"), encoding="utf-8") as file:
        return [Header(include, name) for name in re.findall(r"'(dlviz/[^']+)'", file.read())]
