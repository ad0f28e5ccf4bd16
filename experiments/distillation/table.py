#!/usr/bin/env python3
"""Prints the reports that run.sh left in a folder as Markdown tables, and draws the held-out curves beside this file."""

import json
import pathlib
import sys

EMBEDDINGS = ("one-shot-p50", "blocks-p50", "distil-p50", "distil-p70", "distil-int4", "student-3", "smallest")
REVIEWS = ("reviews-teacher", "reviews-int8", "reviews-p50", "reviews-p50-distil", "reviews-student-3",
           "reviews-student-3-distil")
COLORS = ("#1b6ca8", "#c0392b", "#27864a", "#8e44ad", "#b9770e", "#117a8b", "#7f8c8d")
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 320, 60, 40


def load(folder: pathlib.Path, names: tuple[str, ...]) -> dict[str, dict]:
    paths = {name: folder / f"{name}.json" for name in names}
    reports = {name: json.loads(path.read_text()) for name, path in paths.items()
               if path.exists() and path.stat().st_size}
    return {name: report for name, report in reports.items() if "models" in report}  # without what was interrupted


def stages(report: dict) -> list[dict]:
    return (report.get("training") or {}).get("stages", [])


def common_cells(report: dict) -> list[str]:
    original, model = report["models"]
    before, after = (each["speed"][0]["p50_ms"] if each["speed"] else None for each in (original, model))
    return [f"{model['file_bytes'] / 1e6:.2f}", f"{after:.2f}" if after else "-",
            f"{before / after:.2f}x" if after else "-",
            f"{sum(stage['seconds'] for stage in stages(report)) / 60:.1f}", f"{report['compress_seconds'] / 60:.1f}"]


def print_table(heads: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(heads) + " |")
    print("| " + " | ".join(["---"] * len(heads)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def embedding_row(name: str, report: dict) -> list[str]:
    model = report["models"][1]
    return [name, f"{model['fidelity']['mean_cosine']:.4f}", f"{model['task']['pearson']:.4f}", *common_cells(report)]


def review_row(name: str, report: dict) -> list[str]:
    task = report["models"][1]["task"]
    agreement = report["models"][1]["fidelity"].get("agreement")
    return [name, f"{100 * task['accuracy']:.2f}", f"{100 * task['macro_f1']:.2f}",
            "-" if agreement is None else f"{100 * agreement:.1f}", *common_cells(report)]


def curve(report: dict) -> list[tuple[float, float]]:
    """Share of the training so far, and the held-out measure."""
    points = []
    total = sum(stage["steps"] for stage in stages(report)) or 1
    before = 0
    for stage in stages(report):
        points += [((before + point["step"]) / total, point["measure"]) for point in stage["points"]]
        before += stage["steps"]
    return points


def draw(reports: dict[str, dict], path: pathlib.Path) -> None:
    curves = {name: curve(report) for name, report in reports.items()
              if stages(report) and stages(report)[-1]["measure_name"] == "cosine"}
    if not curves:
        return
    lowest = min(value for points in curves.values() for _, value in points)
    across, up = WIDTH - LEFT - 190, HEIGHT - BOTTOM - 20

    def place(share: float, value: float) -> str:
        return f"{LEFT + across * share:.1f},{20 + up * (1 - (value - lowest) / (1 - lowest)):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
             f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for tick in range(5):
        value = lowest + (1 - lowest) * tick / 4
        y = place(0, value).split(",")[1]
        parts.append(f'<path d="M{LEFT} {y}h{across}" stroke="#ddd"/><text x="{LEFT - 8}" y="{y}" text-anchor="end" '
                     f'dominant-baseline="middle">{value:.2f}</text>')
    parts.append(f'<text x="{LEFT + across / 2}" y="{HEIGHT - 12}" text-anchor="middle">share of the training</text>')
    for i, (name, points) in enumerate(curves.items()):
        line = " ".join(place(*point) for point in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[i]}" stroke-width="2"/>'
                     f'<text x="{LEFT + across + 12}" y="{30 + 18 * i}" fill="{COLORS[i]}">{name}</text>')
    path.write_text("".join(parts) + "</svg>\n")


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    common = ["MB", "1×128 ms", "against f32", "training min", "all min"]
    embeddings, reviews = load(folder, EMBEDDINGS), load(folder, REVIEWS)
    print_table(["recipe", "mean cosine", "Lee Pearson", *common],
                [embedding_row(name, report) for name, report in embeddings.items()])
    print_table(["recipe", "accuracy %", "macro F1 %", "same label %", *common],
                [review_row(name, report) for name, report in reviews.items()])
    draw(embeddings, pathlib.Path(__file__).parent / "curves.svg")
    machine = next(iter((embeddings | reviews).values()))["machine"]
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['isa']}.")


if __name__ == "__main__":
    main()
