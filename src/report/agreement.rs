//! Power spectrum and pixel histogram of both sets, and the table of all distances beside the floor.

use maud::{Markup, html};

use super::figure::{Axis, Figure, Mark, Panel, Scale};
use super::headline::{TARGET, judged};
use super::inputs::ReportInputs;
use super::words::{count, missing, number, percent};
use crate::statistics::Comparison;
use crate::statistics::profiles::{Band, Scatter};

/// What stands in the place of a comparison.
pub const NO_COMPARISON: &str = "Generated maps have not been compared with held-back ones in this run.";

/// Mean and spread of both spectra, and the ratio of their means.
pub fn spectrum(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.comparison else { return missing(NO_COMPARISON) };
    let k = &found.wavenumber;
    let (reference, generated) = (&found.reference.spectrum, &found.generated.spectrum);
    let (ours, floor) = (&found.generated_distance, &found.floor_distance);
    let means = reference.mean.iter().chain(&generated.mean).copied();
    let tops = edges(reference, 1.0).into_iter().chain(edges(generated, 1.0));
    let label = match found.settings.side_deg {
        Some(width) => format!("wavenumber k (multipole is {} k)", (3600.0 / width).round() / 10.0),
        None => "wavenumber k, in units of the fundamental".into(),
    };
    let reach = ours.spectrum_ratio.iter().map(|x| (x - 1.0).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let half = (1.1 * reach).clamp(0.3, 1.0);
    let judged_ends =
        [found.judged_wavenumbers.start as f64, found.judged_wavenumbers.end as f64, 1.0 - TARGET, 1.0 + TARGET];
    let power =
        if inputs.unit.is_empty() { "power per mode".into() } else { format!("power, {}\u{b2} px\u{b2}", inputs.unit) };
    Figure {
        title: "Mean over maps, with one standard deviation".into(),
        legend: legend(found),
        wide: false,
        x: Axis::between(&label, Scale::Logarithmic, 1.0, k.len() as f64),
        panels: vec![
            Panel {
                height: 250.0,
                y: Axis::around(&power, Scale::Logarithmic, means.chain(tops)),
                marks: vec![
                    band("reference", k, reference),
                    band("generated", k, generated),
                    line("reference", k, &reference.mean),
                    line("generated", k, &generated.mean),
                ],
            },
            Panel {
                height: 130.0,
                y: Axis::between("ratio of means", Scale::Linear, 1.0 - half, 1.0 + half),
                marks: vec![
                    Mark::Zone { class: "target", ends: judged_ends },
                    Mark::Level { y: 1.0 },
                    line("floor", k, &floor.spectrum_ratio),
                    line("generated", k, &ours.spectrum_ratio),
                ],
            },
        ],
        caption: html! {
            "Largest departure from 1 over " (judged(found)) " (shaded, \u{b1}20 %): generated "
            strong { (percent(ours.spectrum_worst)) } " at k = " (ours.spectrum_worst_k) ", floor "
            (percent(floor.spectrum_worst)) " at k = " (floor.spectrum_worst_k)
            ". |FFT|\u{b2} over the number of pixels, averaged over k \u{2264} |k| < k+1."
        },
    }
    .render()
}

/// Densities of pixel values, and their ratio.
pub fn histogram(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.comparison else { return missing(NO_COMPARISON) };
    let bins = found.pixel_bins;
    let edges: Vec<f64> = (0..=bins.bins).map(|i| (i as f64).mul_add(bins.width(), bins.low)).collect();
    let inner = |shares: &[f64]| shares[1..shares.len() - 1].to_vec();
    let density = |shares: &[f64]| -> Vec<f64> { inner(shares).iter().map(|x| x / bins.width()).collect() };
    let (reference, generated) = (density(&found.reference.pixel_shares), density(&found.generated.pixel_shares));
    let ratio = |shares: &[f64]| -> Vec<f64> {
        inner(shares).iter().zip(inner(&found.reference.pixel_shares)).map(|(a, b)| a / b).collect()
    };
    let (ours, floor) = (ratio(&found.generated.pixel_shares), ratio(&found.floor.pixel_shares));
    let reach = ours.iter().map(|x| (x - 1.0).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let half = (1.1 * reach).clamp(0.2, 1.0);
    let label = if inputs.unit.is_empty() { "pixel value" } else { &inputs.unit };
    let outside = |shares: &[f64]| format!("{} below, {} above", percent(shares[0]), percent(shares[shares.len() - 1]));
    Figure {
        title: "Density of pixel values".into(),
        legend: legend(found),
        wide: false,
        x: Axis::between(label, Scale::Linear, bins.low, bins.high),
        panels: vec![
            Panel {
                height: 250.0,
                y: Axis::around("density", Scale::Logarithmic, reference.iter().chain(&generated).copied()),
                marks: vec![
                    Mark::Steps { class: "reference", x: edges.clone(), y: reference },
                    Mark::Steps { class: "generated", x: edges.clone(), y: generated },
                ],
            },
            Panel {
                height: 130.0,
                y: Axis::between("ratio", Scale::Linear, 1.0 - half, 1.0 + half),
                marks: vec![
                    Mark::Level { y: 1.0 },
                    Mark::Steps { class: "floor", x: edges.clone(), y: floor },
                    Mark::Steps { class: "generated", x: edges, y: ours },
                ],
            },
        ],
        caption: html! {
            "Total variation (half the summed difference of shares: the pixels that would have to move): generated "
            strong { (percent(found.generated_distance.histogram_total_variation)) } ", floor "
            (percent(found.floor_distance.histogram_total_variation)) ". Beyond the range of the bins: generated "
            (outside(&found.generated.pixel_shares)) "; real " (outside(&found.reference.pixel_shares)) "."
        },
    }
    .render()
}

/// Every distance of the generated maps beside that of the floor, and each set's map-by-map moments.
pub fn distances(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.comparison else { return missing(NO_COMPARISON) };
    let (ours, floor) = (&found.generated_distance, &found.floor_distance);
    let rows = [
        ("Spectrum: largest |ratio \u{2212} 1|", percent(ours.spectrum_worst), percent(floor.spectrum_worst)),
        (
            "Histogram: total variation",
            percent(ours.histogram_total_variation),
            percent(floor.histogram_total_variation),
        ),
        ("Histogram: rms of ln(ratio) over bins", number(ours.histogram_log_rms), number(floor.histogram_log_rms)),
        ("Correlation: largest difference at any lag", number(ours.correlation_worst), number(floor.correlation_worst)),
        ("Mean map: rms difference, in pixel deviations", number(ours.mean_map_rms), number(floor.mean_map_rms)),
        ("Variance map: rms difference, over variance", number(ours.variance_map_rms), number(floor.variance_map_rms)),
    ];
    let sets = [("Generated", &found.generated), ("Real", &found.reference), ("Floor", &found.floor)];
    let scatter = |x: Scatter| format!("{} \u{b1} {}", number(x.mean), number(x.spread));
    html! {
        p { "The reference maps are cut in two. Generated maps are compared with the first half; the second half is compared
             with the first in the same way, and is the " em { "floor" } ": what no generator can be expected to beat. Real maps: "
             (count(found.reference.maps as u64)) " and " (count(found.floor.maps as u64)) "; generated: "
             (count(found.generated.maps as u64)) "." }
        div.scroll { table {
            thead { tr { th { "Distance from the real maps" } th.n { "Generated" } th.n { "Floor" } } }
            tbody { @for (name, ours, floor) in rows { tr { td { (name) } td.n { (ours) } td.n { (floor) } } } }
        } }
        div.scroll { table {
            thead { tr { th { "Map by map: mean \u{b1} spread" } th.n { "Mean" } th.n { "Variance" } th.n { "Skewness" } } }
            tbody {
                @for (name, set) in sets {
                    tr {
                        td { (name) }
                        td.n { (scatter(set.map_mean)) }
                        td.n { (scatter(set.map_variance)) }
                        td.n { (scatter(set.map_skewness)) }
                    }
                }
            }
        } }
    }
}

/// Names of the three sets, as all figures colour them.
pub fn legend(found: &Comparison) -> Vec<(&'static str, String)> {
    vec![
        ("reference", format!("real ({})", count(found.reference.maps as u64))),
        ("generated", format!("generated ({})", count(found.generated.maps as u64))),
        ("floor", format!("floor: real against real ({})", count(found.floor.maps as u64))),
    ]
}

/// Mean and one standard deviation to each side.
pub fn band(class: &'static str, x: &[f64], band: &Band) -> Mark {
    Mark::Band { class, x: x.to_vec(), low: edges(band, -1.0), high: edges(band, 1.0) }
}

pub fn line(class: &'static str, x: &[f64], y: &[f64]) -> Mark {
    Mark::Line { class, x: x.to_vec(), y: y.to_vec() }
}

fn edges(band: &Band, deviations: f64) -> Vec<f64> {
    band.mean.iter().zip(&band.spread).map(|(mean, spread)| deviations.mul_add(*spread, *mean)).collect()
}
