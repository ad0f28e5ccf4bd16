#!/usr/bin/env python3
"""Records small files of every form that torch.save and TorchScript write, and what PyTorch reads from them, for
tests/formats/pytorch/. Run by hand when a reference has to change; needs torch, numpy and xxhash:
  record_pytorch_tiny.py TESTS_DATA_FOLDER/pytorch [FILE.pth ...]

expected.tsv has a line for each tensor: file, name, type, shape (dimensions apart by commas), XXH3 (128 bits) of the
values, row by row and little-endian. Files given as well are read the same way, into real.tsv: those that
experiments/data/fetch.py brings. Files that are to be refused have no lines.
"""

import json
import pathlib
import sys
import warnings
import zipfile

import torch
import xxhash

TYPES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.float64: "f64", torch.int8: "i8",
         torch.int16: "i16", torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8", torch.uint16: "u16",
         torch.uint32: "u32", torch.uint64: "u64", torch.bool: "bool"}


def values(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape) + 1)
    if dtype == torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    return (100 * torch.randn(shape, generator=generator)).abs().to(dtype)


def line(file: str, name: str, tensor: torch.Tensor) -> str:
    stored = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    shape = ",".join(map(str, tensor.shape))
    return "\t".join((file, name, TYPES[tensor.dtype], shape, xxhash.xxh3_128_hexdigest(stored))) + "\n"


def lines(file: str, tensors: dict[str, torch.Tensor]) -> str:
    """Without the prefix of DataParallel, where all names have it."""
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return "".join(line(file, name, tensors[name]) for name in sorted(tensors) if tensors[name].dtype in TYPES)


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(4, 3)
        self.norm = torch.nn.BatchNorm1d(3)
        self.register_buffer("scale", torch.tensor([0.5, 2.0]))
        self.steps = 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.dense(x)) * self.scale[0] + torch.tensor([1.0, 2.0, 3.0])


def block() -> Block:
    torch.manual_seed(1)
    return Block()


def types_and_views() -> dict[str, torch.Tensor]:
    matrix, stack = values((3, 4)), values((4, 3, 2), torch.bfloat16)
    return {
        **{f"type.{name}": values((5,), dtype) for dtype, name in TYPES.items()},
        "type.complex": torch.ones(2, dtype=torch.complex64),
        "type.float8": torch.ones(2).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "matrix": matrix,
        "view.tied": matrix,
        "view.transposed": matrix.t(),
        "view.row": matrix[1],
        "view.column": matrix[:, 2],
        "view.every_other": matrix[::2, 1::2],
        "view.permuted": stack.permute(2, 0, 1),
        "view.one_row": matrix[2:3].expand(1, 4),
        "view.repeated": values((6,), torch.float64)[1:2].expand(6),
        "parameter": torch.nn.Parameter(values((2, 2))),
    }


def again(source: pathlib.Path, target: pathlib.Path, method: int, big_endian: bool = False) -> None:
    """The same archive as another program may write it: compressed, or from a big-endian machine."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for info in old.infolist():
            data = old.read(info)
            root, name = info.filename.split("/", 1)
            if big_endian and name == "byteorder":
                data = b"big"
            if big_endian and name.startswith("data/"):
                data = b"".join(data[at:at + 4][::-1] for at in range(0, len(data), 4))
            new.writestr(zipfile.ZipInfo(f"{root}/{name}", (1980, 1, 1, 0, 0, 0)), data, method)


def record_shards(folder: pathlib.Path) -> str:
    state = {name: values((2, 3 + index)) for index, name in enumerate("abc")}
    state["d"] = state["a"]
    parts = ({name: state[name] for name in "ad"}, {name: state[name] for name in "bc"})
    weight_map, out = {}, ""
    for index, part in enumerate(parts):
        file = f"pytorch_model-{index + 1:05}-of-00002.bin"
        torch.save(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
        out += lines("pytorch_model.bin.index.json", torch.load(folder / file))
    size = sum(state[name].nbytes for name in "abc")
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    return out


def record_read(folder: pathlib.Path) -> str:
    model = block()
    optimizer = torch.optim.Adam(model.parameters())
    model(values((2, 4))).sum().backward()
    optimizer.step()
    progress = {"epoch": 3, "loss": torch.tensor(0.25), "arguments": {"rate": 1e-3, "name": "tiny", "done": True}}
    torch.save(types_and_views(), folder / "types_and_views.pt")
    torch.save(model.state_dict(), folder / "state_dict.pth")
    torch.save({"state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), **progress}, folder / "nested.pt")
    torch.save(torch.nn.DataParallel(model).state_dict(), folder / "data_parallel.pt")
    torch.serialization.set_crc32_options(False)
    torch.save({"matrix": values((3, 4))}, folder / "no_checksums.pt")
    torch.serialization.set_crc32_options(True)
    torch.save({"matrix": values((3, 4)), "turned": values((2, 5)).t()}, folder / "floats.pt")
    again(folder / "floats.pt", folder / "deflated.pt", zipfile.ZIP_DEFLATED)
    again(folder / "floats.pt", folder / "big_endian.pt", zipfile.ZIP_STORED, big_endian=True)
    table = values((3, 2))
    legacy = {"table": table, "head": table, "turned": values((2, 4), torch.float16).t()}
    torch.save(legacy, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(model.eval()).save(folder / "script.pt")

    out = ""
    for file in ("types_and_views.pt", "state_dict.pth", "data_parallel.pt", "no_checksums.pt", "floats.pt", "deflated.pt",
                 "big_endian.pt", "legacy.pt"):
        out += lines(file, torch.load(folder / file))
    out += lines("nested.pt", torch.load(folder / "nested.pt")["state_dict"])
    return out + lines("script.pt", torch.jit.load(folder / "script.pt").state_dict())


def record_refused(folder: pathlib.Path) -> None:
    model = torch.nn.Linear(2, 1)
    torch.save(model, folder / "refused_module.pt")
    torch.save(model.state_dict(), folder / "refused_protocol_4.pt", pickle_protocol=4)
    torch.save({"mean": values((2,)).numpy()}, folder / "refused_numpy.pt")
    torch.save({"sparse": torch.eye(3).to_sparse(), "dense": torch.ones(2)}, folder / "sparse.pt")


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "expected.tsv").write_text(record_read(folder) + record_shards(folder))
    record_refused(folder)
    real = [pathlib.Path(path) for path in sys.argv[2:]]
    if real:
        (folder / "real.tsv").write_text("".join(lines(path.name, torch.load(path, map_location="cpu")) for path in real))


if __name__ == "__main__":
    main()
