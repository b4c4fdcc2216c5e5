//! What the report of a run shows of restored maps: pictures, errors, and what is lost at each scale.

use serde::Deserialize;

use super::evaluate::{RestorationStatistics, Sets};
use super::validation::SCORES;
use crate::family::run_folder::{Examples, Target};
use crate::family::{AssessError, RunFolder};
use crate::report::words::{count, number, percent, unit_or};
use crate::report::{
    Axis, Block, Card, Column, FamilyReport, Figure, ImageGrid, ImagePanel, Mark, Panel, Scale, Section, Table, Text,
    Tint,
};

/// What stands in the place of a comparison.
const NOT_COMPARED: &str = "Restored maps have not been compared with their originals in this run.";

/// What `statistics.json` says.
#[derive(Deserialize)]
struct Statistics {
    #[serde(flatten)]
    found: RestorationStatistics,
    sets: Sets,
}

/// What the folder of a run says of its restored maps.
pub(super) fn report(run: &RunFolder) -> Result<FamilyReport, AssessError> {
    let statistics: Option<Statistics> = run.statistics("statistics.json")?;
    let (originals, restored) = (run.examples("original")?, run.examples("restored")?);
    let unit = statistics.as_ref().map(|found| found.sets.unit.clone()).unwrap_or_default();
    let images = images(originals.as_ref(), restored.as_ref(), unit_or(&unit, "pixel value"));
    let mut sections = vec![Section::new("restored", "Original and restored maps", images)];
    let Some(Statistics { found, sets }) = statistics else {
        sections.push(Section::new("errors", "Errors", vec![Block::missing(NOT_COMPARED)]));
        let verdict = format!("{NOT_COMPARED} Nothing is said of how good they are.");
        return Ok(FamilyReport { verdict, sections, ..FamilyReport::default() });
    };
    sections.push(Section::half("errors", "Errors", vec![Block::Table(errors(&found, &unit))]));
    sections.push(Section::half("scales", "What is lost at each scale", vec![Block::Figure(scales(&found))]));
    let origin = match (sets.step, &sets.checkpoint) {
        (Some(step), Some(checkpoint)) => format!("restored after step {step} ({checkpoint})"),
        _ => format!("of dataset {}", sets.restored),
    };
    Ok(FamilyReport {
        verdict: verdict(&found, &sets),
        compared: format!(
            "Compared: {} {origin} with the split {} of dataset {}.",
            sets.records, sets.split, sets.reference
        ),
        cards: cards(&found, &unit, run.target(&SCORES[0])),
        sections,
        notices: Vec::new(),
    })
}

fn verdict(found: &RestorationStatistics, sets: &Sets) -> String {
    format!(
        "Pixels of {} restored {} differ from their originals by {} of the variance of all pixels; the mean of each original \
         in their place would differ by {}.",
        count(found.maps),
        sets.records,
        percent(found.relative_error),
        percent(found.relative_error_of_means)
    )
}

/// - `target`: what `validation.targets` asks of the error; judged here in the unit of the pixels
fn cards(found: &RestorationStatistics, unit: &str, target: Option<Target>) -> Vec<Card> {
    let judged = target.map(|target| {
        let state = if target.met(found.relative_error) { "met" } else { "missed" };
        format!(" \u{b7} target {}: {state}", percent(target.value))
    });
    let unit = if unit == "1" { "" } else { unit };
    let half = found.wavenumber.iter().zip(&found.lost_power).find(|(_, lost)| **lost > 0.5);
    vec![
        Card {
            name: "Squared error over variance".into(),
            figure: percent(found.relative_error),
            unit: String::new(),
            beside: format!(
                "mean of each original {}{}",
                percent(found.relative_error_of_means),
                judged.unwrap_or_default()
            ),
        },
        Card {
            name: "RMS error of a pixel".into(),
            figure: number(found.rms_error),
            unit: unit.into(),
            beside: format!("bias {} \u{b7} deviation of originals {}", number(found.bias), number(found.deviation)),
        },
        Card {
            name: "Half of the power is lost from".into(),
            figure: half.map_or_else(|| "nowhere".into(), |(k, _)| format!("k = {k}")),
            unit: String::new(),
            beside: format!("of {} wavenumbers", found.wavenumber.len()),
        },
    ]
}

/// Originals and restored maps on one colour scale, and their differences on another.
fn images(originals: Option<&Examples>, restored: Option<&Examples>, label: &str) -> Vec<Block> {
    let [original, made] = [originals, restored].map(|maps| maps.and_then(Examples::maps));
    let Some((left, side)) = original else {
        return vec![Block::missing("No original and restored maps are in this run.")];
    };
    let right = made.map(|(pixels, _)| pixels).unwrap_or_default();
    let difference = right.iter().zip(&left).map(|(made, original)| made - original).collect();
    let panel = |name: &str, what: &str, pixels: Vec<f64>, scales: bool| ImagePanel {
        name: name.into(),
        describe: format!("{what} of {side} by {side} pixels"),
        missing: format!("No {what} are in this run."),
        pixels,
        side,
        scales,
    };
    let grid = |title: &str, panels: Vec<ImagePanel>, label: String| {
        Block::Images(ImageGrid { title: title.into(), panels, label })
    };
    vec![
        grid(
            "",
            vec![panel("Originals", "original maps", left, true), panel("Restored", "restored maps", right, false)],
            format!("{label}; one scale for both"),
        ),
        grid(
            "Restored minus original",
            vec![panel("", "differences", difference, true)],
            format!("{label}; a scale of its own"),
        ),
    ]
}

fn errors(found: &RestorationStatistics, unit: &str) -> Table {
    let head = if unit == "1" || unit.is_empty() { "Value".into() } else { format!("Value ({unit})") };
    let rows: [(&str, String); 5] = [
        ("Mean squared error over the variance of all pixels", percent(found.relative_error)),
        ("The same of the mean of each original", percent(found.relative_error_of_means)),
        ("RMS error of a pixel", number(found.rms_error)),
        ("Mean of restored minus original", number(found.bias)),
        ("Standard deviation of the pixels of all originals", number(found.deviation)),
    ];
    Table {
        columns: vec![Column::words("Measure"), Column::numbers(head)],
        rows: rows.map(|(name, value)| vec![name.into(), value.into()]).to_vec(),
        wide: false,
    }
}

fn scales(found: &RestorationStatistics) -> Figure {
    let k = &found.wavenumber;
    let top = found.lost_power.iter().copied().filter(|lost| lost.is_finite()).fold(1.0, f64::max);
    Figure {
        title: "Power of restored minus original over the power of originals".into(),
        legend: vec![(Tint::Generated, format!("restored ({})", count(found.maps)))],
        wide: false,
        x: Axis::between("wavenumber k, in units of the fundamental", Scale::Logarithmic, 1.0, k.len().max(2) as f64),
        panels: vec![Panel {
            height: 250.0,
            y: Axis::between("share of the power that is lost", Scale::Linear, 0.0, 1.05 * top),
            marks: vec![
                Mark::Level { y: 1.0 },
                Mark::Line { tint: Tint::Generated, x: k.clone(), y: found.lost_power.clone() },
            ],
        }],
        caption: Text::from(
            "0 where a scale is kept as it was, 1 where nothing of it is: the mean of each original in its place. \
             |FFT|\u{b2} averaged over k \u{2264} |k| < k+1, over all maps.",
        ),
    }
}
