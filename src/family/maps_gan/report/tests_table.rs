//! The table of Kolmogorov-Smirnov tests, beside the floor, chance, and what was published for `CosmoGAN`.

use super::agreement::{legend, line};
use crate::report::words::percent;
use crate::report::{Axis, Block, Column, Figure, Pair, Panel, Scale, Table, Text, Tint};
use crate::statistics::Comparison;
use crate::statistics::ks::{KsTests, THRESHOLDS};

/// Fourier modes above two of the thresholds, of 248 (slides of 2017 in the repository of `CosmoGAN`).
const PUBLISHED: [(f64, &str); 2] = [(0.995, "242"), (0.93, "248")];

/// Tests above each threshold, and the statistic of each wavenumber.
pub fn tests(found: &Comparison) -> Block {
    let (ours, floor) = (&found.generated_distance, &found.floor_distance);
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
                line(Tint::Floor, k, &floor.spectrum_ks.statistic),
                line(Tint::Generated, k, &ours.spectrum_ks.statistic),
            ],
        }],
        caption: format!(
            "Two-sample statistic of the power in each k over {} maps on each side.",
            ours.spectrum_ks.maps
        )
        .into(),
    };
    let of_set = |tests: &KsTests, what: &str| format!("Of {} {what}", tests.p_value.len());
    let (wavenumbers, bins) = (of_set(&ours.spectrum_ks, "wavenumbers"), of_set(&ours.histogram_ks, "histogram bins"));
    let generated = || Column::numbers(Text::from("gen").wide_only("erated"));
    let columns = vec![
        Column::words("p\u{a0}>"),
        generated().under(&wavenumbers),
        Column::numbers("floor").under(&wavenumbers),
        generated().under(&bins),
        Column::numbers("floor").under(&bins),
        Column::numbers("By chance"),
        Column::numbers("CosmoGAN,\nof 248 modes"),
    ];
    let row = |(row, threshold): (usize, f64)| {
        let tests = [&ours.spectrum_ks, &floor.spectrum_ks, &ours.histogram_ks, &floor.histogram_ks];
        let published = PUBLISHED.iter().find(|(p, _)| (p - threshold).abs() < 1e-9).map_or("\u{2013}", |(_, n)| n);
        let mut cells = vec![Text::from(threshold.to_string())];
        cells.extend(tests.map(|tests| tests.above[row].to_string().into()));
        cells.extend([percent(1.0 - threshold).into(), published.into()]);
        cells
    };
    let note = format!(
        "Each test asks whether one number a map (the power in a k, the pixels in a bin) has the same distribution in both \
         sets, n = {} maps on each side for both columns. \u{201c}By chance\u{201d} is the share of independent tests that \
         pass where both sets have one truth; neighbouring bins are not independent. The published counts are for power in \
         248 modes; the definition behind them is not known to equal ours, and they lie far above chance, so they are \
         context and not a target.",
        ours.spectrum_ks.maps
    );
    let table = Table { columns, rows: THRESHOLDS.into_iter().enumerate().map(row).collect(), wide: false };
    Block::Pair(Pair {
        left: vec![Block::Table(table), Block::Note(note.into())],
        right: vec![Block::Figure(figure)],
        wide_left: true,
    })
}
