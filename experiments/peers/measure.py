"""One peer in a process of its own; prints one JSON object.

  measure.py speed PEER MODELS THREADS SECONDS BATCHxTOKENS…    latency of each case
  measure.py accuracy PEER MODELS CACHE REFERENCE               Lee Pearson; cosine to the recorded f32 embeddings
"""

import json
import pathlib
import sys
import time

import numpy as np

import runtimes

MAX_TOKENS = 256
COSINE_TEXTS = 100
DIMENSION = 384
FIRST_WORD_ID, LAST_WORD_ID = 1996, 29611  # whole words and pieces of MiniLM's vocabulary, no special tokens


def time_case(run: runtimes.Run, batch: int, tokens: int, seconds: float) -> dict:
    ids = np.random.default_rng(0).integers(FIRST_WORD_ID, LAST_WORD_ID, (batch, tokens)).tolist()
    warm_until = time.perf_counter() + seconds / 3
    warmed = 0
    while warmed < 3 or time.perf_counter() < warm_until:
        run(ids)
        warmed += 1
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        run(ids)
        times.append((time.perf_counter() - start) * 1e3)
    p50, p90, p99 = np.percentile(times, (50, 90, 99))
    return {"batch": batch, "length": tokens, "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "runs": len(times)}


def measure_speed(peer: str, models: str, threads: str, seconds: str, *cases: str) -> dict:
    run = runtimes.open_peer(peer, pathlib.Path(models), int(threads))
    shapes = [tuple(map(int, case.split("x"))) for case in cases]
    return {"cases": [time_case(run, *shape, float(seconds)) | {"threads": int(threads)} for shape in shapes]}


def embed(run: runtimes.Run, tokenizer, texts: list[str]) -> np.ndarray:
    means = np.stack([run([tokenizer.encode(text).ids])[0].mean(axis=0) for text in texts]).astype(np.float64)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def read_lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def cosines(embeddings: np.ndarray, reference: str) -> np.ndarray:
    """Cosine of each row, a unit vector, with the recorded f32 embedding of the same text."""
    expected = np.fromfile(reference, dtype="<f2").astype(np.float64).reshape(-1, DIMENSION)[:len(embeddings)]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    return np.sum(embeddings * expected, axis=1)


def measure_accuracy(peer: str, models: str, cache: str, reference: str) -> dict:
    import tokenizers
    data = pathlib.Path(cache)
    tokenizer = tokenizers.Tokenizer.from_file(str(data / "minilm/tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    run = runtimes.open_peer(peer, pathlib.Path(models), 1)

    lee = embed(run, tokenizer, read_lines(data / "lee/lee.txt"))
    human = np.array([float(line.split("\t")[2]) for line in read_lines(data / "lee/sts.tsv")])
    pearson = np.corrcoef((lee @ lee.T)[np.triu_indices(len(lee), 1)], human)[0, 1]

    cosine = cosines(embed(run, tokenizer, read_lines(data / "lee/background.txt")[:COSINE_TEXTS]), reference)
    return {"lee_pearson": pearson, "cosine_mean": cosine.mean(), "cosine_min": cosine.min()}


if __name__ == "__main__":
    measures = {"speed": measure_speed, "accuracy": measure_accuracy}
    print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
