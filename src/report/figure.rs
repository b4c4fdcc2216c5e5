//! Figures as SVG inside the page: panels above each other that share one horizontal axis.
//!
//! Drawn by hand and coloured by the page's style sheet, so that one figure is legible in light, dark and print. Points
//! that are not finite, or not positive on a logarithmic axis, leave a gap.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, Render, html};

use super::text::Text;
use super::words::{minus, number, raised};

const WIDTH: f64 = 520.0;
const WIDE: f64 = 1076.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 42.0;
const BETWEEN: f64 = 12.0;

/// Colour of a mark: what it stands for, the same in all figures, or one of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// What networks made.
    Generated,
    /// What it is held against.
    Reference,
    /// What a second set of the reference gives.
    Floor,
    /// The range that is wished for.
    Target,
    /// Green.
    C,
    /// Violet.
    D,
    /// Ochre.
    E,
    /// Grey.
    F,
}

impl Tint {
    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Reference => "reference",
            Self::Floor => "floor",
            Self::Target => "target",
            Self::C => "c",
            Self::D => "d",
            Self::E => "e",
            Self::F => "f",
        }
    }
}

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Logarithmic,
}

/// An axis with its ends.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What runs along it, with its unit.
    pub label: String,
    /// How it runs.
    pub scale: Scale,
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Something drawn.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are coordinates")]
pub enum Mark {
    /// A curve.
    Line { tint: Tint, x: Vec<f64>, y: Vec<f64> },
    /// Between two curves.
    Band { tint: Tint, x: Vec<f64>, low: Vec<f64>, high: Vec<f64> },
    /// A bar's top a bin, joined: `x` has one number more than `y`.
    Steps { tint: Tint, x: Vec<f64>, y: Vec<f64> },
    /// A rectangle: x from, x to, y from, y to.
    Zone { tint: Tint, ends: [f64; 4] },
    /// A dot a point, with a stroke of `spread` to each side where there is one.
    Points { tint: Tint, x: Vec<f64>, y: Vec<f64>, spread: Vec<f64> },
    /// A large dot.
    Dot { tint: Tint, x: f64, y: f64 },
    /// A line across the panel.
    Level { y: f64 },
}

/// One vertical axis and what is drawn over it.
#[derive(Clone, Debug)]
pub struct Panel {
    /// In units of the drawing, of which half a page has 520 in its width.
    pub height: f64,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, the lowest first.
    pub marks: Vec<Mark>,
}

/// A figure with its words.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Above it.
    pub title: String,
    /// Colour and name of each curve.
    pub legend: Vec<(Tint, String)>,
    /// The axis that all panels share.
    pub x: Axis,
    /// From top to bottom, at least one.
    pub panels: Vec<Panel>,
    /// Below it.
    pub caption: Text,
    /// As wide as the page, and not half of it.
    pub wide: bool,
}

impl Axis {
    /// An axis that holds all of `values` that it can show, with a little room.
    pub fn around(label: &str, scale: Scale, values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|&x| x.is_finite() && (scale == Scale::Linear || x > 0.0)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = if scale == Scale::Linear { (0.0, 1.0) } else { (0.1, 1.0) };
        }
        let (low, high) = match scale {
            Scale::Linear => {
                let room = if high > low { 0.06 * (high - low) } else { 0.5 * high.abs().max(1e-30) };
                (low - room, high + room)
            }
            Scale::Logarithmic => {
                let room = if high > low { (high / low).powf(0.05).max(1.02) } else { 2.0 };
                (low / room, high * room)
            }
        };
        Self { label: label.into(), scale, low, high }
    }

    /// An axis with these ends.
    pub fn between(label: &str, scale: Scale, low: f64, high: f64) -> Self {
        Self { label: label.into(), scale, low, high }
    }

    /// Where a value lies, 0 to 1 from end to end; the ends for what lies beyond them.
    fn place(&self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic if value <= 0.0 => return None,
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        place.is_finite().then(|| place.clamp(-0.02, 1.02))
    }

    /// Values that get a number, at most about `most`.
    fn ticks(&self, most: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => linear_ticks(self.low, self.high, most),
            Scale::Logarithmic => logarithmic_ticks(self.low, self.high, most),
        }
    }
}

impl Render for Figure {
    fn render(&self) -> Markup {
        html! {
            figure.wide[self.wide] {
                div.title { (self.title) }
                @if !self.legend.is_empty() {
                    div.legend {
                        @for (tint, name) in &self.legend { span { i class=(tint.class()) {} (name) } }
                    }
                }
                (self.drawing())
                figcaption { (self.caption) }
            }
        }
    }
}

