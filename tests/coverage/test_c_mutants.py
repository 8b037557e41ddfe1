#!/usr/bin/env python3
"""What c_mutants.py breaks in small pieces of C, and what it leaves alone."""
import unittest

from c_mutants import Source


def broken(text, kind):
    """Each line that a mutation of this kind makes of the body of a function."""
    source = Source("static int f(const char *a, int b) {\n" + text + "\n}\n")
    return [source.describe(mutation)[1] for mutation in source.mutations() if mutation.kind == kind]


class Mutations(unittest.TestCase):
    def test_operators(self):
        self.assertEqual(broken("x = a + b;", "operator"), ["x = a - b;"])
        self.assertEqual(broken("x = a[1] < b;", "operator"), ["x = a[1] <= b;", "x = a[1] >= b;"])
        self.assertEqual(broken("return !x && i++;", "operator"),
                         ["return x && i++;", "return !x || i++;", "return !x && i--;"])
        self.assertEqual(broken("x <<= 1;", "operator"), ["x >>= 1;"])

    def test_what_is_no_operator_between_two_operands(self):
        self.assertEqual(broken("return -x;", "operator"), [])
        self.assertEqual(broken("const char *name = f(&x);", "operator"), [])
        self.assertEqual(broken("free((void *)x);", "operator"), [])
        self.assertEqual(broken("if (a)\n*x = 0;", "operator"), [])
        self.assertEqual(broken("y = a * *x;", "operator"), ["y = a / *x;"])

    def test_what_is_no_code(self):
        for text in ("/* a + 1 */", "// a + 1", "#define SUM a + \\\n 1", "  # if A + 1\n#endif",
                     'g("a + 1 \\" + 1");', "g('+');"):
            self.assertEqual(broken(text, "operator") + broken(text, "constant"), [], text)
        self.assertEqual(Source("int f(int a) {\n/* 1\n2 */ return a + 1;\n}\n").tokens[-4].line, 3)

    def test_constants(self):
        self.assertEqual(broken("x = 0;", "constant"), ["x = 1;"])
        self.assertEqual(broken("x = 1u;", "constant"), ["x = 0u;", "x = 2u;"])
        self.assertEqual(broken("x = 0x10;", "constant"), ["x = 17;"])
        self.assertEqual(broken("x = 0.5f;", "constant"), ["x = 1.5f;"])
        self.assertEqual(broken("x = 1e-3;", "constant"), ["x = 1.001;"])

    def test_conditions(self):
        self.assertEqual(broken("if (a && (b))", "condition"), ["if (!(a && (b)))"])

    def test_statements_left_out(self):
        self.assertEqual(broken("g(1);", "left out"), [";"])
        self.assertEqual(broken("if (a)\n  h->g(1,\n 2);", "left out"), [";"])
        self.assertEqual(broken("for (;;) { if (a) break; x = g(1); }", "left out"),
                         ["for (;;) { if (a) ; x = g(1); }"])
        self.assertEqual(broken("if (a) { return 1; }\nreturn 2;", "left out"), ["if (a) { ; }"])
        self.assertEqual(broken("if (g(1))\n;", "left out"), [])

    def test_arguments_that_change_places(self):
        self.assertEqual(broken("g(a, b->c, 1);", "swapped arguments"), ["g(b->c, a, 1);"])
        self.assertEqual(broken("g(&a, &b);", "swapped arguments"), ["g(&b, &a);"])
        self.assertEqual(broken("g(a, a, h(b));", "swapped arguments"), [])

    def test_lines_keep_their_numbers(self):
        source = Source("void f(void) {\n  g(a,\n    b + 1);\n  h();\n}\n")
        for mutation in source.mutations():
            self.assertEqual(source.broken(mutation).count("\n"), source.text.count("\n"), mutation)
            self.assertEqual(source.lines_of_statement(mutation)[-1], 4 if mutation.line == 4 else 2)


if __name__ == "__main__":
    unittest.main()
