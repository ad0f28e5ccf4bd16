#!/usr/bin/env python3
"""package_test.py BUILD CC CXX: installs the component `development` of the build into a folder that is then moved, builds the project in this folder
with find_package and with pkg-config, and runs its programs on an artifact whose outputs are recorded."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "data/golden"
# Program, source, package of pkg-config.
PROGRAMS = (("tokens", "tokens.cpp", "lathe-runtime"), ("texts", "texts.cpp", "lathe-text"), ("texts_in_c", "texts.c", "lathe"))


def run(*command, **options) -> str:
    """Standard output; all that was said is shown when the command fails."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def install(build: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """Moved after installing: no file of the package may know where it was."""
    run("cmake", "--install", build, "--prefix", scratch / "installed", "--component", "development")
    return (scratch / "installed").rename(scratch / "moved")


def with_find_package(prefix: pathlib.Path, scratch: pathlib.Path, cc: str, cxx: str) -> pathlib.Path:
    folder = scratch / "find_package"
    run("cmake", "-S", HERE, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={cc}",
        f"-DCMAKE_CXX_COMPILER={cxx}", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", folder)
    return folder


def with_pkg_config(prefix: pathlib.Path, scratch: pathlib.Path, cc: str, cxx: str) -> pathlib.Path:
    folder = scratch / "pkg_config"
    folder.mkdir()
    found = next(prefix.rglob("lathe.pc"), None) or sys.exit("lathe.pc is not installed")
    environment = {**os.environ, "PKG_CONFIG_PATH": str(found.parent)}
    for program, source, package in PROGRAMS:
        options = run("pkg-config", "--cflags", "--libs", package, env=environment).split()
        compiler = [cc] if source.endswith(".c") else [cxx, "-std=c++20"]
        run(*compiler, HERE / source, *options, f"-Wl,-rpath,{found.parent.parent}", "-o", folder / program)
    return folder


def recorded_row() -> tuple[str, list[str], list[float]]:
    """The text of the golden encoder, its token ids, and its vector: the last row."""
    ids = (GOLDEN / "encoder.ids").read_text().splitlines()
    raw = (GOLDEN / "encoder-int8.f32").read_bytes()
    values = [value for (value,) in struct.iter_unpack("<f", raw)]
    return (GOLDEN / "encoder.txt").read_text(), ids[-1].split(), values[-(len(values) // len(ids)):]


def faults_of(folder: pathlib.Path) -> list[str]:
    text, ids, expected = recorded_row()
    artifact = GOLDEN / "encoder-int8.lathe"
    faults = []
    for program, arguments in (("tokens", ids), ("texts", [text]), ("texts_in_c", [text])):
        printed = [float(line) for line in run(folder / program, artifact, *arguments).split()]
        same = [struct.pack("<f", value) for value in printed] == [struct.pack("<f", value) for value in expected]
        if not same:
            faults.append(f"{folder.name}/{program} printed {printed[:3]}..., recorded are {expected[:3]}...")
    return faults


def main() -> None:
    build, cc, cxx = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="lathe-package-"))
    try:
        prefix = install(build, scratch)
        faults = []
        for way in (with_find_package, with_pkg_config):
            faults += faults_of(way(prefix, scratch, cc, cxx))
        faults += [f"{path.relative_to(prefix)} names the folder of the build or of the source"
                   for pattern in ("*.cmake", "*.pc") for path in prefix.rglob(pattern)
                   if str(build.parent) in path.read_text()]
    finally:
        shutil.rmtree(scratch)
    print("\n".join(faults) if faults else "built and run with find_package and with pkg-config")
    sys.exit(1 if faults else 0)


main()
