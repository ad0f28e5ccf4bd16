#!/usr/bin/env python3
"""cuda_kernels.py NVCC MODULE ARCHITECTURE...: compiles the kernels as the module does and reads what ptxas says of each: none
spills registers, none keeps more on its stack than its row allows, none needs more registers than its threads may have. The
module holds code for every architecture, and PTX for those to come."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tree

REGISTERS = 65536  # of a multiprocessor
# The most threads of a block, and how many blocks of a kernel should fit a multiprocessor at once.
THREADS, BLOCKS = 128, 8
LARGE = {"IntegerGemm<lathe::cuda::Tile<128": (256, 2)}
# cos and sin of large angles keep their digits on the stack.
STACK = {"::Rope>": 64, "::RopeAndStore<": 64}

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\d+)'\n.*\n\s+(\d+) bytes stack frame, (\d+) bytes spill "
                   r"stores, (\d+) bytes spill loads\n.*Used (\d+) registers")


def ptxas_report(nvcc: str, architecture: str) -> str:
    source = tree.root() / "runtime/cuda/module/kernel_table.cu"
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-std=c++17", "-O3", "--fmad=false", f"-arch=sm_{architecture}", "-Xptxas=-v", f"-I{tree.root()}",
                   "-cubin", str(source), "-o", str(pathlib.Path(folder) / "kernels.cubin")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def demangled(names: list[str]) -> list[str]:
    text = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return [name.replace("(anonymous namespace)::", "") for name in text.splitlines()]


def kernel_faults(report: str) -> tuple[int, list[str]]:
    rows = ENTRY.findall(report)
    faults = []
    for name, row in zip(demangled([row[0] for row in rows]), rows, strict=True):
        stack, stores, loads, registers = map(int, row[2:])
        threads, blocks = next((limit for part, limit in LARGE.items() if part in name), (THREADS, BLOCKS))
        allowed_stack = next((size for part, size in STACK.items() if part in name), 0)
        if stores or loads:
            faults.append(f"{name}: spills {stores} and {loads} bytes")
        if stack > allowed_stack:
            faults.append(f"{name}: keeps {stack} bytes on its stack, at most {allowed_stack}")
        if registers * threads * blocks > REGISTERS:
            faults.append(f"{name}: {registers} registers; {blocks} blocks of {threads} threads do not fit at once")
    return len(rows), faults


def module_faults(nvcc: str, module: str, architectures: list[str]) -> list[str]:
    tool = pathlib.Path(nvcc).resolve().parent / "cuobjdump"
    if not tool.exists():
        print(f"skipped: there is no {tool} to list what the module holds")
        return []
    listed = subprocess.run([str(tool), "--list-elf", "--list-ptx", module], check=True, capture_output=True,
                            text=True).stdout
    faults = [f"{module}: no code for sm_{architecture}" for architecture in architectures
              if f"sm_{architecture}.cubin" not in listed]
    return faults if ".ptx" in listed else [*faults, f"{module}: no PTX for devices to come"]


def main() -> None:
    nvcc, module, *architectures = sys.argv[1:]
    nvcc = shutil.which(nvcc) or nvcc
    count, faults = kernel_faults(ptxas_report(nvcc, architectures[-1]))
    faults += module_faults(nvcc, module, architectures)
    tree.finish(count, faults, least=50)


main()
