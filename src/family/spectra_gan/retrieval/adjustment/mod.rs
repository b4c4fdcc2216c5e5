//! What a spectrum says of its parameters beyond the fit: the generator is within its own error of a spectrum and no nearer, and what
//! it leaves over is not noise alone. Regression adjustment (Beaumont, Zhang & Balding 2002, Genetics 162, 2025, their equation for the
//! shift of samples) learns on retrievals whose truth is known how far parameters are off, from what is there of any retrieval, and moves
//! them: by a line, or, where many trials are known, by networks.

mod evidence;
mod linear;
mod networks;
mod principal;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::evidence::Evidence;
use self::linear::Linear;
use self::networks::{LEAST_TRIALS, MEMBERS, unseen_by};
pub use self::networks::{Member, Scales};
use super::posterior::Posterior;
use super::trial::Trial;
use crate::atmosphere::QUANTITIES;
use crate::rng::Draw;
use crate::statistics::weighted;

const PARAMETERS: usize = QUANTITIES.len();

/// How far the parameters of retrievals are off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    linear: Linear,
    networks: Option<Networks>,
    /// Whether the networks know it better of a parameter.
    by_networks: [bool; PARAMETERS],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Networks {
    scales: Scales,
    members: Vec<Member>,
}

/// What trials teach. Networks are learned one by one, so that ranks can share them.
pub struct Lesson {
    /// All, whether or not their fits ended.
    trials: usize,
    /// Which trials' fits ended.
    ended: Vec<usize>,
    /// Of those, `[n]`.
    evidence: Vec<Evidence>,
    /// How far their parameters are off, NaN where nobody knows, `[n, p]`.
    off: Vec<[f64; PARAMETERS]>,
}

impl Lesson {
    /// Of `trials`.
    pub fn of(trials: &[Trial]) -> Self {
        let mut lesson = Self { trials: trials.len(), ended: Vec::new(), evidence: Vec::new(), off: Vec::new() };
        for (nth, Trial { posterior, depths, observed, truth }) in trials.iter().enumerate() {
            let evidence = Evidence::of(depths, observed, posterior);
            if evidence.is_finite() {
                lesson.ended.push(nth);
                lesson.off.push(std::array::from_fn(|at| f64::from(truth[at]) - evidence.parameters[at]));
                lesson.evidence.push(evidence);
            }
        }
        lesson
    }

    /// The networks that are to be learned; none of few trials.
    pub fn members(&self) -> Range<usize> {
        0..if self.trials < LEAST_TRIALS { 0 } else { MEMBERS }
    }

    /// What networks look at.
    pub fn scales(&self) -> Scales {
        Scales::of(&self.evidence, &self.off)
    }

    /// Learns network number `member`. Chance follows from `draw`.
    pub fn member(&self, scales: &Scales, member: usize, draw: Draw) -> Member {
        let rows: Vec<Vec<f32>> = self.evidence.iter().map(|evidence| scales.numbers(evidence)).collect();
        Member::learn(member, scales, &rows, &self.off, draw)
    }

    /// Learns what is linear, and takes for each parameter what is nearer to the truth of trials that it has not learned from. Beside it
    /// what it says of each of the trials as if that had not been learned from, NaN where it says nothing.
    pub fn learn(&self, networks: Option<(Scales, Vec<Member>)>) -> (Adjustment, Vec<[f64; PARAMETERS]>) {
        let (linear, by_line) = Linear::learn(&self.evidence, &self.off);
        let networks = networks.map(|(scales, members)| Networks { scales, members });
        let by_networks: Option<Vec<[f64; PARAMETERS]>> = networks.as_ref().map(|networks| {
            let trials = self.evidence.iter().enumerate();
            trials.map(|(nth, evidence)| networks.say(evidence, &networks.members[unseen_by(nth)..][..1])).collect()
        });
        // What says nothing leaves parameters off as they are.
        let left = |says: &dyn Fn(usize) -> f64, at: usize| -> f64 {
            let known = (0..self.off.len()).filter(|trial| self.off[*trial][at].is_finite());
            known.map(|trial| (self.off[trial][at] - says(trial)).abs()).sum()
        };
        let better: [bool; PARAMETERS] = std::array::from_fn(|at| {
            let line = |trial: usize| if by_line[trial][at].is_nan() { 0.0 } else { by_line[trial][at] };
            // Networks that went astray are nowhere nearer.
            by_networks.as_ref().is_some_and(|says| left(&|trial| says[trial][at], at) < left(&line, at))
        });
        let networks = networks.filter(|_| better.contains(&true));
        let mut all = vec![[f64::NAN; PARAMETERS]; self.trials];
        for (place, nth) in self.ended.iter().enumerate() {
            all[*nth] = std::array::from_fn(|at| match &by_networks {
                Some(says) if better[at] => says[place][at],
                _ => by_line[place][at],
            });
        }
        (Adjustment { linear, networks, by_networks: better }, all)
    }
}

impl Networks {
    /// The mean of what some members say.
    fn say(&self, evidence: &Evidence, members: &[Member]) -> [f64; PARAMETERS] {
        let numbers = self.scales.numbers(evidence);
        let said: Vec<[f64; PARAMETERS]> = members.iter().map(|member| member.says(&numbers)).collect();
        let mean = std::array::from_fn(|at| said.iter().map(|said| said[at]).sum::<f64>() / said.len() as f64);
        self.scales.off(&mean)
    }
}

impl Adjustment {
    /// How far the parameters of a retrieval of `depths`, `[w]`, of which points with an `observed` of 1 are known, are off, NaN where it
    /// says nothing: of a fit that ended nowhere, or of a parameter of which nothing was learned.
    pub fn says(&self, depths: &[f32], observed: &[f32], posterior: &Posterior) -> [f64; PARAMETERS] {
        let evidence = Evidence::of(depths, observed, posterior);
        if !evidence.is_finite() {
            return [f64::NAN; PARAMETERS];
        }
        let by_line = self.linear.says(&evidence);
        let Some(networks) = &self.networks else { return by_line };
        let by_networks = networks.say(&evidence, &networks.members);
        std::array::from_fn(|at| if self.by_networks[at] { by_networks[at] } else { by_line[at] })
    }

    /// Which parameters the networks know better.
    pub fn by_networks(&self) -> [bool; PARAMETERS] {
        self.by_networks
    }
}

/// How far restarts are to be moved so that their median, each weighing by `correlated`, comes to where the restart that stands for all
/// would lie if it were not `off`; within the parameter's range. They stay where that is not known.
pub fn shift(posterior: &Posterior, off: &[f64; PARAMETERS], correlated: f64) -> [f32; PARAMETERS] {
    let weights = posterior.weights(correlated);
    std::array::from_fn(|at| {
        let values: Vec<f32> = posterior.parameters.iter().map(|parameters| parameters[at]).collect();
        let [median] = weighted::percentiles(&values, &weights, [0.5]);
        let median = f64::from(median);
        let reference = f64::from(posterior.parameters[posterior.reference][at]);
        let (low, high) = QUANTITIES[at].range;
        let shift = (reference + off[at]).clamp(low.min(reference), high.max(reference)) - median;
        if shift.is_finite() { shift as f32 } else { 0.0 }
    })
}
