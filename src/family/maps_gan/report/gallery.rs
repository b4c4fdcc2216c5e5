//! Real and generated maps side by side, on one colour scale.

use super::{Findings, pixel_value};
use crate::family::run_folder::Examples;
use crate::report::{Block, ImageGrid, ImagePanel};

/// A grid of each, or a line for what is missing.
pub fn examples(findings: &Findings, unit: &str) -> Block {
    let reference = findings.reference.as_ref().and_then(Examples::maps);
    let generated = findings.generated.as_ref().and_then(Examples::maps);
    if reference.is_none() && generated.is_none() {
        return Block::missing("No example maps are in this run.");
    }
    Block::Images(ImageGrid {
        title: String::new(),
        panels: vec![
            // The scale of the real ones serves both, so that a generator's excess or lack of range shows.
            ImagePanel { scales: true, ..panel(&format!("Real: {}", findings.reference_name()), "real", reference) },
            panel("Generated", "generated", generated),
        ],
        label: format!("{}; one scale for both", pixel_value(unit)),
    })
}

fn panel(title: &str, what: &str, maps: Option<(Vec<f64>, usize)>) -> ImagePanel {
    let (pixels, side) = maps.unwrap_or_default();
    ImagePanel {
        name: title.into(),
        describe: format!("{what} maps of {side} by {side} pixels"),
        missing: format!("No {what} example maps are in this run."),
        pixels,
        side,
        scales: false,
    }
}
