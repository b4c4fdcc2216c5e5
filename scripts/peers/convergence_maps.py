"""Convergence maps of skyforge against CAMB and powerbox.

Takes a dataset that `skyforge simulate maps` made. Compares
  1. the angular spectrum in its manifest with CAMB's halofit (Takahashi et al. 2012), by a Limber integral done here over
     CAMB's matter power and distances, and with CAMB's own source windows, which know nothing of this file's integral
     (no Limber approximation below l = 100 or so, a source shell of finite width);
  2. the maps with powerbox maps of the manifest's spectrum, cut from a grid of the same size: mean power in bands of
     multipoles, pixel variance and skewness; both beside the exact expectation, cut edges included. powerbox has no mode
     0, ours has the power of all slower modes: in lognormal maps that makes the power of single maps scatter more.
Prints a table each and writes all numbers as JSON. Run it by `scripts/peers/convergence_maps`.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

import numpy as np

HUBBLE_DISTANCE_MPC_H = 2997.92458


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, help="JSON file (default: convergence_maps.json in the working directory)")
    parser.add_argument("--maps", type=int, default=1000, help="powerbox maps, and maps read at most")
    parser.add_argument("--bands", type=int, default=10)
    arguments = parser.parse_args()

    manifest = tomllib.loads((arguments.dataset / "manifest.toml").read_text())
    source = table_with(manifest, "c_l")
    if source is None:
        sys.exit(f"{arguments.dataset}/manifest.toml has no spectrum, expected a dataset of `skyforge simulate maps`")
    result = {"dataset": str(arguments.dataset), "settings": {k: v for k, v in source.items() if k not in ("c_l", "multipoles")}}
    if source["spectrum"] != "table":
        result["spectrum"] = compare_spectra(source)
    result["maps"] = compare_maps(source, read_maps(arguments.dataset, arguments.maps), arguments.maps, arguments.bands)
    out = arguments.out or Path("convergence_maps.json")
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nall numbers: {out}")


def table_with(node, key):
    """The first table inside `node` that holds `key`."""
    if isinstance(node, dict):
        if key in node:
            return node
        for child in node.values():
            found = table_with(child, key)
            if found is not None:
                return found
    return None


def read_maps(dataset, most):
    import h5py

    maps = []
    for shard in sorted(dataset.glob("shard-*.h5")):
        with h5py.File(shard) as file:
            maps.append(file["map"][: most - sum(map(len, maps)), 0].astype(np.float64))
        if sum(map(len, maps)) >= most:
            break
    return np.concatenate(maps)  # [b, side, side]


# --- spectrum ---


def camb_parameters(source, sources=None):
    import camb

    c = source["cosmology"]
    h2 = c["h"] ** 2
    parameters = camb.CAMBparams()
    parameters.set_cosmology(
        H0=100 * c["h"], ombh2=c["omega_b"] * h2, omch2=(c["omega_m"] - c["omega_b"]) * h2, omk=0, mnu=0, num_massive_neutrinos=0
    )
    parameters.NonLinearModel.set_params(halofit_version="takahashi")
    parameters.NonLinear = camb.model.NonLinear_both
    parameters.InitPower.set_params(As=2e-9, ns=c["n_s"])
    parameters.set_matter_power(redshifts=[0.0], kmax=10)
    # Spectra are proportional to A_s while linear, so one run finds the A_s of the wanted sigma_8.
    sigma_8 = camb.get_results(parameters).get_sigma8_0()
    parameters.InitPower.set_params(As=2e-9 * (c["sigma_8"] / sigma_8) ** 2, ns=c["n_s"])
    return parameters


def camb_limber(source, multipoles):
    """C_l of convergence from CAMB's non-linear matter power: the integral of `ConvergencePower::limber`, by other means."""
    import camb

    c, z_source = source["cosmology"], source["source_redshift"]
    parameters = camb_parameters(source)
    k_max = 200.0
    redshifts = np.linspace(0, z_source, 80)
    parameters.set_matter_power(redshifts=redshifts[::-1].tolist(), kmax=k_max)
    results = camb.get_results(parameters)
    power = results.get_matter_power_interpolator(nonlinear=True, hubble_units=True, k_hunit=True, extrap_kmax=1e5)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z = z_source * (nodes + 1) / 2
    distance = results.comoving_radial_distance(z) * c["h"]
    end = results.comoving_radial_distance(z_source) * c["h"]
    depth = HUBBLE_DISTANCE_MPC_H * results.hubble_parameter(0) / results.hubble_parameter(z)
    efficiency = 1.5 * c["omega_m"] / HUBBLE_DISTANCE_MPC_H**2 * (1 + z) * (1 - distance / end)
    out = []
    for l in multipoles:
        k = (l + 0.5) / distance
        p = np.array([power.P(zi, ki) if ki < 1e5 else 0.0 for zi, ki in zip(z, k)]).ravel()
        out.append(np.sum(weights * z_source / 2 * depth * efficiency**2 * p))
    return np.array(out)


