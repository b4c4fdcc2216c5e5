//! What the report of a run shows of retrievals: how far parameters are from the truth, whether intervals keep their promise,
//! examples.

pub mod examples;

mod accuracy;
mod calibration;
mod path;
mod spectrum;

use serde::Deserialize;

use self::examples::{ExampleObject, ExampleParameter, RetrievalExamples};
use super::evaluate::Compared;
use crate::family::{AssessError, RunFolder};
use crate::report::corner::{Corner, Quantity, Sample};
use crate::report::{Block, FamilyReport, Section};
use crate::statistics::RetrievalStatistics;

/// What stands in the place of a comparison with the truth.
const NO_STATISTICS: &str = "Retrieved parameters have not been compared with true ones in this run.";

/// What the folder of a run holds of a retrieval; each may be missing.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Retrieved parameters against true ones.
    pub statistics: Option<RetrievalStatistics>,
    /// What was compared with what.
    pub compared: Option<Compared>,
    /// A few retrieved objects.
    pub examples: Option<RetrievalExamples>,
}

/// What `table.statistics.json` says.
#[derive(Deserialize)]
struct Statistics {
    #[serde(flatten)]
    statistics: RetrievalStatistics,
    sets: Compared,
}

/// Statistics of the retrieval in a run.
const STATISTICS: &str = "retrieval/table.statistics.json";
/// Where the examples of that retrieval are.
const EXAMPLES: &str = "retrieval/table.examples.json";

/// What the folder of a run says of its retrieval.
pub fn report(run: &RunFolder) -> Result<FamilyReport, AssessError> {
    let found: Option<Statistics> = run.statistics(STATISTICS)?;
    let (statistics, compared) = found.map_or((None, None), |found| (Some(found.statistics), Some(found.sets)));
    let examples = run.json(EXAMPLES, "what `skyforge retrieve` writes")?;
    Ok(Findings { statistics, compared, examples }.report())
}

impl Findings {
    /// What they say, in blocks.
    pub fn report(mut self) -> FamilyReport {
        let mut notices = Vec::new();
        if self.examples.as_ref().is_some_and(|found| !found.fits()) {
            self.examples = None;
            notices.push(
                "The retrieved examples in this run are damaged: their arrays do not fit together, so they are left out."
                    .into(),
            );
        }
        let of_statistics = |blocks: fn(&RetrievalStatistics) -> Vec<Block>| match &self.statistics {
            Some(found) => blocks(found),
            None => vec![Block::missing(NO_STATISTICS)],
        };
        let mut sections = vec![
            Section::new("accuracy", "Accuracy of retrieved parameters", of_statistics(accuracy::accuracy)),
            Section::new("calibration", "Do intervals keep their promise?", of_statistics(calibration::calibration)),
        ];
        if let Some(RetrievalExamples { parameters, objects }) = &self.examples {
            sections.extend(objects.iter().zip(1..).map(|(object, number)| {
                Section::new(&format!("example-{number}"), object.title(), example(parameters, object))
            }));
        }
        let verdict = self.statistics.as_ref().map(accuracy::verdict);
        FamilyReport {
            verdict: verdict.unwrap_or_else(|| {
                "Retrieved parameters have not been compared with true ones in this run yet, so nothing is said of how good \
                 they are."
                    .into()
            }),
            compared: self.compared.as_ref().map(against).unwrap_or_default(),
            cards: self.statistics.as_ref().map(accuracy::cards).unwrap_or_default(),
            sections,
            notices,
        }
    }
}

/// What a retrieval was held against, in a line.
fn against(compared: &Compared) -> String {
    let records = match compared.split.as_str() {
        "all" => "all records".into(),
        split => format!("the split {split}"),
    };
    format!("Compared: retrieved parameters with the true ones of {records} of dataset {}.", compared.reference)
}

/// One object: data and fit, corner plot, the way there.
fn example(parameters: &[ExampleParameter], object: &ExampleObject) -> Vec<Block> {
    let quantities = parameters.iter().zip(&object.truth);
    let corner = Corner {
        title: "Samples of all parameters".into(),
        quantities: quantities
            .map(|(parameter, &truth)| Quantity { label: label(&parameter.name, &parameter.unit), truth })
            .collect(),
        samples: object
            .samples
            .iter()
            .map(|sample| Sample { weight: sample.weight, values: sample.parameters.clone() })
            .collect(),
        missing: "No samples of this object are in the examples.".into(),
    };
    let paths = if object.paths.is_empty() {
        Block::missing("No latent paths of this object are in the examples.")
    } else {
        path::paths(object)
    };
    vec![Block::Figure(spectrum::spectrum(object)), Block::Corner(corner), paths]
}

/// A parameter as it is written on axes and in tables.
fn symbol(name: &str) -> String {
    match name {
        "log10_h2o" => "log H\u{2082}O".into(),
        "log10_co2" => "log CO\u{2082}".into(),
        "log10_co" => "log CO".into(),
        "log10_ch4" => "log CH\u{2084}".into(),
        "planet_mass" => "mass".into(),
        "planet_radius" => "radius".into(),
        _ => name.replace('_', " "),
    }
}

/// A unit as it is written behind a number; nothing for a plain number.
fn unit(unit: &str) -> &str {
    if unit == "1" { "" } else { unit }
}

/// "log H2O (dex)".
fn label(name: &str, of: &str) -> String {
    let (symbol, unit) = (symbol(name), unit(of));
    if unit.is_empty() { symbol } else { format!("{symbol} ({unit})") }
}
