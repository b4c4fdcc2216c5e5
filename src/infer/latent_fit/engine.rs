//! The fit itself: restarts of many objects move together, converged ones leave, and new ones enter.
//!
//! Shapes: s = slots, z = latent numbers, r = restarts of an object, n = side of a map.
//!
//! There are always as many slots, idle ones among them, and ages are looked at every `LOOK` iterations from a restart's own first
//! one, so that neither the place of a restart nor its neighbours change a bit of its fit.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::hmc;
use super::loss::contextual;
use super::offsets::{Marginal, OffsetFit, OffsetGroup, Offsets};
use super::settings::{Contextual, FitSettings, Start};
use super::subject::{Aim, Known, ModelVariance, Prepared, Subject};
use crate::infer::Networks;
use crate::infer::map_records::{Engine, Pull};
use crate::nn::Pass;
use crate::nn::dcgan::Latent;
use crate::rng::Draw;

/// Iterations between looks at who has converged.
pub const LOOK: u32 = 8;

/// The engine for one set of networks.
pub struct LatentFit<'a> {
    networks: &'a Networks,
    settings: FitSettings,
    variance: Option<ModelVariance>,
    offsets: Offsets,
    draw: Draw,
    watched: Range<u64>,
}

/// The way of a restart: at each look the iterations made, the loss, and the latent numbers of the least loss so far.
pub type Path = Vec<(u32, f32, Vec<f32>)>;

/// What became of an object.
pub struct Fitted {
    /// Its number.
    pub number: u64,
    /// `[r, z]`, the latent numbers of each restart's least loss.
    pub latents: Tensor,
    /// `[r, 1, n, n]`, what the generator makes of them.
    pub maps: Tensor,
    /// `[r]`, how far they are from what was observed: chi-square, or the sum that was brought down.
    pub misfit: Vec<f32>,
    /// `[r]` of `[g]`, what each restart says of the offsets of groups of measured values; empty where there are no groups.
    pub offsets: Vec<Vec<OffsetFit>>,
    /// `[r]`, iterations that were made.
    pub iterations: Vec<u32>,
    /// The restart that stands for all: the first where it fitted what was observed, else the best.
    pub reference: usize,
    /// Whether it is a draw as the others are.
    pub reference_is_drawn: bool,
    /// The way that each restart took, where that was asked for: loss and latent numbers at each look.
    pub paths: Vec<Path>,
}

impl Fitted {
    /// The restart of the least misfit.
    pub fn best(&self) -> usize {
        place_of_least(&self.misfit)
    }
}

/// Which of the restarts has the least of `values`.
pub fn place_of_least(values: &[f32]) -> usize {
    (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b])).expect("there is a restart")
}

/// An object some of whose restarts are under way.
struct Open {
    prepared: Prepared,
    left: usize,
    latents: Vec<f32>,
    iterations: Vec<u32>,
    paths: Vec<Path>,
}

/// Who has a slot.
#[derive(Clone, Copy)]
struct Tenant {
    number: u64,
    restart: usize,
}

impl<'a> LatentFit<'a> {
    /// For these networks. `variance` is that of the generator, beside the errors; all random numbers follow from `draw`.
    pub fn new(networks: &'a Networks, settings: FitSettings, variance: Option<ModelVariance>, draw: Draw) -> Self {
        let offsets = Offsets::new(&[], Kind::Float, networks.device);
        Self { networks, settings, variance, offsets, draw, watched: 0..0 }
    }

    /// The same with unknown offsets of these groups of measured values, which are marginalised in chi-square; with noise each restart
    /// that is a draw also has a draw of each offset in what it fits. Losses of pixels know no offsets.
    #[must_use]
    pub fn with_offsets(self, groups: &[OffsetGroup]) -> Self {
        Self { offsets: Offsets::new(groups, Kind::Float, self.networks.device), ..self }
    }

    /// The same, which keeps the paths of the restarts of these objects.
    #[must_use]
    pub fn watching(self, watched: Range<u64>) -> Self {
        Self { watched, ..self }
    }

    /// The networks that it fits.
    pub fn networks(&self) -> &'a Networks {
        self.networks
    }
}

