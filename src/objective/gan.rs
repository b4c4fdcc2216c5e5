//! A generator against a discriminator.
//!
//! Letters: r = logit of a real map, f = logit of a generated one, both `[b]`; b = maps of a microbatch.
//!
//! | loss | discriminator minimises | generator minimises | source |
//! | --- | --- | --- | --- |
//! | minimax | softplus(-r) + softplus(f) | -softplus(f) | Goodfellow et al. 2014, eq. 1 |
//! | non-saturating | the same | softplus(-f) | Goodfellow et al. 2014, section 3 |
//! | least squares | (r - 1)^2/2 + f^2/2 | (f - 1)^2/2 | Mao et al. 2017, eq. 9, a = 0, b = c = 1 |
//! | hinge | max(0, 1 - r) + max(0, 1 + f) | -f | Lim and Ye 2017 |
//! | Wasserstein | f - r | -f | Arjovsky et al. 2017, eq. 2 |
//!
//! each averaged over the batch. A flipped label trades a map's two discriminator terms.
//!
//! The gradient penalty (Gulrajani et al. 2017, eq. 3) adds lambda (|dD/dx| - 1)^2 to what the discriminator minimises, at
//! a map x drawn between each real map and a generated one; every n-th step n times as much (Karras et al. 2020, B).

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

use super::embedder::{EmbedderSettings, Embedding};
use super::masking::Masking;
use super::{Batch, Move, Objective, Place, Player, Tally};
use crate::nn::dcgan::{DcganSettings, Discriminator, Generator, Latent};
use crate::nn::layers::BatchNorm;
use crate::nn::{BatchMoments, Pass, Precision};
use crate::rng::{Chance, Draw, Stream};

/// Adversarial loss. D is the probability that a record is real; logits are what the discriminator returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Cross-entropy; the generator maximises log D (Goodfellow et al. 2014, section 3).
    NonSaturating,
    /// Cross-entropy; the generator minimises log(1 - D) (Goodfellow et al. 2014, eq. 1).
    Minimax,
    /// Squared distances of logits to labels 0 (generated) and 1 (real) (Mao et al. 2017, eq. 9).
    LeastSquares,
    /// Hinge loss of logits with a margin of 1; the generator maximises the logit (Lim and Ye 2017).
    Hinge,
    /// Difference between the mean logits of real and generated records, for a discriminator whose slope a gradient
    /// penalty holds to 1 (Arjovsky et al. 2017, eq. 2).
    Wasserstein,
}

impl Loss {
    /// The discriminator's loss of maps labelled real, `[b]`.
    pub fn of_real(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating | Loss::Minimax => logits.neg().softplus(),
            Loss::LeastSquares => (logits - 1.0).square() * 0.5,
            Loss::Hinge => (logits.neg() + 1.0).relu(),
            Loss::Wasserstein => logits.neg(),
        }
    }

    /// The discriminator's loss of maps labelled generated, `[b]`.
    pub fn of_generated(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating | Loss::Minimax => logits.softplus(),
            Loss::LeastSquares => logits.square() * 0.5,
            Loss::Hinge => (logits + 1.0).relu(),
            Loss::Wasserstein => logits.shallow_clone(),
        }
    }

    /// The generator's loss of its maps, `[b]`.
    pub fn of_generator(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating => logits.neg().softplus(),
            Loss::Minimax => logits.softplus().neg(),
            Loss::LeastSquares => (logits - 1.0).square() * 0.5,
            Loss::Hinge | Loss::Wasserstein => logits.neg(),
        }
    }
}

/// What holds the slope of the discriminator to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Its weight in the loss, lambda.
    pub weight: f64,
    /// Steps from one to the next, n.
    pub every: u64,
}

