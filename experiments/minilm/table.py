#!/usr/bin/env python3
"""Prints the reports that run.sh left in a folder as one Markdown table."""

import json
import pathlib
import sys

ORDER = ("f32", "int8", "int8-nearest", "int4", "int4-nearest", "p50-int8", "p50-int8-nodata", "p50-int8-magnitude",
         "p50-int4", "p70-int8", "rank192-int8")
SHAPES = ((1, 16), (1, 128), (8, 128))


def speed_cells(model: dict) -> list[str]:
    by_shape = {(case["batch"], case["length"]): case["p50_ms"] for case in model["speed"]}
    return [f"{by_shape[shape]:.2f}" for shape in SHAPES]


def row(name: str, report: dict) -> str:
    original, model = report["models"]
    cells = [name, f"{model['file_bytes'] / 1e6:.2f}", f"{original['file_bytes'] / model['file_bytes']:.2f}x",
             f"{model['task']['pearson']:.4f}", f"{model['fidelity']['mean_cosine']:.5f}",
             f"{model['fidelity']['minimum_cosine']:.4f}", *speed_cells(model), f"{report['compress_seconds']:.0f}",
             f"{report['compress_peak_memory_bytes'] / 1e6:.0f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    reports = {name: json.loads((folder / f"{name}.json").read_text()) for name in ORDER}
    heads = ["recipe", "MB", "smaller", "Lee Pearson", "mean cosine", "lowest", *(f"{b}×{n} ms" for b, n in SHAPES),
             "seconds", "peak MB"]
    print("| " + " | ".join(heads) + " |")
    print("| " + " | ".join(["---"] * len(heads)) + " |")
    for name, report in reports.items():
        print(row(name, report))
    machine = reports["f32"]["machine"]
    print(f"\n{machine['cpu']}, {machine['cores']} cores, {machine['isa']}. Latency is the median on all cores; seconds and "
          "peak memory are those of compressing.")


if __name__ == "__main__":
    main()
