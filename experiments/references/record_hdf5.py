#!/usr/bin/env python3
"""Records HDF5 files, good ones and hostile ones, for tests/formats/hdf5/.

    pip install h5py numpy safetensors
    python experiments/references/record_hdf5.py tests/data/hdf5

plain.h5 has every type that is read, in every layout; plain.safetensors has the same values under the same names.
keras3.weights.h5, keras2.h5 and tf_bert.h5 are laid out as Keras 3, as Keras 2 and as transformers for TensorFlow lay
files out (written here by h5py alone, from their descriptions); tf_bert.h5 is tests/data/bert_tiny without its second
layer and with the low 21 bits of every value cleared, so that it packs well. bad_*.h5 each break one rule.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import load_file, save_file

SMALL = {"libver": ("v110", "v110"), "meta_block_size": 64}
OLD = {"libver": ("earliest", "v110"), "meta_block_size": 64}
PACKED = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def property_list(**layout) -> h5py.h5p.PropDCID:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    for name, arguments in layout.items():
        getattr(plist, name)(*arguments)
    return plist


def add_compact(file: h5py.File, name: str, values: np.ndarray) -> None:
    """A dataset whose values stand in its header."""
    plist = property_list(set_layout=(h5py.h5d.COMPACT,))
    space = h5py.h5s.create_simple(values.shape)
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, dcpl=plist).write(space, space, values)


def record_plain(folder: Path, random: np.random.Generator) -> None:
    numbers = {kind: random.normal(0, 1, (5, 3)).astype(kind) for kind in ("f2", "f4", "f8")}
    numbers |= {kind: random.integers(-100, 100, (2, 4)).astype(kind) for kind in ("i1", "i2", "i4", "i8")}
    numbers |= {kind: random.integers(0, 200, 7).astype(kind) for kind in ("u1", "u2", "u4", "u8")}
    expected = {f"types.{kind}": values for kind, values in numbers.items()}
    with h5py.File(folder / "plain.h5", "w", **SMALL) as file:
        for name, values in numbers.items():
            file[f"types/{name}"] = values
        for name in ("f2", "f4", "f8", "i4", "u2"):
            expected[f"swapped.{name}"] = numbers[name]
            file.create_dataset(f"swapped/{name}", data=numbers[name], dtype=">" + name)
        expected["types.bool"] = np.array([True, False, True])
        file["types/bool"] = expected["types.bool"]
        brain = file.create_dataset("brain", data=np.array([0x3f80, 0xc000], "<u2").view("V2"))
        brain.attrs["dtype"] = "bfloat16"
        expected["scalar"] = np.array(2.5, "f4")
        file["scalar"] = expected["scalar"]
        expected["empty"] = np.zeros((0, 3), "f4")
        file["empty"] = expected["empty"]
        weight = random.normal(0, 1, (5, 4, 3)).astype("f4")
        layouts = {"contiguous": {}, "chunked": {"chunks": (2, 3, 2)}, "deflated": {"chunks": (3, 4, 2), **PACKED},
                   "summed": {"chunks": (5, 3, 3), "fletcher32": True}, "all": {"fletcher32": True, **PACKED}}
        for name, options in layouts.items():
            expected[f"encoder.layer.0.{name}"] = weight
            file.create_dataset(f"encoder.layer.0.{name}", data=weight, **options)
        expected["compact"] = np.array([1, -1], "f4")
        add_compact(file, "compact", expected["compact"])
        file["again"] = file["compact"]  # a second name of the same dataset
        expected["again"] = expected["compact"]
        file["softly"] = h5py.SoftLink("/scalar")
        file["texts"] = ["one", "two"]
        file["record"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
    save_file(expected, folder / "plain.safetensors")
    with h5py.File(folder / "old.h5", "w", userblock_size=1024, **OLD) as file:  # as libraries before 1.8 wrote them
        file["group/contiguous"] = np.array([1, 2], "f4")
        file.create_dataset("group/deflated", data=np.arange(60, dtype="f4").reshape(6, 10), chunks=(4, 4), **PACKED)


def record_keras3(folder: Path, random: np.random.Generator) -> None:
    with h5py.File(folder / "keras3.weights.h5", "w", **SMALL) as file:
        file["layers/dense/vars/0"] = np.arange(6, dtype="f4").reshape(2, 3)
        file["layers/dense/vars/1"] = np.arange(3, dtype="f4")
        file["layers/sequential/layers/dense/vars/0"] = random.normal(0, 1, (3, 1)).astype("f4")
        file["layers/dropout/seed_generator/vars/0"] = np.array([1, 2], "u4")
        file.create_group("layers/re_lu/vars")
        file.create_group("vars")
        file["optimizer/vars/0"] = np.array(7, "i8")
        file["optimizer/vars/1"] = np.array(0.001, "f4")


def fixed(texts) -> np.ndarray:
    """Texts of one length; h5py makes lists of variable length of a list, which take 4 KiB at least."""
    return np.array([text.encode() for text in texts])


def add_layer(group: h5py.Group, layer: str, weights: dict[str, np.ndarray], **options) -> None:
    inner = group.create_group(layer)
    inner.attrs["weight_names"] = fixed(weights)
    for name, values in weights.items():
        inner.create_dataset(name, data=values, **options)


def record_keras2(folder: Path) -> None:
    def counted(*shape: int) -> np.ndarray:
        return np.arange(np.prod(shape), dtype="f4").reshape(shape)

    with h5py.File(folder / "keras2.h5", "w", **SMALL) as file:
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [
            {"class_name": "Dense", "config": {"name": "dense", "units": 3, "bias_initializer": None}}]}})
        group = file.create_group("model_weights")
        group.attrs["layer_names0"] = fixed(["conv", "flatten", "norm"])
        group.attrs["layer_names1"] = fixed(["dense", "table", "inner"])
        add_layer(group, "conv", {"conv/kernel:0": counted(1, 2, 3, 4), "conv/bias:0": counted(4)})
        add_layer(group, "flatten", {})
        add_layer(group, "norm", {f"norm/{name}:0": counted(4) + i for i, name in enumerate(
            ("gamma", "beta", "moving_mean", "moving_variance"))})
        add_layer(group, "dense", {"dense/kernel:0": counted(2, 3), "dense/bias:0": counted(3)})
        add_layer(group, "table", {"table/embeddings:0": counted(4, 2)})
        add_layer(group, "inner", {"dense_1/kernel:0": counted(3, 1), "line/kernel:0": counted(2, 3, 4)})
        add_layer(group, "top_level_model_weights", {"temperature:0": np.array(0.5, "f4")})
        file["optimizer_weights/adam/m:0"] = counted(3)


def tensorflow_name(name: str, values: np.ndarray) -> tuple[str, np.ndarray]:
    """How TFBertModel of transformers names and stores a weight of BertModel."""
    parts = name.split(".")
    for i, part in enumerate(parts):
        if part.isdigit():
            parts[i - 1:i + 1] = [f"{parts[i - 1]}_._{part}"]
            break
    if "LayerNorm" in parts:
        parts[-1] = {"weight": "gamma", "bias": "beta"}[parts[-1]]
    elif parts[-2] in ("position_embeddings", "token_type_embeddings"):
        parts[-1] = "embeddings"
    elif parts[-1] == "weight" and parts[-2] != "word_embeddings":
        parts[-1] = "kernel"
        values = values.T
    return "tf_bert_model/bert/" + "/".join(parts) + ":0", values


def record_tf_bert(folder: Path) -> None:
    weights = {}
    for name, values in load_file(folder.parent / "bert_tiny/model.safetensors").items():
        if values.dtype == np.float32 and ".layer.1." not in name:
            short = (values.view(np.uint32) & np.uint32(0xffe00000)).view(np.float32)
            weights.update([tensorflow_name(name, short)])
    with h5py.File(folder / "tf_bert.h5", "w", **SMALL) as file:
        file.attrs["layer_names"] = fixed(["bert"])
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["keras_version"] = np.bytes_("2.11.0")
        add_layer(file, "bert", weights, **PACKED)


def create(file: h5py.File, shape: tuple, plist: h5py.h5p.PropDCID, kind=h5py.h5t.IEEE_F32LE) -> h5py.h5d.DatasetID:
    return h5py.h5d.create(file.id, b"w", kind, h5py.h5s.create_simple(shape), dcpl=plist)


def bad_virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", (4,))
    file.create_virtual_dataset("w", layout)


def bad_hard_circle(file: h5py.File) -> None:
    inner = file.create_group("a/b")
    inner["c"] = file["a"]


def bad_partly_stored(file: h5py.File) -> None:
    file.create_dataset("w", (8, 8), "f4", chunks=(2, 8))[0:2] = 1


def bad_deep(file: h5py.File) -> None:
    file.create_group("/".join(["g"] * 70))


def bad_weight_names(file: h5py.File) -> None:
    file.attrs["layer_names"] = fixed(["dense"])
    add_layer(file, "dense", {"dense/kernel:0": np.zeros((1, 1), "f4")})
    file["dense"].attrs["weight_names"] = fixed(["dense/kernel:0", "dense/bias:0"])


def bad_layer_names(file: h5py.File) -> None:
    file.attrs["layer_names0"] = fixed(["dense"])
    file.attrs["layer_names2"] = fixed(["other"])
    add_layer(file, "dense", {"dense/kernel:0": np.zeros((1, 1), "f4")})


def bad_lambda(file: h5py.File) -> None:
    file.attrs["model_config"] = np.bytes_(json.dumps({"class_name": "Functional", "config": {"layers": [
        {"class_name": "Lambda", "config": {"name": "code", "function": ["4wEAAAAA", None, None]}}]}}))
    file.attrs["layer_names"] = fixed(["dense"])
    add_layer(file, "dense", {"dense/kernel:0": np.zeros((1, 1), "f4")})


def bad_same_name(file: h5py.File) -> None:
    file["a/b"] = np.zeros(1, "f4")
    file["a.b"] = np.ones(1, "f4")


# Every one gets a dataset `good` beside what is wrong.
BAD = {
    "external_storage": lambda f: f.create_dataset("w", (4,), "f4", external=[("/etc/hostname", 0, 16)]),
    "external_link": lambda f: f.__setitem__("w", h5py.ExternalLink("other.h5", "/w")),
    "external_behind_soft": lambda f: (f.__setitem__("z", h5py.ExternalLink("other.h5", "/w")),
                                       f.__setitem__("a", h5py.SoftLink("/z/w"))),
    "virtual": bad_virtual,
    "soft_circle": lambda f: (f.__setitem__("a", h5py.SoftLink("/b")), f.__setitem__("b", h5py.SoftLink("/a"))),
    "hard_circle": bad_hard_circle,
    "bomb_chunked": lambda f: create(f, (1 << 40, 1 << 7), property_list(set_chunk=((1 << 10, 1 << 7),))),
    "bomb_contiguous": lambda f: create(f, (1 << 40, 1 << 7), property_list()),
    "not_stored": lambda f: create(f, (4, 4), property_list()),
    "partly_stored": bad_partly_stored,
    "list": lambda f: f.create_dataset("w", data=[np.zeros(1, "f4"), np.zeros(2, "f4")], dtype=h5py.vlen_dtype("f4")),
    "null_space": lambda f: f.__setitem__("w", h5py.Empty("f4")),
    "complex_array": lambda f: f.create_dataset("w", (2,), np.dtype(("f4", (2,)))),
    "reference": lambda f: f.create_dataset("w", data=f["good"].ref, dtype=h5py.ref_dtype),
    "lzf": lambda f: f.create_dataset("w", data=np.zeros((64, 64), "f4"), compression="lzf"),
    "plugin": lambda f: create(f, (4, 4), property_list(set_chunk=((4, 4),), set_filter=(32015, 1, (3,)))),
    "deep": bad_deep,
    "weight_names": bad_weight_names,
    "layer_names": bad_layer_names,
    "lambda": bad_lambda,
    "same_name": bad_same_name,
}


def record_bad(folder: Path) -> None:
    for name, break_rule in BAD.items():
        with h5py.File(folder / f"bad_{name}.h5", "w", **SMALL) as file:
            add_compact(file, "good", np.zeros(2, "f4"))
            break_rule(file)
    for name, values in {"texts": np.array([b"a"]), "records": np.zeros(2, [("a", "f4"), ("b", "i4")])}.items():
        with h5py.File(folder / f"bad_{name}.h5", "w", **SMALL) as file:
            file["w"] = values


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(5)
    record_plain(folder, random)
    record_keras3(folder, random)
    record_keras2(folder)
    record_tf_bert(folder)
    record_bad(folder)


main()
