#!/usr/bin/env python3
"""What pandas, pyarrow and astropy make of a table: rows, types, units, metadata and values as one JSON object.

    read_table.py TABLE.parquet [AGAIN.parquet]

With AGAIN, pandas writes the table there. Needs pandas, pyarrow and astropy and nothing of skyforge.
"""

import json
import sys
import warnings

import pandas as pd
import pyarrow.parquet as pq
from astropy.table import Table


def main(path, again=None):
    header = json.loads(pq.read_metadata(path).metadata[b"skyforge"])
    frame = pd.read_parquet(path)
    if again:
        frame.to_parquet(again, compression=None, index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts have no length in the metadata
        table = Table.read(path)
    json.dump(
        {
            "rows": len(frame),
            "metadata": header["metadata"],
            "units": [[column["name"], column["unit"]] for column in header["columns"]],
            "astropy": {
                "units": [[name, str(table[name].unit)] for name in table.colnames],
                "descriptions": [table[name].description for name in table.colnames],
                "metadata": dict(table.meta),
                "rows": len(table),
            },
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
