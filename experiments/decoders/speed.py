#!/usr/bin/env python3
"""Lathe and llama.cpp on the same model, side by side: every figure from a process of its own, the programs in turns,
medians over the rounds.

  speed.py COMPRESS PYTHON OUT.json NAME=FILE…     .lathe files run in Lathe, .gguf files in llama.cpp
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("ROUNDS", "5"))
THREADS = (1, 2)
FIGURES = ("pp128", "pp512", "tg64")


def run_lathe(compress, path, threads):
    command = [compress, "bench", path, "--prompt", "128,512", "--generate", "64", "--threads", str(threads), "--runs",
               "5", "--json", "--quiet"]
    model = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["models"][0]
    return {case["case"]: case["tokens_per_second"] for case in model["cases"]}


def run_llama(python, path, threads):
    command = [python, str(HERE / "llama.py"), "speed", path, str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    compress, python, out, *named = sys.argv[1:]
    files = dict(item.split("=", 1) for item in named)
    found = {}
    for round_number in range(ROUNDS):
        for threads in THREADS:
            for name, path in files.items():
                result = run_lathe(compress, path, threads) if path.endswith(".lathe") else run_llama(python, path, threads)
                for figure in FIGURES:
                    found.setdefault((name, threads, figure), []).append(result[figure])
                print(f"round {round_number + 1}, {threads} threads, {name}: "
                      + ", ".join(f"{figure} {result[figure]:.0f}" for figure in FIGURES), file=sys.stderr)
    rows = []
    for name, path in files.items():
        row = {"name": name, "bytes": pathlib.Path(path).stat().st_size}
        for threads in THREADS:
            for figure in FIGURES:
                row[f"{figure}_{threads}"] = statistics.median(found[name, threads, figure])
        rows.append(row)
    pathlib.Path(out).write_text(json.dumps(rows, indent=1) + "\n")
    print("| file | MB | " + " | ".join(f"{f} {t}T" for t in THREADS for f in FIGURES) + " |")
    print("| --- " * (2 + len(THREADS) * len(FIGURES)) + "|")
    for row in rows:
        print(f"| {row['name']} | {row['bytes'] / 1e6:.0f} | "
              + " | ".join(f"{row[f'{f}_{t}']:.0f}" for t in THREADS for f in FIGURES) + " |")


main()
