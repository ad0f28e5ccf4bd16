#!/usr/bin/env python3
"""Measures again what README says about Lathe itself and compares it with what was recorded.

Compresses MiniLM three ways and SmolLM2 one way, and compares bytes, accuracy, peak memory, seconds of compressing,
opening time and latency with expected.json. Prints a table. The exit status is 1 when a figure has left its tolerance.

    figures.py              everything, a few minutes on a quiet machine (`make figures`)
    figures.py --test       only what does not depend on the machine's load, of fewer cases (part of `make test`)
    figures.py --record     writes expected.json instead of comparing; on a quiet machine
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("LATHE_CACHE") or pathlib.Path.home() / ".cache/lathe")
EXPECTED = HERE / "expected.json"
SKIPPED = 77  # ctest counts the test as skipped

MINILM = (CACHE / "minilm", "--calibrate", CACHE / "wikipedia/calibrate_lines.txt", "--eval",
          f"sts:{CACHE / 'lee/sts.tsv'}", "--texts", CACHE / "lee/background.txt")
SMOLLM2 = (CACHE / "smollm2/model.gguf", "--allow-requantize", "--calibrate", CACHE / "wikipedia/calibrate.txt",
           "--calibration-tokens", 4096, "--eval", f"lm:{CACHE / 'wikipedia/evaluate.txt'}", "--windows", 4)


class Case(NamedTuple):
    """An artifact to make, and the options of `bench` that measure it beside the uncompressed model."""

    name: str
    command: tuple
    original: str  # the artifact that latency is compared with
    bench: tuple
    in_test: bool = False
    largest_memory: float | None = None  # of compressing, as a multiple of the checkpoint


ENCODER_BENCH = ("--batch", 1, "--length", 128, "--threads", 1, "--runs", 100)
DECODER_BENCH = ("--prompt", 128, "--generate", 32, "--threads", 1, "--runs", 5)
CASES = (
    Case("minilm-int8", (*MINILM, "--quant", "int8"), "minilm-f32", ENCODER_BENCH, largest_memory=3),
    Case("minilm-int4", (*MINILM, "--quant", "int4"), "minilm-f32", ENCODER_BENCH, True, 3),
    Case("minilm-p50-int8", (*MINILM, "--prune", 0.5, "--quant", "int8"), "minilm-f32", ENCODER_BENCH, True, 3),
    Case("smollm2-int4", (*SMOLLM2, "--quant", "int4", "--layer", "re:.*embed_tokens.*=int8"), "smollm2-f32",
         DECODER_BENCH),
)
ORIGINALS = {"minilm-f32": (CACHE / "minilm",), "smollm2-f32": (CACHE / "smollm2/model.gguf", "--allow-requantize")}


class Tolerance(NamedTuple):
    """How far a figure may be from the recorded one. Worse than recorded is higher or lower; better is no fault,
    except where both directions show that something else was measured."""

    absolute: float = 0
    relative: float = 0
    lower_is_fault: bool = True
    higher_is_fault: bool = True
    in_test: bool = True


# Bytes change only where numbers are written as text. Calibration runs in f32, whose sums differ between CPUs and
# versions of OpenBLAS; that moves accuracy by less than these margins, and a fault of a method by far more. Seconds
# of compressing are counted in passes of the f32 model on the same machine, opening time and latency vary with it.
TOLERANCES = {
    "bytes": Tolerance(relative=0.001),
    "pearson": Tolerance(absolute=0.004),
    "cosine": Tolerance(absolute=0.002),
    "perplexity ratio": Tolerance(relative=0.01),
    "peak MB": Tolerance(relative=0.15, lower_is_fault=False),
    "CPU passes": Tolerance(relative=0.4, lower_is_fault=False, in_test=False),
    "passes": Tolerance(relative=0.4, lower_is_fault=False, in_test=False),
    "open ms": Tolerance(relative=1.0, absolute=20, lower_is_fault=False, in_test=False),
    "latency ratio": Tolerance(relative=0.25, lower_is_fault=False, in_test=False),
    "generation ratio": Tolerance(relative=0.25, lower_is_fault=False, in_test=False),
}


def run_json(compress: pathlib.Path, arguments: tuple) -> tuple[dict, float, float]:
    """What the command printed, its wall-clock seconds and its seconds of CPU."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run([str(compress), *map(str, arguments), "--json", "--quiet"], check=True,
                            stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(result.stdout), time.monotonic() - start, cpu


def accuracy(original: dict, model: dict) -> dict[str, float]:
    if "perplexity" in model["task"]:
        return {"perplexity ratio": model["task"]["perplexity"] / original["task"]["perplexity"]}
    return {"pearson": model["task"]["pearson"], "cosine": model["fidelity"]["mean_cosine"]}


def compress_case(compress: pathlib.Path, case: Case, artifact: pathlib.Path) -> dict[str, float]:
    report, _, cpu = run_json(compress, (*case.command, "--no-bench", "-o", artifact))
    original, model = report["models"]
    return {"bytes": model["file_bytes"], **accuracy(original, model),
            "peak MB": report["compress_peak_memory_bytes"] / 1e6, "compress CPU s": cpu,
            "compress s": report["compress_seconds"]}