impl Engine for LatentFit<'_> {
    type Prepared = Box<dyn Known>;
    type Made = Fitted;

    fn run<E>(
        &self,
        stop: impl Fn() -> bool,
        mut next: impl FnMut() -> Result<Pull<Box<dyn Known>>, E>,
        mut done: impl FnMut(u64, Fitted) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = slots_of(self.settings.slots);
        let mut slots = Slots::new(count, self.networks);
        let mut tenants: Vec<Option<Tenant>> = vec![None; count];
        let mut waiting: VecDeque<Tenant> = VecDeque::new();
        let mut open: BTreeMap<u64, Open> = BTreeMap::new();
        let mut exhausted = false;
        while !stop() {
            let free: Vec<usize> = (0..tenants.len()).filter(|slot| tenants[*slot].is_none()).collect();
            while waiting.len() < free.len() && !exhausted {
                match next()? {
                    Pull::End => exhausted = true,
                    Pull::Later => break,
                    Pull::Record(number, known) => {
                        let object = self.open(&Subject { number, known });
                        waiting.extend((0..self.settings.restarts).map(|restart| Tenant { number, restart }));
                        open.insert(number, object);
                    }
                }
            }
            let entering: Vec<(usize, Tenant)> =
                free.into_iter().map_while(|slot| Some((slot, waiting.pop_front()?))).collect();
            for (slot, tenant) in &entering {
                tenants[*slot] = Some(*tenant);
            }
            slots.enter(&entering, &open);
            if tenants.iter().all(Option::is_none) {
                return Ok(());
            }
            for _ in 0..LOOK {
                self.iterate(&mut slots);
            }
            let seen = slots.look();
            for (slot, place) in tenants.iter_mut().enumerate() {
                let Some(Tenant { number, restart }) = *place else { continue };
                let object = open.get_mut(&number).expect("who has a slot is open");
                if self.watched.contains(&number) {
                    object.paths[restart].push((seen.age[slot] as u32, seen.loss[slot], seen.best_of(slot).to_vec()));
                }
                let age = seen.age[slot] as u32;
                let settled = self.settings.patience > 0 && seen.stale[slot] >= self.settings.patience as f32;
                if !settled && age < self.settings.iterations {
                    continue;
                }
                let latents = seen.best_of(slot);
                object.latents[restart * latents.len()..(restart + 1) * latents.len()].copy_from_slice(latents);
                object.iterations[restart] = age;
                object.left -= 1;
                *place = None;
                if object.left == 0 {
                    if stop() {
                        return Ok(()); // trajectories take long
                    }
                    let object = open.remove(&number).expect("it is open");
                    done(number, self.close(object))?;
                }
            }
        }
        Ok(())
    }
}

