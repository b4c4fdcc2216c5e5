//! Correlation of pixel pairs, and what each pixel does over maps.

use super::agreement::{band, legend, line};
use super::pixel_value;
use crate::report::words::number;
use crate::report::{Axis, Block, Figure, ImageGrid, ImagePanel, Mark, Pair, Panel, Scale, Text, Tint};
use crate::statistics::Comparison;

/// The correlation figure beside mean and variance maps.
pub fn pixels(found: &Comparison, unit: &str) -> Block {
    let correlation = vec![Block::Figure(correlation(found))];
    Block::Pair(Pair { left: correlation, right: moments(found, unit), wide_left: false })
}

fn correlation(found: &Comparison) -> Figure {
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
                    band(Tint::Reference, &lags, &reference.correlation),
                    line(Tint::Reference, &lags, &reference.correlation.mean),
                    line(Tint::Generated, &lags, &generated.correlation.mean),
                ],
            },
            Panel {
                height: 100.0,
                y: Axis::between("difference", Scale::Linear, -1.15 * reach, 1.15 * reach),
                marks: vec![Mark::Level { y: 0.0 }, line(Tint::Floor, &lags, &theirs), line(Tint::Generated, &lags, &ours)],
            },
        ],
        caption: Text::from(
            "Pairs along rows and columns, maps not taken as periodic, over the variance of the set; the band is one standard \
             deviation over real maps. Largest difference: generated ",
        )
        .strong(number(found.generated_distance.correlation_worst))
        .plain(format!(", floor {}.", number(found.floor_distance.correlation_worst))),
    }
}

fn moments(found: &Comparison, unit: &str) -> Vec<Block> {
    let unit = pixel_value(unit);
    let sets = [&found.reference.pixels, &found.generated.pixels];
    let note = "Each pixel over all maps of its set. Real maps have no preferred place: structure that repeats on the right and \
                not on the left is the network\u{2019}s own.";
    vec![
        kind("Mean map", unit, sets.map(|set| set.mean.as_slice()), found.side),
        kind("Variance map", &format!("{unit}\u{b2}"), sets.map(|set| set.variance.as_slice()), found.side),
        Block::Note(note.into()),
    ]
}

fn kind(title: &str, label: &str, [reference, generated]: [&[f64]; 2], side: usize) -> Block {
    let panel = |(name, map): (&str, &[f64])| ImagePanel {
        name: name.into(),
        pixels: map.to_vec(),
        side,
        describe: format!("{title}, {name}"),
        missing: "not recorded".into(),
        scales: true,
    };
    let panels = [("real", reference), ("generated", generated)].map(panel).to_vec();
    Block::Images(ImageGrid { title: title.into(), panels, label: label.into() })
}
