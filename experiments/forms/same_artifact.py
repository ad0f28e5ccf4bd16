#!/usr/bin/env python3
"""same_artifact.py COMPRESS MODEL_FOLDER OUT_FOLDER: saves the weights of a model folder in every form that Lathe reads beside a config.json,
compresses each with the same options, and compares the artifacts, which must be equal but for their provenance.

    pip install torch safetensors h5py"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys

import h5py
import torch
from safetensors.torch import load_file

OPTIONS = ["--prune", "0.5", "--quant", "int8", "--calibration-tokens", "2048", "--no-bench", "-q"]
# Of `compress inspect`: where the artifact comes from, what follows from how long that text is, and the clock.
OF_THE_FILE = ("provenance", "bytes", "sizes", "bits_per_weight", "load_ms")


class Holder(torch.nn.Module):
    """Parameters under the names of a state dict, for TorchScript, which saves modules."""

    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def as_module(state: dict) -> torch.nn.Module:
    root = Holder()
    for name, tensor in state.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, Holder())
            module = getattr(module, part)
        if tensor.is_floating_point():
            module.register_parameter(last, torch.nn.Parameter(tensor))
        else:
            module.register_buffer(last, tensor)
    return root


def save_shards(state: dict, folder: pathlib.Path) -> None:
    names = sorted(state)
    halves = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for file, part in halves.items():
        torch.save({name: state[name] for name in part}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in halves.items() for name in part}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def save_hdf5(state: dict, folder: pathlib.Path) -> None:
    with h5py.File(folder / "model.h5", "w") as file:
        for name, tensor in state.items():
            file.create_dataset(name, data=tensor.numpy())


FORMS = {"safetensors": None,
         "bin": lambda state, folder: torch.save(state, folder / "pytorch_model.bin"),
         "sharded bin": save_shards,
         "TorchScript": lambda state, folder: torch.jit.save(torch.jit.script(as_module(state)), folder / "pytorch_model.bin"),
         "HDF5": save_hdf5}


def description(command: str, artifact: pathlib.Path) -> dict:
    """What the artifact says of itself, without where it comes from."""
    listing = json.loads(subprocess.run([command, "inspect", artifact, "--json"], check=True, capture_output=True).stdout)
    return {field: value for field, value in listing.items() if field not in OF_THE_FILE}


def planes(artifact: pathlib.Path) -> bytes:
    """All weights and their places: what lies between the header and the index, whose offset stands at byte 24."""
    data = artifact.read_bytes()
    return data[64:struct.unpack_from("<Q", data, 24)[0]]


def main() -> None:
    command, model, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    state = {name: tensor.clone() for name, tensor in load_file(model / "model.safetensors").items()}
    first = None
    print("| form | bytes of the checkpoint | bytes of planes | planes | description |\n|---|---|---|---|---|")
    for form, save in FORMS.items():
        folder = out / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(model, folder)
        if save is not None:
            (folder / "model.safetensors").unlink()
            save(state, folder)
        artifact = out / "model.lathe"
        subprocess.run([command, folder, *OPTIONS, "-o", artifact], check=True)
        found = planes(artifact), description(command, artifact)
        first = first or found
        verdicts = ["equal" if a == b else "DIFFERENT" for a, b in zip(found, first)]
        weights = sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".safetensors", ".bin", ".h5"))
        print(f"| {form} | {weights:,} | {len(found[0]):,} | {verdicts[0]} | {verdicts[1]} |", flush=True)
        if found != first:
            sys.exit(f"{form} gives another artifact than {next(iter(FORMS))}")


main()