def camb_windows(source, l_max):
    """C_l of convergence by CAMB's own source windows: a thin Gaussian shell of sources."""
    import camb
    from camb.sources import GaussianSourceWindow

    parameters = camb_parameters(source)
    parameters.set_for_lmax(l_max, lens_potential_accuracy=4)
    parameters.Want_CMB = False
    parameters.SourceTerms.limber_windows = True
    parameters.SourceWindows = [GaussianSourceWindow(redshift=source["source_redshift"], source_type="lensing", sigma=0.01)]
    spectra = camb.get_results(parameters).get_source_cls_dict(lmax=l_max, raw_cl=True)
    return spectra["W1xW1"]


def compare_spectra(source):
    ours_l, ours = np.array(source["multipoles"]), np.array(source["c_l"])
    l = ours_l[:: max(1, len(ours_l) // 20)]
    ours = ours[:: max(1, len(ours_l) // 20)]
    limber = camb_limber(source, l)
    l_max = 5000
    windows = camb_windows(source, l_max)
    rows = []
    print("angular spectrum against CAMB (Takahashi halofit)\n\n       l         C_l   ours/CAMB   ours/CAMB windows")
    for li, mine, theirs in zip(l, ours, limber):
        own = float(mine / np.interp(li, np.arange(len(windows)), windows)) if li < l_max else None
        rows.append({"l": float(li), "c_l": float(mine), "over_camb": float(mine / theirs), "over_camb_windows": own})
        print(f"{li:8.0f}   {mine:.3e}   {mine / theirs:9.4f}   " + (f"{own:9.4f}" if own else "        -"))
    return rows


# --- maps ---


def compare_maps(source, maps, count, bands):
    side = maps.shape[1]
    n = side * source["oversize"]
    pixel = np.radians(source["pixel_arcmin"] / 60)
    wanted = lambda l: np.exp(np.interp(np.log(l), np.log(source["multipoles"]), np.log(source["c_l"])))
    theirs = powerbox_maps(source, wanted, n, pixel, side, min(count, len(maps)))

    frequency = 2 * np.pi * np.fft.fftfreq(side, pixel)
    l = np.hypot(frequency[:, None], frequency[None, :])
    edges = np.geomspace(2 * np.pi / (side * pixel) * 0.99, np.pi / pixel, bands + 1)
    expected = expected_power(wanted, n, pixel, side)
    powers = [(np.abs(np.fft.fft2(x)) ** 2 * pixel**2 / side**2) for x in (maps, theirs)]  # [b, side, side], C_l

    print(f"\nmaps against powerbox: {len(maps)} of ours, {len(theirs)} of theirs, {side} px cut from {n} px")
    print("\n    l from     l to   modes   ours/wanted        powerbox/wanted    ours/powerbox   in standard errors")
    rows = []
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (l >= low) & (l < high)
        if not inside.any():
            continue
        means = [p[:, inside].mean(axis=1) / expected[inside].mean() for p in powers]
        (a, ea), (b, eb) = [(m.mean(), m.std(ddof=1) / np.sqrt(len(m))) for m in means]
        error = np.hypot(ea, eb)
        rows.append(
            {"l_from": low, "l_to": high, "modes": int(inside.sum()), "ours": a, "ours_error": ea, "powerbox": b,
             "powerbox_error": eb, "ratio": a / b, "standard_errors": (a - b) / error}
        )
        print(f"{low:10.0f} {high:8.0f} {inside.sum():7d}   {a:.4f} +- {ea:.4f}   {b:.4f} +- {eb:.4f}   {a / b:11.4f} {(a - b) / error:20.1f}")

    print("\n                       ours                     powerbox   in standard errors     from the formula")
    moments = {}
    # powerbox has no mode 0, and so no scatter of the mean of its grid: moments are taken about the mean of each map.
    ours, other = (moments_of(x - x.mean(axis=(1, 2), keepdims=True)) for x in (maps, theirs))
    for name in ("variance", "skewness"):
        (a, ea), (b, eb) = ours[name], other[name]
        moments[name] = {"ours": a, "ours_error": ea, "powerbox": b, "powerbox_error": eb, "standard_errors": (a - b) / np.hypot(ea, eb)}
        print(f"{name:9} {a:.4e} +- {ea:.1e}   {b:.4e} +- {eb:.1e} {(a - b) / np.hypot(ea, eb):12.1f}")
    for name, (a, ea) in moments_of(maps).items():
        formula = source["pixel_" + name]
        moments[name + "_about_zero"] = {"ours": a, "ours_error": ea, "formula": formula}
        print(f"{name:9} {a:.4e} +- {ea:.1e}   about 0 {formula:51.4e}")
    lowest = float(maps.min())
    print(f"mean      {maps.mean():.2e} +- {maps.mean(axis=(1, 2)).std() / np.sqrt(len(maps)):.1e}; lowest pixel {lowest:.5f}, shift {source.get('shift')}")
    return {"bands": rows, "moments": moments, "lowest": lowest, "mean": float(maps.mean())}


def powerbox_maps(source, wanted, n, pixel, side, count):
    from powerbox import LogNormalPowerBox, PowerBox

    out = np.empty((count, side, side))
    shift = source.get("shift")
    for i in range(count):
        if source["field"] == "lognormal":
            box = LogNormalPowerBox(N=n, dim=2, boxlength=n * pixel, pk=lambda l: wanted(l) / shift**2, seed=1000 + i)
            field = shift * box.delta_x()
        else:
            box = PowerBox(N=n, dim=2, boxlength=n * pixel, pk=wanted, seed=1000 + i)
            field = box.delta_x()
        out[i] = field[:side, :side]
    return out


def expected_power(wanted, n, pixel, side):
    """Mean power of the discrete Fourier transform of a map of `side` px cut from a periodic grid of `n` px."""
    frequency = 2 * np.pi * np.fft.fftfreq(n, pixel)
    l = np.hypot(frequency[:, None], frequency[None, :])
    l[0, 0] = l[0, 1]
    correlation = np.fft.ifft2(wanted(l)).real / pixel**2
    # Pairs of pixels a lag apart inside the map, wrapped where the map is the grid.
    lag = np.arange(-side + 1, side)
    pairs = side - np.abs(lag)
    weighted = np.zeros((side, side))
    values = correlation[np.ix_(lag % n, lag % n)] * pairs[:, None] * pairs[None, :]
    np.add.at(weighted, np.ix_(lag % side, lag % side), values)
    return np.fft.fft2(weighted).real * pixel**2 / side**2


def moments_of(maps):
    """Variance and skewness of pixels about 0, with standard errors from the scatter over tenths of the maps."""

    def both(x):
        variance = (x**2).mean()
        return np.array([variance, (x**3).mean() / variance**1.5])

    parts = np.array([both(part) for part in np.array_split(maps, 10)])
    value, error = both(maps), parts.std(axis=0, ddof=1) / np.sqrt(len(parts))
    return {"variance": (value[0], error[0]), "skewness": (value[1], error[1])}


if __name__ == "__main__":
    main()
