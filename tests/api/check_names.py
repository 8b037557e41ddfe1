#!/usr/bin/env python3
"""The rules at the top of dlviz.h that a script can check: names, orders, getters, marks.

check_names.py SOURCE_ROOT
"""
import re
import sys

import declarations

# Setters of which there is no getter, and why.
WITHOUT_GETTER = {
    "dlviz_dataset_set_image_size": "dlviz_dataset_dims gives it",
    "dlviz_dataset_set_channel_normalization": "dlviz_dataset_normalization gives it",
    "dlviz_dataset_set_targets_to_samples": "dlviz_dataset_targets_are_samples says so",
    "dlviz_loader_set_shuffle": "dlviz_loader_is_shuffled says so",
    "dlviz_loader_set_augment": "dlviz_loader_augments says so",
    "dlviz_image_reader_set_skip_unreadable": "dlviz_image_reader_skips_unreadable says so",
    "dlviz_loader_set_drop_last": "dlviz_loader_drops_last says so",
    "dlviz_trainer_set_drop_last": "dlviz_trainer_drops_last says so",
    "dlviz_layer_setup_set_output": "inside the callback that sets it",
    "dlviz_trainer_set_batch_callback": "a function and its user pointer",
    "dlviz_trainer_set_epoch_callback": "a function and its user pointer",
    "dlviz_set_allocator": "functions and their user pointer",
    "dlviz_set_log": "a function and its user pointer",
    "dlviz_set_progress": "a function and its user pointer",
    "dlviz_pca_set_progress": "a function and its user pointer",
    "dlviz_tsne_set_progress": "a function and its user pointer",
    "dlviz_report_set_images_of": "the caller's own handle; dlviz_report_get_images gives the pictures",
    "dlviz_report_run_set_network": "the caller's own handle; dlviz_report_run_layer gives the layer",
    "dlviz_report_run_set_history": "the caller's own handle, of which curves are kept",
    "dlviz_report_run_set_attribution": "a copy of the data as the page shows them",
}
# What takes a path and has no twin that takes or gives the file's bytes, and why.
WITHOUT_MEMORY = {
    "dlviz_plot_scatter": "dlviz_figure_write_memory, of a figure",
    "dlviz_plot_matrix": "dlviz_figure_write_memory, of a figure",
    "dlviz_plot_images": "dlviz_figure_write_memory, of a figure",
    "dlviz_pca_transform_to_npy": "dlviz_pca_transform and dlviz_tensor_write_npy_memory: memory has room for it",
    "dlviz_dataset_map_idx": "dlviz_dataset_read_idx_memory, of what is in memory already",
    "dlviz_file_write": "the bytes are in memory",
    "dlviz_tensor_map_npy": "dlviz_tensor_wrap, of what is in memory already",
}
# Named after the handle that they read from, and not after one that they make.
OF_A_HANDLE = {"dlviz_npz_read_shifted"}
# Whose first error an owner reports: their setters need no check. Likewise these functions.
REMEMBERS = {"dlviz_layer *", "dlviz_loss *", "dlviz_schedule *", "dlviz_augmentation *",
             "dlviz_layer_setup *"}
REMEMBERED = {"dlviz_network_add", "dlviz_network_add_from"}
# Enumerations that every program spells out, and callbacks that are not told of an event.
SHORT_VALUES = {"dlviz_status", "dlviz_dtype"}
WITHOUT_EVENT = {"dlviz_trainer_fn": "the trainer itself, which has getters",
                 "dlviz_log_fn": "a line of text and its level, all there is",
                 "dlviz_trainer_metric_fn": "a function of outputs and targets"}
# What is an int: the number of dimensions, 8 at most, an axis among them, and a version.
INTS = {"ndim", "axis", "dlviz_version_number"}

# Headers that do not keep the rules yet. One that does, and is listed all the same, is a problem too.
NOT_YET = set()


def getters(name):
    """Names that may be the getter of a setter: <x>, or get_<x> for a copy, and for lists <x> of an index."""
    plain = name.replace("_set_", "_", 1)
    singular = re.sub(r"ies$", "y", plain) if plain.endswith("ies") else re.sub(r"s$", "", plain)
    return {plain, singular, name.replace("_set_", "_get_", 1)}


def check_setters(functions):
    names = {function.name for function in functions}
    for function in functions:
        if "_set_" in function.name:
            has, excused = bool(getters(function.name) & names), function.name in WITHOUT_GETTER
            if has == excused:
                yield (function.header, function.name,
                       "has a getter, and is listed as without" if has else "has no getter")
    for name in sorted(set(WITHOUT_GETTER) - names):
        yield "check_names.py", name, "is listed as without a getter, and does not exist"


def check_enums(header):
    for name, values in header.enums.items():
        prefix = re.sub(r"_kind$", "", name).upper() + "_"
        for value in values:
            if name not in SHORT_VALUES and not value.startswith(prefix):
                yield name, "{} does not begin with {}".format(value, prefix)


