//! The corner plot: each quantity's histogram, and each pair's density, of weighted samples.

use std::fmt::Write as _;
use std::ops::Range;

use maud::{Markup, PreEscaped, Render, html};

use super::contour::Grid;
use super::figure::{Axis, Scale, dots, linear_ticks, path, px, tick_label};
use super::words::{minus, missing, number};
use crate::statistics::weighted::{effective_samples, percentiles};

const WIDTH: f64 = 1076.0;
const LEFT: f64 = 66.0;
const BOTTOM: f64 = 52.0;
const TOP: f64 = 20.0;
const GAP: f64 = 8.0;

/// Bins of a histogram.
const BINS: usize = 24;
/// Nodes along each side of a density.
const NODES: usize = 40;
/// Shares of the samples inside the two curves of a density.
const SHARES: [f64; 2] = [0.95, 0.68];
/// The most dots in a panel: those of the largest weights.
const DOTS: usize = 300;

/// Weighted samples of several quantities, each of them against each.
#[derive(Clone, Debug, Default)]
pub struct Corner {
    /// Above it.
    pub title: String,
    /// The quantities, in the order of their columns, at least one.
    pub quantities: Vec<Quantity>,
    /// The samples; those without weight are left out.
    pub samples: Vec<Sample>,
    /// The line that stands in its place where no sample has weight.
    pub missing: String,
}

/// A quantity of a corner plot.
#[derive(Clone, Debug, Default)]
pub struct Quantity {
    /// Its name, with its unit where it has one.
    pub label: String,
    /// What is true; NaN where that is not known.
    pub truth: f64,
}

/// A sample of all quantities.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Its share, not negative; they need not add up to 1.
    pub weight: f64,
    /// Its finite values, one a quantity.
    pub values: Vec<f64>,
}

/// One quantity of all samples.
struct Side {
    label: String,
    values: Vec<f64>,
    truth: f64,
    /// 16, 50 and 84 %.
    percentiles: [f64; 3],
    /// Width of the bell that stands for a sample in a density.
    width: f64,
    axis: Axis,
}

impl Render for Corner {
    fn render(&self) -> Markup {
        let samples: Vec<&Sample> = self.samples.iter().filter(|sample| sample.weight > 0.0).collect();
        if samples.is_empty() { missing(&self.missing) } else { self.plot(&samples) }
    }
}

impl Corner {
    /// All pairs.
    fn plot(&self, samples: &[&Sample]) -> Markup {
        let weights: Vec<f32> = samples.iter().map(|sample| sample.weight as f32).collect();
        let effective = effective_samples(&weights);
        let side = |(at, quantity)| Side::of(quantity, at, samples, &weights, effective);
        let sides: Vec<Side> = self.quantities.iter().enumerate().map(side).collect();
        let cell = (WIDTH - LEFT) / sides.len() as f64;
        let height = TOP + cell * sides.len() as f64 + BOTTOM;
        let order = heaviest(&weights);
        let mut body = String::new();
        for (row, y) in sides.iter().enumerate() {
            for (column, x) in sides[..=row].iter().enumerate() {
                let frame = Frame {
                    left: LEFT + cell * column as f64,
                    top: TOP + cell * row as f64,
                    size: cell - GAP,
                    x: &x.axis,
                    y: &y.axis,
                };
                let marks =
                    if row == column { frame.histogram(x, &weights) } else { frame.density(x, y, &weights, &order) };
                let last = row + 1 == sides.len();
                body.push_str(
                    &frame.draw(&marks, last.then_some(x), (column == 0 && row > 0).then_some(y)).into_string(),
                );
                if row == column {
                    let above = html! {
                        text text-anchor="middle" x=(px(frame.left + frame.size / 2.0)) y=(px(frame.top - 6.0)) { (summary(x)) }
                    };
                    body.push_str(&above.into_string());
                }
            }
        }
        html! {
            figure.wide {
                div.title { (self.title) }
                div.legend {
                    span { i.generated {} "samples; densities that hold 68 and 95 %" }
                    @if self.quantities.iter().any(|quantity| quantity.truth.is_finite()) { span { i.reference {} "truth" } }
                }
                svg viewBox={ "0 0 " (WIDTH) " " (px(height)) } role="img" aria-label=(self.title) {
                    (PreEscaped(body))
                }
                figcaption {
                    (samples.len()) " samples with weight, worth " strong { (number(effective)) } " of equal weight. Above each
                    histogram the median and the way to the percentiles 16 and 84, which are dashed."
                }
            }
        }
    }
}

