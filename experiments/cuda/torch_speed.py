#!/usr/bin/env python3
"""PyTorch on the shapes of device_check: matrix ceilings, Llama-shaped decoders whose step is one CUDA graph (bf16, and int4 weights
by its own kernel), and MiniLM's encoder in f16 with and without a graph. Nothing is trained: only shapes matter for speed.

torch_speed.py [--small] FILE writes one JSON object, anew after each measurement; what fails is there with its error.
--small runs everything once with tiny shapes, also on a CPU, where there are no graphs."""

import argparse
import json
import pathlib
import statistics
import time

import torch
from torch.nn import functional

#         layers, width, heads, heads of keys, hidden, vocabulary
DECODERS = {"SmolLM2-shaped 135 M": (30, 576, 9, 3, 1536, 49152), "Llama-shaped 1 B": (16, 2048, 32, 8, 8192, 128256),
            "Llama-shaped 8 B": (32, 4096, 32, 8, 14336, 128256)}
ENCODER = (6, 384, 12, 12, 1536, 30522)
GROUP = 32  # columns of int4 that share a scale, as in the artifacts beside it


class Settings:
    """What is run: everything on a device, or one small round of it."""

    def __init__(self, small: bool):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.graphs = self.device == "cuda"
        self.rounds = 2 if small else 20
        self.prompt, self.new = (6, 2) if small else (512, 48)
        self.batches = (1, 2) if small else (1, 8, 16, 32)
        self.decoders = {"tiny": (2, 64, 4, 2, 128, 100)} if small else DECODERS
        self.encoder = (2, 64, 4, 4, 128, 100) if small else ENCODER
        self.encoder_batches = (1, 2) if small else (1, 256)
        self.encoder_length = 8 if small else 128
        self.matrix = 64 if small else 8192


def synchronize(settings: Settings) -> None:
    if settings.device == "cuda":
        torch.cuda.synchronize()


def best_seconds(settings: Settings, run) -> float:
    run()
    best = float("inf")
    for _ in range(5):
        synchronize(settings)
        start = time.perf_counter()
        for _ in range(settings.rounds):
            run()
        synchronize(settings)
        best = min(best, (time.perf_counter() - start) / settings.rounds)
    return best


def as_graph(settings: Settings, run):
    """The function as one replay; itself where there are no graphs."""
    if not settings.graphs:
        return run
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


class Dense:
    """A weight [outputs, inputs] of made-up numbers."""

    def __init__(self, settings: Settings, outputs: int, inputs: int, dtype: torch.dtype):
        self.weight = torch.randn(outputs, inputs, device=settings.device, dtype=dtype) / inputs**0.5

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight.T


