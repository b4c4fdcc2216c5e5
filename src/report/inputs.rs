//! What a report is made of. Everything but the name may be missing.

use serde_json::{Map, Value};

use crate::statistics::Comparison;

/// A run, as its folder tells it.
#[derive(Clone, Debug, Default)]
pub struct ReportInputs {
    /// Name of the run.
    pub run: String,
    /// What was trained, in a line: "DCGAN, 64 px, non-saturating, 4.9 M parameters".
    pub subject: String,
    /// How it ended, in a line: "finished at step 4,000". Empty where unknown.
    pub outcome: String,
    /// Unit of a pixel: "convergence". Empty where unknown.
    pub unit: String,
    /// The configuration, as text.
    pub config: String,
    /// What made the run, in the order to show: revision, versions, seed, ranks, checksum of the data.
    pub provenance: Vec<(String, String)>,
    /// Rows of `metrics.jsonl`, in the order of steps.
    pub metrics: Vec<Map<String, Value>>,
    /// Wall times that the metrics do not hold, in the order to show.
    pub timings: Vec<(String, String)>,
    /// Generated against held-back maps.
    pub comparison: Option<Comparison>,
    /// A few generated maps.
    pub generated: Option<ExampleMaps>,
    /// A few maps that were not trained on.
    pub reference: Option<ExampleMaps>,
}

/// Maps to look at, in physical units.
#[derive(Clone, Debug, Default)]
pub struct ExampleMaps {
    /// `[n, side, side]`; numbers that are not finite are left blank.
    pub pixels: Vec<f32>,
    /// Pixels along an edge.
    pub side: usize,
}
