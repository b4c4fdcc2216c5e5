"""ExoGAN's own retrieval (Zingales & Waldmann 2018, `ExoGAN_public`) in PyTorch, with the networks of one of our runs.

    exogan_retrieval.py RUN DATASET [--spectra N] [--out FILE.json]

From each spectrum 64 restarts, z uniform in [-1, 1], 1001 steps of Adam (0.01; 0.9, 0.999; 1e-8) with z clipped after each, on

    sum of |G(z) - image| over what is known  +  0.1 softplus(-D(G(z)))

with batch norm in inference mode and all known but the parameters' pixels (its mask `parameters`). Parameters are the means of their
pixels in each of the 64 images; told are their 16th, 50th and 84th percentiles, and how far medians are from the truth.

What differs from its code, in its favour: all restarts are one batch, no gradient of weights is asked for, each restart has a noise
draw of its own (--noise), and water is the mean of its whole corner (as its code reads it: `log10_h2o_last_3x3`). Batches of several
spectra (--at-once) and pixels in channels-last order (--channels-last) may be faster.
"""

import argparse
import json
import pathlib
import sys
import time
import tomllib

import numpy as np
import torch
from torch import nn
from torch.nn.functional import leaky_relu, softplus

import paced
from aspa import Aspa
from read_spectra import mean_absolute_errors, read

RESTARTS, STEPS, RATE, DECAYS, EPSILON, PERCEPTUAL = 64, 1001, 0.01, (0.9, 0.999), 1e-8, 0.1
DTYPES = {"F32": torch.float32}


