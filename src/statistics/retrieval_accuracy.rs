//! How far retrieved parameters lie from the truth, and the table that was published for `ExoGAN`.
//!
//! Shapes: n = objects.

use serde::{Deserialize, Serialize};

use super::number;

/// What was retrieved of one parameter of one object, and what is true; NaN where the truth is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "they are percentiles")]
pub struct Retrieved {
    /// What is true.
    pub truth: f64,
    pub p2_5: f64,
    pub p16: f64,
    pub median: f64,
    pub p84: f64,
    pub p97_5: f64,
}

/// Errors of one parameter's medians, over the objects whose truth is known, in the parameter's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalAccuracy {
    /// n: objects whose truth is known.
    pub objects: u64,
    /// Objects whose truth is not known, left out.
    pub unknown: u64,
    /// Mean of |median - truth|.
    #[serde(with = "number::one")]
    pub mean_absolute_error: f64,
    /// Mean of median - truth.
    #[serde(with = "number::one")]
    pub bias: f64,
    /// Root of the mean of (median - truth)^2.
    #[serde(with = "number::one")]
    pub rms_error: f64,
    /// A at 0, 1 and 2 sigma as its formula says it: an error, that falls as sigma grows.
    #[serde(with = "number::three")]
    pub a_error: [f64; 3],
    /// 1 - that: what the published table must hold, since it rises with sigma.
    #[serde(with = "number::three")]
    pub a_accuracy: [f64; 3],
}

/// Accuracy of one parameter.
///
/// A = (1/n) sum (median - truth)^2 / (truth^2 + sigma^2), with sigma half of the interval from 16 to 84 %, times 0, 1 and 2
/// (slides on `ExoGAN` of the `ARIEL` meeting). Squares are relative to the truth's own size, so A hangs on the zero of the
/// unit: decimal logarithms of mixing ratios are taken as they are.
pub fn retrieval_accuracy(retrieved: &[Retrieved]) -> RetrievalAccuracy {
    let known: Vec<&Retrieved> = retrieved.iter().filter(|one| !one.truth.is_nan()).collect();
    let mean = |term: &dyn Fn(&Retrieved) -> f64| known.iter().map(|one| term(one)).sum::<f64>() / known.len() as f64;
    let a_error = [0.0, 1.0, 2.0].map(|sigmas| {
        mean(&|one| {
            let sigma = sigmas * (one.p84 - one.p16) / 2.0;
            (one.median - one.truth).powi(2) / (one.truth.powi(2) + sigma.powi(2))
        })
    });
    RetrievalAccuracy {
        objects: known.len() as u64,
        unknown: (retrieved.len() - known.len()) as u64,
        mean_absolute_error: mean(&|one| (one.median - one.truth).abs()),
        bias: mean(&|one| one.median - one.truth),
        rms_error: mean(&|one| (one.median - one.truth).powi(2)).sqrt(),
        a_error,
        a_accuracy: a_error.map(|error| 1.0 - error),
    }
}

/// What was published for one parameter of `ExoGAN`: accuracies at 0, 1 and 2 sigma, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The parameter's name, as in datasets.
    pub name: &'static str,
    /// On spectra that it was trained on.
    pub train: [f64; 3],
    /// On spectra that it was not trained on.
    pub test: [f64; 3],
}

/// The table of the talk on `ExoGAN` (Zingales & Waldmann 2018, arXiv 1806.02906, as shown at the `ARIEL` meeting).
pub const PUBLISHED: [Published; 7] = [
    Published { name: "log10_h2o", train: [86.3, 92.9, 94.8], test: [89.6, 92.8, 93.9] },
    Published { name: "log10_co2", train: [93.7, 96.4, 97.3], test: [94.2, 96.6, 97.4] },
    Published { name: "log10_co", train: [64.4, 74.9, 80.8], test: [62.8, 72.6, 78.2] },
    Published { name: "log10_ch4", train: [80.3, 88.4, 91.9], test: [80.3, 88.2, 91.6] },
    Published { name: "planet_mass", train: [88.8, 90.5, 91.6], test: [88.0, 89.7, 90.8] },
    Published { name: "planet_radius", train: [99.8, 99.8, 99.8], test: [100.0, 100.0, 100.0] },
    Published { name: "temperature", train: [89.4, 91.9, 93.1], test: [90.4, 92.2, 93.2] },
];

/// What was published for a parameter of this name.
pub fn published(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|row| row.name == name)
}
