#!/usr/bin/env python3
"""What h5py makes of a dataset: shapes, sums, ids and attributes as one JSON object.

    read_shard.py DATASET

Needs h5py and nothing of skyforge.
"""

import json
import pathlib
import sys

import h5py
import numpy as np


def main(folder):
    shards = sorted(pathlib.Path(folder).glob("shard-*.h5"))
    shape, total, weighted, ids, parameter_total = None, 0.0, 0.0, [], 0.0
    names, units, attributes = [], [], {}
    for path in shards:
        with h5py.File(path, "r", locking=False) as file:
            x = file["x"]
            if x.chunks is not None or x.compression is not None or x.dtype != np.dtype("<f4"):
                sys.exit(f"{path.name}: x is {x.dtype}, chunks {x.chunks}, expected contiguous <f4")
            shape = [(shape or [0])[0] + x.shape[0], *x.shape[1:]]
            maps = x[...].astype(np.float64).reshape(x.shape[0], -1)
            total += float(np.sum(maps))
            # Pixels in another order would have the same sum, but not this one.
            weighted += float(np.sum(maps * (np.arange(maps.shape[1]) % 7 + 1)))
            ids += [int(i) for i in file["id"]]
            if "parameters" in file:
                parameters = file["parameters"]
                names, units = list(parameters.attrs["names"]), list(parameters.attrs["units"])
                parameter_total += float(np.sum(parameters[...], dtype=np.float64))
            attributes = {
                "format": int(file.attrs["format"]),
                "recipe": int(file.attrs["recipe"]),
                "kind": file.attrs["kind"],
                "unit": x.attrs["unit"],
                "block_rows": int(file["block_checksums"].attrs["block_rows"]),
            }
    json.dump(
        {
            "shape": shape,
            "sum": total,
            "weighted_sum": weighted,
            "ids": ids,
            "parameter_names": names,
            "parameter_units": units,
            "parameter_sum": parameter_total,
            "attributes": attributes,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
