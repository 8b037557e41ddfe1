#!/usr/bin/env python3
"""The house's plan: who may use whom inside lib/, as the table in lib/README.md says, and that nothing goes in circles.

check_includes.py SOURCE_ROOT

Checked are
- what each file includes, and which other room's functions it calls, against the table;
- that the table itself goes one way: no room may use one that may use it;
- that no header includes itself by way of others;
- that inside a room no two modules (x.c with its x.h) call each other, be it by way of others;
- that the functions that a header declares are defined in its room.
"""
import os
import re
import sys

# Each of these belongs to one room, or to one that reads and one that writes.
DOORS = {
    "cblas.h": "linalg", "lapacke.h": "linalg", "lapack.h": "linalg", "openblas_config.h": "linalg",
    "f77blas.h": "linalg", "cairo.h": "plot", "cairo-svg.h": "plot", "cairo-pdf.h": "plot",
    "pango/pangocairo.h": "plot", "pango/pangofc-fontmap.h": "plot", "fontconfig/fontconfig.h": "plot",
    "png.h": "png, data", "jpeglib.h": "data", "mpi.h": "mpi",
}

# To be resolved: circles inside a room, by the modules in them; rooms that call another against the table.
KNOWN_CIRCLES = []
KNOWN_USES = []

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
NAME = r"(?:dlz|dlviz)_\w+"


# -- The table -----------------------------------------------------------------------------------

def read_table(readme):
    """{room: rooms it may use} from rows like | `kernels/conv/` | what | base, isa, kernels/nn |"""
    table = {}
    with open(readme, encoding="utf-8") as text:
        for line in text:
            row = re.match(r"\|\s*`([\w/]+)/`\s*\|.*\|\s*([^|]*?)\s*\|\s*$", line)
            if row:
                table[row.group(1)] = set(re.findall(r"[\w/]+", row.group(2)))
    return table


def parent(room):
    return room.rpartition("/")[0]


def may_use(table, room, other):
    """A room stands for the rooms inside it as well; but those in one room name each other singly."""
    allowed = table.get(room, set())
    if other == room or other in allowed or (parent(room) and other == parent(room)):
        return True
    return parent(other) in allowed and parent(other) != parent(room)


def room_of(table, path):
    """The innermost room that a path from lib/ is in, or None."""
    room = os.path.dirname(path)
    while room and room not in table:
        room = parent(room)
    return room or None


# -- Sources -------------------------------------------------------------------------------------

def sources(folder):
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            if name.endswith((".c", ".h", ".inc")):
                yield os.path.join(path, name)


