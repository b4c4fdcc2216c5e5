"""Spectra and parameters of a dataset, by h5py and tomllib: what peers of retrievals read."""

import dataclasses
import pathlib
import sys
import tomllib

import h5py
import numpy as np


@dataclasses.dataclass
class Spectra:
    """n spectra of w points."""

    names: list
    wavelength_um: np.ndarray  # [w]
    ids: np.ndarray  # [n]
    depths: np.ndarray  # [n, w]
    errors: np.ndarray | None  # [n, 2, w]: below, above
    observed: np.ndarray  # [n, w]
    parameters: np.ndarray  # [n, 7], NaN = unknown

    def __len__(self):
        return len(self.ids)


def read(folder, split="all", first=0, count=None):
    """Records of a split, or all, from the `first` of them on."""
    folder = pathlib.Path(folder)
    if not (folder / "manifest.toml").is_file():
        sys.exit(f"error: {folder} has no manifest.toml, expected a dataset")
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    kinds = [modality["kind"] for modality in manifest["modalities"]]
    if kinds != ["spectrum"]:
        sys.exit(f"error: {folder} holds {', '.join(kinds)}, expected spectra alone")
    (modality,) = manifest["modalities"]
    splits = manifest.get("splits", {})
    if split != "all" and split not in splits:
        sys.exit(f"error: {folder} has no split `{split}`, expected all or one of {', '.join(splits)}")
    spans = [[0, manifest["count"]]] if split == "all" else splits[split]
    wanted = np.concatenate([np.arange(*span) for span in spans])[first:][:count]
    if len(wanted) == 0:
        sys.exit(f"error: {folder} has no record from {first} on in {split}")
    parts, start = [], 0
    for shard in manifest["shards"]:
        rows = wanted[(wanted >= start) & (wanted < start + shard["rows"])] - start
        start += shard["rows"]
        if len(rows) == 0:
            continue
        with h5py.File(folder / shard["file"], "r", locking=False) as file:
            low, high = rows[0], rows[-1] + 1
            parts.append([file[name][low:high][rows - low] for name in (modality["name"], "id", "labels")])
    x, ids, parameters = (np.concatenate(part) for part in zip(*parts))
    is_observed = len(modality["axis"]["channels"]) == 4
    return Spectra(
        names=[label["name"] for label in manifest["labels"]],
        wavelength_um=np.array(modality["axis"]["wavelength_um"]),
        ids=ids,
        depths=x[:, 0].astype(np.float64),
        errors=x[:, 1:3].astype(np.float64) if is_observed else None,
        observed=x[:, 3] == 1 if is_observed else np.ones(x[:, 0].shape, bool),
        parameters=parameters.astype(np.float64),
    )


def mean_absolute_errors(names, found, truth):
    """Of each parameter, over the records whose truth is known; none where no record's is."""
    difference = np.abs(found - truth)
    known = np.isfinite(difference)
    return {name: float(difference[known[:, i], i].mean()) if known[:, i].any() else None for i, name in enumerate(names)}
