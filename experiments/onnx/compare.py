"""compare.py COMPRESS CACHE OUT: exports the artifacts in OUT to ONNX, runs them in ONNX Runtime and prints a table.

Ids come from the tokenizer of the model folder, texts are cut to 256 tokens and run in padded
batches of 16, in their order. `compress run` embeds the same texts with the artifact. run.sh makes the artifacts and calls this.
"""

import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnxruntime import quantization

import graphs

MAX_TOKENS = 256
BATCH = 16
BACKGROUND_TEXTS = 100
ROUNDS, RUNS = 5, 9  # the first two runs of a round warm up
SHAPES = ((1, 16), (1, 128))
ARTIFACTS = ("f32", "int8", "int4", "p50-int8")


def read_lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def open_session(path: pathlib.Path, level: str | None = None, optimized: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if level is not None:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", level)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed_of(ids: list[list[int]]) -> dict[str, np.ndarray]:
    shape = (len(ids), max(map(len, ids)))
    padded, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, sequence in enumerate(ids):
        padded[row, :len(sequence)] = sequence
        mask[row, :len(sequence)] = 1
    return {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}


def embed(session, ids: list[list[int]]) -> np.ndarray:
    rows = [session.run(["sentence_embedding"], feed_of(ids[at:at + BATCH]))[0] for at in range(0, len(ids), BATCH)]
    return np.concatenate(rows).astype(np.float64)


class Texts:
    """The texts of Lee's corpus, judged by people, and others beside them."""

    def __init__(self, cache: pathlib.Path) -> None:
        self.lines = read_lines(cache / "lee/lee.txt") + read_lines(cache / "lee/background.txt")[:BACKGROUND_TEXTS]
        self.judged = len(read_lines(cache / "lee/lee.txt"))
        self.human = np.array([float(line.split("\t")[2]) for line in read_lines(cache / "lee/sts.tsv")])
        tokenizer = tokenizers.Tokenizer.from_file(str(cache / "minilm/tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        self.ids = [tokenizer.encode(line).ids for line in self.lines]

    def pearson(self, rows: np.ndarray) -> float:
        lee = rows[:self.judged]
        return np.corrcoef((lee @ lee.T)[np.triu_indices(self.judged, 1)], self.human)[0, 1]

    def embedded_by(self, command: str, artifact: pathlib.Path) -> np.ndarray:
        done = subprocess.run([command, "run", artifact, "--format", "f32", "--quiet"], check=True, stdout=subprocess.PIPE,
                              input="\n".join(self.lines).encode() + b"\n")
        return np.frombuffer(done.stdout, "<f4").reshape(len(self.lines), -1).astype(np.float64)


def export(command: str, artifact: pathlib.Path, type_name: str) -> pathlib.Path:
    path = artifact.with_name(f"{artifact.stem}-{type_name}.onnx")
    subprocess.run([command, "export", artifact, "--to", "onnx", "--type", type_name, "--force", "--quiet", "-o", path],
                   check=True)
    onnx.checker.check_model(str(path), full_check=True)
    return path


def models(command: str, out: pathlib.Path):
    """Artifact, title of the row, file, and the option of ONNX Runtime that it is opened with."""
    for name in ARTIFACTS:
        artifact = out / f"{name}.lathe"
        dense = export(command, artifact, "f32")
        yield name, "f32", dense, None
        if name == "f32":
            quantized = out / "f32-quantize_dynamic.onnx"
            quantization.quantize_dynamic(dense, quantized, per_channel=True, weight_type=quantization.QuantType.QInt8,
                                          extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
            yield name, "f32, then ONNX Runtime's quantize_dynamic", quantized, None
            continue
        weights = export(command, artifact, "int8")
        yield name, "int8", weights, None
        if name == "int8":
            yield name, "int8, accuracy level 1", weights, "1"
        yield name, "int8-dynamic", export(command, artifact, "int8-dynamic"), None
        one_range = out / f"{name}-one-range.onnx"
        onnx.save(graphs.with_one_range(onnx.load(weights)), one_range)
        yield name, "DynamicQuantizeLinear", one_range, None


def times(sessions: list) -> list[list[float]]:
    """Milliseconds of each session and shape: the median of the runs of its quietest round; in each round all take turns."""
    medians = [[[] for _ in SHAPES] for _ in sessions]
    for _ in range(ROUNDS):
        for session, rows in zip(sessions, medians):
            for (batch, length), row in zip(SHAPES, rows):
                feed = feed_of(np.random.default_rng(0).integers(1996, 29611, (batch, length)).tolist())
                taken = []
                for _ in range(RUNS):
                    start = time.perf_counter()
                    session.run(["sentence_embedding"], feed)
                    taken.append((time.perf_counter() - start) * 1e3)
                row.append(statistics.median(taken[2:]))
    return [[min(row) for row in rows] for rows in medians]


def print_own_differences(out: pathlib.Path, ids: list[list[int]]) -> None:
    """How far ONNX Runtime is from itself when it runs the nodes of a graph as they are, which moves f32 sums by roundings."""
    for name in ("f32-f32", "int8-int8-dynamic"):
        path = out / f"{name}.onnx"
        difference = np.abs(embed(open_session(path), ids) - embed(open_session(path, optimized=False), ids)).max()
        print(f"{path.name}: with and without optimizations of the graph, {difference:.1e}")


def main() -> None:
    command, cache, out = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    texts = Texts(cache)
    lathe = {name: texts.embedded_by(command, out / f"{name}.lathe") for name in ARTIFACTS}
    rows = list(models(command, out))
    sessions = [open_session(path, level) for _, _, path, level in rows]
    print("| artifact | export | MB | Lee Pearson | of Lathe | cosine to f32 | of Lathe | cosine to Lathe | largest difference | "
          + " | ".join(f"{batch}×{length} ms" for batch, length in SHAPES) + " |")
    print("| --- " * (9 + len(SHAPES)) + "|")
    for (name, title, path, _), session, taken in zip(rows, sessions, times(sessions)):
        actual, own, original = embed(session, texts.ids), lathe[name], lathe["f32"]
        cells = [name, title, f"{path.stat().st_size / 1e6:.1f}", f"{texts.pearson(actual):.4f}", f"{texts.pearson(own):.4f}",
                 f"{np.sum(actual * original, axis=1).mean():.5f}", f"{np.sum(own * original, axis=1).mean():.5f}",
                 f"{np.sum(actual * own, axis=1).mean():.7f}", f"{np.abs(actual - own).max():.1e}",
                 *(f"{value:.1f}" for value in taken)]
        print("| " + " | ".join(cells) + " |", flush=True)
    print_own_differences(out, texts.ids[:BATCH])


if __name__ == "__main__":
    main()
