//! One microbatch of a GAN's phase: forward and backward of each network.
//!
//! Shapes: b = records of the microbatch, n = side of a map in pixels, z = latent vector.

use tch::{Kind, Tensor, nn};

use super::{DISCRIMINATOR, EMBEDDER, GENERATOR, Gan, Noise, Update};
use crate::nn::{BatchMoments, Pass};
use crate::objective::embedder::EmbedderSettings;
use crate::objective::{BackwardStats, Forward, Input, Phase, StepContext};
use crate::rng::{Chance, Stream};

/// Generated maps `[b, 1, n, n]` with the graph that leads back to the generator, and the batch moments of that forward.
pub(super) struct Generated {
    maps: Tensor,
    moments: Vec<Tensor>,
}

/// Maps `[b, 1, n, n]`, the discriminator's logits of them, `[b]`, and the batch moments of that forward.
struct Judged {
    maps: Tensor,
    logits: Tensor,
    moments: Vec<Tensor>,
}

/// What the discriminator judges, each with instance noise of its own.
#[derive(Clone, Copy)]
enum Judging {
    /// Real maps.
    Real,
    /// Generated maps, in the discriminator's own phase.
    Generated,
    /// Generated maps, in the generator's phase.
    Taught,
}

impl Judging {
    const ALL: u32 = 3;
}

/// What a phase has made of a microbatch so far.
pub(super) struct GanForward<'a> {
    gan: &'a Gan,
    phase: Phase,
    context: StepContext,
    size: i64,
    /// Records of the microbatch, `[b, 1, n, n]`, where the phase's feed has any.
    records: Option<Tensor>,
    real: Option<Judged>,
    generated: Option<Generated>,
    /// Simultaneous update: the derivative of the generator's loss by each generated pixel, `[b, 1, n, n]`, and that loss.
    pull: Option<(Tensor, Tensor)>,
}

impl<'a> GanForward<'a> {
    /// Begins with what needs no other network's new weights: logits of real maps, or generated maps.
    pub fn begin(gan: &'a Gan, phase: &Phase, context: &StepContext, input: Input) -> Self {
        let records = match input {
            Input::Records(batch) => Some(batch.input().shallow_clone()),
            Input::Size(_) => None,
        };
        let (phase, context, size) = (phase.clone(), *context, input.size());
        let mut begun = Self { gan, phase, context, size, records, real: None, generated: None, pull: None };
        if begun.phase.networks.contains(&DISCRIMINATOR) {
            let maps = begun.records().shallow_clone();
            begun.real = Some(begun.judge(maps, Judging::Real));
        } else if begun.phase.networks != [EMBEDDER] {
            begun.generated = Some(match gan.settings.noise {
                Noise::Fresh => begun.generate(Stream::GeneratorNoise),
                Noise::Shared => {
                    let kept = gan.shared.borrow_mut().remove(&context.microbatch);
                    kept.expect("the discriminator's phase came before")
                }
            });
        }
        begun
    }

    fn records(&self) -> &Tensor {
        self.records.as_ref().expect("the phase is fed with records")
    }

    /// Random numbers of this microbatch in this phase.
    fn chance(&self, stream: Stream) -> Chance {
        self.context.chance(stream, self.phase.turn, self.phase.turns)
    }

    fn generate(&self, stream: Stream) -> Generated {
        let noise = self.gan.noise(self.chance(stream), self.size);
        let moments = BatchMoments::default();
        let maps = self.gan.generator.forward(&noise, Pass::Training(&moments));
        Generated { maps, moments: moments.flat() }
    }

    /// Logits of maps, behind instance noise where there is any.
    fn judge(&self, maps: Tensor, judging: Judging) -> Judged {
        let moments = BatchMoments::default();
        let deviation = self.gan.settings.instance_noise;
        let noisy = (deviation > 0.0).then(|| {
            let turn = self.phase.turn * Judging::ALL + judging as u32;
            let mut chance = self.context.chance(Stream::InstanceNoise, turn, self.phase.turns * Judging::ALL);
            let noise = self.gan.bring(&chance.normals(maps.numel())).view_as(&maps);
            &maps + noise * deviation
        });
        let logits = self.gan.discriminator.forward(noisy.as_ref().unwrap_or(&maps), Pass::Training(&moments));
        Judged { maps, logits, moments: moments.flat() }
    }

    /// The gradient penalty between `real` and `generated` maps, with its graph; none in steps without one.
    fn penalty(&self, real: &Tensor, generated: &Tensor) -> Option<Tensor> {
        let penalty = self.gan.settings.penalty.filter(|penalty| self.context.step.is_multiple_of(penalty.every))?;
        let mut chance = self.chance(Stream::Interpolation);
        let size = real.size()[0];
        let shares: Vec<f32> = (0..size).map(|_| chance.uniform() as f32).collect();
        let between = tch::no_grad(|| generated.lerp_tensor(real, &self.gan.bring(&shares).view([size, 1, 1, 1])));
        let between = between.set_requires_grad(true);
        let moments = BatchMoments::default();
        let logits = self.gan.discriminator.forward(&between, Pass::Smooth(&moments));
        Some(penalty.of(&between, &logits))
    }

    /// 1 where a label is flipped, else 0: `[b]` for real maps and for generated ones.
    fn flips(&self) -> Option<[Tensor; 2]> {
        let rate = self.gan.settings.label_flip;
        if rate == 0.0 {
            return None;
        }
        let mut chance = self.chance(Stream::LabelFlip);
        let mut draw = || {
            let flips: Vec<f32> = (0..self.size).map(|_| f32::from(u8::from(chance.uniform() < rate))).collect();
            self.gan.bring(&flips)
        };
        Some([draw(), draw()])
    }

