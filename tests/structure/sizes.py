#!/usr/bin/env python3
"""Files, functions and folders stay small enough to read: 400 lines, 60 lines, 17 units (a header and its source are one
unit; folders of tests follow the folders that they test)."""

import re

import tree

FILE_LINES = 400
FUNCTION_LINES = 60
FOLDER_UNITS = 17
NO_FUNCTION = re.compile(r"(namespace|class|struct|enum|union|extern)\b")


def long_functions(lines: list[str]):
    """Bodies that open with '{' at the end of a line and close with '}' at the same indentation, as formatted."""
    opened = {}
    for number, line in enumerate(lines):
        code = line.strip()
        indent = len(line) - len(line.lstrip())
        if code.startswith("}") and indent in opened:
            begin = opened.pop(indent)
            if number - begin - 1 > FUNCTION_LINES:
                yield begin + 1, number - begin - 1
        if code.endswith("{") and not NO_FUNCTION.match(code):
            if ")" in code:
                opened[indent] = number
            else:
                opened.pop(indent, None)  # a table


def large_folders():
    units = {}
    for path in tree.files(folders=("formats", "runtime", "compress", "cli"), suffixes=(".cpp", ".h", ".c", ".cu", ".cuh")):
        units.setdefault(path.parent, set()).add(path.name.split(".")[0])
    return {folder: len(names) for folder, names in units.items() if len(names) > FOLDER_UNITS}


def main() -> None:
    faults = [f"{folder}: {count} units, at most {FOLDER_UNITS}" for folder, count in large_folders().items()]
    paths = tree.files()
    for path in paths:
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES:
            faults.append(f"{path}: {len(lines)} lines, at most {FILE_LINES}")
        if path.suffix in (".cpp", ".h", ".c", ".cu"):
            for begin, length in long_functions(lines):
                faults.append(f"{path}:{begin}: a function of {length} lines, at most {FUNCTION_LINES}")
    tree.finish(len(paths), faults, least=100)


main()
