"""CosmoGAN training in PyTorch DistributedDataParallel over gloo, one thread a rank: what `bench step` is held against.

Networks, loss, Adam and batch are those of configs/mass_maps_64.toml at full width. Data are random, there is no loader.

form      what it does
naive     D's step, then G's: D's weight gradients are computed, and summed over ranks, in G's step as well; two z
frozen    the same, with D frozen and called outside DDP in G's step
tutorial  as frozen, with one z and one generator forward for both steps
grouped   both gradients from the same weights: one z, one generator forward, one discriminator forward on generated maps

Rounds begin with a line on stdin (paced.py). Rank 1 and up are started by rank 0 and hear of a round through a pipe, so that
nobody spins between rounds.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import softplus
from torch.nn.parallel import DistributedDataParallel

import paced

FORMS = ["naive", "frozen", "tutorial", "grouped"]
LATENT, WIDTH, SIDE, DEPTH = 64, 64, 64, 4


class Generator(nn.Module):
    """[b, 64] -> [b, 1, 64, 64]"""

    def __init__(self, width):
        super().__init__()
        channels = [width << level for level in reversed(range(DEPTH))] + [1]
        self.start = (channels[0], SIDE >> DEPTH, SIDE >> DEPTH)
        self.project = nn.Linear(LATENT, channels[0] * self.start[1] ** 2)
        layers = [nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in zip(channels, channels[1:]):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)] if outputs > 1 else [nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, noise):
        return self.layers(self.project(noise).view(-1, *self.start))


class Discriminator(nn.Module):
    """[b, 1, 64, 64] -> [b]"""

    def __init__(self, width):
        super().__init__()
        channels = [1] + [width << level for level in range(DEPTH)]
        layers = []
        for inputs, outputs in zip(channels, channels[1:]):
            layers.append(nn.Conv2d(inputs, outputs, 5, stride=2, padding=2))
            layers += [nn.BatchNorm2d(outputs)] if inputs > 1 else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers += [nn.Flatten(), nn.Linear(channels[-1] * (SIDE >> DEPTH) ** 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps):
        return self.layers(maps).squeeze(1)


def initial(module):
    for name, values in module.named_parameters():
        if values.dim() > 1:
            nn.init.normal_(values, std=0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(values)


class Game:
    def __init__(self, arguments, ranks):
        torch.manual_seed(1)  # the same weights on all ranks; DDP sends rank 0's anyway
        self.form, self.bf16 = arguments.form, arguments.bf16
        self.batch = arguments.batch // ranks
        self.generator, self.discriminator = Generator(arguments.width), Discriminator(arguments.width)
        initial(self.generator)
        initial(self.discriminator)
        self.distributed = ranks > 1
        # Batch norm's running moments are each rank's own, as in DDP's faster setting; ours cost no message either.
        wrap = (lambda net: DistributedDataParallel(net, broadcast_buffers=False)) if self.distributed else (lambda net: net)
        self.wrapped_generator, self.wrapped_discriminator = wrap(self.generator), wrap(self.discriminator)
        adam = lambda net: torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), eps=1e-8, fused=arguments.fused)
        self.generator_adam, self.discriminator_adam = adam(self.generator), adam(self.discriminator)
        rank = dist.get_rank() if self.distributed else 0
        self.chance = torch.Generator().manual_seed(100 + rank)
        self.real = torch.randn(self.batch, 1, SIDE, SIDE, generator=self.chance).tanh()

    def noise(self):
        return torch.randn(self.batch, LATENT, generator=self.chance)

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16)

    def flips(self):
        return (torch.rand(self.batch, generator=self.chance) < 0.01).float()

    def discriminator_loss(self, real, generated):
        real, generated = real.float(), generated.float()
        real = torch.lerp(softplus(-real), softplus(real), self.flips())
        generated = torch.lerp(softplus(generated), softplus(-generated), self.flips())
        return real.mean() + generated.mean()

    @staticmethod
    def generator_loss(logits):
        return softplus(-logits.float()).mean()

    def freeze(self, frozen):
        for values in self.discriminator.parameters():
            values.requires_grad_(not frozen)

    def step(self):
        if self.form == "grouped":
            self.grouped_gradients()
            self.discriminator_adam.step()
            self.generator_adam.step()
            return
        self.discriminator_adam.zero_grad()
        shared = self.form == "tutorial"
        with self.autocast():
            if shared:
                maps = self.wrapped_generator(self.noise())
            else:
                with torch.no_grad():
                    maps = self.generator(self.noise())
            real = self.wrapped_discriminator(self.real)
            generated = self.discriminator_again(maps.detach())
            loss = self.discriminator_loss(real, generated)
        loss.backward()
        self.discriminator_adam.step()
        self.generator_adam.zero_grad()
        naive = self.form == "naive"
        if naive:
            self.discriminator_adam.zero_grad()
        else:
            self.freeze(True)
        with self.autocast():
            if not shared:
                maps = self.wrapped_generator(self.noise())
            judge = self.wrapped_discriminator if naive else self.discriminator
            loss = self.generator_loss(judge(maps))
        loss.backward()
        self.generator_adam.step()
        if not naive:
            self.freeze(False)

    def discriminator_again(self, maps):
        """A second forward before one backward: outside DDP, whose hooks belong to the first."""
        return self.discriminator(maps)

    def grouped_gradients(self):
        self.discriminator_adam.zero_grad()
        self.generator_adam.zero_grad()
        with self.autocast():
            maps = self.wrapped_generator(self.noise())
            leaf = maps.detach().requires_grad_()
            real = self.wrapped_discriminator(self.real)
            generated = self.discriminator_again(leaf)
            discriminator_loss = self.discriminator_loss(real, generated)
            generator_loss = self.generator_loss(generated)
        (pull,) = torch.autograd.grad(generator_loss, leaf, retain_graph=True)
        discriminator_loss.backward()
        maps.backward(pull.to(maps.dtype))


def rate(game, steps):
    ranks = 1
    if game.distributed:
        ranks = dist.get_world_size()
        dist.barrier()
    begun = time.perf_counter()
    for _ in range(steps):
        game.step()
    return {"samples_per_second": steps * game.batch * ranks / (time.perf_counter() - begun)}


def check(arguments, ranks):
    """The grouped form's gradients are those of two moves from the same weights, and all ranks have the same."""
    arguments.form, arguments.bf16 = "grouped", False
    game = Game(arguments, ranks)
    start = game.chance.get_state()
    game.grouped_gradients()
    gradients = lambda net: [values.grad.clone() for values in net.parameters()]
    found = gradients(game.discriminator) + gradients(game.generator)

    game.chance.set_state(start)
    game.discriminator_adam.zero_grad()
    game.generator_adam.zero_grad()
    noise = game.noise()
    with torch.no_grad():
        maps = game.generator(noise)
    game.discriminator_loss(game.wrapped_discriminator(game.real), game.discriminator_again(maps)).backward()
    wanted = gradients(game.discriminator)
    game.freeze(True)
    game.generator_loss(game.discriminator(game.wrapped_generator(noise))).backward()
    game.freeze(False)
    wanted += gradients(game.generator)
    worst = 0.0
    scale = max(values.abs().max().item() for values in wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        worst = max(worst, (ours - theirs).abs().max().item() / scale)
        if ranks > 1:
            first = ours.clone()
            dist.broadcast(first, 0)
            if not torch.equal(first, ours):
                sys.exit("error: ranks have different gradients, expected the same bits")
    if worst > 1e-4:
        sys.exit(f"error: grouped gradients differ by {worst:.1e} of the largest, expected at most 1e-4")
    if ranks == 1 or dist.get_rank() == 0:
        # What is compared must not be nothing.
        paced.say(worst=worst, largest=scale, tensors=len(found), ranks=ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=FORMS, default="frozen")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="of all ranks")
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--steps", type=int, default=5, help="of a round")
    parser.add_argument("--fused", action="store_true", help="fused Adam")
    parser.add_argument("--bf16", action="store_true", help="bf16 autocast")
    parser.add_argument("--pin", action="store_true", help="each rank on a core of its own")
    parser.add_argument("--check", action="store_true", help="compare gradients and end")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    ranks, rank = arguments.ranks, arguments.rank
    torch.set_num_threads(1)
    if arguments.pin:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    others = []
    if rank == 0 and ranks > 1:
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            arguments.port = free.getsockname()[1]
        for other in range(1, ranks):
            command = [sys.executable, *sys.argv, "--rank", str(other), "--port", str(arguments.port)]
            others.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
    if ranks > 1:
        address = f"tcp://127.0.0.1:{arguments.port}"
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=ranks)
    if arguments.check:
        check(arguments, ranks)
    elif rank == 0:
        game = Game(arguments, ranks)

        def round_of_all():
            for other in others:
                other.stdin.write("\n")
                other.stdin.flush()
            return rate(game, arguments.steps)

        paced.serve(round_of_all)
    else:
        game = Game(arguments, ranks)
        for _ in sys.stdin:
            rate(game, arguments.steps)
    for other in others:
        other.stdin.close()
    if ranks > 1:
        dist.barrier()
        dist.destroy_process_group()
    if any(other.wait() for other in others):
        sys.exit(1)


if __name__ == "__main__":
    main()