def tensors(path):
    """A safetensors file: the length of a JSON header, the header, and the numbers."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = bytearray(data[8 + size :])
    found = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        found[name] = torch.frombuffer(body, dtype=DTYPES[entry["dtype"]], count=(end - start) // 4, offset=start).reshape(entry["shape"])
    return found


def sides(side, depth):
    """Of the map and after each halving, rounded up."""
    found = [side]
    for _ in range(depth):
        found.append((found[-1] + 1) // 2)
    return found


class Generator(nn.Module):
    """[b, z] -> [b, 1, n, n]"""

    def __init__(self, model):
        super().__init__()
        depth, width = model["depth"], model["width"]
        all_sides = sides(model["side"], depth)[::-1]  # smallest first
        channels = [width << level for level in reversed(range(depth))] + [1]
        self.start, self.depth, self.sigmoid = (channels[0], all_sides[0], all_sides[0]), depth, model["output"] == "sigmoid"
        self.project = nn.Linear(model["latent_dim"], channels[0] * all_sides[0] ** 2)
        for layer in range(depth):
            if model["norm"] in ("batch", "generator"):
                self.add_module(f"norm{layer}", nn.BatchNorm2d(channels[layer]))
            # An odd side ends with the last tap that falls on a pixel.
            padding = 1 - all_sides[layer + 1] % 2
            up = nn.ConvTranspose2d(channels[layer], channels[layer + 1], 5, stride=2, padding=2, output_padding=padding)
            self.add_module(f"up{layer + 1}", up)

    def forward(self, z):
        x = self.project(z).view(-1, *self.start)
        for layer in range(self.depth):
            x = self._modules[f"norm{layer}"](x) if f"norm{layer}" in self._modules else x
            x = self._modules[f"up{layer + 1}"](x.relu_())
        return x.float().sigmoid() if self.sigmoid else x.float().tanh()


class Discriminator(nn.Module):
    """[b, 1, n, n] -> [b]"""

    def __init__(self, model):
        super().__init__()
        self.depth = model["depth"]
        channels = [1] + [model["width"] << level for level in range(self.depth)]
        for layer in range(1, self.depth + 1):
            self.add_module(f"down{layer}", nn.Conv2d(channels[layer - 1], channels[layer], 5, stride=2, padding=2))
            if layer > 1 and model["norm"] == "batch":
                self.add_module(f"norm{layer}", nn.BatchNorm2d(channels[layer]))
        self.logit = nn.Linear(channels[-1] * sides(model["side"], self.depth)[-1] ** 2, 1)

    def forward(self, x):
        for layer in range(1, self.depth + 1):
            x = self._modules[f"down{layer}"](x)
            x = self._modules[f"norm{layer}"](x) if f"norm{layer}" in self._modules else x
            x = leaky_relu(x, 0.2)
        return self.logit(x.flatten(1)).squeeze(1)


class Peer:
    def __init__(self, arguments):
        self.arguments = arguments
        checkpoint = self.checkpoint()
        config = tomllib.loads((arguments.run / "config.toml").read_text())
        self.step = int(checkpoint.name.removeprefix("step-"))
        found = tensors(checkpoint / "model.safetensors")
        averaged = any(name.startswith("generator_ema.") for name in found) and arguments.weights != "live"
        self.weights = "generator_ema" if averaged else "generator"
        self.generator = self.network(Generator(config["family"]), found, self.weights)
        self.discriminator = self.network(Discriminator(config["family"]), found, "discriminator")
        self.latent_dim = config["family"]["latent_dim"]
        self.spectra = read(arguments.dataset, arguments.split, arguments.first, arguments.spectra)
        learned = tomllib.loads((checkpoint / "state.toml").read_text())["run"]["dataset"]["modalities"][0]["axis"]["wavelength_um"]
        if list(self.spectra.wavelength_um) != learned:
            sys.exit(f"error: the wavelengths of {arguments.dataset} are not those that {arguments.run} learned")
        self.aspa = Aspa(config["family"]["codec"], self.spectra.wavelength_um)
        self.chance = np.random.default_rng(arguments.seed)

    def checkpoint(self):
        found = sorted((self.arguments.run / "checkpoints").glob("step-*[0-9]"))
        if not found:
            sys.exit(f"error: {self.arguments.run} has no checkpoint, expected the folder of a run that was trained")
        return found[-1]

    def network(self, network, found, prefix):
        mine = {name.removeprefix(prefix + "."): values for name, values in found.items() if name.startswith(prefix + ".")}
        missing, unexpected = network.load_state_dict(mine, strict=False)
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            sys.exit(f"error: {prefix} has no {', '.join(missing)}, and has {', '.join(unexpected)} besides, expected the tensors of config.toml")
        network = network.eval().requires_grad_(False)
        return network.to(memory_format=torch.channels_last) if self.arguments.channels_last else network

    def targets(self, which):
        """Images of spectra `which`, one a restart, and 1 where they are known: `[k 64, 1, n, n]` each."""
        spectra = self.spectra
        repeated = np.repeat(which, RESTARTS)
        depths, observed = spectra.depths[repeated], spectra.observed[repeated]
        if self.arguments.noise and spectra.errors is not None:
            draw = self.chance.standard_normal(depths.shape)
            depths = depths + draw * np.where(draw < 0, spectra.errors[repeated, 0], spectra.errors[repeated, 1])
        low, high = self.aspa.depth_min, self.aspa.depth_max
        depths = np.clip(depths, low, high)
        images, known = self.aspa.encode(depths, np.full((len(repeated), 7), np.nan), observed)
        if observed.all():
            # Its mask knows all but the parameters, empty pixels too.
            known = np.ones_like(images)
            for place in self.aspa.places:
                known[(slice(None), *place)] = 0
        return (torch.from_numpy(array[:, None]).float() for array in (images, known))

    def warm_up(self):
        """PyTorch chooses its kernels in the first steps."""
        self.retrieve(np.arange(min(self.arguments.at_once, len(self.spectra))), 3)

    def retrieve(self, which, iterations):
        """Images that the restarts of `which` end with, `[k, 64, n, n]`, and their contextual losses, `[k, 64]`."""
        target, known = self.targets(which)
        bf16 = torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.arguments.precision == "bf16")
        z = torch.from_numpy(self.chance.uniform(-1, 1, (len(target), self.latent_dim))).float().requires_grad_()
        adam = torch.optim.Adam([z], lr=RATE, betas=DECAYS, eps=EPSILON, fused=True)
        for _ in range(iterations):
            adam.zero_grad()
            with bf16:
                images = self.generator(z)
                logits = self.discriminator(images)
            contextual = ((images - target).abs() * known).sum(dim=(1, 2, 3))
            (contextual + PERCEPTUAL * softplus(-logits.float())).sum().backward()
            adam.step()
            with torch.no_grad():
                z.clamp_(-1, 1)
        shape = (len(which), RESTARTS)
        return images.detach().double().numpy().reshape(*shape, *images.shape[2:]), contextual.detach().numpy().reshape(shape)

    def all(self):
        """All spectra; what is told of them."""
        spectra, at_once = self.spectra, self.arguments.at_once
        samples, water, losses, seconds = [], [], [], []
        for start in range(0, len(spectra), at_once):
            which = np.arange(start, min(start + at_once, len(spectra)))
            begun = time.perf_counter()
            images, contextual = self.retrieve(which, self.arguments.iterations)
            flat = images.reshape(-1, *images.shape[2:])
            samples.append(self.aspa.parameters(flat).reshape(len(which), RESTARTS, 7))
            water.append(self.aspa.water_as_exogan_reads_it(flat).reshape(len(which), RESTARTS))
            losses.append(contextual)
            seconds.append((time.perf_counter() - begun) / len(which))
            print(f"{which[-1] + 1}/{len(spectra)}  {seconds[-1]:.2f} s a spectrum", file=sys.stderr)
        samples = np.concatenate(samples)
        low, median, high = np.percentile(samples, [16, 50, 84], axis=1)  # [n, 7] each
        last = np.median(np.concatenate(water), axis=1)
        losses = np.concatenate(losses)
        truth = spectra.parameters
        errors = mean_absolute_errors(spectra.names, median, truth)
        errors["log10_h2o_last_3x3"] = mean_absolute_errors(["w"], last[:, None], truth[:, :1])["w"]
        inside = np.where(np.isfinite(truth), (low <= truth) & (truth <= high), np.nan)
        rounded = lambda array: [[None if np.isnan(value) else float(f"{value:.7g}") for value in row] for row in array]
        return {
            "run": str(self.arguments.run),
            "step": self.step,
            "weights": self.weights,
            "dataset": str(self.arguments.dataset),
            "precision": self.arguments.precision,
            "threads": torch.get_num_threads(),
            "at_once": at_once,
            "iterations": self.arguments.iterations,
            "noise": bool(self.arguments.noise and spectra.errors is not None),
            "seconds_a_spectrum": float(np.median(seconds)),
            "seconds": seconds,
            "mean_absolute_errors": errors,
            "coverage_of_16_to_84": dict(zip(spectra.names, map(float, np.nanmean(inside, axis=0)))),
            "contextual_loss": {"median": float(np.median(losses)), "best_of_64": float(np.median(losses.min(axis=1)))},
            "names": spectra.names,
            "ids": [int(i) for i in spectra.ids],
            "median": rounded(median),
            "low": rounded(low),
            "high": rounded(high),
            "truth": rounded(truth),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--split", default="all", help="of the dataset: all (the default), test, train")
    parser.add_argument("--first", type=int, default=0, help="which of them to begin with")
    parser.add_argument("--spectra", type=int, help="how many")
    parser.add_argument("--iterations", type=int, default=STEPS, help="fewer, to time a part")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast")
    parser.add_argument("--weights", choices=["auto", "live"], default="auto", help="auto: averaged ones where the run kept them")
    parser.add_argument("--threads", type=int, help="of PyTorch")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="spectra in a batch, of 64 restarts each")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--noise", action="store_true", help="a draw from the dataset's errors for each restart")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="JSON")
    parser.add_argument("--paced", action="store_true", help="retrieve all for each line on stdin, and say the seconds a spectrum")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    peer = Peer(arguments)
    peer.warm_up()
    if arguments.paced:
        paced.serve(lambda: {"seconds": peer.all()["seconds_a_spectrum"]})
        return
    facts = peer.all()
    if arguments.out:
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")
    for name, error in facts["mean_absolute_errors"].items():
        print(f"{name:20} {'-' if error is None else f'{error:.4g}'}")
    print(f"{facts['seconds_a_spectrum']:.2f} s a spectrum, {facts['iterations']} iterations, {facts['precision']}, {facts['threads']} threads")


if __name__ == "__main__":
    main()
