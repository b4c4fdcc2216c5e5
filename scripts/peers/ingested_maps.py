"""FITS, NPY, NPZ and HDF5 files of every kind, ingested by skyforge and read by astropy, numpy and h5py.

    ingested_maps.py SKYFORGE FOLDER

Writes the files into FOLDER, ingests each with its bad pixels filled, puts the patches back where their ids say they were, and
prints a line a case; exits with 1 where a pixel differs in the last bit of single precision. astropy scales integers of 8 and 16
bits and singles in single precision; where that is not exact, its raw numbers are scaled here in double precision, as the
standard's formula reads, and rounded once. Run it by `scripts/peers/ingested_maps`.
"""

import bz2
import concurrent.futures
import gzip
import pathlib
import subprocess
import sys
import tomllib

import h5py
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

FILL = np.float32(-12345.0)
H, W, SIDE = 48, 64, 16


def main(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    cases = [*fits_cases(folder), *npy_cases(folder), *hdf5_cases(folder)]

    def ingest(case):
        path, options = case[1:3]
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
    for (name, _, _, wanted, *pixel), out in zip(cases, outs):
        if pixel:
            axis = tomllib.loads((out / "manifest.toml").read_text())["modalities"][0]["axis"]
            if abs(axis["pixel_arcmin"] / pixel[0] - 1) > 1e-9:
                sys.exit(f"{name}: pixels of {axis['pixel_arcmin']} arcmin, astropy says {pixel[0]}")
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
    yield "FITS an image of several, a cube after a table", path, ["--hdu", "kappa"], astropy_reads(path, 2, {})
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
    yield from compressed_cases(folder)
    yield from sky_cases(folder)


def compressed_cases(folder):
    draw = np.random.default_rng(11)
    smooth = np.cumsum(draw.standard_normal((H, W)), axis=1)
    images = {
        "i2": (100 * smooth).astype("i2"),
        "i4": (100000 * smooth).astype("i4"),
        "u1": (smooth * 3 % 256).astype("u1"),
        "f4": np.where(draw.random((H, W)) < 0.02, np.nan, smooth).astype("f4"),
        "f8": smooth,
    }
    for algorithm in ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"]:
        for kind, image in images.items():
            path = folder / f"tiles-{algorithm}-{kind}.fits.fz"
            options = {} if algorithm != "HCOMPRESS_1" else {"hcomp_scale": 0, "tile_shape": (16, W)}
            if kind == "f8":
                options["quantize_method"] = 2
            fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type=algorithm, **options)]).writeto(path)
            yield f"FITS tiles {algorithm} {kind}", path, [], astropy_reads(path, 1, {})
    path = folder / "blank.fits.fz"
    image = images["i4"].copy()
    image[3:9, 5:20] = -7
    tiles = fits.CompImageHDU(image, compression_type="RICE_1")
    tiles.header["BLANK"] = -7
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(path)
    yield "FITS tiles with BLANK", path, [], np.where(image == -7, np.nan, image.astype("f8"))

    # One image an object, each in an HDU of its own; and what is left of them when they are cropped and padded.
    many = [draw.standard_normal((H, W)).astype("f4") for _ in range(20)]
    path = folder / "many.fits"
    fits.HDUList([fits.PrimaryHDU(), *[fits.ImageHDU(image) for image in many]]).writeto(path)
    yield "FITS 20 images", path, [], np.stack(many)
    for suffix, pack in [("gz", gzip.compress), ("bz2", bz2.compress)]:
        packed = folder / f"many-{suffix}.fits.{suffix}"
        packed.write_bytes(pack(path.read_bytes()))
        with fits.open(packed) as file:
            yield f"FITS .{suffix}", packed, [], np.stack([np.array(hdu.data) for hdu in file[1:]])
    path = folder / "axes.fits"
    fits.PrimaryHDU(many[0][None, None]).writeto(path)
    yield "FITS with axes of length 1", path, [], np.squeeze(fits.getdata(path))


def sky_cases(folder):
    image = numbers("f4", (H, W), 12)
    for number, (scale, turn) in enumerate([(1 / 240, 0.0), (1 / 240, 30.0), (0.01, 100.0)]):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [40.0, -30.0], [W / 2, H / 2]
        sine, cosine = np.sin(np.radians(turn)), np.cos(np.radians(turn))
        wcs.wcs.cd = scale * np.array([[-cosine, sine], [sine, cosine]])
        header = wcs.to_header()
        stale = fits.Header([("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CDELT1", 1.0), ("CDELT2", 1.0)])
        for i in (1, 2):
            for j in (1, 2):
                stale[f"CD{i}_{j}"] = wcs.wcs.cd[i - 1, j - 1]
        rotated = fits.Header([("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CDELT1", -scale), ("CDELT2", scale), ("CROTA2", turn)])
        arcsec = fits.Header([*rotated.cards, ("CUNIT1", "arcsec"), ("CUNIT2", "arcsec")])
        arcsec["CDELT1"], arcsec["CDELT2"] = -3600 * scale, 3600 * scale
        for what, cards in [("PCi_j", header), ("CDi_j", stale), ("CROTA2", rotated), ("CUNIT", arcsec)]:
            path = folder / f"sky{number}-{what}.fits"
            fits.PrimaryHDU(image + np.float32(number), cards).writeto(path)
            sides = [side.to_value("arcmin") for side in WCS(fits.getheader(path)).proj_plane_pixel_scales()]
            assert np.allclose(sides, sides[0])
            yield f"FITS {what}, {turn} degrees", path, [], fits.getdata(path), sides[0]


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
    for kind in ["<f2", ">f2"]:
        path = folder / f"half{kind[0] == '<'}.npy"
        values = np.random.default_rng(290).standard_normal((2, H, W)).astype(kind)
        values.flat[:3] = [np.nan, np.inf, 6e-8]
        np.save(path, values)
        yield f"NPY {kind}", path, [], np.load(path)
    for shape in [(H, W), (3, H, W), (3, H, W, 1)]:
        path = folder / f"fortran{len(shape)}.npy"
        np.save(path, np.asfortranarray(numbers(">f8", shape, 291)))
        assert np.load(path).flags.f_contiguous
        yield f"NPY column-major {shape}", path, [], np.ascontiguousarray(np.load(path))
    path = folder / "last.npy"
    np.save(path, numbers("<f4", (3, H, W, 1), 292))
    yield "NPY [n, h, w, 1]", path, [], np.load(path)
    for name, save in [("packed", np.savez_compressed), ("one", np.savez)]:
        path = folder / f"{name}.npz"
        save(path, numbers("<f4", (2, H, W), 293))
        yield f"NPZ with one array, {name}", path, [], np.load(path)["arr_0"]
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
    # As netCDF packs numbers; what its readers compute.
    path = folder / "netcdf.h5"
    values = numbers("i2", (3, H, W), 500)
    values[:, 4:7, 9:30], values[:, 20, 1:5] = -32768, 99
    with h5py.File(path, "w") as file:
        kappa = file.create_dataset("kappa", data=values)
        kappa.attrs["scale_factor"], kappa.attrs["add_offset"] = 1.7e-4, 0.3
        kappa.attrs["_FillValue"], kappa.attrs["missing_value"] = np.int16(-32768), np.int16(99)
    with h5py.File(path) as file:
        stored = file["kappa"][:]
        values = stored * file["kappa"].attrs["scale_factor"] + file["kappa"].attrs["add_offset"]
        values[np.isin(stored, [file["kappa"].attrs[name] for name in ("_FillValue", "missing_value")])] = np.nan
    yield "HDF5 scale, offset and fill of netCDF", path, [], values


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
