#!/usr/bin/env bash
# Everything that only a CUDA device can show, in one run of at most ten minutes. Needs the driver and either a build
# (build/release/bin/device_check and lathe-cuda.so beside it, which need no other library) or what builds one.
#   device.sh OUT_FOLDER [ARTIFACT...]
# Writes OUT_FOLDER/device.json, torch.json where Python has a PyTorch that sees the device, and table.md from both.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${1:?usage: device.sh OUT_FOLDER [ARTIFACT...]}"
shift
mkdir -p "$out"
bin="${LATHE_BIN:-build/release/bin}"

nvidia-smi | tee "$out/nvidia-smi.txt"
if [[ ! -x "$bin/device_check" || ! -e "$bin/lathe-cuda.so" ]]; then
  cmake --preset release >"$out/configure.log"
  cmake --build build/release --target device_check lathe_cuda
fi

# The unit tests' models, when none are named: small, of every encoding.
artifacts=("$@")
((${#artifacts[@]})) || artifacts=(tests/data/golden/*.lathe)

if [[ -x "$(command -v compute-sanitizer)" ]]; then
  # Memory that a kernel must not touch, on one small model: it is hundreds of times slower than a plain run.
  timeout 45 compute-sanitizer --error-exitcode 1 "$bin/device_check" --only-artifacts tests/data/golden/encoder-int8.lathe \
    >"$out/sanitizer.txt" 2>&1 || echo "compute-sanitizer: see $out/sanitizer.txt"
fi
# Both write each result when it is there, so that a limit of time loses nothing but what comes after it.
timeout 330 "$bin/device_check" "${artifacts[@]}" | tee "$out/device.json" || echo "device_check ended early"
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  timeout 200 python3 experiments/cuda/torch_speed.py "$out/torch.json" || echo "torch_speed.py ended early"
else
  echo "PyTorch with a CUDA device is not there: no comparison with it"
fi
python3 experiments/cuda/table.py "$out" | tee "$out/table.md"
