//! How restarts went through latent space: chi-square as it fell, and the way seen along two directions.

use super::examples::{ExampleObject, LatentPath};
use crate::report::words::{count, number};
use crate::report::{Axis, Block, Figure, Mark, Panel, Scale, Text, Tint};

/// Colours of paths, in their order.
const TINTS: [Tint; 6] = [Tint::Generated, Tint::Reference, Tint::Target, Tint::D, Tint::E, Tint::F];

/// Both figures, side by side.
pub fn paths(object: &ExampleObject) -> Block {
    let coloured: Vec<(Tint, &LatentPath)> = TINTS.into_iter().cycle().zip(&object.paths).collect();
    Block::pair(Block::Figure(descent(&coloured)), Block::Figure(way(&coloured)))
}

fn descent(paths: &[(Tint, &LatentPath)]) -> Figure {
    let iterations = |path: &LatentPath| -> Vec<f64> { path.iteration.iter().map(|&i| i as f64).collect() };
    let last = paths.iter().filter_map(|(_, path)| path.iteration.last()).max().copied().unwrap_or(1).max(1);
    let all = paths.iter().flat_map(|(_, path)| path.chi_square.iter().copied());
    let ends: Vec<f64> =
        paths.iter().filter_map(|(_, path)| path.chi_square.last().copied()).filter(|x| x.is_finite()).collect();
    let best = ends.iter().copied().reduce(f64::min);
    Figure {
        wide: false,
        title: "Chi-square of a few restarts".into(),
        legend: paths.iter().map(|(tint, path)| (*tint, format!("restart {}", path.restart))).collect(),
        x: Axis::between("iteration", Scale::Linear, 0.0, last as f64),
        panels: vec![Panel {
            height: 260.0,
            y: Axis::around("chi-square", Scale::Logarithmic, all),
            marks: paths
                .iter()
                .map(|(tint, path)| Mark::Line { tint: *tint, x: iterations(path), y: path.chi_square.clone() })
                .collect(),
        }],
        caption: match best {
            Some(best) => Text::from(format!("Over {} iterations; the best of these ends at ", count(last)))
                .strong(number(best))
                .plain("."),
            None => format!("Over {} iterations.", count(last)).into(),
        },
    }
}

fn way(paths: &[(Tint, &LatentPath)]) -> Figure {
    let mut marks: Vec<Mark> = paths
        .iter()
        .map(|(tint, path)| Mark::Line { tint: *tint, x: path.across.clone(), y: path.up.clone() })
        .collect();
    marks.extend(paths.iter().filter_map(|(tint, path)| {
        let (x, y) = (*path.across.last()?, *path.up.last()?);
        Some(Mark::Dot { tint: *tint, x, y })
    }));
    let values = |of: fn(&LatentPath) -> &Vec<f64>| paths.iter().flat_map(move |(_, path)| of(path).iter().copied());
    Figure {
        wide: false,
        title: "Their way through latent space".into(),
        legend: Vec::new(),
        x: Axis::around("z, first direction", Scale::Linear, values(|path| &path.across)),
        panels: vec![Panel {
            height: 260.0,
            y: Axis::around("z, second direction", Scale::Linear, values(|path| &path.up)),
            marks,
        }],
        caption: "The latent numbers along two directions, the same for all restarts. A dot marks where one ended."
            .into(),
    }
}
