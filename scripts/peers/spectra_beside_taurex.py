"""Simulated spectra beside TauREx 3's and ExoGAN's: see `spectra_beside_taurex`."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ["log10_h2o", "log10_co2", "log10_co", "log10_ch4", "planet_mass", "planet_radius", "temperature"]
GASES = {"H2O": "log10_h2o", "CO2": "log10_co2", "CO": "log10_co", "CH4": "log10_ch4"}
LOW, HIGH = np.array([-8] * 4 + [0.8, 0.8, 1000]), np.array([-1] * 4 + [2.0, 1.5, 2000])


class Ours:
    def __init__(self, binary, opacities, folder):
        self.binary, self.opacities, self.folder, self.made = binary, opacities, pathlib.Path(folder), 0

    def table(self, rows):
        path = self.folder / f"rows-{self.made}.txt"
        np.savetxt(path, np.atleast_2d(rows), header=" ".join(NAMES), comments="")
        return path

    def spectra(self, rows, grid, **settings):
        """Depths [n, points] and wavelengths in um."""
        self.made += 1
        out = self.folder / f"made-{self.made}"
        settings = {"grid": grid, "order": "table", "parameter_table": self.table(rows), "opacities": self.opacities, **settings}
        command = [self.binary, "simulate", "spectra", "--out", out, "--count", len(np.atleast_2d(rows))]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        subprocess.run([str(word) for word in command], check=True, stderr=subprocess.DEVNULL)
        shards = sorted(out.glob("shard-*.h5"))
        return np.concatenate([h5py.File(shard)["spectrum"][:, 0] for shard in shards]).astype(float)


def exogan_grid(first=0, last=515):
    return 0.3015 * 1.01 ** (514 - np.arange(first, last))


def differences(name, ours, theirs):
    part = np.abs(ours - theirs) / theirs.std(0)
    relative = ours / theirs - 1
    print(
        f"| {name} | {100 * np.median(part):.3f} % | {100 * np.quantile(part, 0.99):.2f} % "
        f"| {100 * np.median(np.abs(relative)):.4f} % | {100 * np.median(relative):+.4f} % |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opacities", type=pathlib.Path, default=HERE.parent.parent / "data/opacities")
    parser.add_argument("--binary", default=HERE.parent.parent / "target/release/skyforge")
    parser.add_argument("--atmospheres", type=int, default=50)
    parser.add_argument("--genuine", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.opacities = arguments.opacities.resolve()
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(arguments.binary, arguments.opacities, folder)
        rows = LOW + (HIGH - LOW) * np.random.default_rng(1).random((arguments.atmospheres, 7))
        table = ours.table(rows)
        print(f"{len(rows)} atmospheres, drawn over ExoGAN's ranges\n")
        print("| difference from | median, of the set's scatter | 99th percentile | median, of the depth | bias |\n| --- | --- | --- | --- | --- |")
        theirs, native = {}, None
        for pressures in ("pascal", "bar"):
            out = pathlib.Path(folder) / f"{pressures}.npz"
            script = [sys.executable, HERE / "taurex_spectra.py", "--opacities", arguments.opacities, "--parameters", table]
            subprocess.run([*map(str, script), "--out", str(out), "--pressures", pressures], check=True)
            read = np.load(out)
            keep = np.argsort(read["wavelength_um"])[::-1]
            keep = keep[(read["wavelength_um"][keep] < 29.9) & (read["wavelength_um"][keep] > 0.301)]
            native, theirs[pressures] = read["wavelength_um"][keep], read["depth"][:, keep]
        grid = pathlib.Path(folder) / "native.txt"
        np.savetxt(grid, native, fmt="%.14g")
        # Bins as fine as the table's points: its own values.
        fine = ours.spectra(rows, grid, sampling="binned")
        differences("TauREx 3, pressures of the tables read as Pa", fine, theirs["pascal"])
        differences("TauREx 3 as it is, pressures read as bar", fine, theirs["bar"])
        narrow = slice(52, 515)  # below 30 um, where tables are
        averaged, binned = ours.spectra(rows, "exogan"), ours.spectra(rows, "exogan", sampling="binned")
        differences("depths averaged over ExoGAN's bins, by tables that are averaged first", binned[:, narrow], averaged[:, narrow])
        genuine = None
        if arguments.genuine:
            data = np.load(arguments.genuine)
            column = dict(zip(data["param_names"], data["params"].T))
            truth = np.c_[
                column["log10_H2O"], column["log10_CO2"], column["log10_CO"], column["log10_CH4"],
                column["planet_mass_kg"] / 1.898e27, column["planet_radius_m"] / 6.9911e7, column["temperature_K"],
            ]
            genuine = data["wavelength_um"], data["depth"].astype(float)
            made = ours.spectra(truth, "exogan-362")
            differences(f"ExoGAN's own {len(truth)} spectra", made, genuine[1])
            differences("the same, tables averaged first", ours.spectra(truth, "exogan-362", sampling="binned"), genuine[1])
            differences("the same, built-in bands", ours.spectra(truth, "exogan-362", opacities="built-in"), genuine[1])
            print("\n| um | median difference of the depth | median absolute difference, of the scatter |\n| --- | --- | --- |")
            for low, high in [(0.44, 0.6), (0.6, 0.8), (0.8, 1.1), (1.1, 1.8), (1.8, 2.5), (2.5, 4), (4, 5.2), (5.2, 8), (8, 12), (12, 16.1)]:
                inside = (genuine[0] >= low) & (genuine[0] < high)
                a, b = made[:, inside], genuine[1][:, inside]
                part = np.median(np.abs(a - b) / b.std(0))
                print(f"| {low} to {high} | {100 * np.median(a / b - 1):+.3f} % | {100 * part:.2f} % |")
        if arguments.images:
            draw(arguments.images, ours, native, fine, theirs["pascal"], genuine and (*genuine, made))
    return 0


def draw(images, ours, native, fine, taurex, genuine):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    images.mkdir(parents=True, exist_ok=True)
    grid = exogan_grid()
    planet = dict(zip(NAMES, [-5.0, -7.5, -3.0, -6.5, 1.0, 1.1, 1500.0]))
    rows = [list(planet.values())]
    rows += [[-12.0 if name == gas else value for name, value in planet.items()] for gas in GASES.values()]
    depth = 100 * ours.spectra(rows, "exogan")
    figure, axes = plt.subplots(2, 2, figsize=(11, 6), sharex=True, sharey=True, layout="constrained")
    for axis, without, (gas, name) in zip(axes.flat, depth[1:], GASES.items()):
        axis.fill_between(grid, without, depth[0], color="tab:blue", alpha=0.35, linewidth=0)
        axis.plot(grid, depth[0], color="black", linewidth=1)
        axis.set_title(f"shaded: what {gas} adds, at a mixing ratio of $10^{{{planet[name]}}}$", fontsize=10)
        axis.set_xscale("log")
        axis.set_xlim(0.3, 30)
        axis.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    figure.supxlabel("wavelength, um")
    figure.supylabel("transit depth, %")
    figure.savefig(images / "exogan_gases.png", dpi=90)

    panels = 2 if genuine else 1
    figure, axes = plt.subplots(2, panels, figsize=(5.5 * panels, 5.5), sharex="col", squeeze=False, height_ratios=[2, 1], layout="constrained")
    for column, (name, x, a, b) in enumerate(
        [("TauREx 3", native, fine, taurex)] + ([("ExoGAN's training set", genuine[0], genuine[2], genuine[1])] if genuine else [])
    ):
        which = np.argsort(b.mean(1))[[3, len(b) // 2, -4]]
        for colour, i in zip(["tab:blue", "tab:green", "tab:red"], which):
            axes[0, column].plot(x, 100 * b[i], color="black", linewidth=2.2, label=name if i == which[0] else None)
            axes[0, column].plot(x, 100 * a[i], color=colour, linewidth=1, label="skyforge" if i == which[0] else None)
        axes[0, column].set_title(f"three of {len(b)} beside {name}", fontsize=10)
        axes[0, column].legend(fontsize=8)
        difference = 1e6 * (a - b)
        for low, high, shade in [(0, 100, 0.15), (16, 84, 0.35)]:
            edges = np.percentile(difference, [low, high], axis=0)
            axes[1, column].fill_between(x, *edges, color="tab:blue", alpha=shade, linewidth=0)
        axes[1, column].plot(x, np.median(difference, 0), color="tab:blue", linewidth=1)
        axes[1, column].set_xscale("log")
        axes[1, column].set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes[1, column].set_xlim(x.min(), x.max())
    axes[0, 0].set_ylabel("transit depth, %")
    axes[1, 0].set_ylabel("ours less theirs, ppm\nall, 68 %, median")
    figure.supxlabel("wavelength, um")
    figure.savefig(images / "exogan_parity.png", dpi=90)


if __name__ == "__main__":
    sys.exit(main())
