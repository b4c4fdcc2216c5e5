//! Real and generated maps side by side, on one colour scale.

use maud::{Markup, html};

use super::colour::ColourScale;
use super::inputs::{ExampleMaps, ReportInputs};
use super::picture::{colour_bar, grid};
use super::words::missing;

/// A grid of each, or a line for what is missing.
pub fn examples(inputs: &ReportInputs) -> Markup {
    let reference = whole(inputs.reference.as_ref());
    let generated = whole(inputs.generated.as_ref());
    if reference.is_none() && generated.is_none() {
        return missing("No example maps are in this run.");
    }
    // The scale of the real ones serves both, so that a generator's excess or lack of range shows.
    let of_scale = reference.or(generated).map(|maps| maps.pixels.as_slice()).unwrap_or_default();
    let scale = ColourScale::of(of_scale.iter().map(|&x| f64::from(x)), 0.002);
    let label = if inputs.unit.is_empty() { "pixel value" } else { &inputs.unit };
    html! {
        div.pair.maps {
            (one(&format!("Real: {}", inputs.reference_name()), "real", reference, scale))
            (one("Generated", "generated", generated, scale))
        }
        (colour_bar(scale, &format!("{label}; one scale for both")))
    }
}

/// Maps that are there, with at least one of the size they say.
fn whole(maps: Option<&ExampleMaps>) -> Option<&ExampleMaps> {
    maps.filter(|maps| maps.side > 0 && maps.pixels.len() >= maps.side * maps.side)
}

fn one(title: &str, what: &str, maps: Option<&ExampleMaps>, scale: ColourScale) -> Markup {
    let Some(maps) = maps else {
        return html! { figure { div.title { (title) } (missing(&format!("No {what} example maps are in this run."))) } };
    };
    let columns = match maps.side {
        0..=128 => 4,
        129..=256 => 3,
        _ => 2,
    };
    let pixels = maps.side * maps.side;
    let shown = (maps.pixels.len() / pixels).min(columns * columns);
    let values: Vec<f64> = maps.pixels[..shown * pixels].iter().map(|&x| f64::from(x)).collect();
    let describe = format!("{shown} {what} maps of {side} by {side} pixels", side = maps.side);
    html! {
        figure { div.title { (title) } (grid(&values, maps.side, columns, scale, &describe)) }
    }
}