impl LatentFit<'_> {
    fn open(&self, subject: &Subject) -> Open {
        let prepared = subject.prepare(self.networks, &self.settings, self.variance.as_ref(), &self.offsets, self.draw);
        let (restarts, latents) = (self.settings.restarts, self.networks.model.latent_dim as usize);
        Open {
            prepared,
            left: restarts,
            latents: vec![0.0; restarts * latents],
            iterations: vec![0; restarts],
            paths: vec![Vec::new(); restarts],
        }
    }

    /// How far `maps` are from `aim`, and what that says of offsets.
    fn misfit(&self, maps: &Tensor, aim: &Aim) -> (Tensor, Option<Marginal>) {
        contextual(self.settings.loss, self.networks.measurement.as_deref(), maps, aim, &self.offsets)
    }

    /// What a restart of `maps` that began at `origin`, `[b, z]`, loses: `[b]`.
    fn loss(&self, z: &Tensor, origin: &Tensor, maps: &Tensor, aim: &Aim, pass: Pass) -> Tensor {
        let (mut loss, marginal) = self.misfit(maps, aim);
        if let Some(marginal) = marginal {
            loss += marginal.log_determinant * 0.5;
        }
        if self.settings.perceptual > 0.0 {
            let logits = self.networks.discriminator.forward(maps, pass);
            loss += logits.neg().softplus() * self.settings.perceptual;
        }
        // Numbers that were drawn say nothing of where the answer lies.
        if self.settings.anchor > 0.0 && self.settings.start == Start::Embedder {
            let weight = 0.5 / (self.settings.anchor * self.settings.anchor);
            loss += (z - origin).square().sum_dim_intlist(1, false, Kind::Float) * weight;
        }
        if self.networks.model.latent == Latent::Normal && self.settings.loss == Contextual::ChiSquare {
            loss += z.square().sum_dim_intlist(1, false, Kind::Float) * 0.5;
        }
        loss
    }

    /// One iteration of all slots (Adam, Kingma and Ba 2015, algorithm 1, with an age for each row).
    fn iterate(&self, slots: &mut Slots) {
        let FitSettings { learning_rate, beta1, beta2, half_life, tolerance, .. } = self.settings;
        let z = slots.z.detach().set_requires_grad(true);
        let maps = self.networks.generator.forward(&z, Pass::Descent);
        let aim = slots.aim.as_ref().expect("somebody has entered");
        let loss = self.loss(&z, &slots.origin, &maps, aim, Pass::Descent);
        let gradient = Tensor::run_backward(&[loss.sum(Kind::Float)], &[&z], false, false).remove(0);
        let _guard = tch::no_grad_guard();
        let loss = loss.detach();
        // A loss that is no number is never the best, and its restart stays where it was best.
        let better = loss.lt_tensor(&slots.best_loss);
        slots.best_loss = loss.where_self(&better, &slots.best_loss);
        slots.best_z = slots.z.where_self(&better.unsqueeze(1), &slots.best_z);
        let fallen = loss.lt_tensor(&(&slots.mark - slots.mark.clamp_min(1.0) * tolerance));
        slots.mark = loss.where_self(&fallen, &slots.mark);
        slots.stale = (&slots.stale + 1.0) * fallen.logical_not().to_kind(Kind::Float);
        slots.loss = loss;
        slots.age += 1.0;
        let _ = slots.first.lerp_(&gradient, 1.0 - beta1);
        let _ = slots.second.lerp_(&gradient.square(), 1.0 - beta2);
        let power = |base: f64| (&slots.age * base.ln()).exp(); // [s, 1]
        let mean = &slots.first / (power(beta1).neg() + 1.0);
        let spread = (&slots.second / (power(beta2).neg() + 1.0)).sqrt() + EPSILON;
        let rate = power(if half_life > 0.0 { 0.5_f64.powf(half_life.recip()) } else { 1.0 }) * learning_rate;
        slots.z = &slots.z - rate * mean / spread;
        if self.networks.model.latent == Latent::Uniform {
            let _ = slots.z.clamp_(-1.0, 1.0);
        }
    }

    fn close(&self, object: Open) -> Fitted {
        let (restarts, device) = (self.settings.restarts as i64, self.networks.device);
        let Open { prepared, latents, iterations, paths, .. } = object;
        let mut latents = Tensor::from_slice(&latents).to_device(device).view([restarts, -1]);
        if self.settings.hmc_trajectories > 0 {
            let potential = |z: &Tensor| {
                let maps = self.networks.generator.forward(z, Pass::Inference);
                self.loss(z, &prepared.start, &maps, &prepared.truth, Pass::Inference)
            };
            let uniform = self.networks.model.latent == Latent::Uniform;
            latents = hmc::sample(&self.settings, self.draw, prepared.number, &latents, uniform, potential);
        }
        let _guard = tch::no_grad_guard();
        let maps = self.networks.generator.forward(&latents, Pass::Inference);
        let (misfit, marginal) = self.misfit(&maps, &prepared.truth);
        let offsets = marginal.map_or_else(Vec::new, |marginal| marginal.fits(self.offsets.groups()));
        let scale = if matches!(prepared.truth, Aim::Measured { .. }) { 2.0 } else { 1.0 };
        let misfit = Vec::<f32>::try_from(misfit * scale).expect("a loss is a number");
        let first = self.settings.first_as_observed();
        let reference = if first { 0 } else { place_of_least(&misfit) };
        let reference_is_drawn = !(first && self.settings.noise);
        Fitted {
            number: prepared.number,
            latents,
            maps,
            misfit,
            offsets,
            iterations,
            reference,
            reference_is_drawn,
            paths,
        }
    }
}

