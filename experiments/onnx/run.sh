#!/usr/bin/env bash
# What ONNX Runtime makes of exported models; README.md has the table that this prints.
#   run.sh [BINARY]     (default: build/release/bin/compress)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
compress="${1:-$root/build/release/bin/compress}"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
out="$root/out/onnx"
export PYTHONDONTWRITEBYTECODE=1
source "$here/../pinned_python.sh"
python3 "$root/experiments/data/fetch.py" >/dev/null
pinned_python "$cache/onnx/venv" "$here/requirements.txt" --only-binary=:all:
mkdir -p "$out"

calibrate=(--calibrate "$cache/wikipedia/calibrate_lines.txt")
make() { # NAME OPTIONS…
  local name="$1"
  shift
  echo "$name: $*" >&2
  "$compress" "$cache/minilm" "$@" --no-bench --quiet -o "$out/$name.lathe"
}
make f32
make int8 --quant int8 "${calibrate[@]}"
make int4 --quant int4 "${calibrate[@]}"
make p50-int8 --prune 0.5 --quant int8 "${calibrate[@]}"

exec "$cache/onnx/venv/bin/python" "$here/compare.py" "$compress" "$cache" "$out"
