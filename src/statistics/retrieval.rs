//! A whole retrieval against the truth: what `evaluate` writes and the report shows.

use serde::{Deserialize, Serialize};

use super::coverage::{Coverage, Ranks, coverage};
use super::number;
use super::retrieval_accuracy::{RetrievalAccuracy, Retrieved, retrieval_accuracy};

/// Everything measured on a retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalStatistics {
    /// Objects that were compared.
    pub objects: u64,
    /// A row a parameter.
    pub parameters: Vec<ParameterStatistics>,
    /// How the fits went.
    pub fits: Fits,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterStatistics {
    /// Its name, as in datasets.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Errors of its medians.
    pub accuracy: RetrievalAccuracy,
    /// Of its intervals of 68 and 95 %, where it was asked for.
    #[serde(default)]
    pub coverage: Option<[Coverage; 2]>,
    /// Of its truths among the samples, where it was asked for and there are samples.
    #[serde(default)]
    pub ranks: Option<Ranks>,
}

/// How the fits of a retrieval went, over objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fits {
    /// Median of the best chi-square over the number of observed points.
    #[serde(with = "number::one")]
    pub chi_square_per_point: f64,
    /// Mean share of restarts that agree with the best.
    #[serde(with = "number::one")]
    pub restart_agreement: f64,
    /// Median of the samples that count.
    #[serde(with = "number::one")]
    pub effective_samples: f64,
    /// Share of objects at or beyond the edge of what was learned.
    #[serde(with = "number::one")]
    pub out_of_range: f64,
    /// Mean steps of an object's fits.
    #[serde(with = "number::one")]
    pub iterations: f64,
}

impl ParameterStatistics {
    /// What is measured on one parameter of all objects; coverage only where it is `asked` for.
    pub fn of(name: &str, unit: &str, retrieved: &[Retrieved], asked: bool, ranks: Option<Vec<f64>>) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            accuracy: retrieval_accuracy(retrieved),
            coverage: asked.then(|| coverage(retrieved)),
            ranks: ranks.map(Ranks::of),
        }
    }
}

/// The middle of numbers, NaN of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => numbers[n / 2],
        n => f64::midpoint(numbers[n / 2 - 1], numbers[n / 2]),
    }
}