impl Penalty {
    /// The mean over maps of lambda (|d logit/d map| - 1)^2, with the graph behind it.
    ///
    /// - `maps`: `[b, 1, n, n]`, which want gradients
    /// - `logits`: `[b]`, made of them by operations that can be differentiated twice
    pub fn of(&self, maps: &Tensor, logits: &Tensor) -> Tensor {
        let slopes = Tensor::run_backward(&[logits.sum(Kind::Float)], &[maps], true, true).remove(0);
        // A root has no derivative at 0, where a discriminator that says nothing would be.
        let norms = (slopes.flatten(1, -1).square().sum_dim_intlist(1, false, Kind::Float) + 1e-12).sqrt(); // [b]
        (norms - 1.0).square().mean(Kind::Float) * self.weight
    }
}

/// Order of the updates of discriminator and generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// The generator is updated against the new weights of the discriminator.
    #[default]
    Alternating,
    /// Both are updated from the same weights, as in CosmoGAN.
    Simultaneous,
}

/// Latent vectors of the generator's update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// Each update draws its own.
    #[default]
    Fresh,
    /// The generator's update uses the latent vectors, and the generated records, of the discriminator's update.
    Shared,
}

/// Everything about the game but the networks.
#[derive(Clone, Debug, PartialEq)]
pub struct GanSettings {
    /// The loss of both players.
    pub loss: Loss,
    /// Arithmetic of convolutions in training.
    pub precision: Precision,
    /// What holds the slope of the discriminator to 1, if anything.
    pub penalty: Option<Penalty>,
    /// Probability that a map's label is flipped in the discriminator's move, drawn for each map.
    pub label_flip: f64,
    /// Standard deviation of the noise that is added to all maps before the discriminator (Arjovsky and Bottou 2017, section 3).
    pub instance_noise: f64,
    /// Decay of the average of the generator's weights, and the embedder's, if one is kept.
    pub average: Option<f64>,
    /// How the players take turns.
    pub update: Update,
    /// Whose noise is whose.
    pub noise: Noise,
    /// Discriminator moves a step (k).
    pub discriminator_updates: u32,
    /// Generator moves a step (m).
    pub generator_updates: u32,
}

/// Losses are of the order of one.
const RUNAWAY_LOSS: f64 = 100.0;

/// Mean logits of real and of generated maps so far apart leave e^-20 of a gradient.
const WON_BY: f64 = 20.0;

/// And so close say nothing.
const BLIND: f64 = 1e-3;

const DISCRIMINATOR: usize = 0;
const GENERATOR: usize = 1;
const EMBEDDER: usize = 2;

/// Both networks and the rules between them.
pub struct Gan {
    settings: GanSettings,
    latent: Latent,
    latent_dim: i64,
    generator: Generator,
    generator_store: nn::VarStore,
    discriminator: Discriminator,
    discriminator_store: nn::VarStore,
    embedding: Option<Embedding>,
    /// Real maps of the discriminator's last move, by microbatch, for those who make them again.
    records: RefCell<HashMap<u32, Tensor>>,
    /// Shared noise: generated maps, with their graphs, on the way from the discriminator's move to the generator's.
    shared: RefCell<HashMap<u32, Generated>>,
}

/// Maps `[b, 1, n, n]` with the graph that leads back to the generator, and the moments of that forward.
struct Generated {
    maps: Tensor,
    moments: Vec<Tensor>,
}

/// Maps `[b, 1, n, n]`, what the discriminator says to them, `[b]`, and the moments of that forward.
struct Judged {
    maps: Tensor,
    logits: Tensor,
    moments: Vec<Tensor>,
}

/// Which maps the discriminator judges.
#[derive(Clone, Copy)]
enum Whose {
    /// Real ones.
    Real,
    /// Generated ones, in its own move.
    Generated,
    /// Generated ones, in the generator's move.
    Taught,
}

impl Whose {
    const ALL: u32 = 3;
}

/// What a move has made of a microbatch so far.
pub struct GanGraph {
    size: i64,
    real: Option<Judged>,
    generated: Option<Generated>,
    /// Simultaneous form: the generator's loss by each generated pixel, `[b, 1, n, n]`, and that loss.
    pull: Option<(Tensor, Tensor)>,
}

