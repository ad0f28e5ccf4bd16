#!/usr/bin/env bash
# What training gives back on all-MiniLM-L6-v2; README.md has the table that this prints.
#   run.sh [RECIPE…]     (default: all of them, about an hour and a half on 2 cores)
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
compress="${LATHE_BINARY:-$root/build/release/bin/compress}"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
out="$root/out/distillation"
python3 "$root/experiments/data/fetch.py" >/dev/null
mkdir -p "$out"

wikipedia="$cache/wikipedia/calibrate_lines.txt"
teach=(--calibrate "$wikipedia" --distill "$wikipedia")
# The Lee texts are neither calibrated nor trained on.
lee=(--texts "$cache/lee/background.txt" --first 100 --eval "sts:$cache/lee/sts.tsv")
reviews=(--eval "cls:$cache/sentiment/test.tsv" --texts "$out/review_texts.txt")
reviews_calibrate=(--calibrate "$out/review_calibrate.txt")
classify="$out/reviews"

measure() { # NAME MODEL OPTIONS…
  local name="$1" model="$2"
  shift 2
  echo "== $name: $*" >&2
  "$compress" "$model" "$@" --json --quiet -o "$out/$name.lathe" >"$out/$name.json"
}

# recipe → what it runs; one function each, named like the row of the table
one-shot-p50() { measure "$1" "$cache/minilm" --prune 0.5 --quant int8 --calibrate "$wikipedia" "${lee[@]}"; }
blocks-p50() { measure "$1" "$cache/minilm" --prune 0.5 --quant int8 --calibrate "$wikipedia" --recover blocks "${lee[@]}"; }
distil-p50() {
  measure "$1" "$cache/minilm" --prune 0.5 --quant int8 "${teach[@]}" --minutes 13 --batch 10 \
    --learning-rate 3e-4 "${lee[@]}"
}
distil-p70() {
  measure "$1" "$cache/minilm" --prune 0.7 --quant int8 "${teach[@]}" --minutes 5 --batch 10 \
    --learning-rate 3e-4 "${lee[@]}"
}
distil-int4() {
  measure "$1" "$cache/minilm" --quant int4 "${teach[@]}" --minutes 3 --batch 10 --learning-rate 1e-4 "${lee[@]}"
}
student-3() {
  measure "$1" "$cache/minilm" --student layers=3:importance --quant int8 "${teach[@]}" --minutes 8 --batch 10 \
    --learning-rate 5e-4 "${lee[@]}"
}
smallest() {
  measure "$1" "$cache/minilm" --student layers=3:importance,embedding=128 --quant int4 "${teach[@]}" --minutes 9 \
    --batch 10 --learning-rate 5e-4 "${lee[@]}"
}

# The classifier: the teacher is fine-tuned here, on four fifths of the labelled reviews; the last fifth judges.
reviews-teacher() {
  cut -f1 "$cache/sentiment/test.tsv" >"$out/review_texts.txt"
  cut -f1 "$cache/sentiment/train.tsv" >"$out/review_calibrate.txt"
  "$compress" train "$cache/minilm" --data "cls:$cache/sentiment/train.tsv" --minutes 4 -o "$classify" --quiet
  measure "$1" "$classify" "${reviews[@]}"
}
reviews-int8() { measure "$1" "$classify" --quant int8 "${reviews_calibrate[@]}" "${reviews[@]}"; }
reviews-p50() { measure "$1" "$classify" --prune 0.5 --quant int8 "${reviews_calibrate[@]}" "${reviews[@]}"; }
reviews-p50-distil() {
  measure "$1" "$classify" --prune 0.5 --quant int8 "${reviews_calibrate[@]}" --distill "$cache/sentiment/train.tsv" \
    --minutes 2 --batch 32 --learning-rate 3e-5 "${reviews[@]}"
}
reviews-student-3() {
  measure "$1" "$classify" --student layers=3:importance --quant int8 "${reviews_calibrate[@]}" "${reviews[@]}"
}
reviews-student-3-distil() {
  measure "$1" "$classify" --student layers=3:importance --quant int8 "${reviews_calibrate[@]}" \
    --distill "$cache/sentiment/train.tsv" --minutes 6 --batch 32 --learning-rate 3e-4 "${reviews[@]}"
}

all=(one-shot-p50 blocks-p50 distil-p50 distil-p70 distil-int4 student-3 smallest reviews-teacher reviews-int8
  reviews-p50 reviews-p50-distil reviews-student-3 reviews-student-3-distil)
for recipe in "${@:-${all[@]}}"; do "$recipe" "$recipe"; done
python3 "$here/table.py" "$out" | tee "$out/table.md"
