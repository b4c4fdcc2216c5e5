"""Ridge regression from depths to the seven parameters: what a retrieval has to be better than.

    ridge_regression.py TRAINING [--test DATASET] [--noise-ppm P] [--out FILE.json]

Learns from the split `train` of TRAINING, is judged on its split `test` or on another dataset. Depths are standardised point by point;
how strongly weights are held back is chosen for each parameter by cross-validation within the training split, which also gives the
error that is to be expected. Closed form throughout: one eigendecomposition a fold.

With --noise-ppm white noise is added to what is learned from, and to what it is judged on if that has none of its own.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

from read_spectra import mean_absolute_errors, read

LAMBDAS = np.geomspace(1e-10, 1e2, 49)  # of the mean eigenvalue


class Ridge:
    """All strengths at once, from one eigendecomposition."""

    def __init__(self, x, y):
        self.mean, self.deviation, self.y_mean = x.mean(axis=0), x.std(axis=0), y.mean(axis=0)
        self.deviation[self.deviation == 0] = 1
        x = (x - self.mean) / self.deviation
        values, self.vectors = np.linalg.eigh(x.T @ x)
        self.values, self.strengths = np.maximum(values, 0), LAMBDAS * values.mean()
        self.projected = self.vectors.T @ (x.T @ (y - self.y_mean))  # [w, p]

    def predict(self, x, strength):
        """`[n, w]` -> `[n, p]`; `strength`: which of LAMBDAS, for each parameter."""
        held_back = self.projected / (self.values[:, None] + self.strengths[strength][None, :])
        return ((x - self.mean) / self.deviation) @ (self.vectors @ held_back) + self.y_mean


def choose(x, y, folds, chance):
    """For each parameter the strength of the smallest mean absolute error, and that error."""
    part = chance.permutation(len(x)) % folds
    errors = np.zeros((len(LAMBDAS), y.shape[1]))
    for fold in range(folds):
        ridge, held = Ridge(x[part != fold], y[part != fold]), part == fold
        for index in range(len(LAMBDAS)):
            found = ridge.predict(x[held], np.full(y.shape[1], index))
            errors[index] += np.abs(found - y[held]).sum(axis=0) / len(x)
    best = errors.argmin(axis=0)
    return best, errors[best, np.arange(y.shape[1])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=pathlib.Path)
    parser.add_argument("--test", type=pathlib.Path, help="another dataset, on the same points")
    parser.add_argument("--test-split", default="test", help="of TRAINING; of another dataset all by default")
    parser.add_argument("--first", type=int, default=0, help="of what it is judged on")
    parser.add_argument("--spectra", type=int, help="how many it is judged on")
    parser.add_argument("--training-spectra", type=int, help="how many it learns from")
    parser.add_argument("--noise-ppm", type=float, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="JSON")
    arguments = parser.parse_args()

    train = read(arguments.training, "train", 0, arguments.training_spectra)
    split = "all" if arguments.test else arguments.test_split
    test = read(arguments.test or arguments.training, split, arguments.first, arguments.spectra)
    if not np.array_equal(train.wavelength_um, test.wavelength_um):
        sys.exit(f"error: {arguments.test} has other wavelengths than {arguments.training}, expected the same")
    for spectra, name in ((train, arguments.training), (test, arguments.test)):
        if not spectra.observed.all():
            sys.exit(f"error: {name} has points that were not observed, expected whole spectra")
    if not np.isfinite(train.parameters).all():
        sys.exit(f"error: {arguments.training} has unknown parameters, expected simulated spectra")
    chance = np.random.default_rng(arguments.seed)
    noise = lambda depths: depths + 1e-6 * arguments.noise_ppm * chance.standard_normal(depths.shape)
    x = noise(train.depths) if train.errors is None else train.depths
    x_test = noise(test.depths) if test.errors is None else test.depths
    best, expected = choose(x, train.parameters, arguments.folds, chance)
    found = Ridge(x, train.parameters).predict(x_test, best)
    errors = mean_absolute_errors(train.names, found, test.parameters)
    guess = mean_absolute_errors(train.names, np.median(train.parameters, axis=0)[None, :], test.parameters)
    facts = {
        "training": str(arguments.training),
        "trained_on": len(train),
        "test": str(arguments.test or arguments.training),
        "tested_on": len(test),
        "noise_ppm": arguments.noise_ppm,
        "lambda": dict(zip(train.names, map(float, LAMBDAS[best]))),
        "mean_absolute_errors": errors,
        "cross_validated": dict(zip(train.names, map(float, expected))),
        "of_the_median_of_training": guess,
        "names": train.names,
        "ids": [int(i) for i in test.ids],
        "found": [[float(f"{value:.7g}") for value in row] for row in found],
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")
    told = lambda value: "-" if value is None else f"{value:.4g}"
    print(f"{'mean absolute error':16} {'test':>10} {'cross-val.':>10} {'guess':>10}")
    for name in train.names:
        print(f"{name:19} {told(errors[name]):>10} {told(facts['cross_validated'][name]):>10} {told(guess[name]):>10}")


if __name__ == "__main__":
    main()
