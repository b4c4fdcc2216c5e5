//! The sections of a retrieval: how far parameters are from the truth, whether intervals keep their promise, examples.

mod accuracy;
mod calibration;
mod contour;
mod corner;
mod path;
mod spectrum;

use maud::{Markup, html};

pub use accuracy::{accuracy, cards, verdict};
pub use calibration::calibration;

use super::examples::{ExampleObject, ExampleParameter};
use super::words::missing;

/// One object: data and fit, corner plot, the way there.
pub fn example(parameters: &[ExampleParameter], object: &ExampleObject) -> Markup {
    html! {
        (spectrum::spectrum(object))
        @if object.samples.iter().any(|sample| sample.weight > 0.0) {
            (corner::corner(parameters, object))
        } @else {
            (missing("No samples of this object are in the examples."))
        }
        @if object.paths.is_empty() {
            (missing("No latent paths of this object are in the examples."))
        } @else {
            (path::paths(object))
        }
    }
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
