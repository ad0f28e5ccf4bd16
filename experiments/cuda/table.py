#!/usr/bin/env python3
"""table.py OUT_FOLDER: the results of device.sh as Markdown, for README. A file that was cut short gives what it has."""

import json
import pathlib
import sys


def read(path: pathlib.Path) -> dict:
    text = path.read_text() if path.exists() else ""
    for end in ("", "\n}"):  # device_check writes member by member
        try:
            return json.loads(text + end)
        except json.JSONDecodeError:
            pass
    return {}


def table(titles: list[str], rows: list[list]) -> None:
    if not rows:
        return
    for row in (titles, ["---"] * len(titles), *rows):
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(ours: float | None, theirs: float | None) -> str:
    return "-" if not ours or not theirs else f"{ours / theirs:.2f} x"


def correctness(device: dict) -> None:
    layers = device.get("layers_against_the_cpu", [])
    if layers:
        equal = sum(layer["equal"] for layer in layers)
        worst = max(layer["relative"] for layer in layers)
        print(f"Layers: {equal} of {len(layers)} equal to the CPU's to the bit, the others within {worst:.1e}.\n")
    table(["artifact", "largest difference from the CPU", "tokens", "perplexity on the CPU", "on the device"],
          [[row["file"], "none" if row["equal"] else f"{row['relative']:.1e}",
            {None: "-", True: "the same", False: "others"}[row.get("same_tokens")], number(row.get("perplexity_on_cpu"), 3),
            number(row.get("perplexity"), 3)] for row in device.get("artifacts_against_the_cpu", [])])


def layers(device: dict, torch: dict) -> None:
    ceilings = (torch.get("ceilings") or [{}])[0]
    if "copy_bytes_per_second" in device:
        print(f"Copies move {device['copy_bytes_per_second'] / 1e12:.2f} TB/s, counted as bytes read and written.", end=" ")
    if "int8_tera_operations" in ceilings:
        print(f"PyTorch's products reach {ceilings['int8_tera_operations']:.0f} tera-operations per second in int8 and "
              f"{ceilings['bf16_tera_operations']:.0f} in bf16.", end="")
    print("\n")
    table(["layer", "rows", "microseconds", "share of copy bandwidth", "tera-operations per second"],
          [[f"{row['encoding']} {row['size']}\u00b2", row["rows"], number(row["microseconds"]),
            f"{100 * row['share_of_copy_bandwidth']:.0f} %", number(row["tera_operations"])]
           for row in device.get("layers", [])])


def decoders(device: dict, torch: dict) -> None:
    peers = {(row["model"], row["type"], row["batch"]): row for row in torch.get("decoders", [])}
    rows = []
    for row in device.get("decoders", []):
        key = (row["model"], row["batch"])
        dense, int4 = (peers.get((key[0], kind, key[1]), {}) for kind in ("bf16", "int4"))
        tokens = row["tokens_per_second"]
        rows.append([row["model"], row["encoding"], row["batch"], number(tokens, 0), number(dense.get("tokens_per_second"), 0),
                     ratio(tokens, dense.get("tokens_per_second")), number(int4.get("tokens_per_second"), 0),
                     number(row["prefill_ms"]), number(dense.get("prefill_ms"))])
    table(["decoder", "encoding", "batch", "tokens/s", "PyTorch bf16, graph", "ratio", "PyTorch int4, graph",
           "prompt of 512, ms", "PyTorch bf16, ms"], rows)


def encoders(device: dict, torch: dict) -> None:
    rows = []
    for row in device.get("encoders", []):
        peers = [peer["p50_ms"] for peer in torch.get("encoders", []) if peer["batch"] == row["batch"] and "p50_ms" in peer]
        best = min(peers, default=None)
        rows.append([row["file"], f"{row['batch']} x {row['length']}", number(row["p50_ms"], 3), number(best, 3),
                     ratio(best, row["p50_ms"])])
    table(["encoder", "batch", "ms", "PyTorch f16 at its best, MiniLM's shape, ms", "ratio"], rows)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    device, torch = read(folder / "device.json"), read(folder / "torch.json")
    facts = device.get("device", {})
    print(f"{facts.get('name', 'no device')}, PyTorch {torch.get('torch', 'not there')}\n")
    correctness(device)
    layers(device, torch)
    decoders(device, torch)
    encoders(device, torch)


main()
