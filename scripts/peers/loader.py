"""Shuffled batches of maps in Python, paced by lines on stdin: what `bench loader` is held against.

form    what it does
item    h5py behind torch's DataLoader, one record an item, no worker (the faster setting: workers copy through shared memory)
memmap  a numpy memory map, one take of a batch by index

Both read one file with the same maps: `--from FOLDER --to FILE` puts a dataset's shards into it, contiguous.
"""

import argparse
import glob
import json
import os
import sys
import time

import h5py
import numpy as np

import paced


def gather(folder, file):
    shards = sorted(glob.glob(os.path.join(folder, "shard-*.h5")))
    if not shards:
        sys.exit(f"error: {folder} has no shard, expected a dataset")
    rows = []
    for shard in shards:
        with h5py.File(shard) as data:
            rows.append(data["map"].shape)
    with h5py.File(file, "w") as out:
        x = out.create_dataset("x", (sum(shape[0] for shape in rows), *rows[0][1:]), "f4")
        at = 0
        for shard, shape in zip(shards, rows):
            with h5py.File(shard) as data:
                for start in range(0, shape[0], 4096):
                    piece = data["map"][start : start + 4096]
                    x[at : at + len(piece)] = piece
                    at += len(piece)


def batches_of_items(file, batch, workers):
    import torch
    from torch.utils.data import DataLoader, Dataset

    torch.set_num_threads(1)

    class Maps(Dataset):
        def __init__(self):
            with h5py.File(file) as data:
                self.count = len(data["x"])
            self.x = None

        def __len__(self):
            return self.count

        def __getitem__(self, index):
            if self.x is None:  # opened where it is used: HDF5 files do not survive a fork
                self.x = h5py.File(file)["x"]
            return torch.from_numpy(self.x[index])

    loader = DataLoader(Maps(), batch_size=batch, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        yield from loader


def batches_of_memmap(file, batch):
    with h5py.File(file) as data:
        x = data["x"]
        maps = np.memmap(file, "f4", "r", x.id.get_offset(), x.shape)
    chance = np.random.default_rng(1)
    while True:
        order = chance.permutation(len(maps))
        for at in range(0, len(order) - batch + 1, batch):
            yield maps[order[at : at + batch]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=["item", "memmap"], default="memmap")
    parser.add_argument("--file", help="what --to wrote")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=2000, help="of a round")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--from", dest="folder")
    parser.add_argument("--to")
    arguments = parser.parse_args()
    if arguments.to:
        gather(arguments.folder, arguments.to)
        return
    if arguments.form == "item":
        batches = batches_of_items(arguments.file, arguments.batch, arguments.workers)
    else:
        batches = batches_of_memmap(arguments.file, arguments.batch)
    next(batches)

    def work():
        begun = time.perf_counter()
        for _ in range(arguments.batches):
            next(batches)
        return {"samples_per_second": arguments.batches * arguments.batch / (time.perf_counter() - begun)}

    paced.serve(work)


if __name__ == "__main__":
    main()
