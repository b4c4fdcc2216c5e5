//! What a report is made of. Everything but the name may be missing.

use serde_json::{Map, Value};

use super::examples::RetrievalExamples;
use crate::statistics::{Comparison, RetrievalStatistics};

/// A run, as its folder tells it.
#[derive(Clone, Debug, Default)]
pub struct ReportInputs {
    /// Name of the run.
    pub run: String,
    /// What was trained, in a line: "maps GAN, 64 px, width 64, non saturating loss".
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
    /// What the maps were held against, as it is to be read in a sentence; "held-back maps" where it is empty.
    pub reference_name: String,
    /// Which maps were compared with which, in a line. Empty where unknown.
    pub compared: String,
    /// Generated maps against reference ones.
    pub comparison: Option<Comparison>,
    /// A few generated maps.
    pub generated: Option<ExampleMaps>,
    /// A few maps that were not trained on.
    pub reference: Option<ExampleMaps>,
    /// Retrieved parameters against true ones.
    pub retrieval: Option<RetrievalStatistics>,
    /// A few retrieved objects.
    pub examples: Option<RetrievalExamples>,
}

impl ReportInputs {
    /// Whether parameters were retrieved and no maps were compared: the page then says nothing of maps.
    pub fn is_of_retrieval(&self) -> bool {
        (self.retrieval.is_some() || self.examples.is_some()) && self.comparison.is_none()
    }

    /// What the maps were held against.
    pub fn reference_name(&self) -> &str {
        if self.reference_name.is_empty() { "held-back maps" } else { &self.reference_name }
    }
}

/// Maps to look at, in physical units.
#[derive(Clone, Debug, Default)]
pub struct ExampleMaps {
    /// `[n, side, side]`; numbers that are not finite are left blank.
    pub pixels: Vec<f32>,
    /// Pixels along an edge.
    pub side: usize,
}
