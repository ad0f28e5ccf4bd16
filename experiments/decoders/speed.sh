#!/usr/bin/env bash
# Lathe beside llama.cpp on this machine, and the exported weights in llama.cpp; README.md has what this prints.
#   speed.sh             (after `make build`; makes the artifacts that run.sh has not made yet; about half an hour)
# llama.cpp is compiled here with its own settings, pinned by version and hash, into the cache.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
compress="${LATHE_BINARY:-$root/build/release/bin/compress}"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
out="$root/out/decoders"
source "$here/../pinned_python.sh"
pinned_python "$cache/llama/venv" "$here/requirements.txt" --no-build-isolation
python="$cache/llama/venv/bin/python"

missing=()
for recipe in f32 int8 int4 p50; do
  if [[ ! -f "$out/$recipe.lathe" ]]; then missing+=("$recipe"); fi
done
if ((${#missing[@]} > 0)); then "$here/run.sh" "${missing[@]}" >/dev/null; fi
for type in q8_0 q4_0; do "$compress" export "$out/f32.lathe" --type "$type" -o "$out/$type.gguf" --force --quiet; done
"$compress" export "$out/int8.lathe" --type q8_0 -o "$out/int8.gguf" --force --quiet

for name in int8 q8_0 q4_0; do
  echo "$name.gguf in llama.cpp: $("$python" "$here/llama.py" perplexity "$out/$name.gguf" "$cache/wikipedia/evaluate.txt")"
done
python3 "$here/speed.py" "$compress" "$python" "$out/speed.json" "Lathe int8=$out/int8.lathe" \
  "llama.cpp Q8_0=$out/q8_0.gguf" "Lathe p50=$out/p50.lathe" "Lathe int4=$out/int4.lathe" "llama.cpp Q4_0=$out/q4_0.gguf"