def checkpoint_bytes(case: Case) -> int:
    path = pathlib.Path(case.command[0])
    return path.stat().st_size if path.is_file() else (path / "model.safetensors").stat().st_size


def opening_ms(compress: pathlib.Path, artifact: pathlib.Path) -> float:
    """The median of several openings; the first also reads the file from disk."""
    return statistics.median(run_json(compress, ("inspect", artifact))[0]["load_ms"] for _ in range(7))


def speed(compress: pathlib.Path, out: pathlib.Path, cases: list[Case]) -> dict[str, dict[str, float]]:
    """Latency of each case as a ratio to that of its original, measured in turns."""
    figures = {}
    for original in dict.fromkeys(case.original for case in cases):
        artifact = out / f"{original}.lathe"
        run_json(compress, (*ORIGINALS[original], "--no-bench", "-o", artifact))
        group = [case for case in cases if case.original == original]
        files = [artifact] + [out / f"{case.name}.lathe" for case in group]
        report, _, _ = run_json(compress, ("bench", *files, *group[0].bench))
        first, *others = report["models"]
        pass_seconds = first["cases"][0]["p50_ms"] / 1000
        for case, measured in zip(group, others, strict=True):
            figures[case.name] = {name: mine["p50_ms"] / reference["p50_ms"]
                                  for name, mine, reference in speed_pairs(measured, first)}
            figures[case.name]["open ms"] = opening_ms(compress, out / f"{case.name}.lathe")
            figures[case.name]["pass s"] = pass_seconds
    return figures


def speed_pairs(measured: dict, reference: dict):
    for mine, other in zip(measured["cases"], reference["cases"], strict=True):
        yield ("generation ratio" if mine.get("case", "").startswith("tg") else "latency ratio"), mine, other


def limits(name: str, case: Case, recorded: float) -> tuple[float, float]:
    """The lowest and the highest value that is accepted."""
    if name == "peak MB" and case.largest_memory is not None:
        return 0, case.largest_memory * checkpoint_bytes(case) / 1e6
    tolerance = TOLERANCES[name]
    margin = tolerance.absolute + tolerance.relative * abs(recorded)
    return (recorded - margin if tolerance.lower_is_fault else float("-inf"),
            recorded + margin if tolerance.higher_is_fault else float("inf"))


def compare(case: Case, measured: dict, recorded: dict, in_test: bool) -> list[str]:
    """Prints a row for each figure; returns those that have left their tolerance."""
    faults = []
    for name, value in measured.items():
        if in_test and not TOLERANCES[name].in_test:
            continue
        if name not in recorded:
            faults.append(f"{case.name}: {name}: nothing is recorded in {EXPECTED.name}")
            continue
        lowest, highest = limits(name, case, recorded[name])
        good = lowest <= value <= highest
        print(f"{case.name:16} {name:17} {recorded[name]:14.6g} {value:14.6g} {lowest:12.6g} .. {highest:<12.6g}"
              f" {'ok' if good else 'LEFT ITS TOLERANCE'}", flush=True)
        if not good:
            faults.append(f"{case.name}: {name} is {value:.6g}, accepted are {lowest:.6g} .. {highest:.6g}")
    faults += [f"{case.name}: {name} is recorded and was not measured"
               for name in recorded if name not in measured and not in_test]
    return faults


def measure(arguments: argparse.Namespace, cases: list[Case]) -> dict[str, dict[str, float]]:
    figures = {}
    for case in cases:
        print(f"compressing: {case.name}", file=sys.stderr)
        figures[case.name] = compress_case(arguments.compress, case, arguments.out / f"{case.name}.lathe")
    if arguments.test:
        return {name: {figure: value for figure, value in values.items() if figure in TOLERANCES}
                for name, values in figures.items()}
    print("measuring speed", file=sys.stderr)
    for name, values in speed(arguments.compress, arguments.out, cases).items():
        count_passes(figures[name], values.pop("pass s"))
        figures[name].update(values)
    return figures


def count_passes(figures: dict[str, float], pass_seconds: float) -> None:
    """Seconds of compressing as the number of passes of the f32 model that take as long, which every machine has alike."""
    figures["CPU passes"] = figures.pop("compress CPU s") / pass_seconds
    figures["passes"] = figures.pop("compress s") / pass_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compress", type=pathlib.Path, default=ROOT / "build/release/bin/compress")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/figures")
    parser.add_argument("--only", default="", help="only the cases whose name holds this text")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in case.name and (case.in_test or not arguments.test)]
    missing = [str(case.command[0]) for case in cases if not case.command[0].exists()]
    if missing:
        print(f"skipped: {missing[0]} is missing; experiments/data/fetch.py fetches it")
        return SKIPPED
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = measure(arguments, cases)
    recorded = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if arguments.record:
        for name, values in figures.items():
            recorded.setdefault(name, {}).update(
                {figure: value if isinstance(value, int) else float(f"{value:.7g}") for figure, value in values.items()})
        EXPECTED.write_text(json.dumps(recorded, indent=2) + "\n")
        return 0
    print(f"{'case':16} {'figure':17} {'recorded':>14} {'measured':>14} {'accepted':>19}")
    faults = [fault for case in cases
              for fault in compare(case, figures[case.name], recorded.get(case.name, {}), arguments.test)]
    print("\n".join(faults) if faults else "every figure is within its tolerance")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
