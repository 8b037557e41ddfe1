#!/usr/bin/env python3
"""Calls every public function that returns a status with a handle that another thread is using.

busy_handles.py generate SOURCE_ROOT PROGRAM.c     writes a program that makes the calls
busy_handles.py check PROGRAM                      runs it and judges what it says

Handles that compute have a mark (lib/base/busy.h), which every such function takes before it looks at anything else
but NULL: the call must fail with DLVIZ_ERROR_STATE. Where an argument cannot be made here, and NULL is given for it,
that it is NULL may be what is said. New functions are found in the headers.
"""
import re
import subprocess
import sys

import declarations
import null_handles

# What has a mark: the call that makes it. An optimizer's setters want one of their own type.
MAKE = {
    "dlviz_pca": "dlviz_pca_create(&handle, 1)",
    "dlviz_tsne": "dlviz_tsne_create(&handle)",
    "dlviz_film": "dlviz_film_create(&handle)",
    "dlviz_image_reader": "dlviz_image_reader_create(&handle)",
    "dlviz_network": "make_network(&handle)",
    "dlviz_trainer": "make_trainer(&handle)",
    "dlviz_optimizer": "dlviz_{}_create(&handle, 1e-3)",
}
OPTIMIZERS = {"adam", "nadam", "radam", "lion", "sgd", "rmsprop"}

HEAD = """/* Made by tests/api/busy_handles.py. */
#include <dlviz.h>

#include "data/image_reader.h"
#include "film/film.h"
#include "network/network.h"
#include "pca/pca.h"
#include "train/optimizer.h"
#include "train/trainer.h"
#include "tsne/tsne_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *function;
static dlviz_tensor *tensor;
static char poison[64];

static dlviz_status make_network(dlviz_network **network) {
    DLZ_TRY(dlviz_network_create(network, 1, (int64_t[]){2}));
    DLZ_TRY(dlviz_network_add(*network, "linear", dlviz_linear(2)));
    return dlviz_network_build(*network, 1);
}

static dlviz_status make_trainer(dlviz_trainer **trainer) {
    dlviz_network *network;
    DLZ_TRY(make_network(&network));
    dlviz_optimizer *optimizer;
    DLZ_TRY(dlviz_adam_create(&optimizer, 1e-3));
    return dlviz_trainer_create(trainer, network, optimizer);
}

/* As if another thread had it. */
static void mark(dlz_busy *busy) {
    atomic_store(&busy->users, -1);
    atomic_store(&busy->owner, (uintptr_t)poison);
}

static void expect_refusal(dlviz_status status, int some_are_null) {
    if (status != DLVIZ_ERROR_STATE &&
        !(some_are_null && status == DLVIZ_ERROR_INVALID_ARGUMENT && strstr(dlviz_last_error(), "NULL")))
        printf("%s: status %d: %s\\n", function, (int)status, status ? dlviz_last_error() : "succeeds");
    fflush(stdout);
}

"""


def argument(kind, at):
    """(declaration, argument) of a value that passes a check for NULL; NULL where there is none."""
    if "*" not in kind and "[" not in kind and not kind.endswith("_fn"):
        return "", f"({kind})0"
    if kind in ("size_t *", "void *"):
        return "", "(void *)poison"
    if kind == "const char *":
        return "", '"linear.weight"'
    before, made, _ = null_handles.valid(kind, at)
    return before or "", made or "NULL"


def handles_of(function):
    """(place, noun) of each parameter that has a mark."""
    for at, (kind, _) in enumerate(function.parameters):
        noun = re.sub(r"const |[ *]", "", kind)
        if noun in MAKE and not null_handles.is_out(kind):
            yield at, noun


def call(function, at, noun, number):
    own = function.name.split("_")[1]
    made = [argument(kind, place) for place, (kind, _) in enumerate(function.parameters)]
    made[at] = "", "handle"
    lacking = int(any(text == "NULL" for _, text in made))
    arguments = ", ".join(text for _, text in made)
    make = MAKE[noun].format(own if own in OPTIMIZERS else "adam")
    return (f"static void call_{number}(void) {{\n    {noun} *handle;\n    if ({make} != DLVIZ_OK) {{\n"
            f"        printf(\"%s: no handle\\n\", function);\n        return;\n    }}\n    mark(&handle->busy);\n" +
            "".join(before for before, _ in made) +
            f"    expect_refusal({function.name}({arguments}), {lacking});\n}}\n")


def generate(source_root, path):
    code, table = HEAD, []
    for header in declarations.headers(source_root):
        for function in header.functions:
            if function.returns != "dlviz_status":
                continue
            for at, noun in handles_of(function):
                code += call(function, at, noun, len(table)) + "\n"
                table.append(f'    {{"{function.name}", call_{len(table)}}},\n')
    code += ("typedef struct named_call {\n    const char *name;\n    void (*call)(void);\n} named_call;\n\n"
             "static const named_call calls[] = {\n" + "".join(table) + "};\n" + null_handles.MAIN)
    code = code.replace("SAID", "57")
    with open(path, "w", encoding="utf-8") as file:
        file.write(code)


def check(program):
    run = subprocess.run([program], text=True, stdout=subprocess.PIPE, check=False)
    *problems, last = run.stdout.splitlines() or [""]
    if run.returncode != 0 or not last.endswith(" calls"):
        problems.append(f"the program ended early, with exit status {run.returncode}")
    for text in problems:
        print(text)
    print(f"{last}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(*sys.argv[2:])
    else:
        sys.exit(check(*sys.argv[2:]))
