"""Small faults put into C: an operator, a constant, a condition, a statement left out, arguments that change places."""
import hashlib
import re
from collections import namedtuple

Token = namedtuple("Token", "kind text start end line")
# `replacement` takes the place of source[start:end]; it has as many line breaks, so that lines keep their numbers.
Mutation = namedtuple("Mutation", "kind start end replacement line")

SKIPPED = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.S)
DIRECTIVE = re.compile(r"[ \t]*#(?:\\\n|/\*.*?\*/|[^\n])*", re.S)
PATTERNS = [
    ("string", re.compile(r'(?:u8|[uUL])?"(?:\\.|[^"\\])*"', re.S)),
    ("character", re.compile(r"[uUL]?'(?:\\.|[^'\\])+'")),
    ("number", re.compile(r"(?:0[xX][0-9a-fA-F.]+(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[uUlLfF]*")),
    ("name", re.compile(r"[A-Za-z_]\w*")),
    ("sign", re.compile(r"\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|"
                        r"[-+*/%&|^<>=!~?:;,.(){}\[\]]")),
]
# For operators between two operands.
BINARY = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
    "<<": [">>"], ">>": ["<<"], "&": ["|"], "|": ["&"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "|=": ["&="], "&=": ["|="], "<<=": [">>="], ">>=": ["<<="],
}
UNARY = {"!": [""], "++": ["--"], "--": ["++"]}
CONTROL = {"if", "for", "while", "switch", "return", "sizeof", "_Alignof", "_Static_assert", "do", "else", "case",
           "goto"}


def tokens_of(source):
    """The tokens of a source, without comments and preprocessor lines."""
    tokens, at, line, fresh = [], 0, 1, True  # fresh: nothing but blanks since the line began
    while at < len(source):
        match = DIRECTIVE.match(source, at) if fresh else None
        kind = None
        if not match:
            match = SKIPPED.match(source, at)
        if not match:
            for kind, pattern in PATTERNS:
                match = pattern.match(source, at)
                if match:
                    break
            else:
                raise ValueError(f"line {line}: not C: {source[at:at + 20]!r}")
            tokens.append(Token(kind, match.group(), at, match.end(), line))
        text = match.group()
        if kind:
            fresh = False
        elif "\n" in text:
            fresh = True
        line += text.count("\n")
        at = match.end()
    return tokens


