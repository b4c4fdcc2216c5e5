"""Draws docs/images/exogan_image.png: a spectrum, and the image that ExoGAN's codec makes of it, with its parts named.

  $(scripts/peers/taurex_environment) scripts/peers/exogan_image.py [--opacities FOLDER] [--binary PATH] [--out PNG]
"""

import argparse
import pathlib
import subprocess
import tempfile

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAMES = "log10_h2o log10_co2 log10_co log10_ch4 planet_mass planet_radius temperature"
BORDERS_UM = [0.63, 0.77, 0.88, 1.0, 1.1, 1.25, 1.8, 2.13, 3.96, 4.56, 6.33, 7.21, 10.0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opacities", default=ROOT / "data/opacities")
    parser.add_argument("--binary", default=ROOT / "target/release/skyforge")
    parser.add_argument("--out", default=ROOT / "docs/images/exogan_image.png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "row.txt").write_text(f"{NAMES}\n-4 -5 -3.5 -6 1.2 1.1 1400\n")
        made, png = folder / "made", folder / "image.png"
        sets = ["order=table", f"parameter_table={folder / 'row.txt'}", f"opacities={arguments.opacities}"]
        command = [arguments.binary, "simulate", "spectra", "--out", made, "--count", "1", "--test", "0"]
        command += [word for value in sets for word in ("--set", value)]
        subprocess.run([str(word) for word in command], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([str(arguments.binary), "inspect", str(made), "--png", str(png)], check=True, stdout=subprocess.DEVNULL)
        depth = h5py.File(made / "shard-00000.h5")["spectrum"][0, 0]
        pixels = np.array(Image.open(png), dtype=float)
    um = 0.3015 * 1.01 ** (514 - np.arange(515))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 5.2), layout="constrained", width_ratios=[1.15, 1])
    edges = [um[-1], *BORDERS_UM, um[0]]
    for number, (low, high) in enumerate(zip(edges, edges[1:])):
        inside = (um >= low) & (um <= high)
        left.plot(um[inside], 100 * depth[inside], color=plt.cm.tab20(number % 20), linewidth=1.5)
        left.axvline(high, color="0.9", linewidth=0.8, zorder=0)
    left.set_xscale("log")
    left.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    left.set_xlabel("wavelength, um")
    left.set_ylabel("transit depth, %")
    left.set_title("515 depths in 14 sections, each stretched to [0, 1] on its own", fontsize=10)
    right.imshow(pixels, cmap="magma")
    for x, y, width, height, text, turned in [
        (0, 0, 23, 23, "depths, row by row from 50 um;\nthen 14 means", 0),
        (23, 0, 7, 12, "greatest,\nsections\n0 to 6", 0),
        (23, 12, 7, 11, "least", 0),
        (0, 23, 12, 7, "greatest, sections 7 to 13", 0),
        (12, 23, 11, 7, "least", 0),
        (30, 0, 1, 23, "CO2", 90),
        (31, 0, 1, 23, "CO", 90),
        (32, 0, 1, 23, "CH4", 90),
        (0, 30, 23, 1, "mass", 0),
        (0, 31, 23, 1, "radius", 0),
        (0, 32, 23, 1, "temperature", 0),
        (23, 23, 10, 10, "H2O", 0),
    ]:
        right.add_patch(plt.Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor="white", linewidth=1))
        size = 6 if min(width, height) == 1 else 9
        words = right.text(x + width / 2 - 0.5, y + height / 2 - 0.5, text, color="white", fontsize=size, ha="center", va="center", rotation=turned)
        words.set_path_effects([matplotlib.patheffects.withStroke(linewidth=2, foreground="black")])
    right.set_title("the image of 33 x 33 that the network sees", fontsize=10)
    right.set_xticks([0, 23, 30, 32])
    right.set_yticks([0, 12, 23, 30, 32])
    figure.savefig(arguments.out, dpi=90)


if __name__ == "__main__":
    import matplotlib.patheffects

    main()
