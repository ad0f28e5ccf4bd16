#!/usr/bin/env bash
# What compression costs SmolLM2-135M; README.md has the table that this prints.
#   run.sh [RECIPE…]     (default: all of them, about an hour and a half on 2 cores)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
compress="${LATHE_BINARY:-$root/build/release/bin/compress}"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
out="$root/out/decoders"
python3 "$root/experiments/data/fetch.py" >/dev/null
mkdir -p "$out"

wikipedia="$cache/wikipedia/calibrate.txt"
# 40 windows of 512 tokens of pages that nothing is calibrated or trained on.
judge=(--eval "lm:$cache/wikipedia/evaluate.txt")

measure() { # NAME OPTIONS…
  local name="$1"
  shift
  echo "== $name: $*" >&2
  "$compress" "$cache/smollm2/model.gguf" --allow-requantize --no-bench --calibrate "$wikipedia" "$@" "${judge[@]}" \
    --json --quiet -o "$out/$name.lathe" >"$out/$name.json"
}

# recipe → what it runs; one function each, named like the row of the table
f32() { measure "$1"; }
int8() { measure "$1" --quant int8; }
int8-nearest() { measure "$1" --quant int8 --quant-method nearest; }
int8-peers() {
  measure "$1" --quant int8 --quant-method nearest --layer 're:.*embed_tokens.*=f16' --calibration-tokens 2048
}
int8-inputs-8() { measure "$1" --quant int8 --quant-method nearest --input-bits 8; }
int4() { measure "$1" --quant int4 --layer 're:.*embed_tokens.*=int8'; }
p50() { measure "$1" --prune 0.5 --quant int8; }
p50-magnitude() { measure "$1" --prune 0.5 --quant int8 --prune-method magnitude --quant-method nearest; }
p50-blocks() { measure "$1" --prune 0.5 --quant int8 --recover blocks; }
p50-distil() { measure "$1" --prune 0.5 --quant int8 --distill "$wikipedia" --minutes 10 --batch 4 --learning-rate 3e-4; }

all=(f32 int8 int8-nearest int8-peers int8-inputs-8 int4 p50 p50-magnitude p50-blocks p50-distil)
for recipe in "${@:-${all[@]}}"; do "$recipe" "$recipe"; done
python3 "$here/table.py" "$out" | tee "$out/table.md"
