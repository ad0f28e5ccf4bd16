#!/usr/bin/env python3
"""device_table.py CUDA_TEST: the check for a device, as it runs on the host double, becomes the tables of experiments/cuda/table.py."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXPECTED = ["host double", "equal to the CPU's to the bit", "| encoder-int8.lathe | none | - |",
            "| llama-int8-8-bit-inputs.lathe | none | the same |", "| int4/32 128\u00b2 | 16 |", "| tiny | int4/32 | 3 |",
            "| encoder-int8.lathe | 2 x 8 |"]

run = subprocess.run([sys.argv[1], "the check for a device*"], check=True, capture_output=True, text=True)
lines = run.stdout.splitlines()
with tempfile.TemporaryDirectory() as folder:
    result = "\n".join(lines[lines.index("{"):lines.index("}")])  # without its end, as when it was cut short
    (pathlib.Path(folder) / "device.json").write_text(result)
    script = ROOT / "experiments/cuda/table.py"
    table = subprocess.run([sys.executable, str(script), folder], check=True, capture_output=True, text=True).stdout
missing = [part for part in EXPECTED if part not in table]
print(table)
print(f"{len(EXPECTED)} checked, {len(missing)} missing: {missing}")
sys.exit(bool(missing))
