#!/usr/bin/env python3
"""Includes point one way: cli -> compress -> runtime -> formats/artifact, compress -> formats -> formats/artifact; a
third-party library appears only where it is wrapped."""

import re

import tree

# The first row whose folder holds the file says what of the project it may include.
MAY_INCLUDE = (
    ("formats/artifact/", ("formats/artifact/",)),
    ("formats/", ("formats/",)),
    ("runtime/cpu/kernels/", ("runtime/cpu/kernels/",)),
    ("runtime/cuda/kernels/", ("runtime/cuda/kernels/",)),  # compiled by nvcc, too
    ("runtime/text/embedder.", ("runtime/", "formats/artifact/")),  # tokenizer and session together
    ("runtime/text/", ("runtime/text/", "formats/artifact/")),
    ("runtime/c_api/", ("runtime/", "formats/artifact/")),
    ("runtime/", ("runtime/", "formats/artifact/")),
    ("compress/", ("compress/", "runtime/", "formats/")),
    ("cli/", ("cli/", "compress/", "runtime/", "formats/")),
    ("experiments/cuda/", ("experiments/cuda/", "runtime/", "formats/artifact/")),
    ("experiments/", ("compress/", "runtime/", "formats/")),
    ("tests/runtime/cuda/device_check_test.cpp", ("experiments/cuda/", "tests/")),
    ("tests/", ("tests/", "cli/", "compress/", "runtime/", "formats/")),
)
# The runtime does not know that text exists, what is packed for one device is known to its executor alone, and the
# training engine is reached through its interface alone.
# Folder, what it must not include, the parts of it that may.
MUST_NOT_INCLUDE = (
    ("runtime/", ("runtime/text/", "runtime/c_api/"), ("runtime/text/", "runtime/c_api/")),
    ("", ("runtime/cpu/",), ("runtime/cpu/", "runtime/executor.cpp", "tests/runtime/cpu/", "experiments/kernels/",
                            "tests/runtime/cuda/kernels_test.cpp", "runtime/cuda/weights.cpp")),  # the CPU's kernels are its reference
    ("", ("runtime/cuda/",), ("runtime/cuda/", "runtime/executor.cpp", "tests/runtime/cuda/", "experiments/cuda/")),
    ("", ("runtime/cuda/module/",), ("runtime/cuda/module/",)),
    ("", ("formats/hdf5/worker/",), ("formats/hdf5/worker/",)),
    ("", ("compress/training/torch/",), ("compress/training/torch/", "tests/compress/training/torch/")),
)

# The rooms of compress/, from the lowest to the highest, each with the rooms that it may use beside itself.
ROOMS = {
    "job": (),
    "facts": (),
    "source": ("job", "facts"),
    "methods": ("source", "facts"),
    "calibration": ("methods", "source", "job"),
    "program": ("calibration", "methods", "source", "job"),
    "evaluation": ("calibration", "source", "facts", "job"),
    "training": ("program", "calibration", "methods", "source", "facts", "job"),
    "pipeline": ("training", "program", "calibration", "methods", "source", "facts", "job"),
    "report": ("facts",),
    "export": ("source", "facts", "job"),
}

THIRD_PARTY = (
    (r"xxhash\.h", ("formats/artifact/checksum.cpp",)),
    (r"nlohmann/.*", ("formats/json.cpp",)),
    (r"hdf5\.h", ("formats/hdf5/worker/",)),
    (r"linux/(audit|filter|seccomp)\.h", ("formats/hdf5/worker/confine.cpp",)),
    (r"zlib\.h", ("formats/pytorch/zip_member.cpp",)),
    (r"Eigen/.*", ("compress/methods/linalg.h", "compress/methods/linalg.cpp")),
    (r"(cblas|lapacke)\.h", ("compress/methods/linalg.cpp",)),
    (r"re2/.*", ("compress/pipeline/layer_pattern.cpp",)),
    (r"cuda_runtime\.h", ("runtime/cuda/module/",)),
    (r"boost/context/.*", ("tests/runtime/cuda/host/",)),
    (r"sanitizer/.*", ("tests/runtime/cuda/host/block_run.cpp",)),
    (r"lathe\.h", ("tests/package/",)),
    (r"utf8proc\.h", ("runtime/text/",)),
    (r"boost/.*", ("cli/",)),
    (r"(torch|ATen|c10)/.*", ("compress/training/torch/",)),
    (r"dlfcn\.h", ("runtime/dynamic_module.cpp",)),
    (r"catch2/.*", ("tests/",)),
    (r"cpuid\.h", ("runtime/cpu/isa.cpp",)),
    (r"[a-z0-9]*intrin\.h", ("runtime/cpu/kernels/",)),
)
SYSTEM = re.compile(r"[a-z_]+|std[a-z]+\.h|sys/[a-z]+\.h|"
                    r"(errno|fcntl|malloc|math|poll|pthread|sched|signal|spawn|string|time|unistd)\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def room_fault(path: str, header: str) -> str:
    if not (path.startswith("compress/") and header.startswith("compress/")):
        return ""
    room, used = path.split("/")[1], header.split("/")[1]
    if room not in ROOMS:
        return f"{room} is no room of compress/"
    return "" if used == room or used in ROOMS[room] else f"{room} may use {', '.join(ROOMS[room]) or 'no other room'}"


def quoted_fault(path: str, header: str) -> str:
    if not (tree.root() / header).is_file():
        return "no such file from the root of the project"
    allowed = next((may for folder, may in MAY_INCLUDE if path.startswith(folder)), ())
    if not header.startswith(allowed):
        return f"may include {', '.join(allowed)} only"
    for folder, headers, exempt in MUST_NOT_INCLUDE:
        if path.startswith(folder) and not path.startswith(exempt) and header.startswith(headers):
            return f"may not include {', '.join(headers)}"
    return room_fault(path, header)


def system_fault(path: str, header: str) -> str:
    for pattern, users in THIRD_PARTY:
        if re.fullmatch(pattern, header):
            return "" if path.startswith(users) else f"only {', '.join(users)} may"
    return "" if SYSTEM.fullmatch(header) else "neither the standard library, POSIX nor a library of the project's"


def main() -> None:
    faults = []
    checked = 0
    for path in tree.files(suffixes=(".cpp", ".h", ".c", ".cu", ".cuh")):
        for kind, header in INCLUDE.findall(tree.text(path)):
            checked += 1
            fault = quoted_fault(str(path), header) if kind == '"' else system_fault(str(path), header)
            if fault:
                faults.append(f"{path} includes {header}: {fault}")
    tree.finish(checked, faults, least=500)


main()