impl Gan {
    /// New networks on `device`, with weights drawn from `seed`.
    pub fn new(model: &DcganSettings, settings: GanSettings, seed: u64, device: Device) -> Self {
        let generator_store = nn::VarStore::new(device);
        let discriminator_store = nn::VarStore::new(device);
        Self {
            generator: Generator::new(&generator_store.root(), model, seed).at(settings.precision),
            discriminator: Discriminator::new(&discriminator_store.root(), model, seed).at(settings.precision),
            latent: model.latent,
            latent_dim: model.latent_dim,
            settings,
            generator_store,
            discriminator_store,
            embedding: None,
            records: RefCell::default(),
            shared: RefCell::default(),
        }
    }

    /// The same with an embedder, from which `masking` hides parts of maps.
    #[must_use]
    pub fn with_embedder(
        mut self,
        model: &DcganSettings,
        settings: EmbedderSettings,
        masking: Box<dyn Masking>,
        seed: u64,
    ) -> Self {
        let device = self.generator_store.device();
        self.embedding = Some(Embedding::new(settings, model, masking, seed, device));
        self
    }

    /// The embedder, where it makes real maps again.
    fn reconstruction(&self) -> Option<&Embedding> {
        self.embedding.as_ref().filter(|embedding| embedding.settings.reconstruction > 0.0)
    }

    /// The real maps of a microbatch.
    fn records(&self, place: &Place) -> Tensor {
        self.records.borrow().get(&place.microbatch).expect("the discriminator has moved before").shallow_clone()
    }

    fn generate(&self, place: &Place, a_move: &Move, stream: Stream, size: i64) -> Generated {
        let noise = self.noise(place.chance(stream, a_move.turn, a_move.turns), size);
        let moments = BatchMoments::default();
        let maps = self.generator.forward(&noise, Pass::Training(&moments));
        Generated { maps, moments: moments.flat() }
    }

    /// Latent numbers of `size` maps, `[size, z]`.
    fn noise(&self, mut chance: Chance, size: i64) -> Tensor {
        let numbers = self.latent.draw(&mut chance, (size * self.latent_dim) as usize);
        self.bring(&numbers).view([size, self.latent_dim])
    }

    /// Drawn numbers, where the networks are.
    fn bring(&self, values: &[f32]) -> Tensor {
        Tensor::from_slice(values).to_device(self.generator_store.device())
    }

    fn judge(&self, maps: Tensor, noise: Option<Chance>) -> Judged {
        let moments = BatchMoments::default();
        let noisy = noise.map(|mut chance| {
            let noise = self.bring(&chance.normals(maps.numel())).view_as(&maps);
            &maps + noise * self.settings.instance_noise
        });
        let logits = self.discriminator.forward(noisy.as_ref().unwrap_or(&maps), Pass::Training(&moments));
        Judged { maps, logits, moments: moments.flat() }
    }

    /// Where the noise on the maps that the discriminator is to judge comes from, if there is any.
    fn instance_noise(&self, place: &Place, a_move: &Move, whose: Whose) -> Option<Chance> {
        let turn = |whose: Whose| a_move.turn * Whose::ALL + whose as u32;
        (self.settings.instance_noise > 0.0)
            .then(|| place.chance(Stream::InstanceNoise, turn(whose), a_move.turns * Whose::ALL))
    }

    /// The gradient penalty of the discriminator between `real` and `generated` maps, with its graph; nothing in steps
    /// without one.
    fn penalty(&self, a_move: &Move, place: &Place, real: &Tensor, generated: &Tensor) -> Option<Tensor> {
        let penalty = self.settings.penalty.filter(|penalty| place.step.is_multiple_of(penalty.every))?;
        let mut chance = place.chance(Stream::Interpolation, a_move.turn, a_move.turns);
        let size = real.size()[0];
        let shares: Vec<f32> = (0..size).map(|_| chance.uniform() as f32).collect();
        let between = tch::no_grad(|| generated.lerp_tensor(real, &self.bring(&shares).view([size, 1, 1, 1])));
        let between = between.set_requires_grad(true);
        let moments = BatchMoments::default();
        let logits = self.discriminator.forward(&between, Pass::Smooth(&moments));
        Some(penalty.of(&between, &logits))
    }

