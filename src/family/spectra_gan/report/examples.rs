//! `retrieval/table.examples.json` of a run: a few retrieved objects with all that their figures need.
//!
//! Numbers that are none are null. Shapes: n = points, p = parameters, i = iterations that were kept.

use serde::{Deserialize, Serialize};

use crate::statistics::number;

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalExamples {
    /// What was retrieved, `[p]`: seven for `ExoGAN`.
    pub parameters: Vec<ExampleParameter>,
    /// The objects, in the order to show.
    pub objects: Vec<ExampleObject>,
}

/// One parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleParameter {
    /// Its name, as in datasets.
    pub name: String,
    /// Its unit, "1" for none.
    pub unit: String,
}

/// One object: its spectrum, the fit to it, the samples and how they came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleObject {
    /// The object's name in its dataset.
    pub id: u64,
    /// What to call it; "object ID" where it is empty.
    #[serde(default)]
    pub title: String,
    /// Centres of the bins, ascending or descending, `[n]`.
    pub wavelength_um: Vec<f64>,
    /// (Rp/Rs)^2 as it was observed, `[n]`.
    #[serde(with = "number::many")]
    pub depth: Vec<f64>,
    /// One standard deviation of it, `[n]`.
    #[serde(with = "number::many")]
    pub error: Vec<f64>,
    /// Whether the point was observed, and entered the fit, `[n]`.
    pub observed: Vec<bool>,
    /// Depth of the best restart, everywhere, `[n]`.
    #[serde(with = "number::many")]
    pub best_fit: Vec<f64>,
    /// Percentiles of the depth over the weighted samples, `[n]` each.
    #[serde(with = "number::many")]
    pub p2_5: Vec<f64>,
    /// 16 %.
    #[serde(with = "number::many")]
    pub p16: Vec<f64>,
    /// 84 %.
    #[serde(with = "number::many")]
    pub p84: Vec<f64>,
    /// 97.5 %.
    #[serde(with = "number::many")]
    pub p97_5: Vec<f64>,
    /// True parameters, `[p]`, null where unknown.
    #[serde(with = "number::many")]
    pub truth: Vec<f64>,
    /// Where the restarts ended.
    pub samples: Vec<ExampleSample>,
    /// How a few of them went.
    #[serde(default)]
    pub paths: Vec<LatentPath>,
}

/// One sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleSample {
    /// Its share, not negative; they need not add up to 1.
    pub weight: f64,
    /// Its parameters, `[p]`.
    pub parameters: Vec<f64>,
}

/// The way of one restart through latent space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentPath {
    /// Number of the restart, from 0.
    pub restart: u64,
    /// Iterations at which the rest was kept, ascending, `[i]`.
    pub iteration: Vec<u64>,
    /// Chi-square over the observed points, `[i]`.
    #[serde(with = "number::many")]
    pub chi_square: Vec<f64>,
    /// z along two directions, the same for all paths of an object, `[i]` each.
    #[serde(with = "number::many")]
    pub across: Vec<f64>,
    /// The second of them.
    #[serde(with = "number::many")]
    pub up: Vec<f64>,
}

impl RetrievalExamples {
    /// Whether all arrays fit together: the file may have been cut or edited.
    pub fn fits(&self) -> bool {
        self.objects.iter().all(|object| object.fits(self.parameters.len()))
    }
}

impl ExampleObject {
    /// What to call it.
    pub fn title(&self) -> String {
        if self.title.is_empty() { format!("Object {}", self.id) } else { self.title.clone() }
    }

    fn fits(&self, parameters: usize) -> bool {
        let points = self.wavelength_um.len();
        let of_points = [&self.depth, &self.error, &self.best_fit, &self.p2_5, &self.p16, &self.p84, &self.p97_5];
        let good = |sample: &ExampleSample| {
            sample.parameters.len() == parameters
                && sample.weight.is_finite()
                && sample.weight >= 0.0
                && sample.parameters.iter().all(|value| value.is_finite())
        };
        let kept = |path: &LatentPath| {
            let length = path.iteration.len();
            [&path.chi_square, &path.across, &path.up].iter().all(|numbers| numbers.len() == length)
        };
        points > 1
            && of_points.iter().all(|numbers| numbers.len() == points)
            && self.observed.len() == points
            && self.truth.len() == parameters
            && self.samples.iter().all(good)
            && self.paths.iter().all(kept)
    }
}
