# pinned_python VENV REQUIREMENTS OPTIONS… installs a pinned set of Python packages, once for each state of its pins.
# To be sourced. VENV becomes a virtual environment; OPTIONS go to pip. A file REQUIREMENTS-build.txt beside
# REQUIREMENTS.txt has what is needed to build packages that come as source.

pinned_python() {
  local venv="$1" requirements="$2"
  shift 2
  local build="${requirements%.txt}-build.txt" files=("$requirements") file
  if [[ "$(uname -m)" != x86_64 ]] || ! python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "$requirements: pinned for x86-64 and Python 3.11 (Debian 12)" >&2
    return 1
  fi
  if [[ -f "$build" ]]; then files=("$build" "$requirements"); fi
  local pins
  pins="$(cat "${files[@]}" | sha256sum)"
  if [[ "$(cat "$venv.stamp" 2>/dev/null)" == "$pins" ]]; then return; fi
  echo "installing the packages of $requirements" >&2
  rm -rf "$venv" "$venv.stamp"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv"
  for file in "${files[@]}"; do
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes "$@" \
      --requirement "$file"
  done
  echo "$pins" >"$venv.stamp"
}
