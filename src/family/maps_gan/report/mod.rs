//! What the report of a run shows of generated maps: pictures, power spectrum, histogram, tests, correlation, distances.

mod agreement;
mod gallery;
mod headline;
mod pixels;
mod tests_table;

use serde::Deserialize;

use super::evaluate::Sets;
use super::validation::SCORES;
use crate::family::run_folder::{Examples, Target};
use crate::family::{AssessError, RunFolder};
use crate::report::words::unit_or;
use crate::report::{Block, FamilyReport, Section};
use crate::statistics::Comparison;

/// What stands in the place of a comparison.
const NO_COMPARISON: &str = "Generated maps have not been compared with held-back ones in this run.";

/// What the folder of a run holds of maps; each may be missing.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Generated maps against reference ones.
    pub comparison: Option<Comparison>,
    /// Which sets were compared.
    pub sets: Option<Sets>,
    /// A few generated maps.
    pub generated: Option<Examples>,
    /// A few maps that were not trained on.
    pub reference: Option<Examples>,
    /// What is asked of the score `spectrum_error`.
    pub spectrum_target: Option<Target>,
    /// What is asked of the score `variance_error`.
    pub variance_target: Option<Target>,
}

/// What `statistics.json` says.
#[derive(Deserialize)]
struct Statistics {
    #[serde(flatten)]
    comparison: Comparison,
    sets: Sets,
}

/// What the folder of a run says of its maps.
pub fn report(run: &RunFolder) -> Result<FamilyReport, AssessError> {
    let statistics: Option<Statistics> = run.statistics("statistics.json")?;
    let (comparison, sets) = statistics.map_or((None, None), |found| (Some(found.comparison), Some(found.sets)));
    let [spectrum_target, variance_target] = SCORES.map(|score| run.target(&score));
    let (generated, reference) = (run.examples("generated")?, run.examples("reference")?);
    Ok(Findings { comparison, sets, generated, reference, spectrum_target, variance_target }.report())
}

impl Findings {
    /// What they say, in blocks.
    pub fn report(mut self) -> FamilyReport {
        let mut notices = Vec::new();
        if self.comparison.as_ref().is_some_and(|found| !found.fits()) {
            self.comparison = None;
            notices.push(
                "The comparison in this run is damaged: its arrays do not fit together, so it is left out.".into(),
            );
        }
        let unit = self.unit();
        let of_comparison = |blocks: &dyn Fn(&Comparison) -> Vec<Block>| match &self.comparison {
            Some(found) => blocks(found),
            None => vec![Block::missing(NO_COMPARISON)],
        };
        let target = self.spectrum_target;
        let sections = vec![
            Section::new("maps", "Real and generated maps", vec![gallery::examples(&self, unit)]),
            Section::half(
                "spectrum",
                "Power spectrum",
                of_comparison(&|found| vec![Block::Figure(agreement::spectrum(found, unit, target))]),
            ),
            Section::half(
                "histogram",
                "Pixel histogram",
                of_comparison(&|found| vec![Block::Figure(agreement::histogram(found, unit))]),
            ),
            Section::new(
                "tests",
                "Kolmogorov\u{2013}Smirnov tests",
                of_comparison(&|found| vec![tests_table::tests(found)]),
            ),
            Section::new(
                "pixels",
                "Correlation, mean and variance of pixels",
                of_comparison(&|found| vec![pixels::pixels(found, unit)]),
            ),
            Section::new("distances", "All distances", of_comparison(&agreement::distances)),
        ];
        FamilyReport {
            verdict: headline::verdict(&self),
            compared: self.sets.as_ref().map(headline::compared).unwrap_or_default(),
            cards: headline::cards(&self),
            sections,
            notices,
        }
    }

    /// Unit of a pixel, as the manifest of the maps has it; empty where unknown.
    fn unit(&self) -> &str {
        let compared = self.sets.as_ref().map(|sets| sets.unit.as_str()).filter(|unit| !unit.is_empty());
        let shown = || self.reference.as_ref().or(self.generated.as_ref()).map(|maps| maps.modality.unit.as_str());
        compared.or_else(shown).unwrap_or_default()
    }

    /// What the maps were held against, in words.
    fn reference_name(&self) -> String {
        match self.sets.as_ref().map(|sets| sets.split.as_str()) {
            None | Some("test") => "held-back maps".into(),
            Some("all") => "all maps of the reference".into(),
            Some(split) => format!("maps of the split {split}"),
        }
    }
}

/// What a pixel is, for an axis: its unit, where it has one.
fn pixel_value(unit: &str) -> &str {
    unit_or(unit, "pixel value")
}
