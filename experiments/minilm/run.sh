#!/usr/bin/env bash
# What each recipe costs and gains on all-MiniLM-L6-v2; README.md has the table that this prints.
#   run.sh [BINARY]     (default: build/release/bin/compress)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
compress="${1:-$root/build/release/bin/compress}"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
out="$root/out/minilm"
python3 "$root/experiments/data/fetch.py" >/dev/null
mkdir -p "$out"

calibrate=(--calibrate "$cache/wikipedia/calibrate_lines.txt")
# The first 100 of the background texts, none of which calibrates; the task is the Lee corpus.
proof=(--texts "$cache/lee/background.txt" --first 100 --eval "sts:$cache/lee/sts.tsv" --json --quiet)

measure() { # NAME OPTIONS…
  local name="$1"
  shift
  echo "$name: $*" >&2
  "$compress" "$cache/minilm" "$@" "${proof[@]}" -o "$out/$name.lathe" >"$out/$name.json"
}

measure f32
measure int8 --quant int8 "${calibrate[@]}"
measure int8-nearest --quant int8 --quant-method nearest
measure int4 --quant int4 "${calibrate[@]}"
measure int4-nearest --quant int4 --quant-method nearest
measure p50-int8 --prune 0.5 --quant int8 "${calibrate[@]}"
measure p50-int8-nodata --prune 0.5 --quant int8
measure p50-int8-magnitude --prune 0.5 --prune-method magnitude --quant int8 --quant-method nearest
measure p50-int4 --prune 0.5 --quant int4 "${calibrate[@]}"
measure p70-int8 --prune 0.7 --quant int8 "${calibrate[@]}"
measure rank192-int8 --low-rank 192 --quant int8 "${calibrate[@]}"

python3 "$here/table.py" "$out" | tee "$out/table.md"
