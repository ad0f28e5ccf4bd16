#!/usr/bin/env python3
"""Records what the Python package gguf makes of blocks and of a tiny model, for tests/formats/.

    pip install gguf numpy safetensors
    python experiments/references/record_gguf.py tests/data/gguf

blocks.safetensors and small_blocks.safetensors: for each type TYPE.blocks (bytes) and TYPE.values (what they decode to); for the types that are
written, encode.values and encode.TYPE (bytes). tiny-llama.gguf, and tiny-llama.safetensors: the same model under the
names and in the row order of Hugging Face, with quantized tensors as they decode.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

# Bytes of a block where f16 scales stand.
SCALES = {Type.F16: [], Type.BF16: [], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2],
          Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}
SMALL_SCALES = {Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.MXFP4: []}
BLOCKS = 3
HEADS, KV_HEADS, WIDTH, HIDDEN, NEURONS, TOKENS = 4, 2, 8, 32, 64, 40


def blocks_of(kind: Type, random: np.random.Generator) -> np.ndarray:
    size = gguf.GGML_QUANT_SIZES[kind][1]
    if not SCALES[kind]:
        return random.normal(0, 1, 16).astype(np.float16).view(np.uint8)
    blocks = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in SCALES[kind]:
        blocks[:, at:at + 2] = random.normal(0, 0.05, (BLOCKS, 1)).astype(np.float16).view(np.uint8)
    return blocks.reshape(-1)


def record_blocks(folder: Path, random: np.random.Generator) -> None:
    out = {}
    for kind in SCALES:
        blocks = blocks_of(kind, random)
        out[f"{kind.name}.blocks"] = blocks
        out[f"{kind.name}.values"] = gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(-1)
    values = random.normal(0, 0.1, (4, 64)).astype(np.float32)
    values[1] = 0
    values[2, :32] = np.abs(values[2, :32])
    values[3, 5] = -values[3, 7]
    out["encode.values"] = values
    for kind in (Type.F16, Type.Q8_0, Type.Q4_0):
        out[f"encode.{kind.name}"] = gguf.quants.quantize(values, kind).view(np.uint8).reshape(-1)
    save_file(out, folder / "blocks.safetensors")


def record_small_blocks(folder: Path) -> None:
    random, out = np.random.default_rng(11), {}
    for kind, scales in SMALL_SCALES.items():
        blocks = random.integers(0, 256, (BLOCKS, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
        for at in scales:
            blocks[:, at:at + 2] = random.normal(0, 0.05, (BLOCKS, 1)).astype(np.float16).view(np.uint8)
        if kind == Type.MXFP4:
            blocks[:, 0] = [120, 2, 127]
        out[f"{kind.name}.blocks"] = blocks.reshape(-1)
        out[f"{kind.name}.values"] = gguf.quants.dequantize(blocks.reshape(-1), kind).astype(np.float32).reshape(-1)
    save_file(out, folder / "small_blocks.safetensors")


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows as files of architecture llama have them."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def record_model(folder: Path, random: np.random.Generator) -> None:
    writer = gguf.GGUFWriter(folder / "tiny-llama.gguf", "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(NEURONS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    tokens = [chr(ord("a") + i % 26) * (1 + i // 26) for i in range(TOKENS)]
    writer.add_token_list(tokens)
    writer.add_token_types([1] * TOKENS)
    writer.add_token_merges(["a a", "b b"])
    writer.add_eos_token_id(2)
    expected = {}

    def add(name: str, hf: str, shape: tuple, kind: Type, heads: int = 0) -> None:
        weight = random.normal(0, 0.2, shape).astype(np.float32)
        stored = gguf.quants.quantize(permuted(weight, heads) if heads else weight, kind)
        decoded = gguf.quants.dequantize(stored, kind).astype(np.float32).reshape(shape)
        if heads:  # back to the order of Hugging Face: the halves are neighbours in the file
            decoded = decoded.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)
        writer.add_tensor(name, stored, raw_dtype=kind)
        expected[hf] = np.ascontiguousarray(decoded)

    layer, hf = "blk.0.", "model.layers.0."
    add("token_embd.weight", "model.embed_tokens.weight", (TOKENS, HIDDEN), Type.Q8_0)
    add("output_norm.weight", "model.norm.weight", (HIDDEN,), Type.F32)
    add(layer + "attn_norm.weight", hf + "input_layernorm.weight", (HIDDEN,), Type.F32)
    add(layer + "attn_q.weight", hf + "self_attn.q_proj.weight", (HEADS * WIDTH, HIDDEN), Type.Q4_1, HEADS)
    add(layer + "attn_k.weight", hf + "self_attn.k_proj.weight", (KV_HEADS * WIDTH, HIDDEN), Type.F16, KV_HEADS)
    add(layer + "attn_v.weight", hf + "self_attn.v_proj.weight", (KV_HEADS * WIDTH, HIDDEN), Type.F16)
    add(layer + "attn_output.weight", hf + "self_attn.o_proj.weight", (HIDDEN, HEADS * WIDTH), Type.BF16)
    add(layer + "ffn_norm.weight", hf + "post_attention_layernorm.weight", (HIDDEN,), Type.F32)
    add(layer + "ffn_gate.weight", hf + "mlp.gate_proj.weight", (NEURONS, HIDDEN), Type.Q4_0)
    add(layer + "ffn_up.weight", hf + "mlp.up_proj.weight", (NEURONS, HIDDEN), Type.Q5_0)
    add(layer + "ffn_down.weight", hf + "mlp.down_proj.weight", (HIDDEN, NEURONS), Type.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, folder / "tiny-llama.safetensors")


def main() -> None:
    folder = Path(sys.argv[1])
    random = np.random.default_rng(7)
    record_blocks(folder, random)
    record_small_blocks(folder)
    record_model(folder, random)


main()