    /// Where labels are flipped: 1, else 0; `[b]` for real maps and for generated ones.
    fn flips(&self, place: &Place, a_move: &Move, size: i64) -> Option<[Tensor; 2]> {
        let rate = self.settings.label_flip;
        if rate == 0.0 {
            return None;
        }
        let mut chance = place.chance(Stream::LabelFlip, a_move.turn, a_move.turns);
        let mut draw = || {
            let flips: Vec<f32> = (0..size).map(|_| f32::from(u8::from(chance.uniform() < rate))).collect();
            self.bring(&flips)
        };
        Some([draw(), draw()])
    }

    fn discriminator_loss(&self, real: &Tensor, generated: &Tensor, flips: Option<&[Tensor; 2]>) -> Tensor {
        let loss = self.settings.loss;
        let Some([flip_real, flip_generated]) = flips else {
            return loss.of_real(real).mean(Kind::Float) + loss.of_generated(generated).mean(Kind::Float);
        };
        let real = loss.of_real(real).lerp_tensor(&loss.of_generated(real), flip_real);
        let generated = loss.of_generated(generated).lerp_tensor(&loss.of_real(generated), flip_generated);
        real.mean(Kind::Float) + generated.mean(Kind::Float)
    }

    /// The discriminator's gradient; in the simultaneous form also the pull on the generated maps.
    fn move_discriminator(&self, a_move: &Move, place: &Place, graph: &mut GanGraph) -> Tally {
        let simultaneous = self.settings.update == Update::Simultaneous;
        let keep_generated = simultaneous || self.settings.noise == Noise::Shared;
        let generated = if keep_generated {
            self.generate(place, a_move, Stream::Noise, graph.size)
        } else {
            // Nothing of this forward will be asked of the generator.
            tch::no_grad(|| self.generate(place, a_move, Stream::Noise, graph.size))
        };
        let leaf = generated.maps.detach().set_requires_grad(simultaneous);
        let fake = self.judge(leaf, self.instance_noise(place, a_move, Whose::Generated));
        let real = graph.real.take().expect("the move began with real maps");
        let flips = self.flips(place, a_move, graph.size);
        let loss = self.discriminator_loss(&real.logits, &fake.logits, flips.as_ref());
        if simultaneous {
            // To the leaf only: the discriminator's weights gain nothing from the generator's loss.
            let generator_loss = self.settings.loss.of_generator(&fake.logits).mean(Kind::Float);
            let scaled = &generator_loss * place.share();
            let pull = Tensor::run_backward(&[scaled], &[&fake.maps], true, false).remove(0);
            graph.pull = Some((pull, generator_loss.detach()));
        }
        (&loss * place.share()).backward();
        let mut metrics = vec![loss.detach()];
        metrics.extend([&real, &fake].map(|judged| judged.logits.detach().mean(Kind::Float)));
        if self.reconstruction().is_some() {
            self.records.borrow_mut().insert(place.microbatch, real.maps.shallow_clone());
        }
        if let Some(penalty) = self.settings.penalty {
            let made = self.penalty(a_move, place, &real.maps, &fake.maps.detach());
            if let Some(made) = &made {
                (made * (penalty.every as f64 * place.share())).backward();
            }
            metrics.push(made.map_or_else(|| Tensor::from(0.0_f32), |made| made.detach()));
        }
        if simultaneous {
            graph.generated = Some(generated);
        } else if keep_generated {
            self.shared.borrow_mut().insert(place.microbatch, generated);
        }
        Tally { metrics, moments: vec![real.moments, fake.moments] }
    }

