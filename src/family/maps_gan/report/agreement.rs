//! Power spectrum and pixel histogram of both sets, and the table of all distances beside the floor.

use super::headline::judged;
use super::pixel_value;
use crate::family::run_folder::Target;
use crate::report::words::{count, number, percent, round_percent};
use crate::report::{Axis, Block, Column, Figure, Mark, Panel, Scale, Table, Text, Tint};
use crate::statistics::Comparison;
use crate::statistics::profiles::{Band, Scatter};

/// Mean and spread of both spectra, and the ratio of their means.
pub fn spectrum(found: &Comparison, unit: &str, target: Option<Target>) -> Figure {
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
    let power = match unit {
        "" => "power per mode".into(),
        "1" => "power, px\u{b2}".into(),
        unit => format!("power, {unit}\u{b2} px\u{b2}"),
    };
    let range = found.judged_wavenumbers.start as f64..found.judged_wavenumbers.end as f64;
    let zone = target.map(|Target { value, .. }| Mark::Zone {
        tint: Tint::Target,
        ends: [range.start, range.end, 1.0 - value, 1.0 + value],
    });
    let shaded = target.map_or(String::new(), |target| format!(" (shaded, \u{b1}{})", round_percent(target.value)));
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
                    band(Tint::Reference, k, reference),
                    band(Tint::Generated, k, generated),
                    line(Tint::Reference, k, &reference.mean),
                    line(Tint::Generated, k, &generated.mean),
                ],
            },
            Panel {
                height: 130.0,
                y: Axis::between("ratio of means", Scale::Linear, 1.0 - half, 1.0 + half),
                marks: zone
                    .into_iter()
                    .chain([
                        Mark::Level { y: 1.0 },
                        line(Tint::Floor, k, &floor.spectrum_ratio),
                        line(Tint::Generated, k, &ours.spectrum_ratio),
                    ])
                    .collect(),
            },
        ],
        caption: Text::from(format!("Largest departure from 1 over {}{shaded}: generated ", judged(found)))
            .strong(percent(ours.spectrum_worst))
            .plain(format!(
                " at k = {}, floor {} at k = {}. |FFT|\u{b2} over the number of pixels, averaged over k \u{2264} |k| < k+1.",
                ours.spectrum_worst_k,
                percent(floor.spectrum_worst),
                floor.spectrum_worst_k
            )),
    }
}

/// Densities of pixel values, and their ratio.
pub fn histogram(found: &Comparison, unit: &str) -> Figure {
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
    let outside = |shares: &[f64]| format!("{} below, {} above", percent(shares[0]), percent(shares[shares.len() - 1]));
    Figure {
        title: "Density of pixel values".into(),
        legend: legend(found),
        wide: false,
        x: Axis::between(pixel_value(unit), Scale::Linear, bins.low, bins.high),
        panels: vec![
            Panel {
                height: 250.0,
                y: Axis::around("density", Scale::Logarithmic, reference.iter().chain(&generated).copied()),
                marks: vec![
                    Mark::Steps { tint: Tint::Reference, x: edges.clone(), y: reference },
                    Mark::Steps { tint: Tint::Generated, x: edges.clone(), y: generated },
                ],
            },
            Panel {
                height: 130.0,
                y: Axis::between("ratio", Scale::Linear, 1.0 - half, 1.0 + half),
                marks: vec![
                    Mark::Level { y: 1.0 },
                    Mark::Steps { tint: Tint::Floor, x: edges.clone(), y: floor },
                    Mark::Steps { tint: Tint::Generated, x: edges, y: ours },
                ],
            },
        ],
        caption: Text::from(
            "Total variation (half the summed difference of shares: the pixels that would have to move): generated ",
        )
        .strong(percent(found.generated_distance.histogram_total_variation))
        .plain(format!(
            ", floor {}. Beyond the range of the bins: generated {}; real {}.",
            percent(found.floor_distance.histogram_total_variation),
            outside(&found.generated.pixel_shares),
            outside(&found.reference.pixel_shares)
        )),
    }
}

/// Every distance of the generated maps beside that of the floor, and each set's map-by-map moments.
pub fn distances(found: &Comparison) -> Vec<Block> {
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
    let floor = Text::from(
        "The reference maps are cut in two. Generated maps are compared with the first half; the second half is compared with \
         the first in the same way, and is the ",
    )
    .stressed("floor")
    .plain(format!(
        ": what no generator can be expected to beat. Real maps: {} and {}; generated: {}.",
        count(found.reference.maps as u64),
        count(found.floor.maps as u64),
        count(found.generated.maps as u64)
    ));
    let distances = Table {
        columns: vec![
            Column::words("Distance from the real maps"),
            Column::numbers("Generated"),
            Column::numbers("Floor"),
        ],
        rows: rows.map(|(name, ours, floor)| vec![name.into(), ours.into(), floor.into()]).to_vec(),
        wide: false,
    };
    let moments = Table {
        columns: vec![
            Column::words("Map by map: mean \u{b1} spread"),
            Column::numbers("Mean"),
            Column::numbers("Variance"),
            Column::numbers("Skewness"),
        ],
        rows: sets
            .map(|(name, set)| {
                let [mean, variance, skewness] = [set.map_mean, set.map_variance, set.map_skewness].map(scatter);
                vec![name.into(), mean.into(), variance.into(), skewness.into()]
            })
            .to_vec(),
        wide: false,
    };
    vec![Block::Text(floor), Block::Table(distances), Block::Table(moments)]
}

/// Names of the three sets, as all figures colour them.
pub fn legend(found: &Comparison) -> Vec<(Tint, String)> {
    vec![
        (Tint::Reference, format!("real ({})", count(found.reference.maps as u64))),
        (Tint::Generated, format!("generated ({})", count(found.generated.maps as u64))),
        (Tint::Floor, format!("floor: real against real ({})", count(found.floor.maps as u64))),
    ]
}

/// Mean and one standard deviation to each side.
pub fn band(tint: Tint, x: &[f64], band: &Band) -> Mark {
    Mark::Band { tint, x: x.to_vec(), low: edges(band, -1.0), high: edges(band, 1.0) }
}

pub fn line(tint: Tint, x: &[f64], y: &[f64]) -> Mark {
    Mark::Line { tint, x: x.to_vec(), y: y.to_vec() }
}

fn edges(band: &Band, deviations: f64) -> Vec<f64> {
    band.mean.iter().zip(&band.spread).map(|(mean, spread)| deviations.mul_add(*spread, *mean)).collect()
}
