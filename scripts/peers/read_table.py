#!/usr/bin/env python3
"""What pandas and pyarrow make of a table: rows, types, units, metadata and values as one JSON object.

    read_table.py TABLE.parquet [AGAIN.parquet]

With AGAIN, pandas writes the table there. Needs pandas and pyarrow and nothing of skyforge.
"""

import json
import sys

import pandas as pd
import pyarrow.parquet as pq


def main(path, again=None):
    header = json.loads(pq.read_metadata(path).metadata[b"skyforge"])
    frame = pd.read_parquet(path)
    if again:
        frame.to_parquet(again, compression=None, index=False)
    json.dump(
        {
            "rows": len(frame),
            "metadata": header["metadata"],
            "units": [[column["name"], column["unit"]] for column in header["columns"]],
            "types": {name: str(kind) for name, kind in frame.dtypes.items()},
            "columns": {
                name: [None if isinstance(x, float) and x - x != 0 else x for x in frame[name].tolist()] for name in frame
            },
        },
        sys.stdout,
    )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