    /// The discriminator's loss. A flipped label trades the two terms of a map.
    fn discriminator_loss(&self, real: &Tensor, generated: &Tensor) -> Tensor {
        let loss = self.gan.settings.loss;
        let Some([flip_real, flip_generated]) = self.flips() else {
            return loss.of_real(real).mean(Kind::Float) + loss.of_generated(generated).mean(Kind::Float);
        };
        let real = loss.of_real(real).lerp_tensor(&loss.of_generated(real), &flip_real);
        let generated = loss.of_generated(generated).lerp_tensor(&loss.of_real(generated), &flip_generated);
        real.mean(Kind::Float) + generated.mean(Kind::Float)
    }

    /// The discriminator's gradient; in a simultaneous update also the pull on the generated maps.
    fn finish_discriminator(&mut self) -> BackwardStats {
        let share = self.context.share();
        let simultaneous = self.gan.settings.update == Update::Simultaneous;
        let keep_generated = simultaneous || self.gan.settings.noise == Noise::Shared;
        let generated = if keep_generated {
            self.generate(Stream::Noise)
        } else {
            // The generator's gradient is not computed from this forward.
            tch::no_grad(|| self.generate(Stream::Noise))
        };
        let leaf = generated.maps.detach().set_requires_grad(simultaneous);
        let fake = self.judge(leaf, Judging::Generated);
        let real = self.real.take().expect("the phase began with real maps");
        let loss = self.discriminator_loss(&real.logits, &fake.logits);
        if simultaneous {
            // To the leaf only: the discriminator's weights gain nothing from the generator's loss.
            let generator_loss = self.gan.settings.loss.of_generator(&fake.logits).mean(Kind::Float);
            let scaled = &generator_loss * share;
            let pull = Tensor::run_backward(&[scaled], &[&fake.maps], true, false).remove(0);
            self.pull = Some((pull, generator_loss.detach()));
        }
        (&loss * share).backward();
        let mut metrics = vec![loss.detach()];
        metrics.extend([&real, &fake].map(|judged| judged.logits.detach().mean(Kind::Float)));
        if let Some(penalty) = self.gan.settings.penalty {
            let made = self.penalty(&real.maps, &fake.maps.detach());
            if let Some(made) = &made {
                (made * (penalty.every as f64 * share)).backward();
            }
            metrics.push(made.map_or_else(|| Tensor::from(0.0_f32), |made| made.detach()));
        }
        if simultaneous {
            self.generated = Some(generated);
        } else if keep_generated {
            self.gan.shared.borrow_mut().insert(self.context.microbatch, generated);
        }
        BackwardStats { metrics, moments: vec![real.moments, fake.moments] }
    }

    fn finish_generator(&mut self) -> BackwardStats {
        let share = self.context.share();
        let generated = self.generated.take().expect("the phase began with generated maps");
        let loss = if let Some((pull, loss)) = self.pull.take() {
            (&generated.maps * pull).sum(Kind::Float).backward();
            loss
        } else {
            // The gradient of the discriminator's weights is not computed, which saves a third of its backward.
            let frozen = Frozen::new(&self.gan.discriminator_store);
            let judged = self.judge(generated.maps, Judging::Taught);
            let loss = self.gan.settings.loss.of_generator(&judged.logits).mean(Kind::Float);
            (&loss * share).backward();
            drop(frozen);
            loss.detach()
        };
        // Once a step, since the records are the same in all its phases.
        if let Some(embedding) = self.gan.reconstruction().filter(|_| self.phase.turn == 0) {
            let error = embedding.reconstruction_error(&self.gan.generator, self.records(), self.context.step);
            (error * (embedding.settings.reconstruction * share)).backward();
        }
        BackwardStats { metrics: vec![loss], moments: vec![generated.moments] }
    }

    fn finish_embedder(&self) -> BackwardStats {
        let (gan, phase, context) = (self.gan, &self.phase, &self.context);
        let embedding = gan.embedding.as_ref().expect("its phase is there where it is");
        let EmbedderSettings { latent, reconstruction, latent_l2, .. } = embedding.settings;
        // The gradient of the generator's weights is not computed.
        let frozen = Frozen::new(&gan.generator_store);
        let mask = |turn: u32| context.chance(Stream::Veil, 2 * phase.turn + turn, 2 * phase.turns);
        let z = gan.noise(self.chance(Stream::EmbedderNoise), self.size);
        let latent_error = embedding.latent_error(&gan.generator, &z, context.step, &mut mask(0));
        let mut loss = &latent_error * latent;
        let mut metrics = vec![latent_error.detach()];
        if reconstruction > 0.0 {
            let [error, square] = embedding.masked_error(&gan.generator, self.records(), context.step, &mut mask(1));
            loss += &error * reconstruction + &square * latent_l2;
            metrics.extend([error.detach(), square.detach()]);
        }
        (loss * context.share()).backward();
        drop(frozen);
        BackwardStats { metrics, moments: Vec::new() }
    }
}

impl Forward for GanForward<'_> {
    fn finish(&mut self, network: usize) -> BackwardStats {
        match network {
            DISCRIMINATOR => self.finish_discriminator(),
            GENERATOR => self.finish_generator(),
            _ => self.finish_embedder(),
        }
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