impl Side {
    fn of(quantity: &Quantity, at: usize, samples: &[&Sample], weights: &[f32], effective: f64) -> Self {
        let Quantity { label, truth } = quantity.clone();
        let values: Vec<f64> = samples.iter().map(|sample| sample.values[at]).collect();
        let single: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let [far_low, low, middle, high, far_high] =
            percentiles(&single, weights, [0.003, 0.16, 0.5, 0.84, 0.997]).map(f64::from);
        let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        let mean = |term: &dyn Fn(f64) -> f64| {
            values.iter().zip(weights).map(|(&value, &weight)| term(value) * f64::from(weight)).sum::<f64>() / total
        };
        let centre = mean(&|value| value);
        let spread = mean(&|value| (value - centre).powi(2)).sqrt();
        // Scott's rule in two dimensions, for as many samples as the weights are worth.
        let smallest = 1e-6 * centre.abs().max(1e-30);
        let width = (spread * effective.max(1.0).powf(-1.0 / 6.0)).max(smallest);
        let ends = [far_low - 2.0 * width, far_high + 2.0 * width, truth];
        let axis = Axis::around("", Scale::Linear, ends);
        let width = width.max(0.015 * (axis.high - axis.low));
        Self { label, values, truth, percentiles: [low, middle, high], width, axis }
    }
}

/// "-3.21 +0.12 -0.15": two figures of the smaller of the two ways.
fn summary(side: &Side) -> String {
    let [low, middle, high] = side.percentiles;
    let ways = [high - middle, middle - low];
    let smaller = ways.into_iter().filter(|&way| way > 0.0).reduce(f64::min).unwrap_or(1.0);
    let decimals = (1 - smaller.log10().floor() as i32).clamp(0, 6) as usize;
    let [up, down] = ways.map(|way| format!("{way:.decimals$}"));
    format!("{} +{up} \u{2212}{down}", minus(&format!("{middle:.decimals$}")))
}

/// The samples that are shown as dots, the heaviest first.
fn heaviest(weights: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    order.truncate(DOTS);
    order
}

/// One square of the plot.
struct Frame<'a> {
    left: f64,
    top: f64,
    size: f64,
    x: &'a Axis,
    y: &'a Axis,
}

