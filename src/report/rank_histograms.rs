//! Small histograms of ranks side by side, each with what uniform ranks would give.

use maud::{Markup, PreEscaped, Render, html};

use super::figure::{path, px};
use super::text::Text;
use super::words::number;

const WIDTH: f64 = 1076.0;
const COLUMNS: usize = 4;
const GAP: f64 = 22.0;
const HEIGHT: f64 = 118.0;
const ROW: f64 = 178.0;
const TOP: f64 = 24.0;

/// Histograms of ranks from 0 to 1 over the whole width.
#[derive(Clone, Debug, Default)]
pub struct RankHistograms {
    /// Above them.
    pub title: String,
    /// What is counted.
    pub counted: String,
    /// The histograms, row by row.
    pub panels: Vec<RankHistogram>,
    /// Below them.
    pub caption: Text,
}

/// One histogram.
#[derive(Clone, Debug, Default)]
pub struct RankHistogram {
    /// Of what.
    pub name: String,
    /// How many ranks lie in each of some equal bins from 0 to 1, at least one bin.
    pub counts: Vec<u64>,
    /// Chance of ranks at least as far from uniform ones, by a Kolmogorov-Smirnov test.
    pub p_value: f64,
}

impl Render for RankHistograms {
    fn render(&self) -> Markup {
        let rows = self.panels.len().div_ceil(COLUMNS);
        let width = (WIDTH - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
        let panels: String = self
            .panels
            .iter()
            .filter(|panel| !panel.counts.is_empty())
            .enumerate()
            .map(|(at, histogram)| {
                let (left, top) = ((width + GAP) * (at % COLUMNS) as f64, ROW * (at / COLUMNS) as f64 + TOP);
                histogram.drawing(left, top, width).into_string()
            })
            .collect();
        html! {
            figure.wide {
                div.title { (self.title) }
                div.legend {
                    span { i.generated {} (self.counted) }
                    span { i.target {} "uniform, with two standard deviations" }
                }
                svg viewBox={ "0 0 " (WIDTH) " " (ROW * rows as f64) } role="img" aria-label=(self.title) {
                    (PreEscaped(panels))
                }
                figcaption { (self.caption) }
            }
        }
    }
}

impl RankHistogram {
    fn drawing(&self, left: f64, top: f64, width: f64) -> Markup {
        let bottom = top + HEIGHT;
        let share = 1.0 / self.counts.len() as f64;
        let even = self.counts.iter().sum::<u64>() as f64 * share;
        let deviation = (even * (1.0 - share)).sqrt();
        let most =
            self.counts.iter().fold(even + 3.0 * deviation, |most, &count| most.max(count as f64)).max(1.0) * 1.05;
        let up = |count: f64| bottom - HEIGHT * (count / most).clamp(0.0, 1.0);
        let step = width * share;
        let tops = self.counts.iter().enumerate().flat_map(|(bin, &count)| {
            [bin, bin + 1].map(|edge| Some((step.mul_add(edge as f64, left), up(count as f64))))
        });
        let outline = path(tops);
        let (high, low) = (up(even + 2.0 * deviation), up(even - 2.0 * deviation));
        html! {
            text class="axis" x=(px(left)) y=(px(top - 8.0)) { (self.name) }
            text text-anchor="end" x=(px(left + width)) y=(px(top - 8.0)) { "KS p " (number(self.p_value)) }
            rect class="zone target" x=(px(left)) width=(px(width)) y=(px(high)) height=(px(low - high)) {}
            path class="band generated" d={ (outline) "V" (px(bottom)) "H" (px(left)) "Z" } {}
            path class="line generated" d=(outline) {}
            path class="level" d={ "M" (px(left)) " " (px(up(even))) "h" (px(width)) } {}
            rect class="frame" x=(px(left)) y=(px(top)) width=(px(width)) height=(px(HEIGHT)) {}
            @for (place, anchor, text) in [(0.0, "start", "0"), (0.5, "middle", "rank"), (1.0, "end", "1")] {
                text text-anchor=(anchor) x=(px(width.mul_add(place, left))) y=(px(bottom + 16.0)) { (text) }
            }
        }
    }
}
