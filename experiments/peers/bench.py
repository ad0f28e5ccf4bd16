#!/usr/bin/env python3
"""Side by side: ONNX Runtime, CTranslate2 and Lathe artifacts on all-MiniLM-L6-v2.

Every measurement runs in a process of its own, and the runtimes take turns in every round, so that no runtime's
spinning threads or lucky minute favours it. Reported is the median over the rounds of each process's median latency,
with the smallest and the largest beside it. run.sh sets everything up and calls this.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np

import measure
import report
import runtimes

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE.parents[1] / "tests/data/minilm/background_embeddings.f16"
SHAPES = ((1, 16), (1, 128), (8, 128), (32, 128))


def run_json(command: list) -> dict:
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode} from: {' '.join(map(str, command))}")
    return json.loads(done.stdout)


def peer_cases(name: str, threads: int, arguments) -> list[dict]:
    shapes = [f"{batch}x{length}" for batch, length in SHAPES]
    return run_json([sys.executable, HERE / "measure.py", "speed", name, arguments.models, threads, arguments.seconds,
                     *shapes])["cases"]


def lathe_cases(file: pathlib.Path, threads: int, arguments) -> list[dict]:
    cases = []
    for batch, length in SHAPES:
        cases += run_json([arguments.compress, "bench", file, "--batch", batch, "--length", length, "--threads",
                           threads, "--quiet", "--json"])["models"][0]["cases"]
    return cases


def contenders(arguments) -> dict:
    """name → (title, bytes on disk, function from a thread count to measured cases)"""
    found = {}
    for name, (title, file, _open) in runtimes.PEERS.items():
        if not arguments.only or name in arguments.only:
            found[name] = (title, runtimes.size_bytes(arguments.models / file),
                           lambda threads, name=name: peer_cases(name, threads, arguments))
    for named in arguments.lathe:
        name, _, path = named.partition("=")
        file = pathlib.Path(path)
        if not file.is_file():
            sys.exit(f"--lathe {named}: no such file; write NAME=FILE")
        found[name] = (f"Lathe {name}", file.stat().st_size,
                       lambda threads, file=file: lathe_cases(file, threads, arguments))
    return found


def measure_rounds(found: dict, arguments) -> dict[str, dict[tuple, list[float]]]:
    """name → (threads, batch, length) → the median latency of each round, in milliseconds"""
    samples: dict[str, dict[tuple, list[float]]] = {name: {} for name in found}
    names = list(found)
    for turn in range(arguments.rounds):
        for threads in arguments.threads:
            # Each round begins with another runtime.
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                print(f"round {turn + 1}/{arguments.rounds}, threads {threads}: {name}", file=sys.stderr, flush=True)
                for case in found[name][2](threads):
                    key = (threads, case["batch"], case["length"])
                    samples[name].setdefault(key, []).append(case["p50_ms"])
    return samples


def lathe_accuracy(file: pathlib.Path, arguments) -> dict:
    """The same figures as measure.py's, from what the command prints."""
    task = run_json([arguments.compress, "eval", file, "--eval", f"sts:{arguments.cache}/lee/sts.tsv", "--quiet", "--json"])
    embeddings = subprocess.run([arguments.compress, "run", file, "--input", arguments.cache / "lee/background.txt",
                                 "--format", "f32"], stdout=subprocess.PIPE, check=True).stdout
    got = np.frombuffer(embeddings, dtype="<f4").astype(np.float64).reshape(-1, measure.DIMENSION)
    cosine = measure.cosines(got[:measure.COSINE_TEXTS], REFERENCE)
    return {"lee_pearson": task["task"]["pearson"], "cosine_mean": cosine.mean(), "cosine_min": cosine.min()}


def measure_accuracy(name: str, arguments) -> dict:
    for named in arguments.lathe:
        if named.partition("=")[0] == name:
            return lathe_accuracy(pathlib.Path(named.partition("=")[2]), arguments)
    return run_json([sys.executable, HERE / "measure.py", "accuracy", name, arguments.models, arguments.cache,
                     REFERENCE])


def processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def summarize(found: dict, accuracy: dict, samples: dict, arguments) -> dict:
    results = []
    for name, (title, size, _measure) in found.items():
        cases = [{"threads": threads, "batch": batch, "length": length, "median_ms": statistics.median(values),
                  "min_ms": min(values), "max_ms": max(values), "rounds_ms": values}
                 for (threads, batch, length), values in sorted(samples[name].items())]
        results.append({"name": name, "title": title, "bytes": size, "accuracy": accuracy[name],
                        "cases": cases})
    return {"schema": 1, "date": datetime.date.today().isoformat(), "processor": processor(),
            "cores": len(os.sched_getaffinity(0)), "rounds": arguments.rounds, "results": results}


def parse_arguments():
    default_cache = pathlib.Path(os.environ.get("LATHE_CACHE") or "~/.cache/lathe").expanduser()
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lathe", action="append", default=[], metavar="NAME=FILE", help="an artifact to compare")
    parser.add_argument("--compress", type=pathlib.Path, default=HERE.parents[1] / "build/release/bin/compress")
    parser.add_argument("--cache", type=pathlib.Path, default=default_cache)
    parser.add_argument("--models", type=pathlib.Path, help="what build_models.py wrote; in the cache by default")
    parser.add_argument("--only", nargs="*", choices=list(runtimes.PEERS), help="of the peers, measure only these")
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per case and process")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("out/peers"))
    arguments = parser.parse_args()
    arguments.models = arguments.models or arguments.cache / "peers/models"
    return arguments


def main() -> None:
    arguments = parse_arguments()
    found = contenders(arguments)
    accuracy = {name: measure_accuracy(name, arguments) for name in found}
    summary = summarize(found, accuracy, measure_rounds(found, arguments), arguments)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "results.json").write_text(json.dumps(summary, indent=1) + "\n")
    table = report.markdown(summary)
    (arguments.output / "results.md").write_text(table)
    print(table, end="")


if __name__ == "__main__":
    main()