    /// The generator's gradient.
    fn move_generator(&self, a_move: &Move, place: &Place, graph: &mut GanGraph) -> Tally {
        let generated = graph.generated.take().expect("the move began with generated maps");
        let loss = if let Some((pull, loss)) = graph.pull.take() {
            (&generated.maps * pull).sum(Kind::Float).backward();
            loss
        } else {
            // The discriminator's weights are not asked for, which saves a third of its backward.
            let frozen = Frozen::new(&self.discriminator_store);
            let judged = self.judge(generated.maps, self.instance_noise(place, a_move, Whose::Taught));
            let loss = self.settings.loss.of_generator(&judged.logits).mean(Kind::Float);
            (&loss * place.share()).backward();
            drop(frozen);
            loss.detach()
        };
        // Once a step, since the records are the same in all its moves.
        if let Some(embedding) = self.reconstruction().filter(|_| a_move.turn == 0) {
            let error = embedding.reconstruction_error(&self.generator, &self.records(place), place.step);
            (error * (embedding.settings.reconstruction * place.share())).backward();
        }
        Tally { metrics: vec![loss], moments: vec![generated.moments] }
    }

    /// The embedder's gradient.
    fn move_embedder(&self, a_move: &Move, place: &Place, size: i64) -> Tally {
        let embedding = self.embedding.as_ref().expect("who moves is there");
        let EmbedderSettings { latent, reconstruction, latent_l2, .. } = embedding.settings;
        // Nothing is asked of the generator's weights.
        let frozen = Frozen::new(&self.generator_store);
        let veil = |turn: u32| place.chance(Stream::Veil, 2 * a_move.turn + turn, 2 * a_move.turns);
        let z = self.noise(place.chance(Stream::EmbedderNoise, a_move.turn, a_move.turns), size);
        let latent_error = embedding.latent_error(&self.generator, &z, place.step, &mut veil(0));
        let mut loss = &latent_error * latent;
        let mut metrics = vec![latent_error.detach()];
        if reconstruction > 0.0 {
            let [error, square] =
                embedding.veiled_error(&self.generator, &self.records(place), place.step, &mut veil(1));
            loss += &error * reconstruction + &square * latent_l2;
            metrics.extend([error.detach(), square.detach()]);
        }
        (loss * place.share()).backward();
        drop(frozen);
        Tally { metrics, moments: Vec::new() }
    }
}

impl Objective for Gan {
    type Graph = GanGraph;

