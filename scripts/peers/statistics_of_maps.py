"""Spectra, histograms and Kolmogorov-Smirnov tests of random maps with numpy and scipy, paced by lines on stdin.

What `bench statistics` is held against, in the fastest form that we found: rfft2 of blocks of maps in single precision, modes
added by a sparse matrix; histograms by one bincount a block; scipy's ks_2samp with asymptotic p values. With --processes 2
each does half of the maps of spectrum and histogram, forked once; the tests are one process's.

`--check` compares spectra and counts with plain loops.
"""

import argparse
import multiprocessing
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.stats

import paced

BLOCK = 8


class Work:
    def __init__(self, maps, side, bins):
        self.maps = np.random.default_rng(1).standard_normal((maps, side, side), dtype=np.float32)
        self.side, self.bins = side, bins
        self.low, self.high = np.quantile(self.maps.reshape(-1)[::31], [1e-4, 1 - 1e-4]).astype(np.float32)
        half = side // 2 + 1
        rows = np.fft.fftfreq(side, 1 / side)[:, None]
        columns = np.arange(half)[None, :]
        radius = np.sqrt(rows**2 + columns**2).astype(int)
        # The other half of the plane is this one's conjugate, but for the columns that are their own.
        copies = np.where((columns == 0) | (2 * columns == side), 1.0, 2.0) + 0 * rows
        inside = ((radius >= 1) & (radius <= side // 2)).reshape(-1)
        bin_of_mode, copies = radius.reshape(-1)[inside] - 1, copies.reshape(-1)[inside]
        modes = np.bincount(bin_of_mode, copies, side // 2)
        weights = (copies / modes[bin_of_mode] / side**2).astype(np.float32)
        self.adding = scipy.sparse.csr_matrix(
            (weights, (bin_of_mode, np.flatnonzero(inside))), (side // 2, side * half), np.float32
        )

    def spectra(self, start, end):
        found = []
        for at in range(start, end, BLOCK):
            modes = scipy.fft.rfft2(self.maps[at : min(at + BLOCK, end)])
            power = (modes.real**2 + modes.imag**2).reshape(len(modes), -1)
            found.append((self.adding @ power.T).T)
        return np.concatenate(found)

    def counts(self, start, end):
        columns = self.bins + 2
        scale = np.float32(self.bins / (self.high - self.low))
        found = []
        for at in range(start, end, BLOCK):
            block = self.maps[at : min(at + BLOCK, end)].reshape(-1, self.side**2)
            place = (block - self.low) * scale
            place += 1
            np.clip(place, 0, columns - 1, out=place)
            place = place.astype(np.int32)
            place += (np.arange(len(block), dtype=np.int32) * columns)[:, None]
            found.append(np.bincount(place.reshape(-1), minlength=len(block) * columns).reshape(len(block), columns))
        return np.concatenate(found)

    @staticmethod
    def tests(profiles):
        half = len(profiles) // 2
        return [scipy.stats.ks_2samp(profiles[:half, bin], profiles[half:, bin], mode="asymp") for bin in range(profiles.shape[1])]


def check(work):
    spectra, counts = work.spectra(0, 3), work.counts(0, 3)
    side = work.side
    for map, spectrum, count in zip(work.maps, spectra, counts):
        power = np.abs(np.fft.fft2(map.astype(np.float64))) ** 2 / side**2
        k = np.fft.fftfreq(side, 1 / side)
        radius = np.hypot(k[:, None], k[None, :]).astype(int)
        plain = np.array([power[radius == bin].mean() for bin in range(1, side // 2 + 1)])
        assert np.allclose(spectrum, plain, rtol=1e-4), np.abs(spectrum / plain - 1).max()
        inner = np.histogram(map, work.bins, (work.low, work.high))[0]
        assert np.abs(count[1:-1] - inner).sum() < 20 and count.sum() == side**2
    paced.say(checked=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--bins", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    work = Work(arguments.maps, arguments.side, arguments.bins)
    if arguments.check:
        check(work)
        return
    processes, count = arguments.processes, arguments.maps
    shares = [(count * part // processes, count * (part + 1) // processes) for part in range(processes)]
    pipes = []
    for share in shares[1:]:
        here, there = multiprocessing.Pipe()
        pipes.append(here)
        if os.fork() == 0:
            here.close()
            try:
                while there.recv():
                    there.send((work.spectra(*share), work.counts(*share)))
            except EOFError:
                pass
            os._exit(0)
        there.close()

    def work_once():
        begun = time.perf_counter()
        for pipe in pipes:
            pipe.send(True)
        spectra = work.spectra(*shares[0])
        spectrum = time.perf_counter() - begun
        counts = work.counts(*shares[0])
        both = [(spectra, counts)] + [pipe.recv() for pipe in pipes]
        histogram = time.perf_counter() - begun - spectrum
        for profiles in [np.concatenate([each[which] for each in both]) for which in (0, 1)]:
            work.tests(profiles)
        seconds = time.perf_counter() - begun
        tests = seconds - spectrum - histogram
        return {"seconds": seconds, "spectrum_seconds": spectrum, "histogram_seconds": histogram, "tests_seconds": tests}

    paced.serve(work_once)


if __name__ == "__main__":
    main()
