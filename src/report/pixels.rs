//! Correlation of pixel pairs, and what each pixel does over maps.

use maud::{Markup, html};

use super::agreement::{NO_COMPARISON, band, legend, line};
use super::colour::ColourScale;
use super::figure::{Axis, Figure, Mark, Panel, Scale};
use super::inputs::ReportInputs;
use super::picture::{colour_bar, grid};
use super::words::{missing, number};
use crate::statistics::Comparison;

/// The correlation figure beside mean and variance maps.
pub fn pixels(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.comparison else { return missing(NO_COMPARISON) };
    html! {
        div.pair { (correlation(found)) div.moments { (moments(inputs, found)) } }
    }
}

fn correlation(found: &Comparison) -> Markup {
    let (reference, generated, floor) = (&found.reference, &found.generated, &found.floor);
    let lags: Vec<f64> = (0..reference.correlation.mean.len()).map(|lag| lag as f64).collect();
    let difference =
        |a: &[f64]| -> Vec<f64> { a.iter().zip(&reference.correlation.mean).map(|(a, b)| a - b).collect() };
    let (ours, theirs) = (difference(&generated.correlation.mean), difference(&floor.correlation.mean));
    let reach = ours.iter().chain(&theirs).map(|x| x.abs()).filter(|x| x.is_finite()).fold(1e-3, f64::max);
    let last = lags.len().max(2) as f64 - 1.0;
    let shown = [&reference.correlation, &generated.correlation];
    let ends = shown.iter().flat_map(|band| {
        band.mean
            .iter()
            .zip(&band.spread)
            .flat_map(|(mean, spread)| [(mean - spread).max(-1.0), (mean + spread).min(1.6)])
    });
    Figure {
        title: "Correlation of pixel pairs".into(),
        legend: legend(found),
        wide: false,
        x: Axis::between("lag along rows and columns, px", Scale::Linear, 0.0, last),
        panels: vec![
            Panel {
                height: 220.0,
                y: Axis::around("correlation", Scale::Linear, ends),
                marks: vec![
                    Mark::Level { y: 0.0 },
                    band("reference", &lags, &reference.correlation),
                    line("reference", &lags, &reference.correlation.mean),
                    line("generated", &lags, &generated.correlation.mean),
                ],
            },
            Panel {
                height: 100.0,
                y: Axis::between("difference", Scale::Linear, -1.15 * reach, 1.15 * reach),
                marks: vec![Mark::Level { y: 0.0 }, line("floor", &lags, &theirs), line("generated", &lags, &ours)],
            },
        ],
        caption: html! {
            "Pairs along rows and columns, maps not taken as periodic, over the variance of the set; the band is one standard
             deviation over real maps. Largest difference: generated " strong { (number(found.generated_distance.correlation_worst)) }
            ", floor " (number(found.floor_distance.correlation_worst)) "."
        },
    }
    .render()
}

fn moments(inputs: &ReportInputs, found: &Comparison) -> Markup {
    let unit = if inputs.unit.is_empty() { "pixel value" } else { &inputs.unit };
    let sets = [&found.reference.pixels, &found.generated.pixels];
    html! {
        (kind("Mean map", unit, sets.map(|set| set.mean.as_slice()), found.side))
        (kind("Variance map", &format!("{unit}\u{b2}"), sets.map(|set| set.variance.as_slice()), found.side))
        p.note { "Each pixel over all maps of its set. Real maps have no preferred place: structure that repeats on the right and not
            on the left is the network\u{2019}s own." }
    }
}

fn kind(title: &str, label: &str, [reference, generated]: [&[f64]; 2], side: usize) -> Markup {
    let scale = ColourScale::of(reference.iter().chain(generated).copied(), 0.002);
    html! {
        figure {
            div.title { (title) }
            div.twins {
                @for (name, map) in [("real", reference), ("generated", generated)] {
                    div {
                        @if map.len() == side * side && side > 0 {
                            (grid(map, side, 1, scale, &format!("{title}, {name}")))
                        } @else {
                            (missing("not recorded"))
                        }
                        div.under { (name) }
                    }
                }
            }
            (colour_bar(scale, label))
        }
    }
}
