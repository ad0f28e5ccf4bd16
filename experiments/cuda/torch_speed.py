#!/usr/bin/env python3
"""PyTorch on the same shapes as device_check: a Llama-shaped decoder in bf16 whose step is one CUDA graph, and matrix products.
Writes one JSON object. Nothing of the decoder is trained: only its shape matters for speed."""

import json
import time

import torch

SHAPES = {"Llama-shaped 1 B": (16, 2048, 32, 8, 8192, 128256), "Llama-shaped 8 B": (32, 4096, 32, 8, 14336, 128256)}
PROMPT, NEW = 512, 48
DEVICE, TYPE = "cuda", torch.bfloat16


class Decoder:
    """One token of each sequence over a cache of fixed size, written with the fastest functions that PyTorch has."""

    def __init__(self, shape: tuple, batch: int):
        self.layers, self.width, self.heads, self.kv_heads, hidden, vocabulary = shape
        self.head_width = self.width // self.heads
        kv_width = self.head_width * self.kv_heads

        def weight(outputs: int, inputs: int) -> torch.Tensor:
            return torch.randn(outputs, inputs, device=DEVICE, dtype=TYPE) / inputs**0.5

        self.table = weight(vocabulary, self.width)
        self.weights = [{"qkv": weight(self.width + 2 * kv_width, self.width), "o": weight(self.width, self.width),
                         "gate_up": weight(2 * hidden, self.width), "down": weight(self.width, hidden)}
                        for _ in range(self.layers)]
        self.cache = torch.zeros(self.layers, 2, batch, self.kv_heads, PROMPT + NEW, self.head_width, device=DEVICE, dtype=TYPE)
        self.ids = torch.zeros(batch, dtype=torch.long, device=DEVICE)
        self.batch = batch

    def step(self) -> None:
        norm = torch.nn.functional.rms_norm
        x = self.table[self.ids]
        for layer, w in enumerate(self.weights):
            qkv = norm(x, (self.width,)) @ w["qkv"].T
            q = qkv[:, :self.width].view(self.batch, self.heads, 1, self.head_width)
            k, v = qkv[:, self.width:].view(self.batch, 2, self.kv_heads, self.head_width).unbind(1)
            self.cache[layer, 0, :, :, PROMPT] = k
            self.cache[layer, 1, :, :, PROMPT] = v
            keys, values = self.cache[layer]
            mixed = torch.nn.functional.scaled_dot_product_attention(q, keys, values, enable_gqa=True)
            x = x + mixed.reshape(self.batch, self.width) @ w["o"].T
            gate, up = (norm(x, (self.width,)) @ w["gate_up"].T).chunk(2, dim=1)
            x = x + (torch.nn.functional.silu(gate) * up) @ w["down"].T
        self.ids.copy_((norm(x, (self.width,)) @ self.table.T).argmax(1))


def best_seconds(run, repetitions: int) -> float:
    best = float("inf")
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(repetitions):
            run()
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / repetitions)
    return best


def decoder_speed(name: str, batch: int) -> dict:
    model = Decoder(SHAPES[name], batch)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.no_grad():
        for _ in range(3):
            model.step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        model.step()
    seconds = best_seconds(graph.replay, 20)
    return {"model": name, "type": "bf16", "batch": batch, "prompt": PROMPT, "tokens_per_second": batch / seconds}


def main() -> None:
    report = {"torch": torch.__version__, "device": torch.cuda.get_device_name(), "decoders": []}
    for name in SHAPES:
        for batch in (1, 8, 16, 32):
            report["decoders"].append(decoder_speed(name, batch))
            torch.cuda.empty_cache()
    print(json.dumps(report, indent=2))


main()
