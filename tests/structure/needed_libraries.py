#!/usr/bin/env python3
"""needed_libraries.py FILE [LIBRARY...]: the program or library needs the C and C++ runtimes and those named (those
with a question mark: may need), no more."""

import re
import subprocess
import sys

import tree

ALWAYS = ("libc", "libm", "libstdc++", "libgcc_s", "ld-linux-x86-64")


def main() -> None:
    path, *named = sys.argv[1:]
    dynamic = subprocess.run(["readelf", "--dynamic", "--wide", path], check=True, capture_output=True, text=True)
    needed = [name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[([^\]]+)\]", dynamic.stdout)]
    allowed = ALWAYS + tuple(name.rstrip("?") for name in named)
    faults = [f"{path}: needs {name}" for name in needed if name not in allowed]
    faults += [f"{path}: does not need {name}: is it still what this test is about?"
               for name in named if not name.endswith("?") and name not in needed]
    tree.finish(len(needed), faults)


main()
