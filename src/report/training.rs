//! How the training went: every scalar of the metrics against the step, and where the time went.

use maud::{Markup, Render, html};
use serde_json::{Map, Value};

use super::block::Card;
use super::figure::{Axis, Figure, Mark, Panel, Scale, Tint};
use super::inputs::ReportInputs;
use super::text::Text;
use super::words::{count, missing, number, percent, plain};

/// A long run is drawn as this many means, with the range of each behind them.
const BUCKETS: usize = 200;
/// Colours of curves that stand for neither side of a comparison; one figure has at most as many curves.
const OTHER_COLOURS: [Tint; 4] = [Tint::C, Tint::D, Tint::E, Tint::F];

const NO_METRICS: &str = "No metrics are in this run.";

/// One scalar against the step.
struct Series {
    key: String,
    step: Vec<f64>,
    value: Vec<f64>,
}

/// Losses, logits, gradient norms, and whatever else the objective named.
pub fn curves(inputs: &ReportInputs) -> Markup {
    let mut groups: Vec<(&str, Scale, Vec<Series>)> = vec![
        ("Losses", Scale::Linear, Vec::new()),
        ("Logits: mean answer of the discriminator", Scale::Linear, Vec::new()),
        ("Gradient norms", Scale::Logarithmic, Vec::new()),
        ("Other scalars", Scale::Linear, Vec::new()),
    ];
    for series in all_series(&inputs.metrics) {
        let group = match series.key.as_str() {
            key if key.ends_with("_loss") || key == "loss" => 0,
            key if key.ends_with("_logit") => 1,
            key if key.ends_with("_norm") => 2,
            key if is_bookkeeping(key) => continue,
            _ => 3,
        };
        groups[group].2.push(series);
    }
    let figures: Vec<Markup> = groups
        .into_iter()
        .filter(|(_, _, series)| !series.is_empty())
        .flat_map(|(title, scale, mut series)| {
            let mut parts = Vec::new();
            while !series.is_empty() {
                let rest = series.split_off(series.len().min(OTHER_COLOURS.len()));
                parts.push(figure(title, scale, &series));
                series = rest;
            }
            parts
        })
        .collect();
    if figures.is_empty() {
        return missing(NO_METRICS);
    }
    let long = inputs.metrics.len() > BUCKETS;
    html! {
        div.pair { @for figure in &figures { (figure) } }
        @if long {
            p.note { "Lines are means over " (inputs.metrics.len().div_ceil(BUCKETS)) " rows of the metrics, bands their range." }
        }
    }
}

/// Samples a second, seconds a step, totals.
pub fn timings(inputs: &ReportInputs) -> Markup {
    let series = all_series(&inputs.metrics);
    let find = |key: &str| series.iter().find(|series| series.key == key);
    let step_seconds = find("step_seconds").map(|series| finite(&series.value)).unwrap_or_default();
    let load_seconds = find("load_seconds").map(|series| finite(&series.value)).unwrap_or_default();
    let rates = find("samples_per_second").map(|series| finite(&series.value)).unwrap_or_default();
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.into(), value));
    if let Some(rate) = median(&rates) {
        row("Samples a second, median", number(rate));
    }
    if let Some(seconds) = median(&step_seconds) {
        row("Seconds a step, median", number(seconds));
        let (load, total) = (load_seconds.iter().sum::<f64>(), step_seconds.iter().sum::<f64>());
        if !load_seconds.is_empty() && total > 0.0 {
            row("Time waiting for data, over time in steps", percent(load / total));
        }
    }
    if let Some(step) = last(&inputs.metrics, "step") {
        row("Steps", count(step as u64));
    }
    if let Some(samples) = last(&inputs.metrics, "samples") {
        row("Samples seen", count(samples as u64));
    }
    rows.extend(inputs.timings.iter().cloned());
    if rows.is_empty() {
        return missing("No timings are in this run.");
    }
    html! {
        div.pair {
            div.scroll { table { tbody { @for (name, value) in &rows { tr { td { (name) } td.n { (value) } } } } } }
            @if let Some(rate) = find("samples_per_second") {
                (figure("Samples a second", Scale::Linear, std::slice::from_ref(rate)))
            } @else {
                (missing("Rates are not in the metrics."))
            }
        }
    }
}

/// The figure of the training at the top of the page.
pub fn card(inputs: &ReportInputs) -> Card {
    let figure =
        last(&inputs.metrics, "step").map_or("no metrics".into(), |step| format!("{} steps", count(step as u64)));
    let samples = last(&inputs.metrics, "samples").map(|samples| format!("{} samples", count(samples as u64)));
    let outcome = Some(&inputs.outcome).filter(|outcome| !outcome.is_empty()).cloned();
    let beside = samples.into_iter().chain(outcome).collect::<Vec<_>>().join(" \u{b7} ");
    Card { name: "Training".into(), figure, unit: String::new(), beside }
}

