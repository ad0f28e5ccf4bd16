"""The peers behind one interface: run(ids) takes token ids [batch][tokens], all rows as long as the first, and returns
the last hidden state as an array [batch, tokens, hidden]."""

import os
import pathlib
from collections.abc import Callable

import numpy as np

Run = Callable[[list[list[int]]], np.ndarray]


def onnxruntime_run(file: pathlib.Path, threads: int) -> Run:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(ids):
        ids = np.asarray(ids, dtype=np.int32)
        feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": np.ones_like(ids)}
        return session.run(None, feed)[0]

    return run


def has_avx512() -> bool:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return all(flag in flags for flag in ("avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"))


def ctranslate2_run(folder: pathlib.Path, threads: int, compute_type: str) -> Run:
    # By default it keeps its own vector code at AVX2 on AMD processors; with AVX-512 it is about 8 % faster.
    if has_avx512():
        os.environ.setdefault("CT2_FORCE_CPU_ISA", "AVX512")
    import ctranslate2
    encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type=compute_type, inter_threads=1,
                                  intra_threads=threads)
    return lambda ids: np.array(encoder.forward_batch(ids).last_hidden_state)


# name → (title, the file or folder that build_models.py wrote, how to open it)
PEERS = {
    "ort_f32": ("ONNX Runtime f32 (fused)", "ort_f32.onnx", onnxruntime_run),
    "ort_int8": ("ONNX Runtime int8 dynamic, per channel", "ort_int8.onnx", onnxruntime_run),
    "ct2_f32": ("CTranslate2 f32", "ct2_f32", lambda path, threads: ctranslate2_run(path, threads, "float32")),
    "ct2_int8": ("CTranslate2 int8", "ct2_int8", lambda path, threads: ctranslate2_run(path, threads, "int8")),
}


def size_bytes(path: pathlib.Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def open_peer(name: str, models: pathlib.Path, threads: int) -> Run:
    _title, file, open_runtime = PEERS[name]
    return open_runtime(models / file, threads)