impl Frame<'_> {
    fn across(&self, value: f64) -> f64 {
        self.left + self.size * share(self.x, value)
    }

    fn up(&self, value: f64) -> f64 {
        self.top + self.size * (1.0 - share(self.y, value))
    }

    fn bottom(&self) -> f64 {
        self.top + self.size
    }

    /// The square with its marks; names and ticks where it stands at the lower or the left border.
    fn draw(&self, marks: &Markup, below: Option<&Side>, beside: Option<&Side>) -> Markup {
        let (middle, size) = (self.size / 2.0, px(self.size));
        html! {
            svg x=(px(self.left)) y=(px(self.top)) width=(size) height=(size)
                viewBox={ (px(self.left)) " " (px(self.top)) " " (size) " " (size) } { (marks) }
            rect class="frame" x=(px(self.left)) y=(px(self.top)) width=(size) height=(size) {}
            @if let Some(side) = below {
                @for tick in ticks(self.x, 3) {
                    text text-anchor="middle" x=(px(self.across(tick))) y=(px(self.bottom() + 15.0)) {
                        (tick_label(tick, self.x))
                    }
                }
                text class="axis" text-anchor="middle" x=(px(self.left + middle)) y=(px(self.bottom() + 36.0)) {
                    (side.label)
                }
            }
            @if let Some(side) = beside {
                @for tick in ticks(self.y, 4) {
                    text text-anchor="end" x=(px(self.left - 5.0)) y=(px(self.up(tick) + 4.0)) {
                        (tick_label(tick, self.y))
                    }
                }
                text class="axis" text-anchor="middle"
                    transform={ "translate(13 " (px(self.top + middle)) ") rotate(-90)" } { (side.label) }
            }
        }
    }

    fn histogram(&self, side: &Side, weights: &[f32]) -> Markup {
        let mut bins = [0.0; BINS];
        for (value, weight) in side.values.iter().zip(weights) {
            let place = share(&side.axis, *value);
            if (0.0..1.0).contains(&place) {
                bins[(place * BINS as f64) as usize] += f64::from(*weight);
            }
        }
        let most = bins.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let step = self.size / BINS as f64;
        let tops = bins.iter().enumerate().flat_map(|(bin, height)| {
            let y = self.bottom() - 0.92 * self.size * height / most;
            [bin, bin + 1].map(|edge| Some((step.mul_add(edge as f64, self.left), y)))
        });
        let outline = path(tops);
        let closed = format!("{outline}V{}H{}Z", px(self.bottom()), px(self.left));
        html! {
            path class="band generated" d=(closed) {}
            path class="line generated" d=(outline) {}
            @for at in [side.percentiles[0], side.percentiles[2]] { (self.upright("level", at)) }
            (self.upright("line reference", side.truth))
        }
    }

    fn density(&self, x: &Side, y: &Side, weights: &[f32], order: &[usize]) -> Markup {
        let nodes = |side: &Side| -> Vec<Vec<f64>> {
            let of_sample = |value: &f64| -> Vec<f64> {
                let node = |i: usize| {
                    let at = (side.axis.high - side.axis.low).mul_add(i as f64 / (NODES - 1) as f64, side.axis.low);
                    (-0.5 * ((at - value) / side.width).powi(2)).exp()
                };
                (0..NODES).map(node).collect()
            };
            side.values.iter().map(of_sample).collect()
        };
        let mut grid = Grid { columns: NODES, heights: vec![0.0; NODES * NODES] };
        for ((bell_x, bell_y), weight) in nodes(x).iter().zip(&nodes(y)).zip(weights) {
            for (row, up) in grid.heights.chunks_exact_mut(NODES).zip(bell_y) {
                let factor = up * f64::from(*weight);
                row.iter_mut().zip(bell_x).for_each(|(height, across)| *height += factor * across);
            }
        }
        let place = |at: f64| at / (NODES - 1) as f64;
        let outline = |level: f64| {
            let mut out = String::new();
            for curve in grid.curves(level) {
                let points = curve.iter().map(|&(column, row)| {
                    Some((self.left + self.size * place(column), self.bottom() - self.size * place(row)))
                });
                let _ = write!(out, "{}Z", path(points));
            }
            out
        };
        let levels = SHARES.map(|share| grid.level(share)).map(|level| level.max(f64::MIN_POSITIVE));
        let places = order.iter().map(|&sample| (self.across(x.values[sample]), self.up(y.values[sample])));
        html! {
            @for level in levels { path class="area generated" d=(outline(level)) {} }
            path class="dots generated" d=(dots(places)) {}
            (self.upright("line reference", x.truth))
            @if y.truth.is_finite() {
                path class="line reference" d={ "M" (px(self.left)) " " (px(self.up(y.truth))) "h" (px(self.size)) } {}
            }
        }
    }

    fn upright(&self, class: &str, at: f64) -> Markup {
        html! {
            @if at.is_finite() {
                path class=(class) d={ "M" (px(self.across(at))) " " (px(self.top)) "v" (px(self.size)) } {}
            }
        }
    }
}

/// Where a value lies between an axis's ends, 0 to 1.
fn share(axis: &Axis, value: f64) -> f64 {
    (value - axis.low) / (axis.high - axis.low)
}

/// Ticks that leave room to each other's numbers.
fn ticks(axis: &Axis, most: usize) -> Vec<f64> {
    let room: Range<f64> = 0.1..0.9;
    linear_ticks(axis.low, axis.high, most).into_iter().filter(|&tick| room.contains(&share(axis, tick))).collect()
}