const EPSILON: f64 = 1e-8;

/// `wanted` slots, or a few more. libtorch gives each of its threads a run of numbers, and takes those beyond the last whole 64 of it one
/// by one, which rounds exponentials differently: there are none where rows divide evenly.
fn slots_of(wanted: usize) -> usize {
    wanted.next_multiple_of(64 * tch::get_num_threads().max(1) as usize)
}

/// Above every loss, and a number, since shares of it are taken.
const NO_LOSS: f64 = 1e30;

/// The state of all slots, a row each.
struct Slots {
    z: Tensor,
    first: Tensor,
    second: Tensor,
    age: Tensor,
    loss: Tensor,
    best_loss: Tensor,
    best_z: Tensor,
    /// Where restarts began.
    origin: Tensor,
    /// The loss from which the next fall is counted, and for how many iterations there was none.
    mark: Tensor,
    stale: Tensor,
    /// Made as the first restarts enter, of their kind.
    aim: Option<Aim>,
    device: Device,
}

/// What a look at the slots sees, on the host.
struct Seen {
    age: Vec<f32>,
    loss: Vec<f32>,
    stale: Vec<f32>,
    best: Vec<f32>,
}

impl Seen {
    fn best_of(&self, slot: usize) -> &[f32] {
        let latents = self.best.len() / self.age.len();
        &self.best[slot * latents..(slot + 1) * latents]
    }
}

impl Slots {
    fn new(slots: usize, networks: &Networks) -> Self {
        let (slots, latents, device) = (slots as i64, networks.model.latent_dim, networks.device);
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, device));
        let rows = || zeros(&[slots, latents]);
        let [loss, best_loss, mark, stale] = [0; 4].map(|_| zeros(&[slots]));
        Self {
            z: rows(),
            first: rows(),
            second: rows(),
            age: zeros(&[slots, 1]),
            loss,
            best_loss,
            best_z: rows(),
            origin: rows(),
            mark,
            stale,
            aim: None,
            device,
        }
    }

    /// Restarts take their slots.
    fn enter(&mut self, entering: &[(usize, Tenant)], open: &BTreeMap<u64, Open>) {
        if entering.is_empty() {
            return;
        }
        let _guard = tch::no_grad_guard();
        let places: Vec<i64> = entering.iter().map(|(slot, _)| *slot as i64).collect();
        let places = Tensor::from_slice(&places).to_device(self.device);
        let rows_of = |part: &dyn Fn(&Prepared) -> Tensor| {
            let rows: Vec<Tensor> = entering
                .iter()
                .map(|(_, Tenant { number, restart })| part(&open[number].prepared).get(*restart as i64))
                .collect();
            Tensor::stack(&rows, 0)
        };
        let z = rows_of(&|prepared| prepared.start.shallow_clone());
        let _ = self.z.index_copy_(0, &places, &z);
        let _ = self.best_z.index_copy_(0, &places, &z);
        let _ = self.origin.index_copy_(0, &places, &z);
        for tensor in [&mut self.first, &mut self.second, &mut self.age, &mut self.stale, &mut self.loss] {
            let _ = tensor.index_fill_(0, &places, 0.0);
        }
        for tensor in [&mut self.best_loss, &mut self.mark] {
            let _ = tensor.index_fill_(0, &places, NO_LOSS);
        }
        let first = &open[&entering[0].1.number].prepared.aim;
        let slots = self.z.size()[0];
        let aim = self.aim.get_or_insert_with(|| first.like(slots));
        for (index, tensor) in aim.parts_mut().into_iter().enumerate() {
            let _ = tensor.index_copy_(0, &places, &rows_of(&|prepared| prepared.aim.parts()[index].shallow_clone()));
        }
    }

    fn look(&self) -> Seen {
        let host = |tensor: &Tensor| Vec::try_from(tensor.flatten(0, -1)).expect("state is numbers");
        Seen { age: host(&self.age), loss: host(&self.loss), stale: host(&self.stale), best: host(&self.best_z) }
    }
}
