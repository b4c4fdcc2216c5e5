"""Writes ks.json beside itself: two-sample Kolmogorov-Smirnov tests by scipy (made with 1.17)."""

import json
import pathlib

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(20170516)
cases = []
for n_1, n_2 in [(10, 12), (50, 50), (100, 300), (280, 281), (409, 410), (1024, 1024), (1024, 700), (5000, 5000)]:
    n = np.round(n_1 * n_2 / (n_1 + n_2))
    for z in [0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.45, 1.5, 1.8, 1.98, 2.02, 3.0, 5.0]:
        d = z / np.sqrt(n)
        if d < 1:
            cases.append([n_1, n_2, d, float(stats.kstwo.sf(d, n))])

samples = []
for n_1, n_2, shift, decimals in [(12, 9, 0.0, 6), (40, 40, 0.3, 1), (7, 100, 1.5, 0), (60, 45, 0.1, 2)]:
    a = np.round(rng.normal(size=n_1), decimals).astype(np.float32)
    b = np.round(rng.normal(size=n_2) + shift, decimals).astype(np.float32)
    test = stats.ks_2samp(a, b, mode="asymp")
    samples.append({"a": a.tolist(), "b": b.tolist(), "statistic": float(test.statistic), "p_value": float(test.pvalue)})

out = {"scipy": scipy.__version__, "cases": cases, "samples": samples}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
