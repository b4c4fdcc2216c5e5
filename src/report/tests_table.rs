//! The table of Kolmogorov-Smirnov tests, beside the floor, chance, and what was published for `CosmoGAN`.

use maud::{Markup, html};

use super::agreement::{NO_COMPARISON, legend, line};
use super::figure::{Axis, Figure, Panel, Scale};
use super::inputs::ReportInputs;
use super::words::{missing, percent};
use crate::statistics::ks::{KsTests, THRESHOLDS};

/// Fourier modes above two of the thresholds, of 248 (slides of 2017 in the repository of `CosmoGAN`).
const PUBLISHED: [(f64, &str); 2] = [(0.995, "242"), (0.93, "248")];

/// Tests above each threshold, and the statistic of each wavenumber.
pub fn tests(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.comparison else { return missing(NO_COMPARISON) };
    let (ours, floor) = (&found.generated_distance, &found.floor_distance);
    let number_of = |tests: &KsTests| tests.p_value.len();
    let k = &found.wavenumber;
    let figure = Figure {
        title: "Power in each wavenumber: KS statistic".into(),
        legend: legend(found).split_off(1),
        wide: false,
        x: Axis::between("wavenumber k", Scale::Logarithmic, 1.0, k.len() as f64),
        panels: vec![Panel {
            height: 230.0,
            y: Axis::around(
                "KS statistic",
                Scale::Linear,
                ours.spectrum_ks.statistic.iter().chain(&floor.spectrum_ks.statistic).copied().chain([0.0, 0.1]),
            ),
            marks: vec![
                line("floor", k, &floor.spectrum_ks.statistic),
                line("generated", k, &ours.spectrum_ks.statistic),
            ],
        }],
        caption: html! { "Two-sample statistic of the power in each k over " (ours.spectrum_ks.maps) " maps on each side." },
    };
    html! {
        div.pair.tests {
            div {
                div.scroll { table.tests {
                    thead {
                        tr { th rowspan="2" { "p\u{a0}>" } th colspan="2" { "Of " (number_of(&ours.spectrum_ks)) " wavenumbers" } th colspan="2" { "Of " (number_of(&ours.histogram_ks)) " histogram bins" }
                            th rowspan="2" { "By chance" } th rowspan="2" { "CosmoGAN," br; "of 248 modes" } }
                        tr { th { "gen" span.rest { "erated" } } th { "floor" } th { "gen" span.rest { "erated" } } th { "floor" } }
                    }
                    tbody {
                        @for (row, threshold) in THRESHOLDS.into_iter().enumerate() {
                            tr {
                                td { (threshold) }
                                td { (ours.spectrum_ks.above[row]) } td { (floor.spectrum_ks.above[row]) }
                                td { (ours.histogram_ks.above[row]) } td { (floor.histogram_ks.above[row]) }
                                td { (percent(1.0 - threshold)) }
                                td { (PUBLISHED.iter().find(|(p, _)| (p - threshold).abs() < 1e-9).map_or("\u{2013}", |(_, n)| n)) }
                            }
                        }
                    }
                } }
                p.note { "Each test asks whether one number a map (the power in a k, the pixels in a bin) has the same distribution in
                    both sets, n = " (ours.spectrum_ks.maps) " maps on each side for both columns. \u{201c}By chance\u{201d} is the share
                    of independent tests that pass where both sets have one truth; neighbouring bins are not independent. The
                    published counts are for power in 248 modes; the definition behind them is not known to equal ours, and they lie
                    far above chance, so they are context and not a target." }
            }
            (figure.render())
        }
    }
}
