"""FITS, NPY, NPZ and HDF5 files of every kind, ingested by skyforge and read by astropy, numpy and h5py.

    ingested_maps.py SKYFORGE FOLDER

Writes the files into FOLDER, ingests each with its bad pixels filled, puts the patches back where their ids say they were, and
prints a line a case; exits with 1 where a pixel differs in the last bit of single precision. astropy scales integers of 8 and 16
bits and singles in single precision; where that is not exact, its raw numbers are scaled here in double precision, as the
standard's formula reads, and rounded once. Run it by `scripts/peers/ingested_maps`.
"""

import concurrent.futures
import pathlib
import subprocess
import sys
import tomllib

import h5py
import numpy as np
from astropy.io import fits

FILL = np.float32(-12345.0)
H, W, SIDE = 48, 64, 16


def main(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    cases = [*fits_cases(folder), *npy_cases(folder), *hdf5_cases(folder)]

    def ingest(case):
        _, path, options, _ = case
        out = folder / f"out-{path.stem}"
        command = [program, "ingest", "maps", path, "--out", out, "--side", SIDE, "--stride", SIDE, "--validation", 0.2, "--test", 0.3]
        command += ["--bad", f"fill={FILL}", "--augment", "dihedral", *options]
        done = subprocess.run([str(word) for word in command], text=True, stderr=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"{path}: {done.stderr}")
        return out

    # Most of an ingestion this small is waiting for the disk.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(ingest, cases))
    for (name, _, _, wanted), out in zip(cases, outs):
        with np.errstate(over="ignore"):
            single = np.asarray(wanted).astype(np.float32)
        single = np.where(np.isfinite(single), single, FILL).reshape(-1, H, W)
        found, seen = ingested(out, len(single))
        differ = int(np.sum((found.view(np.uint32) != single.view(np.uint32)) & seen))
        wrong += differ
        print(f"{name:44} {int(seen.sum()):7} pixels {'equal' if differ == 0 else f'{differ} DIFFER'}")
    sys.exit(1 if wrong else 0)


def ingested(out, maps):
    """The maps put together again from all versions of their patches, and which pixels there are."""
    source = tomllib.loads((out / "manifest.toml").read_text())["source"]
    rows, columns, versions = source["inputs"][0]["rows"], source["inputs"][0]["columns"], source["versions"]
    whole, seen = np.zeros((maps, H, W), np.float32), np.zeros((maps, H, W), bool)
    for shard in sorted(out.glob("shard-*.h5")):
        with h5py.File(shard, "r", locking=False) as file:
            for patch, name in zip(file["map"][:, 0], file["id"][:]):
                place, version = divmod(int(name), versions)
                line, column = divmod(place, columns)
                number, row = divmod(line, rows)
                if version & 4:
                    patch = patch.T
                if version & 2:
                    patch = patch[::-1]
                if version & 1:
                    patch = patch[:, ::-1]
                at = (number, slice(row * SIDE, row * SIDE + SIDE), slice(column * SIDE, column * SIDE + SIDE))
                if seen[at].all() and (whole[at].view(np.uint32) != patch.view(np.uint32)).any():
                    sys.exit(f"{out}: versions of patch {place} differ")
                whole[at], seen[at] = patch, True
    return whole, seen


def numbers(kind, shape, seed):
    """Numbers of a kind over its whole range."""
    draw = np.random.default_rng(seed)
    kind = np.dtype(kind)
    if kind.kind == "f":
        values = draw.standard_normal(shape) * 10.0 ** draw.integers(-30, 30, shape)
        values = values.astype(kind)
        values.flat[:3] = [np.nan, np.inf, -np.inf]
        return values
    limits = np.iinfo(kind)
    values = draw.integers(limits.min, limits.max, shape, dtype=kind.newbyteorder("="), endpoint=True)
    return values.astype(kind)


def hdu_bytes(primary, raw, cards):
    """An image HDU of numbers as they are, whatever its cards make of them."""
    header = fits.Header()
    if primary:
        header["SIMPLE"] = True
    else:
        header["XTENSION"] = "IMAGE"
    kind = raw.dtype
    header["BITPIX"] = kind.itemsize * 8 * (-1 if kind.kind == "f" else 1)
    header["NAXIS"] = raw.ndim
    for axis, length in enumerate(reversed(raw.shape), 1):
        header[f"NAXIS{axis}"] = length
    if not primary:
        header["PCOUNT"], header["GCOUNT"] = 0, 1
    for key, value in cards.items():
        header[key] = value
    data = raw.astype(kind.newbyteorder(">")).tobytes()
    return header.tostring().encode() + data + b"\0" * (-len(data) % 2880)


def fits_cases(folder):
    kinds = {"u1": "u1", "i2": "i2", "i4": "i4", "i8": "i8", "f4": "f4", "f8": "f8"}
    scalings = {
        "plain": {},
        "exact scale": {"BSCALE": 0.25, "BZERO": 96.0},
        "odd scale": {"BSCALE": 0.1, "BZERO": 3.7},
        "blank": {"BLANK": 7},
        "odd scale, blank": {"BSCALE": 1.7e-3, "BZERO": -0.3, "BLANK": 7},
    }
    special = {
        "signed bytes": ("u1", {"BZERO": -128}),
        "unsigned 16": ("i2", {"BZERO": 32768}),
        "unsigned 32": ("i4", {"BZERO": 2147483648}),
        "unsigned 64": ("i8", {"BZERO": 9223372036854775808}),
    }
    cases = [(f"{kind} {what}", kind, cards) for kind in kinds for what, cards in scalings.items() if not ("BLANK" in cards and kind[0] == "f")]
    cases += [(what, kind, cards) for what, (kind, cards) in special.items()]
    for number, (what, kind, cards) in enumerate(cases):
        raw = numbers(kind, (H, W), number)
        if "BLANK" in cards:
            raw[3:9, 5:20] = 7
        path = folder / f"case{number}.fits"
        path.write_bytes(hdu_bytes(True, raw, cards))
        yield f"FITS {what}", path, [], astropy_reads(path, 0, cards)

    # Extensions and cubes.
    path = folder / "extensions.fits"
    empty = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)]).tostring().encode()
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(9))])
    stream = folder / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(stream)
    table = stream.read_bytes()[2880:]
    images = [hdu_bytes(False, numbers(kind, (3, H, W), 100 + i), {"EXTNAME": name}) for i, (kind, name) in enumerate([("f4", "KAPPA"), ("i2", "MASK")])]
    path.write_bytes(empty + table + b"".join(images))
    yield "FITS first image, a cube after a table", path, [], astropy_reads(path, 2, {})
    for option, hdu in [("2", 2), ("3", 3), ("mask", 3)]:
        copy = folder / f"extensions-{option}.fits"
        copy.write_bytes(path.read_bytes())
        yield f"FITS --hdu {option}", copy, ["--hdu", option], astropy_reads(path, hdu, {})
    # astropy's own writing, with its long strings.
    path = folder / "written.fits"
    primary = fits.PrimaryHDU(numbers("f8", (2, H, W), 7))
    primary.header["LONGTEXT"] = "a text that does not fit on a card " * 5
    primary.header["HISTORY"] = "made for a test"
    primary.writeto(path)
    yield "FITS written by astropy", path, [], astropy_reads(path, 0, {})


