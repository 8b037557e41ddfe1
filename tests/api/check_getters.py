#!/usr/bin/env python3
"""What a handle was made with can be asked of it: there is a getter for every argument of every constructor.

check_getters.py SOURCE_ROOT

A getter of an argument is a function of the same kind of handle that is named after it, or one with out parameters
of that name. That there is one for every setter is check_names.py's.
"""
import re
import sys

import declarations

# Arguments without a getter, and why.
WITHOUT_GETTER = {
    "dlviz_comm_create": "functions and their user pointer",
    "dlviz_layer_custom": "functions and their user pointer",
    "dlviz_loss_custom": "functions and their user pointer",
    "dlviz_schedule_custom": "a function and its user pointer",
    "dlviz_network_create": "dlviz_network_layer_dims gives that of the layer 'input'",
    "dlviz_loader_create": "the dataset: the caller's own handle",
    "dlviz_trainer_create": "the caller's own handles",
    "dlviz_predictor_create": "the network, whose states are copied",
    "dlviz_tensor_from_data": "the data: dlviz_tensor_data gives the copy",
    "dlviz_figure_create_scatter": "a copy of the data as they are drawn",
    "dlviz_figure_create_matrix": "a copy of the data as they are drawn",
    "dlviz_figure_create_images": "a copy of the data as they are drawn",
}


# What functions return that are called as their kind: everything else is made by <noun>_create.
MADE_BY_NOUN = {"dlviz_layer", "dlviz_loss", "dlviz_schedule", "dlviz_augmentation"}


def constructors(functions):
    """(function, the prefixes that its getters may have, its arguments)"""
    for function in functions:
        made = re.match(r"(dlviz_\w+) \*$", function.returns)
        if made and made.group(1) in MADE_BY_NOUN:
            yield function, {function.name}, function.parameters
        elif re.search(r"_create(_\w+)?$|_from_data$", function.name):
            kind = re.sub(r"[ *]", "", function.parameters[0][0])
            noun = re.sub(r"_create(_\w+)?$|_from_data$", "", function.name)
            yield function, {noun, kind}, function.parameters[1:]


def answers(getter, prefixes, argument):
    """Whether a function gives an argument of what has one of these prefixes."""
    for prefix in prefixes:
        if getter.name == prefix + "_" + argument:
            return getter.parameters[0][0].startswith("const ")
        if getter.name.startswith(prefix + "_") and "_set_" not in getter.name:
            if getter.returns == "void" and any(name == argument and kind.endswith("*") and "const" not in kind
                                                for kind, name in getter.parameters[1:]):
                return True
    return False


def main():
    headers = declarations.headers(sys.argv[1])
    functions = [function for header in headers for function in header.functions]
    problems, count, excused = [], 0, set()
    for function, prefixes, arguments in constructors(functions):
        for _, argument in arguments:
            count += 1
            if any(answers(getter, prefixes, argument) for getter in functions):
                continue
            excused.add(function.name)
            if function.name not in WITHOUT_GETTER:
                problems.append("{}: {}: there is no getter of '{}'".format(function.header, function.name, argument))
    problems += ["{} needs no exception".format(name) for name in sorted(set(WITHOUT_GETTER) - excused)]
    for problem in problems:
        print(problem)
    print("{} arguments, {} problems".format(count, len(problems)))
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
