#!/usr/bin/env python3
"""Nothing unfinished is left in the tree, and no path of somebody's machine."""

import re

import tree

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# A path in somebody's home, or below a folder at the root that no system has.
MACHINE = re.compile(r"(?<![\w.$}/*-])/(home|root|Users|work|mnt|tmp)/[\w.]")


def main() -> None:
    faults = []
    paths = [path for path in tree.files(suffixes=()) if b"\0" not in (tree.root() / path).read_bytes()]
    paths += [path.relative_to(tree.root()) for path in tree.root().iterdir()
              if path.is_file() and path.name != ".git"]
    for path in paths:
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for pattern in (UNFINISHED, MACHINE):
                found = pattern.search(line)
                if found:
                    faults.append(f"{path}:{number}: {found.group().strip()}")
    tree.finish(len(paths), faults, least=100)


main()
