//! Adam on a flat parameter space (Kingma and Ba 2015, algorithm 1), with a way back.
//!
//! A training step may be refused after one of its players has moved. The first update of a step therefore keeps what
//! was there: parameters are copied in the same pass, moments are written beside the old ones. On a device the same is
//! said in a few operations on whole tensors.

use serde::{Deserialize, Serialize};

use super::buffer::{Buffer, Home};

/// How fast, and how long the memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamSettings {
    /// Learning rate, more than 0.
    pub learning_rate: f64,
    /// Decay rate of the first moment (mean of gradients), at least 0 and below 1.
    pub beta1: f64,
    /// Decay rate of the second moment (mean of squared gradients), at least 0 and below 1.
    pub beta2: f64,
    /// Constant added to the square root of the second moment, more than 0.
    pub epsilon: f64,
    /// Largest norm of the gradient of all parameters of a network; a longer gradient is scaled down to it. At least 0,
    /// 0 = no limit.
    pub clip: f64,
    /// Updates of a network in which the learning rate falls to a half, exponentially; 0 = constant.
    pub half_life: u64,
}

impl Default for AdamSettings {
    /// CosmoGAN's.
    fn default() -> Self {
        Self { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, clip: 0.0, half_life: 0 }
    }
}

/// The moments of one network.
#[derive(Clone, Debug)]
pub struct Adam {
    settings: AdamSettings,
    updates: u64,
    first: Buffer,
    second: Buffer,
    back: Back,
}

/// What it was at the start of the step.
#[derive(Clone, Debug)]
struct Back {
    moved: bool,
    updates: u64,
    parameters: Buffer,
    first: Buffer,
    second: Buffer,
}

impl Adam {
    /// For `count` parameters that live at `home`, before the first update.
    pub fn new(settings: AdamSettings, count: usize, home: Home) -> Self {
        let zeros = || Buffer::zeros(count, home);
        Self {
            settings,
            updates: 0,
            first: zeros(),
            second: zeros(),
            back: Back { moved: false, updates: 0, parameters: zeros(), first: zeros(), second: zeros() },
        }
    }

    /// Updates made so far, in steps that were accepted.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Means of gradients and of squared gradients.
    pub fn moments(&self) -> (&Buffer, &Buffer) {
        (&self.first, &self.second)
    }

    /// Goes on from saved moments.
    pub fn restore(&mut self, updates: u64, first: &[f32], second: &[f32]) {
        self.updates = updates;
        self.first.write(first);
        self.second.write(second);
        self.back.moved = false;
    }

    /// Moves `parameters` by one update. `norm` is that of `gradient`, for the clip; what `gradient` has beyond the
    /// count of parameters is not looked at.
    pub fn update(&mut self, parameters: &mut Buffer, gradient: &Buffer, norm: f64) {
        let AdamSettings { learning_rate, beta1, beta2, epsilon, clip, half_life } = self.settings;
        let first_of_step = !self.back.moved;
        if first_of_step {
            self.back.moved = true;
            self.back.updates = self.updates;
            std::mem::swap(&mut self.first, &mut self.back.first);
            std::mem::swap(&mut self.second, &mut self.back.second);
        }
        self.updates += 1;
        let half_lives = if half_life > 0 { self.updates as f64 / half_life as f64 } else { 0.0 };
        let learning_rate = learning_rate * (-half_lives).exp2();
        let updates = i32::try_from(self.updates).unwrap_or(i32::MAX);
        let rule = Rule {
            shrink: if clip > 0.0 && norm > clip { (clip / norm) as f32 } else { 1.0 },
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            keep1: (1.0 - beta1) as f32,
            keep2: (1.0 - beta2) as f32,
            rate: (learning_rate / (1.0 - beta1.powi(updates))) as f32,
            root: (1.0 / (1.0 - beta2.powi(updates)).sqrt()) as f32,
            epsilon: epsilon as f32,
        };
        match self.first.home() {
            Home::Host => self.pass(rule, first_of_step, parameters.as_mut_slice(), gradient.as_slice()),
            Home::Device(_) => self.operate(rule, first_of_step, parameters, gradient),
        }
    }

    /// The update on the host: one pass over memory.
    fn pass(&mut self, rule: Rule, first_of_step: bool, parameters: &mut [f32], gradient: &[f32]) {
        let count = parameters.len();
        let (first, second) = (&mut self.first.as_mut_slice()[..count], &mut self.second.as_mut_slice()[..count]);
        let gradient = &gradient[..count];
        if first_of_step {
            let (old_first, old_second) = (&self.back.first.as_slice()[..count], &self.back.second.as_slice()[..count]);
            let old = &mut self.back.parameters.as_mut_slice()[..count];
            for i in 0..count {
                old[i] = parameters[i];
                (parameters[i], first[i], second[i]) =
                    rule.apply(parameters[i], gradient[i], old_first[i], old_second[i]);
            }
        } else {
            for i in 0..count {
                (parameters[i], first[i], second[i]) = rule.apply(parameters[i], gradient[i], first[i], second[i]);
            }
        }
    }

    /// The update on a device.
    fn operate(&mut self, rule: Rule, first_of_step: bool, parameters: &mut Buffer, gradient: &Buffer) {
        if first_of_step {
            self.back.parameters.copy_from(parameters);
            self.first.copy_from(&self.back.first);
            self.second.copy_from(&self.back.second);
        }
        let gradient = gradient.tensor().narrow(0, 0, parameters.len() as i64);
        let gradient = if rule.shrink < 1.0 { gradient * f64::from(rule.shrink) } else { gradient };
        let first = self.first.tensor_mut().lerp_(&gradient, f64::from(rule.keep1));
        let second = self.second.tensor_mut().lerp_(&gradient.square(), f64::from(rule.keep2));
        let spread = second.sqrt() * f64::from(rule.root) + f64::from(rule.epsilon);
        *parameters.tensor_mut() -= first * f64::from(rule.rate) / spread;
    }

    /// The step was accepted: what was there before is forgotten.
    pub fn accept(&mut self) {
        self.back.moved = false;
    }

    /// The step was refused: everything is as it was before its first update, to the bit.
    pub fn undo(&mut self, parameters: &mut Buffer) {
        if self.back.moved {
            self.back.moved = false;
            self.updates = self.back.updates;
            parameters.copy_from(&self.back.parameters);
            std::mem::swap(&mut self.first, &mut self.back.first);
            std::mem::swap(&mut self.second, &mut self.back.second);
        }
    }
}

/// One update, with everything that is the same for all parameters worked out.
#[derive(Clone, Copy)]
struct Rule {
    shrink: f32,
    beta1: f32,
    beta2: f32,
    keep1: f32,
    keep2: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
}

impl Rule {
    #[inline]
    fn apply(self, parameter: f32, gradient: f32, first: f32, second: f32) -> (f32, f32, f32) {
        let gradient = gradient * self.shrink;
        let first = self.beta1 * first + self.keep1 * gradient;
        let second = self.beta2 * second + self.keep2 * gradient * gradient;
        (parameter - self.rate * first / (second.sqrt() * self.root + self.epsilon), first, second)
    }
}
