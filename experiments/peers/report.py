"""The Markdown of a results.json that bench.py wrote: report.py results.json"""

import json
import pathlib
import sys


def accuracy_cells(accuracy: dict) -> list[str]:
    return [f"{accuracy['lee_pearson']:.4f}", f"{accuracy['cosine_mean']:.5f}"]


def latency_cell(case: dict) -> str:
    return f"**{case['median_ms']:.1f}** ({case['min_ms']:.1f}-{case['max_ms']:.1f})"


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def markdown(summary: dict) -> str:
    text = (f"{summary['date']}, {summary['processor']}, {summary['cores']} cores; {summary['rounds']} rounds, "
            "runtimes taking turns, each in a process of its own. Latency in ms of a batch × tokens: median (smallest-largest) "
            "over the rounds of each process's median.\n")
    for threads in sorted({case["threads"] for result in summary["results"] for case in result["cases"]}):
        shapes = sorted({(case["batch"], case["length"]) for result in summary["results"] for case in result["cases"]
                         if case["threads"] == threads})
        heads = ["runtime", "MB", "Lee Pearson", "cosine to f32", *(f"{batch}×{length}" for batch, length in shapes)]
        text += f"\n{threads} thread{'s' if threads > 1 else ''}\n\n" + row(heads) + row(["---"] * len(heads))
        for result in summary["results"]:
            by_shape = {(case["batch"], case["length"]): case for case in result["cases"]
                        if case["threads"] == threads}
            text += row([result["title"], f"{result['bytes'] / 1e6:.1f}", *accuracy_cells(result["accuracy"]),
                         *(latency_cell(by_shape[shape]) if shape in by_shape else "" for shape in shapes)])
    return text


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
