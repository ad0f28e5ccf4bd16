#!/usr/bin/env bash
# Measures the peers, and Lathe artifacts beside them, on this machine:
#   run.sh [--lathe NAME=FILE.lathe]… [other options of bench.py]
# Everything it needs goes into the cache ($LATHE_CACHE, by default ~/.cache/lathe), pinned by version and hash.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${LATHE_CACHE:-$HOME/.cache/lathe}"
peers="$cache/peers"
export LATHE_CACHE="$cache" PYTHONDONTWRITEBYTECODE=1

if [[ "$(uname -m)" != x86_64 ]] || ! python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  echo "the peers are pinned for x86-64 and Python 3.11 (Debian 12)" >&2
  exit 1
fi

mkdir -p "$peers"
python3 "$here/../data/fetch.py" minilm lee >/dev/null

# Each step leaves a stamp of what it was made from, so a change of the pins or of the builder redoes it.
pins="$(sha256sum <"$here/requirements.txt")"
if [[ "$(cat "$peers/venv.stamp" 2>/dev/null)" != "$pins" ]]; then
  echo "installing the peers" >&2
  rm -rf "$peers/venv" "$peers/venv.stamp"
  python3 -m venv "$peers/venv"
  "$peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --requirement "$here/requirements.txt"
  echo "$pins" >"$peers/venv.stamp"
fi

recipe="$(cat "$here/requirements.txt" "$here/build_models.py" "$here/../data/files.sha256" | sha256sum)"
if [[ "$(cat "$peers/models.stamp" 2>/dev/null)" != "$recipe" ]]; then
  echo "building the peers' models" >&2
  rm -rf "$peers/models" "$peers/models.stamp"
  "$peers/venv/bin/python" "$here/build_models.py" "$cache/minilm" "$peers/models"
  echo "$recipe" >"$peers/models.stamp"
fi

exec "$peers/venv/bin/python" "$here/bench.py" --cache "$cache" "$@"
