#!/usr/bin/env python3
"""onnx_runtime.py COMPRESS: exports the golden encoders and classifiers to ONNX and runs them in ONNX Runtime.

Prints what was compared; ends with 77, saying so, where Python has no onnx or no onnxruntime."""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as missing:
    print(f"skipped: Python has no module {missing.name}; experiments/onnx/requirements.txt has what this test needs")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "data/golden"
# Sums of f32 in another order: a few hundred roundings of 2^-24 on the way, as in tests/runtime/golden_test.cpp.
ROUNDING = 300 * 2.0**-24
# What the rounding of inputs to 8 bits may move in models this small.
EIGHT_BITS = 0.05


def sequences(family: str) -> list[list[int]]:
    return [[int(word) for word in line.split()] for line in (GOLDEN / f"{family}.ids").read_text().splitlines()]


def run(session: onnxruntime.InferenceSession, batch: list[list[int]], extra: int = 0) -> np.ndarray:
    """The first output for a batch, padded on the right to its longest sequence and `extra` tokens more."""
    shape = (len(batch), max(map(len, batch)) + extra)
    ids, mask = np.ones(shape, np.int64), np.zeros(shape, np.int64)
    for row, sequence in enumerate(batch):
        ids[row, :len(sequence)] = sequence
        mask[row, :len(sequence)] = 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}
    return session.run(None, {value.name: feed[value.name] for value in session.get_inputs()})[0]


class Exports:
    def __init__(self, command: str, folder: pathlib.Path) -> None:
        self.command, self.folder, self.faults, self.compared = command, folder, [], 0

    def open(self, artifact: pathlib.Path, type_name: str) -> onnxruntime.InferenceSession | None:
        path = self.folder / f"{artifact.stem}-{type_name}.onnx"
        done = subprocess.run([self.command, "export", artifact, "--to", "onnx", "--force", "--type", type_name, "-o",
                               path],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None
        onnx.checker.check_model(str(path), full_check=True)
        options = onnxruntime.SessionOptions()
        # ONNX Runtime rounds the inputs of weights alone to 8 bits unless it is told not to.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def compare(self, what: str, actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
        difference = np.abs(actual - expected).max() / np.abs(expected).max()
        self.compared += 1
        print(f"{what}: {difference:.2e} of at most {tolerance:.2e}")
        if not difference <= tolerance:
            self.faults.append(what)

    def check(self, artifact: pathlib.Path) -> None:
        batch = sequences(artifact.stem.split("-")[0])
        recorded = np.fromfile(artifact.with_suffix(".f32"), "<f4").reshape(len(batch), -1)
        dense = self.open(artifact, "f32")
        floats = self.open(artifact, "int8") is None
        expected = run(dense, batch)
        name = artifact.stem
        self.compare(f"{name}, f32, to what Lathe gives", expected, recorded, ROUNDING if floats else EIGHT_BITS)
        for type_name in ["f32"] if floats else ["f32", "int8", "int8-dynamic"]:
            session = self.open(artifact, type_name)
            padded = run(session, batch, 3)
            alone = np.concatenate([run(session, [sequence]) for sequence in batch])
            self.compare(f"{name}, {type_name}, padded to alone", padded, alone, ROUNDING)
            if type_name == "int8-dynamic":
                exact = "16-bit" not in name  # 16 bits are written as weights alone
                self.compare(f"{name}, {type_name}, to what Lathe gives", padded, recorded, ROUNDING if exact else EIGHT_BITS)
            else:
                self.compare(f"{name}, {type_name}, to f32", padded, expected, ROUNDING)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        exports = Exports(sys.argv[1], pathlib.Path(folder))
        for artifact in sorted(GOLDEN.glob("*.lathe")):
            if artifact.stem.split("-")[0] in ("encoder", "classifier", "relu"):
                exports.check(artifact)
    for fault in exports.faults:
        print("differs:", fault)
    sys.exit(1 if exports.faults or exports.compared < 50 else 0)


main()