    fn players(&self) -> Vec<Player<'_>> {
        let reconstructs = self.reconstruction().is_some();
        let mut players = vec![
            Player {
                name: "discriminator",
                store: &self.discriminator_store,
                halves: self.discriminator.halves(),
                average: None,
                metrics: if self.settings.penalty.is_some() {
                    &["discriminator_loss", "real_logit", "generated_logit", "gradient_penalty"]
                } else {
                    &["discriminator_loss", "real_logit", "generated_logit"]
                },
                norms: self.discriminator.norms(),
                norm_momentum: BatchNorm::MOMENTUM,
            },
            Player {
                name: "generator",
                store: &self.generator_store,
                halves: self.generator.halves(),
                average: self.settings.average,
                metrics: &["generator_loss"],
                norms: self.generator.norms(),
                norm_momentum: BatchNorm::MOMENTUM,
            },
        ];
        players.extend(self.embedding.as_ref().map(|embedding| Player {
            name: "embedder",
            store: &embedding.store,
            halves: Vec::new(),
            average: self.settings.average,
            metrics: if reconstructs { &["latent_error", "masked_error", "latent_square"] } else { &["latent_error"] },
            norms: Vec::new(),
            norm_momentum: BatchNorm::MOMENTUM,
        }));
        players
    }

    fn moves(&self) -> Vec<Move> {
        let one = |player: usize, turns: u32| {
            (0..turns).map(move |turn| Move {
                players: vec![player],
                turn,
                turns,
                wants_records: player == DISCRIMINATOR,
                // Real maps to the discriminator, or noise to the generator.
                reads: vec![player],
            })
        };
        let mut moves: Vec<Move> = match self.settings.update {
            Update::Simultaneous => {
                vec![Move {
                    players: vec![DISCRIMINATOR, GENERATOR],
                    turn: 0,
                    turns: 1,
                    wants_records: true,
                    reads: vec![DISCRIMINATOR],
                }]
            }
            Update::Alternating => one(DISCRIMINATOR, self.settings.discriminator_updates)
                .chain(one(GENERATOR, self.settings.generator_updates))
                .collect(),
        };
        if self.embedding.is_some() {
            // It looks at what the others have become, so nothing of it begins before.
            moves.push(Move { players: vec![EMBEDDER], turn: 0, turns: 1, wants_records: false, reads: Vec::new() });
        }
        moves
    }

    fn counted_forwards(&self, player: usize) -> usize {
        match player {
            DISCRIMINATOR => 2,
            GENERATOR => 1,
            _ => 0,
        }
    }

    fn begin(&self, a_move: &Move, place: &Place, batch: Batch) -> GanGraph {
        let mut graph = GanGraph { size: batch.size(), real: None, generated: None, pull: None };
        if let Batch::Records(maps) = batch {
            let maps = maps.to_device(self.discriminator_store.device());
            graph.real = Some(self.judge(maps, self.instance_noise(place, a_move, Whose::Real)));
        } else if a_move.players != [EMBEDDER] {
            let generated = match self.settings.noise {
                Noise::Fresh => self.generate(place, a_move, Stream::GeneratorNoise, graph.size),
                Noise::Shared => {
                    let kept = self.shared.borrow_mut().remove(&place.microbatch);
                    kept.expect("the discriminator's move came before")
                }
            };
            graph.generated = Some(generated);
        }
        graph
    }

    fn finish(&self, a_move: &Move, player: usize, place: &Place, graph: &mut GanGraph) -> Tally {
        match player {
            DISCRIMINATOR => self.move_discriminator(a_move, place, graph),
            GENERATOR => self.move_generator(a_move, place, graph),
            _ => self.move_embedder(a_move, place, graph.size),
        }
    }

    fn maker(&self) -> Option<usize> {
        Some(GENERATOR)
    }

    fn make(&self, draw: Draw, records: Range<u64>) -> Tensor {
        self.generator.make(draw, records)
    }

    fn symptom(&self, metrics: &[(String, f64)]) -> Option<&'static str> {
        if self.settings.loss == Loss::Wasserstein {
            return None; // its logits are distances, of any size and from any zero
        }
        let of = |name: &str| metrics.iter().find(|(have, _)| have == name).map(|(_, value)| *value);
        let losses = [of("discriminator_loss")?, of("generator_loss")?];
        let gap = of("real_logit")? - of("generated_logit")?;
        if losses.iter().any(|loss| loss.abs() > RUNAWAY_LOSS) {
            Some("a loss has run away")
        } else if gap > WON_BY {
            Some("the discriminator has won: its loss teaches the generator nothing any more")
        } else if gap.abs() < BLIND {
            Some("the discriminator is dead: it does not tell real maps from generated ones")
        } else {
            None
        }
    }

    fn settle(&self, player: usize, draw: Draw, index: u64, size: i64) -> Vec<Tensor> {
        if player == EMBEDDER {
            return Vec::new(); // it has no batch norm
        }
        assert_eq!(player, GENERATOR, "the discriminator's weights are not averaged");
        let noise = self.noise(draw.at(Stream::Moments, index, 0), size);
        let moments = BatchMoments::default();
        // As inference, for which the moments are, in single precision.
        let _maps = tch::no_grad(|| self.generator.forward(&noise, Pass::Smooth(&moments)));
        moments.flat()
    }
}

/// A network whose weights want no gradient, until this is dropped.
struct Frozen(Vec<Tensor>);

impl Frozen {
    fn new(store: &nn::VarStore) -> Self {
        let trained = store.trainable_variables();
        for tensor in &trained {
            let _ = tensor.set_requires_grad(false);
        }
        Self(trained)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for tensor in &self.0 {
            let _ = tensor.set_requires_grad(true);
        }
    }
}