class Source:
    """A C source and all that can be broken in it."""

    def __init__(self, text):
        self.text = text
        self.tokens = tokens_of(text)
        self.partner = self._partners()

    def _partners(self):
        """For each bracket, the index of the one that closes or opens it."""
        partner, open_ones = {}, []
        for index, token in enumerate(self.tokens):
            if token.text in ("(", "[", "{") and token.kind == "sign":
                open_ones.append(index)
            elif token.text in (")", "]", "}") and token.kind == "sign" and open_ones:
                first = open_ones.pop()
                partner[first], partner[index] = index, first
        return partner

    def _text(self, first, last):
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def _begins_statement(self, index):
        """Whether a statement begins with this token."""
        before = self.tokens[index - 1] if index else None
        if before is None or before.text in (";", "{", "}", "else", ":"):
            return True
        opening = self.partner.get(index - 1)
        return before.text == ")" and opening is not None and opening > 0 and \
            self.tokens[opening - 1].text in ("if", "for", "while", "switch")

    def lines_of_statement(self, mutation):
        """The mutation's line, and those above to where its statement begins: a compiler may count any of them."""
        index = next(i for i, token in enumerate(self.tokens) if token.end > mutation.start)
        first = index
        while first > 0 and self.tokens[first - 1].text not in (";", "{", "}"):
            first -= 1
        return list(range(mutation.line, self.tokens[first].line - 1, -1))

    def mutations(self):
        depth = 0
        for index, token in enumerate(self.tokens):
            if token.kind == "sign":
                depth += (token.text == "{") - (token.text == "}")
            if depth == 0:  # a function's head
                continue
            yield from self._operators(index, token)
            yield from self._constants(token)
            yield from self._conditions(index, token)
            yield from self._left_out(index, token)
            yield from self._swapped(index, token)

    def _operators(self, index, token):
        before = self.tokens[index - 1] if index else None
        if token.kind != "sign" or before is None:
            return
        between = not self._begins_statement(index) and (before.text in (")", "]") or before.text not in CONTROL and
                                                         before.kind in ("name", "number", "character"))
        others = BINARY.get(token.text, []) if between and not self._declares_pointer(index) else []
        if token.text in UNARY:
            others = UNARY[token.text]
        for other in others:
            yield Mutation("operator", token.start, token.end, other, token.line)

    def _declares_pointer(self, index):
        """Whether a star belongs to a type: "char *name = ...", "(char *)"."""
        after = self.tokens[index + 1:index + 3]
        if self.tokens[index].text != "*" or len(after) < 2:
            return False
        first = index - 1
        while first > 0 and self.tokens[first - 1].text in ("const", "static", "struct", "unsigned"):
            first -= 1
        declares = self._begins_statement(first) or self.tokens[first - 1].text == "("
        return after[0].text in (")", ",", "const") or \
            declares and after[0].kind == "name" and after[1].text in ("=", ";", ",", "[")

    def _constants(self, token):
        if token.kind != "number":
            return
        match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", token.text)
        if match:
            value = int(match.group(1), 0) if match.group(1)[:2] in ("0x", "0X") else int(match.group(1))
            for other in {0: [1], 1: [0, 2]}.get(value, [value + 1]):
                yield Mutation("constant", token.start, token.end, f"{other}{match.group(2)}", token.line)
            return
        match = re.fullmatch(r"([\d.]+(?:[eE][+-]?\d+)?)([fFlL]?)", token.text)
        if match:
            value = float(match.group(1))
            for other in {0.0: [1.0], 1.0: [0.0, 2.0]}.get(value, [value + 1.0]):
                yield Mutation("constant", token.start, token.end, f"{other!r}{match.group(2)}", token.line)

    def _conditions(self, index, token):
        if token.text != "if" or token.kind != "name" or index + 1 not in self.partner:
            return
        last = self.tokens[self.partner[index + 1]]
        inside = self.text[self.tokens[index + 1].end:last.start]
        yield Mutation("condition", self.tokens[index + 1].start, last.end, f"(!({inside}))", token.line)

    def _left_out(self, index, token):
        if token.kind != "name" or not self._begins_statement(index):
            return
        last = index
        if token.text in ("break", "continue"):
            last += 1
        elif token.text == "return":
            while self.tokens[last].text != ";":
                last = self.partner[last] if self.tokens[last].text in ("(", "[", "{") else last
                last += 1
            # A function that ends without its return would give back anything.
            end = last + 1
            if self.tokens[end].text == "}" and self._closes_function(end):
                return
        elif token.text not in CONTROL:
            while self.tokens[last + 1].text in ("->", ".") and self.tokens[last + 2].kind == "name":
                last += 2
            if self.tokens[last + 1].text != "(":
                return
            last = self.partner[last + 1] + 1
        else:
            return
        if last >= len(self.tokens) or self.tokens[last].text != ";":
            return
        text = self._text(index, last)
        yield Mutation("left out", token.start, self.tokens[last].end, ";" + "\n" * text.count("\n"), token.line)

    def _closes_function(self, index):
        """Whether this bracket closes the body of a function: nothing is open around it."""
        first = self.partner.get(index)
        return first is not None and first > 0 and self.tokens[first - 1].text == ")" and \
            not any(self.partner.get(i, -1) > index for i in range(first) if self.tokens[i].text == "{")

    def _swapped(self, index, token):
        if token.kind != "name" or token.text in CONTROL or index + 2 >= len(self.tokens):
            return
        if self.tokens[index + 1].text != "(" or index + 1 not in self.partner:
            return
        arguments, first, last = [], index + 2, self.partner[index + 1]
        at = first
        while at <= last:
            if at == last or self.tokens[at].text == ",":
                if at > first:
                    arguments.append((first, at - 1))
                first = at + 1
            elif self.tokens[at].text in ("(", "[", "{"):
                at = self.partner.get(at, last)
            at += 1
        for (first, last), (next_first, next_last) in zip(arguments, arguments[1:]):
            one, other = self._text(first, last), self._text(next_first, next_last)
            kinds = self._kind_of(first, last), self._kind_of(next_first, next_last)
            if one != other and kinds[0] == kinds[1] is not None and "\n" not in one + other:
                between = self.text[self.tokens[last].end:self.tokens[next_first].start]
                yield Mutation("swapped arguments", self.tokens[first].start, self.tokens[next_last].end,
                               other + between + one, self.tokens[first].line)

    def _kind_of(self, first, last):
        """"name" for a variable or a member of one, "address" for where one lies, "number" for a number; else None."""
        tokens = self.tokens[first:last + 1]
        kinds = [token.kind if token.kind in ("name", "number") else token.text for token in tokens]
        if kinds == ["number"]:
            return "number"
        address = kinds[0] == "&"
        kinds = kinds[address:]
        if kinds[0::2] == ["name"] * ((len(kinds) + 1) // 2) and set(kinds[1::2]) <= {"->", "."}:
            return "address" if address else "name"
        return None

    def broken(self, mutation):
        return self.text[:mutation.start] + mutation.replacement + self.text[mutation.end:]

    def describe(self, mutation):
        """The line, or lines, before and after."""
        def whole_lines(text, start, end):
            first = text.rfind("\n", 0, start) + 1
            last = text.find("\n", end)
            return " ".join(text[first:last if last >= 0 else len(text)].split())
        after = self.broken(mutation)
        return (whole_lines(self.text, mutation.start, mutation.end),
                whole_lines(after, mutation.start, mutation.start + len(mutation.replacement)))


def draw(seed, *what):
    """A number for the seed and what is meant, the same wherever it is asked."""
    return int.from_bytes(hashlib.sha256(repr((seed, *what)).encode()).digest()[:8], "big")
