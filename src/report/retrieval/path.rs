//! How restarts went through latent space: chi-square as it fell, and the way seen along two directions.

use maud::{Markup, html};

use crate::report::examples::{ExampleObject, LatentPath};
use crate::report::figure::{Axis, Figure, Mark, Panel, Scale};
use crate::report::words::{count, number};

/// Colours of paths, in their order.
const CLASSES: [&str; 6] = ["generated", "reference", "target", "d", "e", "f"];

/// Both figures, side by side.
pub fn paths(object: &ExampleObject) -> Markup {
    let coloured: Vec<(&'static str, &LatentPath)> = CLASSES.into_iter().cycle().zip(&object.paths).collect();
    html! { div.pair.below { (descent(&coloured)) (way(&coloured)) } }
}

fn descent(paths: &[(&'static str, &LatentPath)]) -> Markup {
    let iterations = |path: &LatentPath| -> Vec<f64> { path.iteration.iter().map(|&i| i as f64).collect() };
    let last = paths.iter().filter_map(|(_, path)| path.iteration.last()).max().copied().unwrap_or(1).max(1);
    let all = paths.iter().flat_map(|(_, path)| path.chi_square.iter().copied());
    let ends: Vec<f64> =
        paths.iter().filter_map(|(_, path)| path.chi_square.last().copied()).filter(|x| x.is_finite()).collect();
    let best = ends.iter().copied().reduce(f64::min);
    Figure {
        wide: false,
        title: "Chi-square of a few restarts".into(),
        legend: paths.iter().map(|(class, path)| (*class, format!("restart {}", path.restart))).collect(),
        x: Axis::between("iteration", Scale::Linear, 0.0, last as f64),
        panels: vec![Panel {
            height: 260.0,
            y: Axis::around("chi-square", Scale::Logarithmic, all),
            marks: paths
                .iter()
                .map(|(class, path)| Mark::Line { class, x: iterations(path), y: path.chi_square.clone() })
                .collect(),
        }],
        caption: html! {
            "Over " (count(last)) " iterations"
            @if let Some(best) = best { "; the best of these ends at " strong { (number(best)) } }
            "."
        },
    }
    .render()
}

fn way(paths: &[(&'static str, &LatentPath)]) -> Markup {
    let mut marks: Vec<Mark> =
        paths.iter().map(|(class, path)| Mark::Line { class, x: path.across.clone(), y: path.up.clone() }).collect();
    marks.extend(paths.iter().filter_map(|(class, path)| {
        let (x, y) = (*path.across.last()?, *path.up.last()?);
        Some(Mark::Points { class, x: vec![x], y: vec![y], spread: Vec::new() })
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
        caption: html! { "The latent numbers along two directions, the same for all restarts. A dot marks where one ended." },
    }
    .render()
}
