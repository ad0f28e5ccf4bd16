#!/usr/bin/env python3
"""kernel_symbols.py OBJECT...: the kernels that are compiled for a newer CPU share no code with the rest.

A weak symbol (an inline function, a template) of such an object could be the copy that the linker keeps for the whole
program, which then dies on an older CPU. So these objects export their tables and nothing else, and call nothing but C
functions. Objects that are compiled without flags must not hold instructions of the newer CPUs either."""

import pathlib
import re
import subprocess
import sys

import tree

TABLE = re.compile(r"_ZN5lathe7kernels\d+k[A-Z]\w*E")
CALLS = re.compile(r"_GLOBAL_OFFSET_TABLE_|__popcountdi2|mem(cpy|set|move)|"
                   r"(sqrt|exp|tanh|erf|fabs|floor|nearbyint|rint|fm[ai][nx]?)f?")
WIDE = re.compile(r"%[yz]mm\d")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbol_faults(path: pathlib.Path) -> tuple[int, list[str]]:
    tables = 0
    faults = []
    for line in output("nm", "--format=posix", str(path)).splitlines():
        name, kind = line.split()[:2]
        if kind == "U":
            if not CALLS.fullmatch(name):
                faults.append(f"{path}: calls {name}")
        elif kind in "DRB" and TABLE.fullmatch(name):
            tables += 1
        elif kind.isupper() or kind in "uvw":
            faults.append(f"{path}: exports {name} ({kind}), may export tables of kernels only")
    if tables == 0:
        faults.append(f"{path}: exports no table of a kernel")
    return tables, faults


def main() -> None:
    checked = 0
    faults = []
    for path in map(pathlib.Path, sys.argv[1:]):
        level = path.parent.name
        if level in ("generic", "avx2", "avx512vnni"):
            tables, found = symbol_faults(path)
            checked += tables
            faults += found
        wide = WIDE.search(output("objdump", "--disassemble", "--no-show-raw-insn", str(path)))
        if level in ("avx2", "avx512vnni"):
            if not wide and "rows" in path.name:
                faults.append(f"{path}: no wide instruction: compiled without its flags")
        elif wide:
            faults.append(f"{path}: holds an instruction with {wide.group()}, which the oldest CPU lacks")
    tree.finish(checked, faults, least=20)


main()
