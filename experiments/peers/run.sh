#!/usr/bin/env bash
# Measures the peers, and Lathe artifacts beside them, on this machine:
#   run.sh [--lathe NAME=FILE.lathe]… [other options of bench.py]
# Everything it needs goes into the cache ($LATHE_CACHE, by default ~/.cache/lathe), pinned by version and hash.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
peers="$cache/peers"
export LATHE_CACHE="$cache" PYTHONDONTWRITEBYTECODE=1
source "$here/../pinned_python.sh"

mkdir -p "$peers"
python3 "$here/../data/fetch.py" minilm lee >/dev/null

pinned_python "$peers/venv" "$here/requirements.txt" --only-binary=:all:

# The stamp says what the models were made from, so a change of the pins or of the builder makes them anew.
recipe="$(cat "$here/requirements.txt" "$here/build_models.py" "$here/../data/files.sha256" | sha256sum)"
if [[ "$(cat "$peers/models.stamp" 2>/dev/null)" != "$recipe" ]]; then
  echo "building the peers' models" >&2
  rm -rf "$peers/models" "$peers/models.stamp"
  "$peers/venv/bin/python" "$here/build_models.py" "$cache/minilm" "$peers/models"
  echo "$recipe" >"$peers/models.stamp"
fi

exec "$peers/venv/bin/python" "$here/bench.py" --cache "$cache" "$@"
