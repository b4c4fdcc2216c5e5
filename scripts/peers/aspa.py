"""ExoGAN's image of a spectrum and seven parameters in numpy: written from the table at the head of src/family/spectra_gan/aspa/mod.rs.

    aspa.py DATASET SETTINGS.json IMAGES.f32    says how far images that somebody else made of a dataset are from those made here

Letters: n = images, w = points, c = side of the first corner.
"""

import json
import sys

import numpy as np

SCALES = ["log10_h2o", "log10_co2", "log10_co", "log10_ch4", "planet_mass", "planet_radius", "temperature"]


class Aspa:
    """`settings` is `[family.codec]` of a run's config.toml."""

    def __init__(self, settings, wavelength_um):
        self.side = settings["side"]
        self.corner = self.side - 10
        self.depth_min, self.depth_max = settings["depth_min"], settings["depth_max"]
        self.scale = np.array([settings["full_scale"][name] for name in SCALES])
        um = np.asarray(wavelength_um, float)
        self.order = np.argsort(-um)  # longest first
        um = um[self.order]
        middles = np.sqrt(um[1:] * um[:-1])
        lower = np.append(middles, um[-1] ** 2 / middles[-1])
        # Each bin goes by its lower edge; section 0 lies beyond the last border.
        borders = np.asarray(settings["borders_um"])
        self.section = (borders[None, :] >= lower[:, None]).sum(axis=1)  # [w]
        self.sections = len(borders) + 1
        c, middle = self.corner, (self.corner + 1) // 2
        # Rows and columns of what stands in stripes.
        self.greatest = [np.s_[:middle, c + s] if s < 7 else np.s_[c + s - 7, :middle] for s in range(self.sections)]
        self.least = [np.s_[middle:c, c + s] if s < 7 else np.s_[c + s - 7, middle:c] for s in range(self.sections)]
        self.places = [np.s_[c:, c:], *(np.s_[:c, c + 7 + i] for i in range(3)), *(np.s_[c + 7 + i, :c] for i in range(3))]

    def encode(self, depths, parameters, observed=None):
        """`[n, w]`, `[n, 7]` with NaN where unknown, `[n, w]` -> images `[n, side, side]`, and what of them is known."""
        count, points = depths.shape
        depths = depths[:, self.order]
        observed = np.ones(depths.shape, bool) if observed is None else observed[:, self.order]
        first, known_first = np.zeros((2, count, self.corner**2))
        images, known = np.zeros((2, count, self.side, self.side))
        for section in range(self.sections):
            inside = np.flatnonzero(self.section == section)
            seen = observed[:, inside]
            any_seen = seen.any(axis=1)
            if not any_seen.any():
                continue
            part = np.where(seen, depths[:, inside], np.nan)
            part[~any_seen] = 0
            low, high = np.nanmin(part, axis=1), np.nanmax(part, axis=1)
            span = np.where(high > low, high - low, 1)
            first[:, inside] = np.where(seen, (part - low[:, None]) / span[:, None], 0)
            known_first[:, inside] = seen
            first[:, points + section] = np.where(any_seen, np.nanmean(part, axis=1) / self.depth_max, 0)
            known_first[:, points + section] = any_seen
            stripe = lambda values: np.where(any_seen, values, 0)[:, None]
            images[(slice(None), *self.greatest[section])] = stripe(high / self.depth_max)
            images[(slice(None), *self.least[section])] = stripe(self.depth_min / np.where(low > 0, low, 1))
            known[(slice(None), *self.greatest[section])] = stripe(1.0)
            known[(slice(None), *self.least[section])] = stripe(1.0)
        images[:, : self.corner, : self.corner] = first.reshape(count, self.corner, self.corner)
        known[:, : self.corner, : self.corner] = known_first.reshape(count, self.corner, self.corner)
        for index, place in enumerate(self.places):
            pixel = np.where(parameters[:, index] == -np.inf, 1.0, parameters[:, index] / self.scale[index])
            fill = lambda values: values.reshape(count, *[1] * (images[(slice(None), *place)].ndim - 1))
            images[(slice(None), *place)] = fill(np.nan_to_num(pixel))
            known[(slice(None), *place)] = fill(np.isfinite(pixel).astype(float))
        return images, known

    def parameters(self, images):
        """`[n, side, side]` -> `[n, 7]`: each the mean of its pixels."""
        means = [images[(slice(None), *place)].reshape(len(images), -1).mean(axis=1) for place in self.places]
        return np.stack(means, axis=1) * self.scale

    def water_as_exogan_reads_it(self, images):
        """`[n]`: its code averages the last 3 x 3 pixels of the corner alone."""
        return images[:, -3:, -3:].mean(axis=(1, 2)) * self.scale[0]


def main(dataset, settings, images):
    from read_spectra import read

    spectra = read(dataset)
    aspa = Aspa(json.load(open(settings)), spectra.wavelength_um)
    ours, known = aspa.encode(spectra.depths, spectra.parameters, spectra.observed)
    theirs = np.fromfile(images, "<f4").reshape(len(spectra), -1, aspa.side, aspa.side)
    facts = {"spectra": len(spectra), "largest_difference": float(np.abs(theirs[:, 0] - ours).max())}
    if theirs.shape[1] == 2:
        facts["known_differs"] = int((theirs[:, 1] != known).sum())
    back = aspa.parameters(theirs[:, 0])
    facts["parameters"] = float(np.nanmax(np.abs(back / spectra.parameters - 1)))
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