def astropy_reads(path, hdu, cards):
    with fits.open(path) as file:
        scaled = np.array(file[hdu].data)
    exact = cards.get("BSCALE", 1.0) == 0.25 or "BSCALE" not in cards
    if exact and scaled.dtype != np.float32:
        return scaled
    with fits.open(path, do_not_scale_image_data=True) as file:
        raw = np.array(file[hdu].data)
    if "BSCALE" not in cards and "BZERO" not in cards and "BLANK" not in cards:
        assert scaled.dtype == raw.dtype and np.array_equal(scaled, raw, equal_nan=raw.dtype.kind == "f")
        return scaled
    double = raw.astype(np.float64) * cards.get("BSCALE", 1.0) + cards.get("BZERO", 0.0)
    if "BLANK" in cards:
        double[raw == cards["BLANK"]] = np.nan
    # Both agree but for the rounding of the single precision that astropy may use.
    assert np.array_equal(np.isnan(double), np.isnan(scaled.astype(np.float64)))
    good = np.isfinite(double) & np.isfinite(scaled)
    assert np.allclose(double[good], scaled[good].astype(np.float64), rtol=1e-6, atol=1e-6 * abs(cards.get("BZERO", 0.0)))
    return double


def npy_cases(folder):
    for number, kind in enumerate(["u1", "i1", "<u2", ">i2", "<i2", ">i4", "<u4", "<i8", ">u8", "<f4", ">f4", "<f8", ">f8"]):
        for shape in [(2, H, W)] if number else [(2, H, W), (H, W), (2, 1, H, W)]:
            path = folder / f"stack{number}-{len(shape)}.npy"
            np.save(path, numbers(kind, shape, 200 + number))
            yield f"NPY {kind} {shape}", path, [], np.load(path)
    path = folder / "version2.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array(file, numbers("<f4", (2, H, W), 300), version=(2, 0))
    yield "NPY version 2", path, [], np.load(path)
    path = folder / "archive.npz"
    np.savez(path, redshift=np.ones(2), kappa=numbers(">f8", (2, H, W), 301), noise=numbers("<f4", (2, H, W), 302))
    yield "NPZ", path, ["--dataset", "kappa"], np.load(path)["kappa"]


def hdf5_cases(folder):
    layouts = {"contiguous": {}, "chunked": {"chunks": (1, 20, 20)}, "gzip": {"chunks": (2, H, W), "compression": "gzip", "shuffle": True}}
    for number, kind in enumerate(["u1", "i1", "<u2", ">i2", "<i4", ">i4", "<i8", "<u8", "<f2", "<f4", ">f4", "<f8", ">f8"]):
        for layout, options in layouts.items() if number % 4 == 0 else [("contiguous", {})]:
            path = folder / f"stack{number}-{layout}.h5"
            values = numbers(kind, (3, H, W), 400 + number)
            with h5py.File(path, "w") as file:
                file.create_dataset("group/kappa", data=values, dtype=kind, **options)
            yield f"HDF5 {kind} {layout}", path, ["--dataset", "group/kappa"], values


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
