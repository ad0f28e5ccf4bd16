#!/usr/bin/env python3
"""Prints the reports that run.sh left in a folder as a Markdown table."""

import json
import math
import pathlib
import sys

NAMES = ("f32", "int8", "int8-nearest", "int8-peers", "int8-inputs-8", "int4", "p50-magnitude", "p50", "p50-blocks", "p50-distil")


def row(name: str, report: dict) -> list[str]:
    model = report["models"][1]
    predictions = model["predictions"]
    ratio = predictions["log_perplexity_ratio"]
    error = predictions["log_perplexity_ratio_error"]
    return [name, f"{model['task']['perplexity']:.2f}", f"{100 * (math.exp(ratio) - 1):+.2f} ± {100 * error:.2f} %",
            f"{predictions['mean_kl']:.4f}", f"{predictions['p99_kl']:.3f}", f"{100 * predictions['same_top']:.1f} %",
            f"{model['file_bytes'] / 1e6:.1f}", f"{report['compress_seconds'] / 60:.1f}",
            f"{report['compress_peak_memory_bytes'] / 1e9:.2f}"]


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    print("| recipe | perplexity | change | mean KL | 99 % KL | same token | MB | min | GB |")
    print("| --- " * 9 + "|")
    for name in NAMES:
        path = folder / f"{name}.json"
        if path.exists() and path.stat().st_size:
            print("| " + " | ".join(row(name, json.loads(path.read_text()))) + " |")


main()