impl Figure {
    fn width(&self) -> f64 {
        if self.wide { WIDE } else { WIDTH }
    }

    fn drawing(&self) -> Markup {
        let panels: f64 = self.panels.iter().map(|panel| panel.height).sum();
        let height = TOP + panels + BETWEEN * (self.panels.len() - 1) as f64 + BOTTOM;
        let mut top = TOP;
        let mut body = String::new();
        for (at, panel) in self.panels.iter().enumerate() {
            let last = at + 1 == self.panels.len();
            body.push_str(&self.panel(panel, top, last).into_string());
            top += panel.height + BETWEEN;
        }
        html! {
            svg viewBox={ "0 0 " (self.width()) " " (height) } role="img" aria-label=(self.title) { (PreEscaped(body)) }
        }
    }

    fn panel(&self, panel: &Panel, top: f64, last: bool) -> Markup {
        let inner = self.width() - LEFT - RIGHT;
        let area = Area { x: &self.x, y: &panel.y, width: inner, top, height: panel.height };
        let (right, bottom) = (LEFT + inner, top + panel.height);
        let most = if panel.height > 150.0 { 6 } else { 4 };
        html! {
            @for y in panel.y.ticks(most) {
                @if let Some(at) = area.vertical(y) {
                    line class="grid" x1=(LEFT) x2=(right) y1=(px(at)) y2=(px(at)) {}
                    text x=(LEFT - 7.0) y=(px(at + 4.0)) text-anchor="end" { (tick_label(y, &panel.y)) }
                }
            }
            @for x in self.x.ticks(if self.wide { 12 } else { 6 }) {
                @if let Some(at) = area.horizontal(x) {
                    line class="grid" x1=(px(at)) x2=(px(at)) y1=(px(top)) y2=(px(bottom)) {}
                    @if last {
                        text x=(px(at)) y=(px(bottom + 17.0)) text-anchor="middle" { (tick_label(x, &self.x)) }
                    }
                }
            }
            svg x=(LEFT) y=(px(top)) width=(inner) height=(px(panel.height))
                viewBox={ (LEFT) " " (px(top)) " " (inner) " " (px(panel.height)) } {
                @for mark in &panel.marks { (area.mark(mark)) }
            }
            rect class="frame" x=(LEFT) y=(px(top)) width=(inner) height=(px(panel.height)) {}
            text class="axis" text-anchor="middle"
                transform={ "translate(13 " (px(f64::midpoint(top, bottom))) ") rotate(-90)" } { (panel.y.label) }
            @if last {
                text class="axis" text-anchor="middle" x=(px(f64::midpoint(LEFT, right))) y=(px(bottom + 36.0)) {
                    (self.x.label)
                }
            }
        }
    }
}

/// Where values of a panel lie on the drawing.
struct Area<'a> {
    x: &'a Axis,
    y: &'a Axis,
    width: f64,
    top: f64,
    height: f64,
}