def plain(text):
    """Without comments, strings and the preprocessor's lines."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"'(?:\\.|[^'\\\n])+'", "0", text)
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", "", text, flags=re.M)


def outside_and_inside(text):
    """What stands outside of all braces, these left empty, and what stands inside."""
    outside, inside, depth = [], [], 0
    for piece in re.split(r"([{}])", text):
        if piece == "}":
            depth -= 1
        if piece in "{}" and piece:
            (inside if depth else outside).append(piece)
        else:
            (inside if depth else outside).append(piece + (" " if depth else ""))
        if piece == "{":
            depth += 1
    return "".join(outside), "".join(inside)


class File:
    def __init__(self, lib, path):
        self.path = os.path.relpath(path, lib)
        self.module = os.path.splitext(self.path)[0]
        self.is_header = path.endswith(".h")
        with open(path, encoding="utf-8") as text:
            self.text = text.read()
        stripped = plain(self.text)
        outside, inside = outside_and_inside(stripped)
        self.includes = [(self.text.count("\n", 0, match.start(2)) + 1, match.group(1), match.group(2))
                         for match in INCLUDE.finditer(self.text)]
        functions = re.findall(r"([^;{}()]*?)\b(" + NAME + r")\s*\([^;{}]*?\)\s*(\{\}|;)", outside)
        self.defines = {name: "static" in before.split() or "DLZ_INLINE" in before.split()
                        for before, name, end in functions if end != ";"}
        self.declares = [name for before, name, end in functions
                         if end == ";" and not re.search(r"\b(typedef|return)\b|=", before)]
        # Tables of kernels, by instruction set.
        self.defines.update((name, False) for name in
                            re.findall(r"\bDLZ_VARIANT\((" + NAME + r")\)\s*=", stripped))
        self.declares += re.findall(r"^DLZ_KERNEL_TABLE\(\s*\w+,\s*(" + NAME + r")\)", stripped, re.M)
        used = re.findall(r"\b(" + NAME + r")\b\s*(?=[(,);])", inside if self.is_header else stripped)
        self.uses = {re.sub(r"_of$", "", name) for name in used} | set(used)


# -- Checks --------------------------------------------------------------------------------------

def check_includes(table, file, problems):
    room = room_of(table, file.path)
    for line, quote, name in file.includes:
        where = "lib/{}:{}: ".format(file.path, line)
        if quote == '"':
            target = room_of(table, name)
            if "/" not in name or ".." in name.split("/"):
                problems.append(where + "'{}' should be named from lib/, as room/file.h".format(name))
            elif not target:
                problems.append(where + "'{}' is in no room; public headers go in <>".format(name))
            elif not may_use(table, room, target):
                problems.append(where + "{} may not include {}".format(room, target))
        elif name == "dlviz.h":
            problems.append(where + "name the one public header that is needed")
        base = name.split("/")[-1]
        ours = quote == '"' and room_of(table, name)
        if base in DOORS and not ours and room not in DOORS[base].split(", "):
            problems.append(where + "{} is for lib/{} alone".format(base, DOORS[base]))


def circles(graph):
    """The strongly connected parts of {node: nodes}, each a sorted list of more than one (R. Tarjan, 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            part = stack[stack.index(node):]
            del stack[-len(part):]
            if len(part) > 1 or node in graph.get(node, ()):
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def check_table(table, lib, problems):
    folders = {os.path.relpath(path, lib) for path, _, files in os.walk(lib)
               if any(name.endswith((".c", ".h")) for name in files)}
    for room in sorted(folders ^ set(table)):
        problems.append("lib/README.md and the folders of lib/ disagree about '{}'".format(room))
    for room, allowed in sorted(table.items()):
        for other in sorted(allowed - set(table)):
            problems.append("lib/README.md lets {} use '{}', which is no room".format(room, other))
    graph = {room: {other for other in table if other != room and may_use(table, room, other)} for room in table}
    for part in circles(graph):
        problems.append("lib/README.md lets {} use each other".format(", ".join(part)))


def check_definitions(table, files, homes, problems):
    for file in files:
        for name in file.declares if file.is_header else ():
            room = room_of(table, file.path)
            rooms = {room_of(table, path) for path in homes.get(name, ())}
            if room not in rooms and not any((room, other) in KNOWN_USES for other in rooms):
                problems.append("lib/{}: {}() is defined in {}".format(
                    file.path, name, ", ".join(sorted(map(str, rooms))) or "no file"))


def check_uses(table, files, homes, problems):
    """Calls, which are found by name: each function that is not static has one."""
    inside, why, known_uses = {}, {}, set(KNOWN_USES)
    for file in files:
        room = room_of(table, file.path)
        for name in sorted(file.uses - set(file.defines)):
            for path in homes.get(name, ()):
                module = os.path.splitext(path)[0]
                if module == file.module or path.endswith(".h"):
                    continue
                if room_of(table, path) == room:
                    inside.setdefault(file.module, set()).add(module)
                    why.setdefault((file.module, module), name)
                elif (room, room_of(table, path)) in KNOWN_USES:
                    known_uses.discard((room, room_of(table, path)))
                elif not may_use(table, room, room_of(table, path)):
                    problems.append("lib/{}: {} may not use {}: {}()".format(
                        file.path, room, room_of(table, path), name))
    known = list(KNOWN_CIRCLES)
    for part in circles(inside):
        if set(part) in known:
            known.remove(set(part))
            continue
        calls = ["{} calls {}() of {}".format(a, name, b) for (a, b), name in sorted(why.items())
                 if a in part and b in part]
        problems.append("a circle: " + "; ".join(calls))
    for part in known:
        problems.append("no circle any more, so strike it from KNOWN_CIRCLES: " + ", ".join(sorted(part)))
    for room, other in sorted(known_uses):
        problems.append("{} calls {} no more, so strike it from KNOWN_USES".format(room, other))


def check_public(root, problems):
    for path in sources(os.path.join(root, "include")):
        with open(path, encoding="utf-8") as text:
            for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text.read(), re.M):
                problems.append("{} includes \"{}\": public headers use <>".format(
                    os.path.relpath(path, root), name))


def main():
    root = sys.argv[1]
    lib = os.path.join(root, "lib")
    table = read_table(os.path.join(lib, "README.md"))
    problems = []
    files = [File(lib, path) for path in sources(lib)]
    check_table(table, lib, problems)
    for file in files:
        check_includes(table, file, problems)
    headers = {file.path: {name for _, quote, name in file.includes if quote == '"'} for file in files if file.is_header}
    for part in circles(headers):
        problems.append("headers that include each other: " + ", ".join(part))
    homes = {}
    for file in files:
        for name, is_static in file.defines.items():
            if file.is_header or not is_static:
                homes.setdefault(name, []).append(file.path)
    check_definitions(table, files, homes, problems)
    check_uses(table, files, homes, problems)
    check_public(root, problems)
    for problem in problems:
        print(problem)
    print("{} files, {} rooms, {} problems".format(len(files), len(table), len(problems)))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