def check_callbacks(header):
    for name, parameters in header.callbacks.items():
        kinds = [kind for kind, _ in parameters]
        if name not in WITHOUT_EVENT and not (len(kinds) == 2 and kinds[1] == "void *" and
                                              re.match(r"const dlviz_\w+_event \*$", kinds[0])):
            yield name, "is not told of an event alone"


def is_array(kind):
    return kind in ("const double *", "const float *", "const int64_t *", "const char *const *")


def check_counts(function):
    counted, before = False, ""
    for kind, name in function.parameters:
        if kind == "int" and name not in INTS:
            yield "'{}' is an int; counts and indices are int64_t".format(name)
        if name.startswith("num_") and kind not in ("int64_t", "int64_t *"):
            yield "'{}' is {}; counts are int64_t".format(name, kind)
        if re.search(r"count$", name) and not is_array(kind) and before != "first":
            yield "'{}' is a count; they are called num_<things>, but for a range's first and count".format(name)
        if re.search(r"\[\w*\]", kind):
            yield "'{}' is an array of fixed size".format(name)
        counted |= name.startswith("num_") or name == "ndim"
        if is_array(kind) and not counted:
            yield "'{}' comes before its count, or has none".format(name)
        before = name
    if function.returns == "int" and function.name not in INTS and not function.name.endswith("_ndim"):
        yield "returns an int; counts are int64_t"
    if re.search(r"_(count|(?<!batch_)size)$", function.name) and function.returns == "int64_t":
        yield "is a count; they are called num_<things>"


def check_order(function):
    names = [name for _, name in function.parameters]
    for first, second in (("height", "width"), ("vertical", "horizontal")):
        if first in names and second in names and names.index(first) > names.index(second):
            yield "has {} before {}".format(second, first)
    if function.parameters and not function.name.startswith("dlviz_set_"):
        kind = function.parameters[0][0]
        makes = re.search(r"_(create|open)(_\w+)?$|_read_\w+$", function.name)
        if makes and not kind.endswith("**") and function.name not in OF_A_HANDLE:
            yield "makes a handle, and its first argument is none to receive it"
        if re.search(r"_(load|save|write)(_\w+)?$", function.name) and kind.endswith("**"):
            yield "is named after a handle that exists, and makes one"
    for at, (kind, _) in enumerate(function.parameters[1:], 1):
        later = [other for other, _ in function.parameters[at:]]
        if kind.endswith("**") and function.returns == "dlviz_status" and \
                any(not other.endswith("*") or other.startswith("const char *") for other in later):
            yield "has an argument after a result"


def check_memory(functions):
    """What takes a path has a twin whose name ends in _memory."""
    names = {function.name for function in functions}
    for function in functions:
        takes_path = any(kind == "const char *" and name.endswith("path") for kind, name in function.parameters)
        if takes_path and function.name + "_memory" not in names and function.name not in WITHOUT_MEMORY:
            yield function.header, function.name, "takes a path, and has no twin that ends in _memory"
    for name in sorted(name for name in WITHOUT_MEMORY if name not in names or name + "_memory" in names):
        yield "check_names.py", name, "needs no exception"


def check_mark(function):
    """A status is marked DLVIZ_CHECKED, unless an owner remembers it."""
    remembered = function.name in REMEMBERED or (
        function.parameters and function.parameters[0][0] in REMEMBERS and
        ("_set_" in function.name or function.name.startswith("dlviz_layer_setup_")))
    expected = "DLVIZ_CHECKED" if function.returns == "dlviz_status" and not remembered else "DLVIZ_API"
    if function.mark != expected:
        yield "is marked {}, not {}".format(function.mark, expected)


def check_text(header):
    in_doc = False
    for number, line in enumerate(header.text.splitlines(), 1):
        where = "line {}: ".format(number)
        if len(line) > 100:
            yield where + "longer than 100 characters"
        if re.search(r"@param\s+\w+,", line):
            yield where + "a @param of several parameters: documentation tools take one for each"
        if in_doc and re.match(r" \* ?\S", line) and not line.startswith(" */"):
            yield where + "a torn comment: lines of /** begin with two spaces"
        if "/**" in line or "/*" in line:
            in_doc = line.startswith("/**")
        in_doc = in_doc and "*/" not in line


def main():
    root = sys.argv[1]
    headers = declarations.headers(root)
    functions = [function for header in headers for function in header.functions]
    found = list(check_setters(functions)) + list(check_memory(functions))
    for header in headers:
        found += [(header.name, *problem) for check in (check_enums, check_callbacks) for problem in check(header)]
        found += [(header.name, header.name, what) for what in check_text(header)]
    for function in functions:
        found += [(function.header, function.name, what)
                  for check in (check_counts, check_order, check_mark) for what in check(function)]
    problems = ["{}: {}".format(name, what) for header, name, what in found if header not in NOT_YET]
    problems += ["{} keeps the rules now: take it out of the table".format(header)
                 for header in sorted(NOT_YET - {header for header, _, _ in found})]
    for problem in problems:
        print(problem)
    print("{} functions, {} headers left out, {} problems".format(len(functions), len(NOT_YET), len(problems)))
    return 1 if problems or not functions else 0


if __name__ == "__main__":
    sys.exit(main())
