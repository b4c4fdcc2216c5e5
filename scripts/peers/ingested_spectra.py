"""Spectra written by astropy, h5py and numpy, ingested by skyforge, and binned here by integrals over cumulative sums.

    ingested_spectra.py SKYFORGE FOLDER

Writes one table of 3 objects as text, ECSV (plain and a QTable with masked cells), NPZ (stored and deflated, single and double
precision) and HDF5 (chunked, gzip, fixed and variable names), ingests each, prints a line a case, and exits with 1 where a depth or an
error differs by more than single precision, or what was observed or is known differs. Run it by `scripts/peers/ingested_spectra`.
"""

import pathlib
import subprocess
import sys

import astropy.units as u
import h5py
import numpy as np
from astropy.table import MaskedColumn, QTable, Table

OBJECTS, COVERAGE = 3, 0.5
NAMES = ["planet_mass_kg", "log10_CO", "temperature_K", "H2O"]
GRID = 0.3015 * 1.01 ** np.arange(514, -1, -1.0)


def main(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(3)
    um = np.sort(np.concatenate([np.geomspace(0.5, 1.7, 300), np.geomspace(2.5, 5.2, 40)]))
    depth = 0.01 + 1e-3 * draw.random((OBJECTS, um.size))
    below, above = 1e-4 + 1e-4 * draw.random((2, OBJECTS, um.size))
    parameters = np.array([[1.898e27, -4.0, 1500.0, 1e-3], [2e27, -5.0, 1200.0, 1e-5], [3e27, -6.0, np.nan, 1e-7]])
    known = np.full((OBJECTS, 7), np.nan)
    known[:, 0], known[:, 2] = np.log10(parameters[:, 3]), parameters[:, 1]
    known[:, 4], known[:, 6] = parameters[:, 0] / 1.898e27, parameters[:, 2]
    wanted = [binned(um, depth[i], below[i], above[i]) for i in range(OBJECTS)]
    units = ["--wavelength-unit", "um", "--depth-unit", "fraction"]
    cases = []

    path = folder / "text.dat"
    np.savetxt(path, np.column_stack([um, depth[0], below[0], above[0]])[::-1])
    sides = ["--columns", "wavelength,depth,error-below,error-above"]
    cases.append(("numpy.savetxt, descending", path, units + sides, wanted[:1], None))
    path = folder / "commas.csv"
    np.savetxt(path, np.column_stack([1e4 / um, 1e6 * depth[0], 1e6 * below[0], 1e6 * above[0]]), delimiter=",", header="x")
    cases.append(("numpy.savetxt, cm-1, ppm, commas", path, ["--wavelength-unit", "cm-1", "--depth-unit", "ppm"] + sides, wanted[:1], None))
    cases += tables(folder, um, depth[0], below[0], above[0], units, wanted[:1])

    for delimiter in [" ", ","]:
        path = folder / f"table{ord(delimiter)}.ecsv"
        table = Table({"name": ["a b", 'q"'] * (um.size // 2), "wavelength": um * 1e3 * u.nm, "depth": 100 * depth[0] * u.percent})
        table["error_below"], table["error_above"] = 100 * below[0] * u.percent, 100 * above[0] * u.percent
        table["depth"].description = "what was measured: {depth}, 'quoted' and # more"
        table.meta["comments"] = ["datatype:", "- {name: none}"]
        table.write(path, format="ascii.ecsv", delimiter=delimiter)
        cases.append((f"astropy Table, ECSV, {delimiter!r}", path, [], wanted[:1], None))
    mask = np.zeros(um.size, bool)
    mask[100:140] = True
    path = folder / "masked.ecsv"
    table = QTable({"wavelength": um * u.um, "depth": MaskedColumn(100 * depth[0], mask=mask, unit=u.percent)})
    table["error_below"], table["error_above"] = 100 * below[0] * u.percent, 100 * above[0] * u.percent
    table.write(path, format="ascii.ecsv")
    masked = binned(um, np.where(mask, np.nan, depth[0]), below[0], above[0])
    cases.append(("astropy QTable, ECSV, masked", path, [], [masked], None))

    for save, kind in [(np.savez, "f8"), (np.savez_compressed, "f8"), (np.savez_compressed, ">f4")]:
        path = folder / f"{save.__name__}{kind[-2:]}{kind[0] == '>'}.npz"
        arrays = {"wavelength_um": um, "depth": depth, "error_below": below, "error_above": above, "params": parameters}
        save(path, param_names=np.array(NAMES), **{name: array.astype(kind) for name, array in arrays.items()})
        cases.append((f"numpy.{save.__name__}, {kind}", path, ["--depth-unit", "fraction"], wanted, known))

    for name, options, text in [("plain", {}, h5py.string_dtype()), ("gzip", {"chunks": True, "compression": "gzip"}, "S20")]:
        path = folder / f"{name}.h5"
        with h5py.File(path, "w") as file:
            for key, values in [("depth", depth), ("error_below", below), ("error_above", above)]:
                file.create_dataset(key, data=1e6 * values, **options).attrs["unit"] = "ppm"
            file.create_dataset("wavelength", data=um * 1e4, **options).attrs["units"] = "Angstrom"
            file.create_dataset("parameters", data=parameters)
            file.create_dataset("parameter_names", data=np.array(NAMES, dtype="S20").astype(text), dtype=text)
        cases.append((f"h5py, {name}", path, [], wanted, known))

    wrong = sum(not case_agrees(program, *case) for case in cases)
    sys.exit(1 if wrong else 0)


def tables(folder, um, depth, below, above, units, wanted):
    """The forms of text that astropy writes and reads: names, separators, order, masks, signs and units."""
    order = np.random.default_rng(4).permutation(um.size)
    table = Table({"wavelength": um, "depth": depth, "error_below": below, "error_above": above})[order]
    table["flag"] = np.where(np.arange(um.size) % 2, "good", "bad")
    for name, style, options in [
        ("names", "ascii.basic", {}),
        ("named_commas", "ascii.csv", {}),
        ("comment", "ascii.commented_header", {}),
        ("tabs", "ascii.tab", {}),
        ("semicolons", "ascii.basic", {"delimiter": ";"}),
    ]:
        path = folder / f"{name}.txt"
        table.write(path, format=style, **options)
        assert np.array_equal(Table.read(path, format=style, **options)["depth"], table["depth"])
        yield (f"astropy {style}, {name}, unsorted", path, units, wanted, None)
    path = folder / "fortran.txt"
    text = (folder / "names.txt").read_text().replace("e-", "D-")
    path.write_text("# R\u00e9sum\u00e9\n" + text, encoding="latin-1")
    exponents = Table.read(text, format="ascii.basic", fast_reader={"exponent_style": "D"})
    assert np.allclose(exponents["error_below"], table["error_below"], rtol=1e-15, atol=0)
    yield ("astropy ascii.basic, 1D-4, Latin-1", path, units, wanted, None)
    path = folder / "mark.csv"
    path.write_text((folder / "named_commas.txt").read_text(), encoding="utf-8-sig")
    assert Table.read(path, format="ascii.csv", encoding="utf-8-sig").colnames[0] == "wavelength"
    yield ("astropy ascii.csv, byte order mark", path, units, wanted, None)

    mask = np.zeros(um.size, bool)
    mask[100:140] = True
    masked = [binned(um, np.where(mask, np.nan, depth), below, above)]
    archive = Table({"CENTRALWAVELNG": um * u.um, "PL_TRANDEP": MaskedColumn(100 * depth, mask=mask, unit=u.percent)})
    archive["PL_TRANDEPERR1"], archive["PL_TRANDEPERR2"] = 100 * above * u.percent, -100 * below * u.percent
    path = folder / "archive.tbl"
    archive.write(path, format="ascii.ipac")
    read = Table.read(path, format="ascii.ipac")
    assert np.array_equal(read["PL_TRANDEP"].mask, mask) and np.array_equal(read["PL_TRANDEPERR2"], archive["PL_TRANDEPERR2"])
    yield ("astropy ascii.ipac, masked, -ERR2", path, [], masked, None)
    path = folder / "data_mask.ecsv"
    table = Table({"wavelength": um * u.um, "depth": MaskedColumn(np.where(mask, 0.5, depth), mask=mask, unit="")})
    table["error_below"], table["error_above"] = below, above
    table.write(path, format="ascii.ecsv", serialize_method="data_mask")
    assert "depth.mask" in path.read_text() and np.array_equal(Table.read(path)["depth"].mask, mask)
    yield ("astropy ECSV, data_mask", path, ["--depth-unit", "fraction"], masked, None)


def case_agrees(program, name, path, options, wanted, known):
    out = path.with_suffix(".out")
    command = [program, "ingest", "spectra", path, "--out", out, "--grid", "exogan", "--coverage", str(COVERAGE), *options]
    done = subprocess.run([str(word) for word in command], text=True, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{path}: {done.stderr}")
    with h5py.File(out / "shard-00000.h5", "r", locking=False) as file:
        x, parameters = file["spectrum"][:], file["labels"][:]
    wanted = np.array(wanted)
    single = 1e-5 if "f4" in name else 3e-7
    same = x.shape == wanted.shape and bool(np.all(x[:, 3] == wanted[:, 3])) and np.allclose(x, wanted, rtol=single, atol=0)
    if known is None:
        known = np.full((len(x), 7), np.nan)
    same = same and np.allclose(parameters, known, rtol=1e-6, atol=0, equal_nan=True)
    print(f"{name:40} {len(x)} spectra, {int(x[:, 3].sum())} points: {'agrees' if same else 'DIFFERS'}")
    return same


def binned(um, depth, below, above):
    """Depth, errors and 1 where observed on the grid: differences of integrals over wavelength up to each border."""
    log = np.log(um)
    middle = (log[1:] + log[:-1]) / 2
    low, high = np.concatenate([[2 * log[0] - middle[0]], middle]), np.concatenate([middle, [2 * log[-1] - middle[-1]]])
    gap = np.argmax(np.diff(log))
    high[gap], low[gap + 1] = 2 * log[gap] - low[gap], 2 * log[gap + 1] - high[gap + 1]
    low, high = np.exp(low), np.exp(high)
    seen = np.isfinite(depth)
    borders = np.exp((np.log(GRID[1:]) + np.log(GRID[:-1])) / 2)
    borders = np.concatenate([[GRID[0] ** 2 / borders[0]], borders, [GRID[-1] ** 2 / borders[-1]]])

    def integral(values):
        up_to = np.clip(borders[:, None], low, high) - low
        return -np.diff((up_to * np.where(seen, values, 0)).sum(axis=1))

    covered = integral(np.ones_like(um))
    observed = covered >= COVERAGE * -np.diff(borders)
    divide = np.where(observed, covered, 1)
    errors = [np.sqrt(integral(error**2 * (high - low))) / divide for error in (below, above)]
    return [np.where(observed, row, 0) for row in (integral(depth) / divide, *errors, np.ones_like(GRID))]


if __name__ == "__main__":
    main(*sys.argv[1:])
