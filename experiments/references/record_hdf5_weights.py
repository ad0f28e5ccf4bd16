#!/usr/bin/env python3
"""Records what h5py reads from a file of Keras 3, for tests/formats/hdf5/real_weights_test.cpp.

    pip install h5py xxhash
    python experiments/references/record_hdf5_weights.py ~/.cache/lathe/hed/model.weights.h5 > tests/data/hdf5/hed.txt

One line for each dataset: its path with dots, its type, its shape, and the XXH3 (128 bits) of its little-endian values.
"""

import sys

import h5py
import xxhash


def main() -> None:
    lines = []

    def visit(path: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            shape = ",".join(str(extent) for extent in values.shape)
            little = values.astype(values.dtype.newbyteorder("<"))
            lines.append(f"{path.replace('/', '.')} {values.dtype.name} {shape} {xxhash.xxh3_128_hexdigest(little.tobytes())}")

    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(visit)
    print("\n".join(sorted(lines)))


main()
