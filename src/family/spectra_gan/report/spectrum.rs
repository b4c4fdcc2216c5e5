//! An observed spectrum with the best fit and the bands of the samples.

use super::examples::ExampleObject;
use crate::report::words::count;
use crate::report::{Axis, Figure, Mark, Panel, Scale, Tint};

/// Depth with its fit, and what is left over.
pub fn spectrum(object: &ExampleObject) -> Figure {
    let x = &object.wavelength_um;
    let percents = |depth: &[f64]| -> Vec<f64> { depth.iter().map(|depth| 100.0 * depth).collect() };
    let where_observed = |numbers: &[f64]| -> Vec<f64> {
        numbers.iter().zip(&object.observed).map(|(&number, &seen)| if seen { number } else { f64::NAN }).collect()
    };
    let (low, high) = (percents(&object.p2_5), percents(&object.p97_5));
    let data = where_observed(&percents(&object.depth));
    let fit = percents(&object.best_fit);
    let left = |i: usize| (object.depth[i] - object.best_fit[i]) / object.error[i];
    let left = where_observed(&(0..x.len()).map(left).collect::<Vec<_>>());
    let finite = left.iter().filter(|x| x.is_finite());
    let half = finite.fold(3.0_f64, |most, left| most.max(1.1 * left.abs())).min(12.0);
    let points = object.observed.iter().filter(|seen| **seen).count();
    let ends = x.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &um| (low.min(um), high.max(um)));
    Figure {
        wide: true,
        title: "Transit depth: data, best fit and samples".into(),
        legend: vec![
            (Tint::Reference, "observed, with one standard deviation".into()),
            (Tint::Generated, "best fit, with the samples' 68 and 95 %".into()),
        ],
        x: Axis::between("wavelength (\u{3bc}m)", Scale::Logarithmic, 0.97 * ends.0, 1.03 * ends.1),
        panels: vec![
            Panel {
                height: 300.0,
                y: Axis::around(
                    "transit depth (%)",
                    Scale::Linear,
                    low.iter().chain(&high).chain(&data).chain(&fit).copied(),
                ),
                marks: vec![
                    Mark::Band { tint: Tint::Generated, x: x.clone(), low, high },
                    Mark::Band {
                        tint: Tint::Generated,
                        x: x.clone(),
                        low: percents(&object.p16),
                        high: percents(&object.p84),
                    },
                    Mark::Points { tint: Tint::Reference, x: x.clone(), y: data, spread: percents(&object.error) },
                    Mark::Line { tint: Tint::Generated, x: x.clone(), y: fit },
                ],
            },
            Panel {
                height: 90.0,
                y: Axis::between("left over, \u{3c3}", Scale::Linear, -half, half),
                marks: vec![
                    Mark::Zone { tint: Tint::Target, ends: [0.97 * ends.0, 1.03 * ends.1, -1.0, 1.0] },
                    Mark::Level { y: 0.0 },
                    Mark::Points { tint: Tint::Reference, x: x.clone(), y: left, spread: Vec::new() },
                ],
            },
        ],
        caption: format!(
            "{} of {} points were observed. Where none is, the bands are what the network fills in. They are of the \
             reconstruction alone: observed points scatter by their errors besides.",
            count(points as u64),
            count(x.len() as u64)
        )
        .into(),
    }
}