impl Area<'_> {
    fn horizontal(&self, x: f64) -> Option<f64> {
        Some(self.width.mul_add(self.x.place(x)?, LEFT))
    }

    fn vertical(&self, y: f64) -> Option<f64> {
        Some(self.height.mul_add(1.0 - self.y.place(y)?, self.top))
    }

    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.horizontal(x)?, self.vertical(y)?))
    }

    fn mark(&self, mark: &Mark) -> Markup {
        match mark {
            Mark::Line { tint, x, y } => {
                let points = x.iter().zip(y).map(|(&x, &y)| self.point(x, y));
                html! { path class={ "line " (tint.class()) } d=(path(points)) {} }
            }
            Mark::Steps { tint, x, y } => {
                let points = y.iter().enumerate().flat_map(|(bin, &y)| [(x[bin], y), (x[bin + 1], y)]);
                html! { path class={ "line " (tint.class()) } d=(path(points.map(|(x, y)| self.point(x, y)))) {} }
            }
            Mark::Band { tint, x, low, high } => {
                html! { path class={ "band " (tint.class()) } d=(self.band(x, low, high)) {} }
            }
            Mark::Zone { tint, ends: [left, right, low, high] } => {
                let corners = [(*left, *low), (*right, *low), (*right, *high), (*left, *high)];
                let outline = path(corners.into_iter().map(|(x, y)| self.point(x, y)));
                html! { path class={ "zone " (tint.class()) } d={ (outline) "Z" } {} }
            }
            Mark::Points { tint, x, y, spread } => {
                let places = x.iter().zip(y).filter_map(|(&x, &y)| self.point(x, y));
                let strokes = x
                    .iter()
                    .zip(y)
                    .zip(spread)
                    .flat_map(|((&x, &y), &spread)| [self.point(x, y - spread), self.point(x, y + spread), None]);
                html! {
                    path class={ "spread " (tint.class()) } d=(path(strokes)) {}
                    path class={ "points " (tint.class()) } d=(dots(places)) {}
                }
            }
            Mark::Dot { tint, x, y } => {
                html! { path class={ "points large " (tint.class()) } d=(dots(self.point(*x, *y))) {} }
            }
            Mark::Level { y } => {
                let ends = [self.point(self.x.low, *y), self.point(self.x.high, *y)];
                html! { path class="level" d=(path(ends)) {} }
            }
        }
    }

    /// Closed outlines, one a run of points that can be drawn. A lower end that cannot be is the panel's.
    fn band(&self, x: &[f64], low: &[f64], high: &[f64]) -> String {
        let floor = self.top + self.height;
        let points: Vec<_> = x
            .iter()
            .zip(low.iter().zip(high))
            .map(|(&x, (&low, &high))| {
                let (across, up) = self.point(x, high)?;
                Some((across, up, if low.is_finite() { self.vertical(low).unwrap_or(floor) } else { floor }))
            })
            .collect();
        let mut out = String::new();
        for run in points.split(Option::is_none).filter(|run| run.len() > 1) {
            let run: Vec<_> = run.iter().flatten().collect();
            let there = run.iter().map(|&&(x, up, _)| Some((x, up)));
            let back = run.iter().rev().map(|&&(x, _, down)| Some((x, down)));
            out += &path(there.chain(back));
            out.push('Z');
        }
        out
    }
}

/// An SVG path through the points, with a gap where there is none.
pub(super) fn path(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut out = String::new();
    let mut pen_is_down = false;
    for point in points {
        if let Some((x, y)) = point {
            let _ = write!(out, "{}{x:.1} {y:.1}", if pen_is_down { 'L' } else { 'M' });
        }
        pen_is_down = point.is_some();
    }
    out
}

/// A path of a dot a point: strokes of no length, whose ends are round.
pub(super) fn dots(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut out = String::new();
    for (x, y) in points {
        let _ = write!(out, "M{x:.1} {y:.1}h0");
    }
    out
}

pub(super) fn px(x: f64) -> String {
    format!("{x:.1}")
}

/// Multiples of 1, 2 or 5 times a power of ten.
pub(super) fn linear_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most as f64;
    let power = 10_f64.powf(rough.log10().floor());
    if !(power.is_finite() && power > 0.0) {
        return Vec::new();
    }
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough * 0.999).unwrap_or(10.0);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).take(4 * most).map(|i| i as f64 * step).collect()
}

/// Powers of ten; 1, 2 and 5 times them where the axis has less than about two.
fn logarithmic_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let decades = (high / low).log10();
    let stride = (decades / most as f64).ceil().max(1.0) as i32;
    let factors: &[f64] = if decades < 2.2_f64.max(most as f64 / 4.0) { &[1.0, 2.0, 5.0] } else { &[1.0] };
    (first..=last)
        .filter(|power| power.rem_euclid(stride) == 0)
        .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
        .filter(|&x| x >= low * 0.999 && x <= high * 1.001)
        .collect()
}

/// A tick's number, or a power of ten where numbers are far from 1; one way for all of a logarithmic axis.
pub(super) fn tick_label(x: f64, axis: &Axis) -> Markup {
    let size = x.abs();
    if x == 0.0 {
        return html! { "0" };
    }
    let plain = if axis.scale == Scale::Logarithmic {
        axis.low >= 5e-3 && axis.high <= 2e4
    } else {
        (1e-3..1e5).contains(&size)
    };
    if plain {
        let text = format!("{:.6}", (x * 1e6).round() / 1e6);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return html! { (minus(text)) };
    }
    let power = (size.log10() + 1e-9).floor() as i32;
    let factor = x / 10_f64.powi(power);
    let lead = if (factor - 1.0).abs() < 1e-6 {
        String::new()
    } else {
        format!("{}\u{b7}", number((factor * 100.0).round() / 100.0).trim_end_matches('0').trim_end_matches('.'))
    };
    html! { (lead) "10" (raised(&power.to_string())) }
}
