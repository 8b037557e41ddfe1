#!/usr/bin/env python3
"""Calls every public function with NULL in place of its handle.

null_handles.py generate SOURCE_ROOT PROGRAM.c     writes a program that makes the calls
null_handles.py check PROGRAM                      runs it and judges what it says

A call that returns a status must fail with a sentence that names the function, and leave its out parameters
NULL; a getter must give 0, NaN or NULL; nothing may crash. Each function that takes a handle, or makes one, is
called twice: with NULL for every pointer, and with NULL for its first handle alone. One that makes a handle of a file
or of bytes is called once more, with NULL for these. New functions are found in the headers.
"""
import os
import re
import subprocess
import sys
import tempfile

import declarations

# Constructors of what remembers its first error, and is no NULL then.
REMEMBER = {"dlviz_warmup"}
# What names where a constructor reads from; there is no default for it.
READ_FROM = {"path", "folder", "bytes"}
# Where NULL is one process alone, as in all that end in _shared, and how many of the two calls fail all the same.
ALONE = {"dlviz_comm_gather": 1, "dlviz_comm_agree": 0, "dlviz_comm_num_ranks": 0}
# What does not hold yet. An entry that holds after all is a failure too, so the table can only shrink.
NOT_YET = set()

HEAD = """/* Made by tests/api/null_handles.py. */
#include <dlviz.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *function;
static dlviz_tensor *tensor;
static char poison[64];

/* The exit status of a call that has said what is wrong; sanitizers end a program with others. */
#define SAID 57

static void problem(const char *what) {
    printf("%s: %s\\n", function, what);
    fflush(stdout);
    _exit(SAID);
}

static void check_status(dlviz_status status) {
    size_t length = strlen(function);
    if (status == DLVIZ_OK)
        problem("succeeds");
    else if (status != DLVIZ_ERROR_INVALID_ARGUMENT && status != DLVIZ_ERROR_UNSUPPORTED)
        problem("fails with another status than DLVIZ_ERROR_INVALID_ARGUMENT");
    else if (status == DLVIZ_ERROR_INVALID_ARGUMENT &&
             (strncmp(dlviz_last_error(), function, length) != 0 || dlviz_last_error()[length] != ':'))
        problem("its sentence does not begin with its name");
}

static void check_number(double value) {
    if (!isnan(value) && value != 0)
        problem("gives neither 0 nor NaN");
}

static void check_pointer(const void *pointer) {
    if (pointer)
        problem("gives a pointer that is not NULL");
}

"""
MAIN = """
int main(void) {
    if (dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){2, 2}) != DLVIZ_OK)
        return 2;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fflush(stdout);
        pid_t child = fork();
        function = calls[i].name;
        if (child == 0) {
            calls[i].call();
            _exit(0);
        }
        int outcome = 0;
        if (child < 0 || waitpid(child, &outcome, 0) != child)
            return 2;
        if (WIFSIGNALED(outcome))
            printf("%s: crashes (signal %d)\\n", function, WTERMSIG(outcome));
        else if (WEXITSTATUS(outcome) != 0 && WEXITSTATUS(outcome) != SAID)
            printf("%s: crashes (exit status %d)\\n", function, WEXITSTATUS(outcome));
    }
    dlviz_tensor_destroy(tensor);
    printf("%d calls\\n", (int)(sizeof calls / sizeof *calls));
    return 0;
}
"""


def is_out(kind):
    return kind.endswith("**")


def takes_handle(function, handles):
    return any(re.sub(r"const |[ *]", "", kind) in handles and "*" in kind for kind, _ in function.parameters)


def valid(kind, at):
    """(declarations, argument, check afterwards) for a parameter that is not the handle."""
    name = "a{}".format(at)
    if is_out(kind):
        base = kind[:-1].strip()
        return ("    {} {} = ({})(void *)poison;\n".format(base, name, base), "&" + name,
                "    check_pointer({});\n".format(name))
    if kind == "const char *":
        return "", '"x"', ""
    if kind == "const void *":
        return "", "poison", ""
    if kind == "const char *const *":
        return "", '(const char *const[]){"x", "x", "x"}', ""
    if kind == "const dlviz_tensor *":
        return "", "tensor", ""
    match = re.match(r"(const )?(double|float|int64_t|bool) \*$", kind)
    if match:
        after = "" if match.group(1) else "    check_number((double){}[0]);\n".format(name)
        return "    {} {}[8] = {{1}};\n".format(match.group(2), name), name, after
    return None, None, None


def reads(function):
    """Whether it makes a handle of what a file or memory has."""
    return is_out(function.parameters[0][0]) and any(name in READ_FROM for _, name in function.parameters)


def call(function, number, which):
    """A C function that makes one call: with NULL for "all" pointers, for the first "handle", for all "but out"."""
    before, arguments, after, first = "", [], "", True
    for at, (kind, _) in enumerate(function.parameters):
        if "*" not in kind and "(" not in kind and "[" not in kind and not kind.endswith("_fn"):
            arguments.append("({})0".format(kind))
            continue
        given = {"all": False, "handle": not first, "but out": is_out(kind)}[which]
        made = valid(kind, at) if given else (None, None, None)
        first = False
        before += made[0] or ""
        arguments.append(made[1] or "NULL")
        # Of a capacity, or of samples, there are 0: nothing is written.
        if not function.name.endswith("_into") and not any(name == "capacity" for _, name in function.parameters):
            after += made[2] or ""
    expression = "{}({})".format(function.name, ", ".join(arguments))
    if function.returns == "dlviz_status":
        expression = "check_status({})".format(expression)
    elif function.returns.endswith("*") and function.name not in REMEMBER:
        expression = "check_pointer({})".format(expression)
    elif function.returns != "void" and not function.returns.endswith("*"):
        expression = "check_number((double){})".format(expression)
    return "static void call_{}(void) {{\n{}    {};\n{}}}\n".format(number, before, expression, after)


def generate(source_root, path):
    headers = declarations.headers(source_root)
    handles = set().union(*(header.handles for header in headers))
    code, table = HEAD, []
    for header in headers:
        for function in header.functions:
            if takes_handle(function, handles):
                calls = 1 if function.name.endswith("_shared") else 2
                kinds = ["all", "handle"][:ALONE.get(function.name, calls)] + ["but out"] * reads(function)
                for which in kinds:
                    code += call(function, len(table), which) + "\n"
                    table.append("    {{\"{}\", call_{}}},\n".format(function.name, len(table)))
    code += ("typedef struct named_call {\n    const char *name;\n    void (*call)(void);\n} named_call;\n\n"
             "static const named_call calls[] = {\n" + "".join(table) + "};\n" + MAIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write(code)


def check(program):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([os.path.abspath(program)], cwd=folder, text=True, stdout=subprocess.PIPE, check=False)
    *lines, last = run.stdout.splitlines() or [""]
    found = {}
    for line in lines:
        name, _, what = line.partition(": ")
        found.setdefault(name, what)
    problems = ["{}: {}".format(name, what) for name, what in found.items() if name not in NOT_YET]
    problems += ["{} holds now: take it out of the table".format(name) for name in sorted(NOT_YET)
                 if name not in found]
    if run.returncode != 0 or not last.endswith(" calls"):
        problems.append("the program ended early, with exit status {}".format(run.returncode))
    for text in problems:
        print(text)
    print("{}, {} known exceptions, {} problems".format(last, len(NOT_YET), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(*sys.argv[2:])
    else:
        sys.exit(check(*sys.argv[2:]))