/// Keys that say when and how fast, not how well.
fn is_bookkeeping(key: &str) -> bool {
    matches!(key, "step" | "epoch" | "samples" | "samples_per_second" | "staged_bytes") || key.ends_with("_seconds")
}

/// All scalars of the rows, in the order in which they first appear.
fn all_series(rows: &[Map<String, Value>]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let step = row.get("step").and_then(Value::as_f64).unwrap_or(at as f64);
        for (key, value) in row {
            // A null is a number that was none.
            let value = if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
            let Some(value) = value else { continue };
            let place = all.iter().position(|series| series.key == *key).unwrap_or_else(|| {
                all.push(Series { key: key.clone(), step: Vec::new(), value: Vec::new() });
                all.len() - 1
            });
            all[place].step.push(step);
            all[place].value.push(value);
        }
    }
    all
}

fn figure(title: &str, scale: Scale, series: &[Series]) -> Markup {
    let mut marks = Vec::new();
    let mut means = Vec::new();
    let mut inner = Vec::new();
    let tints = tints(series);
    for (series, &tint) in series.iter().zip(&tints) {
        let [x, mean, low, high] = buckets(series);
        if series.value.len() > BUCKETS {
            marks.push(Mark::Band { tint, x: x.clone(), low: low.clone(), high: high.clone() });
        }
        means.push(Mark::Line { tint, x, y: mean });
        inner.extend(central(&low));
        inner.extend(central(&high));
    }
    marks.extend(means);
    if scale == Scale::Linear && inner.iter().any(|&x| x < 0.0) && inner.iter().any(|&x| x > 0.0) {
        marks.insert(0, Mark::Level { y: 0.0 });
    }
    let steps = series.iter().flat_map(|series| series.step.iter().copied());
    let (first, last) = steps.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let last = if last > first { last } else { first + 1.0 };
    let end = |series: &Series| {
        format!("{} {}", plain(&series.key), series.value.last().map_or_else(String::new, |&x| number(x)))
    };
    let ends: Vec<String> = series.iter().map(end).collect();
    Figure {
        title: title.into(),
        legend: series.iter().zip(tints).map(|(series, tint)| (tint, plain(&series.key))).collect(),
        wide: false,
        x: Axis::between("step", Scale::Linear, first, last),
        panels: vec![Panel { height: 210.0, y: Axis::around("", scale, inner), marks }],
        caption: Text::from(format!("Last: {}.", ends.join(", "))),
    }
    .render()
}

/// The generator and what it makes have the colour of generated maps, the discriminator and real maps that of real ones;
/// no colour twice in a figure.
fn tints(series: &[Series]) -> Vec<Tint> {
    let mut used: Vec<Tint> = Vec::new();
    for series in series {
        let first_word = series.key.split('_').next().unwrap_or_default();
        let own = match first_word {
            "generator" | "fake" => Some(Tint::Generated),
            "discriminator" | "real" => Some(Tint::Reference),
            _ => None,
        };
        let free = || OTHER_COLOURS.into_iter().find(|tint| !used.contains(tint)).unwrap_or(Tint::F);
        used.push(own.filter(|tint| !used.contains(tint)).unwrap_or_else(free));
    }
    used
}

/// Step, mean, lowest and highest of runs of rows. Numbers that are none leave a gap only where a run has nothing else.
fn buckets(series: &Series) -> [Vec<f64>; 4] {
    let length = series.value.len().div_ceil(BUCKETS).max(1);
    let mut out: [Vec<f64>; 4] = Default::default();
    for (steps, values) in series.step.chunks(length).zip(series.value.chunks(length)) {
        let values = finite(values);
        let n = values.len() as f64;
        out[0].push(steps.iter().sum::<f64>() / steps.len() as f64);
        out[1].push(values.iter().sum::<f64>() / n);
        out[2].push(values.iter().copied().reduce(f64::min).unwrap_or(f64::NAN));
        out[3].push(values.iter().copied().reduce(f64::max).unwrap_or(f64::NAN));
    }
    out
}

/// All but the outermost 1 % at each end, so that one wild step does not flatten a curve.
fn central(values: &[f64]) -> Vec<f64> {
    let mut values = finite(values);
    values.sort_unstable_by(f64::total_cmp);
    let cut = values.len() / 100;
    values[cut..values.len() - cut].to_vec()
}

fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|x| x.is_finite()).collect()
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn last(rows: &[Map<String, Value>], key: &str) -> Option<f64> {
    rows.iter().rev().find_map(|row| row.get(key)?.as_f64())
}
