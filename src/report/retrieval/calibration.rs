//! How often intervals hold the truth, and the histograms of its ranks.

use maud::{Markup, PreEscaped, html};

use super::accuracy::NO_STATISTICS;
use super::symbol;
use crate::report::figure::{path, px};
use crate::report::inputs::ReportInputs;
use crate::report::words::{count, missing, number, percent};
use crate::statistics::ParameterStatistics;
use crate::statistics::coverage::{Coverage, Ranks};

const WIDTH: f64 = 1076.0;
const COLUMNS: usize = 4;
const GAP: f64 = 22.0;
const HEIGHT: f64 = 118.0;
const ROW: f64 = 178.0;
const TOP: f64 = 24.0;

/// Coverage as a table, ranks as a row of histograms.
pub fn calibration(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.retrieval else { return missing(NO_STATISTICS) };
    let covered: Vec<(&ParameterStatistics, [Coverage; 2])> =
        found.parameters.iter().filter_map(|row| Some((row, row.coverage?))).collect();
    if covered.is_empty() {
        return missing(
            "Coverage was not asked for: `skyforge evaluate TABLE --against DATASET --coverage` measures it.",
        );
    }
    let ranked: Vec<(&ParameterStatistics, &Ranks)> =
        found.parameters.iter().filter_map(|row| Some((row, row.ranks.as_ref()?))).collect();
    let cell = |one: &Coverage| html! { (percent(one.share)) " \u{b1} " (percent(one.error)) };
    html! {
        div.scroll { table {
            thead { tr {
                th { "Parameter" } th.n { "Objects" } th.n { "In the 68\u{a0}% interval" } th.n { "In the 95\u{a0}% interval" }
                th.n { "Ranks: KS p" }
            } }
            tbody {
                @for (row, [inner, outer]) in &covered {
                    tr {
                        td { (symbol(&row.name)) } td.n { (count(inner.objects)) } td.n { (cell(inner)) } td.n { (cell(outer)) }
                        td.n { (row.ranks.as_ref().map_or_else(String::new, |ranks| number(ranks.p_value))) }
                    }
                }
            }
        } }
        p.note { "\u{b1} is one standard deviation of the share, binomial, where the promise is kept." }
        @if ranked.is_empty() { (missing("No samples lie beside the table, so there are no ranks.")) } @else { (ranks(&ranked)) }
    }
}

fn ranks(ranked: &[(&ParameterStatistics, &Ranks)]) -> Markup {
    let rows = ranked.len().div_ceil(COLUMNS);
    let width = (WIDTH - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
    let panels: String = ranked
        .iter()
        .enumerate()
        .map(|(at, (row, ranks))| {
            let (left, top) = ((width + GAP) * (at % COLUMNS) as f64, ROW * (at / COLUMNS) as f64 + TOP);
            panel(&symbol(&row.name), ranks, left, top, width).into_string()
        })
        .collect();
    html! {
        figure.wide {
            div.title { "Rank of the truth among the samples" }
            div.legend {
                span { i.generated {} "objects with that rank" }
                span { i.target {} "uniform, with two standard deviations" }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (ROW * rows as f64) } role="img" aria-label="Rank of the truth among the samples" {
                (PreEscaped(panels))
            }
            figcaption {
                "Where truth and samples have one distribution, ranks are uniform. Heaps at both ends say that intervals are too
                narrow, a hill in the middle that they are too wide, a slope that medians are biased."
            }
        }
    }
}

fn panel(name: &str, ranks: &Ranks, left: f64, top: f64, width: f64) -> Markup {
    let bottom = top + HEIGHT;
    let share = 1.0 / ranks.bins.len() as f64;
    let even = ranks.objects as f64 * share;
    let deviation = (even * (1.0 - share)).sqrt();
    let most = ranks.bins.iter().fold(even + 3.0 * deviation, |most, &count| most.max(count as f64)).max(1.0) * 1.05;
    let up = |count: f64| bottom - HEIGHT * (count / most).clamp(0.0, 1.0);
    let step = width * share;
    let tops =
        ranks.bins.iter().enumerate().flat_map(|(bin, &count)| {
            [bin, bin + 1].map(|edge| Some((step.mul_add(edge as f64, left), up(count as f64))))
        });
    let outline = path(tops);
    let (high, low) = (up(even + 2.0 * deviation), up(even - 2.0 * deviation));
    html! {
        text class="axis" x=(px(left)) y=(px(top - 8.0)) { (name) }
        text text-anchor="end" x=(px(left + width)) y=(px(top - 8.0)) { "KS p " (number(ranks.p_value)) }
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