class Int4:
    """The same in four bits with a scale and a zero for each group, by PyTorch's own kernel."""

    def __init__(self, settings: Settings, outputs: int, inputs: int, dtype: torch.dtype):
        values = torch.randint(0, 255, (outputs, inputs // 2), device=settings.device, dtype=torch.uint8)
        self.packed = torch._convert_weight_to_int4pack(values, 8 if inputs % 128 == 0 else 2)
        self.scales = torch.full((inputs // GROUP, outputs, 2), 0.01, device=settings.device, dtype=dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch._weight_int4pack_mm(x, self.packed, GROUP, self.scales)


class Decoder:
    """One token of each sequence over a cache of fixed size, written with the fastest functions that PyTorch has."""

    def __init__(self, settings: Settings, shape: tuple, batch: int, linear):
        self.layers, self.width, self.heads, self.kv_heads, hidden, vocabulary = shape
        self.head_width, self.batch, self.prompt = self.width // self.heads, batch, settings.prompt
        kv_width, dtype = self.head_width * self.kv_heads, torch.bfloat16

        def make(outputs: int, inputs: int):
            return linear(settings, outputs, inputs, dtype)

        self.table = Dense(settings, vocabulary, self.width, dtype)
        self.weights = [{"qkv": make(self.width + 2 * kv_width, self.width), "o": make(self.width, self.width),
                         "gate_up": make(2 * hidden, self.width), "down": make(self.width, hidden)}
                        for _ in range(self.layers)]
        self.cache = torch.zeros(self.layers, 2, batch, self.kv_heads, settings.prompt + settings.new, self.head_width,
                                 device=settings.device, dtype=dtype)
        self.ids = torch.zeros(batch, dtype=torch.long, device=settings.device)
        self.prompt_ids = torch.zeros(batch, settings.prompt, dtype=torch.long, device=settings.device)

    def layer(self, number: int, x: torch.Tensor, start: int, causal: bool) -> torch.Tensor:
        w, (batch, length, _) = self.weights[number], x.shape
        qkv = w["qkv"](functional.rms_norm(x, (self.width,)).flatten(0, 1)).view(batch, length, -1, self.head_width)
        q, k, v = qkv.transpose(1, 2).split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        self.cache[number, 0, :, :, start:start + length] = k
        self.cache[number, 1, :, :, start:start + length] = v
        keys, values = (k, v) if causal else self.cache[number]
        mixed = functional.scaled_dot_product_attention(q, keys, values, is_causal=causal, enable_gqa=True)
        x = x + w["o"](mixed.transpose(1, 2).reshape(batch * length, self.width)).view_as(x)
        gate, up = w["gate_up"](functional.rms_norm(x, (self.width,)).flatten(0, 1)).chunk(2, dim=1)
        return x + w["down"](functional.silu(gate) * up).view_as(x)

    def run(self, ids: torch.Tensor, start: int, causal: bool) -> None:
        x = self.table.weight[ids]
        for number in range(self.layers):
            x = self.layer(number, x, start, causal)
        self.ids.copy_(self.table(functional.rms_norm(x[:, -1], (self.width,))).argmax(1))

    def step(self) -> None:
        self.run(self.ids[:, None], self.prompt, False)

    def prefill(self) -> None:
        self.run(self.prompt_ids, 0, True)


def decoder_speed(settings: Settings, name: str, batch: int, kind: str, linear) -> dict:
    model = Decoder(settings, settings.decoders[name], batch, linear)
    row = {"model": name, "type": kind, "batch": batch, "prompt": settings.prompt}
    row["prefill_ms"] = best_seconds(settings, model.prefill) * 1e3
    row["tokens_per_second"] = batch / best_seconds(settings, as_graph(settings, model.step))
    return row


class Encoder:
    """BERT's layers with mean pooling over texts of one length, so that no mask is needed."""

    def __init__(self, settings: Settings, batch: int):
        self.layers, self.width, self.heads, _, hidden, vocabulary = settings.encoder
        dtype = torch.float16 if settings.device == "cuda" else torch.float32

        def make(outputs: int, inputs: int) -> Dense:
            return Dense(settings, outputs, inputs, dtype)

        self.table = make(vocabulary, self.width)
        self.weights = [{"qkv": make(3 * self.width, self.width), "o": make(self.width, self.width),
                         "up": make(hidden, self.width), "down": make(self.width, hidden)} for _ in range(self.layers)]
        self.ids = torch.zeros(batch, settings.encoder_length, dtype=torch.long, device=settings.device)

    def run(self) -> torch.Tensor:
        x = self.table.weight[self.ids]
        batch, length, width = x.shape
        for w in self.weights:
            q, k, v = w["qkv"](x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
            x = functional.layer_norm(x + w["o"](mixed), (width,))
            x = functional.layer_norm(x + w["down"](functional.gelu(w["up"](x))), (width,))
        return functional.normalize(x.mean(1), dim=1)


def encoder_speed(settings: Settings, batch: int, kind: str) -> dict:
    model = Encoder(settings, batch)
    run = {"plain": lambda: model.run, "graph": lambda: as_graph(settings, model.run),
           "compiled": lambda: torch.compile(model.run, mode="max-autotune-no-cudagraphs")}[kind]()
    times = []
    run()
    for _ in range(3 * settings.rounds // 2):
        synchronize(settings)
        start = time.perf_counter()
        run()
        synchronize(settings)
        times.append(time.perf_counter() - start)
    return {"how": kind, "batch": batch, "length": settings.encoder_length, "p50_ms": statistics.median(times) * 1e3}


def ceilings(settings: Settings) -> dict:
    """The most that matrix products and copies of this device reach."""
    n = settings.matrix
    a = torch.randn(n, n, device=settings.device, dtype=torch.bfloat16)
    b = torch.randint(-8, 8, (n, n), device=settings.device, dtype=torch.int8)
    large = torch.zeros(n * n * 16, device=settings.device, dtype=torch.int8)
    other = torch.empty_like(large)
    return {"bf16_tera_operations": 2 * n**3 / best_seconds(settings, lambda: a @ a.T) / 1e12,
            "int8_tera_operations": 2 * n**3 / best_seconds(settings, lambda: torch._int_mm(b, b.T)) / 1e12,
            "copy_bytes_per_second": 2 * large.numel() / best_seconds(settings, lambda: other.copy_(large))}


def attempt(what: dict, run, *arguments) -> dict:
    """What run() gives, or what it was and the error: one path that this PyTorch lacks does not end the others."""
    try:
        return run(*arguments)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError) as error:
        return what | {"error": str(error).splitlines()[0][:200]}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def measurements(settings: Settings):
    """Each one as the list of the report that it belongs to, what it is, and what measures it."""
    yield "ceilings", {}, (ceilings, settings)
    for batch in settings.encoder_batches:
        for kind in ("plain", "graph", "compiled"):
            yield "encoders", {"how": kind, "batch": batch}, (encoder_speed, settings, batch, kind)
    for model in settings.decoders:
        for kind, linear in (("bf16", Dense), ("int4", Int4)):
            for batch in settings.batches:
                what = {"model": model, "type": kind, "batch": batch}
                yield "decoders", what, (decoder_speed, settings, model, batch, kind, linear)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("file", type=pathlib.Path)
    options = parser.parse_args()
    settings = Settings(options.small)
    name = torch.cuda.get_device_name() if settings.device == "cuda" else "cpu"
    report = {"torch": torch.__version__, "device": name, "ceilings": [], "encoders": [], "decoders": []}
    with torch.no_grad():
        for part, what, measure in measurements(settings):
            report[part].append(attempt(what, *measure))
            options.file.write_text(json.dumps(report, indent=2) + "\n")


main()
