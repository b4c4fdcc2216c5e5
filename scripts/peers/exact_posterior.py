"""Posteriors of simulated spectra by Markov chains over the very forward model that made them: how near any retrieval can come.

    exact_posterior.py DATASET [--spectra N] [--walkers W] [--generations G] [--table TABLE.parquet] [--out FILE.json]

The likelihood is that of white noise with the errors of DATASET, the prior is flat between the ends from which it was drawn. The medians
of such a posterior have the least mean absolute error that is possible at all. Walkers move by differential evolution (ter Braak 2006,
Statistics and Computing 16, 239) in two halves, each by the differences in the other, so that detailed balance holds; they begin at
draws from the truth's Fisher matrix and prior, and the first third of the generations is not counted. All spectra of a generation are
made by one call of `skyforge simulate spectra` with a table of parameters.

With --table the errors of a retrieval's table are given beside, for the same spectra.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

import numpy as np

from read_spectra import mean_absolute_errors, read

BURN_IN = 1 / 3
JUMP_EVERY = 8  # generations: differences in full length, from mode to mode
JITTER = 1e-5  # of a range


class ForwardModel:
    """The simulator of a dataset, as a function."""

    def __init__(self, program, folder, names, opacities):
        source = tomllib.loads((pathlib.Path(folder) / "manifest.toml").read_text())["source"]
        if source["made_by"] != "simulate spectra":
            sys.exit(f"error: {folder} was made by {source['made_by']}, expected simulated spectra")
        kept = ("grid", "sampling", "layers", "bottom_pa", "top_pa", "star_radius", "helium_to_hydrogen", "rayleigh")
        self.program, self.names = program, names
        self.settings = {"opacities": opacities, **{key: source[key] for key in kept}}
        self.ranges = np.array([source[name] for name in names], float)  # [7, 2]
        self.scratch = tempfile.TemporaryDirectory()

    def __call__(self, parameters):
        """`[n, 7]` -> `[n, w]`."""
        table = pathlib.Path(self.scratch.name) / "parameters.txt"
        np.savetxt(table, parameters, fmt="%.17g", header=" ".join(self.names), comments="")
        out = pathlib.Path(self.scratch.name) / "spectra"
        shutil.rmtree(out, ignore_errors=True)
        command = [self.program, "simulate", "spectra", "--out", out, "--count", str(len(parameters)), "--test", "0"]
        settings = {**self.settings, "order": "table", "parameter_table": str(table)}
        for key, value in settings.items():
            command += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(map(str, command))}: {done.stderr.strip()}")
        return read(out).depths


def fold(x):
    """Into the unit cube, as by mirrors."""
    x = np.abs(x) % 2
    return np.where(x > 1, 2 - x, x)


def begin(model, truth, sigma, walkers, chance):
    """Walkers `[n, walkers, 7]` in units of the ranges, from the curvature of the likelihood at the truth and the prior's width."""
    (n, p), step = truth.shape, 1e-3
    low, width = model.ranges[:, 0], np.ptp(model.ranges, axis=1)
    sides = np.where(truth > 0.5, -step, step)  # [n, 7]
    moved = truth[:, None, :] + sides[:, None, :] * np.eye(p)
    made = model((low + width * np.concatenate([truth[:, None, :], moved], axis=1)).reshape(-1, p)).reshape(n, p + 1, -1)
    slopes = (made[:, 1:] - made[:, :1]) / sides[:, :, None] / sigma[:, None, :]  # [n, 7, w]
    fisher = slopes @ slopes.transpose(0, 2, 1) + 12 * np.eye(p)
    roots = np.linalg.cholesky(np.linalg.inv(fisher))
    return fold(truth[:, None, :] + np.einsum("npq,nwq->nwp", roots, chance.standard_normal((n, walkers, p))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=pathlib.Path, help="simulated, with noise")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--spectra", type=int, default=64)
    parser.add_argument("--walkers", type=int, default=16, help="even, at least 16")
    parser.add_argument("--generations", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--opacities", default="data/opacities", help="those that DATASET was made with")
    parser.add_argument("--program", default="target/release/skyforge")
    parser.add_argument("--table", type=pathlib.Path, help="a retrieval of DATASET")
    parser.add_argument("--out", type=pathlib.Path, help="JSON")
    arguments = parser.parse_args()

    spectra = read(arguments.dataset, "all", arguments.first, arguments.spectra)
    if spectra.errors is None:
        sys.exit(f"error: {arguments.dataset} has no errors, expected spectra with noise")
    model, chance = ForwardModel(arguments.program, arguments.dataset, spectra.names, arguments.opacities), np.random.default_rng(arguments.seed)
    low, width = model.ranges[:, 0], np.ptp(model.ranges, axis=1)
    sigma = spectra.errors.mean(axis=1)
    n, walkers, p = len(spectra), arguments.walkers, len(low)

    def likelihood(x):  # [n, k, 7] -> [n, k]
        inside = ((x >= 0) & (x <= 1)).all(axis=2)
        made = model((low + width * fold(x)).reshape(-1, p)).reshape(*x.shape[:2], -1)
        chi = ((made - spectra.depths[:, None]) / sigma[:, None]) ** 2
        return np.where(inside, -0.5 * chi.sum(axis=2), -np.inf)

    x = begin(model, (spectra.parameters - low) / width, sigma, walkers, chance)
    weight = likelihood(x)
    half, kept, accepted = walkers // 2, [], 0.0
    for generation in range(arguments.generations):
        for moving in (slice(0, half), slice(half, walkers)):
            others = x[:, half:] if moving.start == 0 else x[:, :half]
            picked = np.stack([np.stack([chance.permutation(half)[:2] for _ in range(half)]) for _ in range(n)])  # [n, half, 2]
            rows = np.arange(n)[:, None]
            length = 1.0 if generation % JUMP_EVERY == JUMP_EVERY - 1 else 2.38 / np.sqrt(2 * p) * chance.uniform(0.5, 1.0, (n, half, 1))
            difference = others[rows, picked[:, :, 0]] - others[rows, picked[:, :, 1]]
            proposed = x[:, moving] + length * difference + JITTER * chance.standard_normal((n, half, p))
            there = likelihood(proposed)
            taken = np.log(chance.uniform(size=(n, half))) < there - weight[:, moving]
            x[:, moving] = np.where(taken[:, :, None], proposed, x[:, moving])
            weight[:, moving] = np.where(taken, there, weight[:, moving])
            accepted += taken.mean() / 2 / arguments.generations
        kept.append(x.copy())
        if (generation + 1) % 50 == 0:
            print(f"generation {generation + 1} of {arguments.generations}", file=sys.stderr, flush=True)
    chain = np.stack(kept[int(BURN_IN * len(kept)):])  # [g, n, walkers, 7]
    samples = chain.transpose(1, 0, 2, 3).reshape(n, -1, p)
    median = low + width * np.median(samples, axis=1)
    # Two halves of the chain on their own: how far the medians are from having settled.
    halves = [np.median(part.transpose(1, 0, 2, 3).reshape(n, -1, p), axis=1) for part in np.array_split(chain, 2)]
    drift = width * np.abs(halves[0] - halves[1]).mean(axis=0)
    inner = low + width * np.quantile(samples, [0.16, 0.84], axis=1)
    holds = ((inner[0] <= spectra.parameters) & (spectra.parameters <= inner[1])).mean(axis=0)
    errors = mean_absolute_errors(spectra.names, median, spectra.parameters)
    scatter = dict(zip(spectra.names, np.abs(median - spectra.parameters).std(axis=0) / np.sqrt(n)))
    beside = {}
    if arguments.table:
        import pandas

        table = pandas.read_parquet(arguments.table).iloc[arguments.first:][:n]
        found = np.stack([table[f"{name}_median"] for name in spectra.names], axis=1)
        beside = mean_absolute_errors(spectra.names, found, spectra.parameters)
    facts = {
        "dataset": str(arguments.dataset), "spectra": n, "walkers": walkers, "generations": arguments.generations,
        "accepted": accepted, "mean_absolute_errors": errors, "standard_errors": {k: float(v) for k, v in scatter.items()},
        "between_halves": dict(zip(spectra.names, map(float, drift))), "holds_68": dict(zip(spectra.names, map(float, holds))),
        "of_the_table": beside, "medians": median.tolist(),
    }  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"accepted {accepted:.3f}")
    print(f"{'mean absolute error':19} {'exact':>9} {'+-':>8} {'halves':>8} {'68 %':>6} {'table':>9}")
    for at, name in enumerate(spectra.names):
        told = f"{beside[name]:9.4g}" if beside else f"{'-':>9}"
        print(f"{name:19} {errors[name]:9.4g} {scatter[name]:8.2g} {drift[at]:8.2g} {holds[at]:6.1%} {told}")


if __name__ == "__main__":
    main()
