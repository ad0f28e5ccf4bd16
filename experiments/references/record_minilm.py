#!/usr/bin/env python3
"""Records what PyTorch computes for all-MiniLM-L6-v2, as the reference of the tests: f32 embeddings of the 300 Lee
background texts (mean pooling, L2 norm; stored as IEEE half) and the Lee correlations.

Run by hand when the reference has to change, after experiments/data/fetch.py; needs torch, transformers and numpy:
  record_minilm.py CACHE OUTPUT_FOLDER
"""

import hashlib
import json
import pathlib
import platform
import sys

import numpy as np
import torch
import transformers

BATCH = 10


def read_lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def embed(model, tokenizer, texts: list[str], max_tokens: int) -> np.ndarray:
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(texts[start:start + BATCH], padding=True, truncation=True, max_length=max_tokens,
                              return_tensors="pt")
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            rows.append(torch.nn.functional.normalize(mean))
    return torch.cat(rows).numpy()


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def lee_correlations(embeddings: np.ndarray, sts: pathlib.Path) -> tuple[float, float]:
    human = np.array([float(line.split("\t")[2]) for line in read_lines(sts)])
    cosine = (embeddings.astype(np.float64) @ embeddings.astype(np.float64).T)[np.triu_indices(len(embeddings), 1)]
    pearson = np.corrcoef(cosine, human)[0, 1]
    spearman = np.corrcoef(ranks(cosine), ranks(human))[0, 1]
    return pearson, spearman


def main() -> None:
    cache, output = map(pathlib.Path, sys.argv[1:])
    folder = cache / "minilm"
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    max_tokens = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]

    background = embed(model, tokenizer, read_lines(cache / "lee/background.txt"), max_tokens)
    lee = embed(model, tokenizer, read_lines(cache / "lee/lee.txt"), max_tokens)
    pearson, spearman = lee_correlations(lee, cache / "lee/sts.tsv")

    half = background.astype("<f2")
    lost = 1 - np.sum(half.astype(np.float64) * background, axis=1) / np.linalg.norm(half.astype(np.float64), axis=1)
    output.mkdir(parents=True, exist_ok=True)
    (output / "background_embeddings.f16").write_bytes(half.tobytes())
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (output / "reference.txt").write_text(
        "embeddings: lee/background.txt, one text per row, 300 x 384, IEEE half, little-endian\n"
        f"pooling: mean over the unmasked tokens, then L2 norm; at most {max_tokens} tokens with [CLS] and [SEP]\n"
        f"lee_pearson: {pearson:.6f}\n"
        f"lee_spearman: {spearman:.6f}\n"
        f"largest_cosine_lost_to_half: {lost.max():.1e}\n"
        f"model_sha256: {digest}\n"
        f"torch: {torch.__version__.split('+')[0]}\n"
        f"transformers: {transformers.__version__}\n"
        f"numpy: {np.__version__}\n"
        f"python: {platform.python_version()}\n")
    print((output / "reference.txt").read_text(), end="")


if __name__ == "__main__":
    main()
