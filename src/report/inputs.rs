//! What a report is made of. Everything but the name may be missing.

use serde_json::{Map, Value};

use super::block::FamilyReport;

/// A run, as its folder tells it.
#[derive(Clone, Debug, Default)]
pub struct ReportInputs {
    /// Name of the run.
    pub run: String,
    /// What was trained, in a line: "maps GAN, 64 px, width 64, non saturating loss".
    pub subject: String,
    /// How it ended, in a line: "finished at step 4,000". Empty where unknown.
    pub outcome: String,
    /// The configuration, as text.
    pub config: String,
    /// What made the run, in the order to show: revision, versions, seed, ranks, checksum of the data.
    pub provenance: Vec<(String, String)>,
    /// Rows of `metrics.jsonl`, in the order of steps.
    pub metrics: Vec<Map<String, Value>>,
    /// Wall times that the metrics do not hold, in the order to show.
    pub timings: Vec<(String, String)>,
    /// What the family of the model says of the run.
    pub family: FamilyReport,
}
