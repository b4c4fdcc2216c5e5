#!/usr/bin/env python3
"""What h5py and pandas make of a dataset: every array by its name, and the labels as a table, as one JSON object.

    read_shard.py DATASET

Needs h5py and pandas and nothing of skyforge.
"""

import json
import pathlib
import sys

import h5py
import numpy as np
import pandas as pd


def main(folder):
    arrays, tables, ids, attributes = {}, [], [], {}
    for path in sorted(pathlib.Path(folder).glob("shard-*.h5")):
        with h5py.File(path, "r", locking=False) as file:
            for name in file.attrs["modalities"].astype(str):
                add(arrays, path, name, file[name])
            if "present" in file:
                count = np.sum(file["present"][...], axis=0, dtype=int)
                attributes["present"] = (np.array(attributes.get("present", 0)) + count).tolist()
            if "labels" in file:
                tables.append(labels(file["labels"]))
            ids += [int(i) for i in file["id"]]
            attributes |= {
                "format": int(file.attrs["format"]),
                "recipe": int(file.attrs["recipe"]),
                "block_rows": int(file["block_checksums"].attrs["block_rows"]),
                "datasets": sorted(file),
            }
    told = {"arrays": arrays, "ids": ids, "attributes": attributes, "labels": {}}
    if tables:
        for name, column in pd.concat(tables).items():
            known = column.dropna()
            summary = known.value_counts().to_dict() if column.dtype == "category" else float(known.sum())
            told["labels"][name] = {"known": len(known), "sum_or_counts": summary}
        told["units"] = tables[0].attrs
    json.dump(told, sys.stdout)


def add(arrays, path, name, array):
    if array.chunks is not None or array.compression is not None or array.dtype != np.dtype("<f4"):
        sys.exit(f"{path.name}: {name} is {array.dtype}, chunks {array.chunks}, expected contiguous <f4")
    known = arrays.setdefault(name, {"shape": [0], "sum": 0.0, "weighted_sum": 0.0})
    known["shape"] = [known["shape"][0] + array.shape[0], *array.shape[1:]]
    values = array[...].astype(np.float64).reshape(array.shape[0], -1)
    known["sum"] += float(np.sum(values))
    # Values in another order would have the same sum, but not this one.
    known["weighted_sum"] += float(np.sum(values * (np.arange(values.shape[1]) % 7 + 1)))
    known |= {"kind": array.attrs["kind"], "unit": array.attrs["unit"]}


def labels(array):
    """A data frame with a column a label; classes are categories, and what is not known is missing."""
    names, kinds, units = (list(array.attrs[key]) for key in ("names", "kinds", "units"))
    table = pd.DataFrame(array[...].astype(np.float64), columns=names)
    for name, kind in zip(names, kinds):
        if kind == "class":
            codes = table[name].fillna(-1).astype(int)
            table[name] = pd.Categorical.from_codes(codes, categories=list(array.attrs[f"classes_{name}"]))
    table.attrs = dict(zip(names, units))
    return table


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
