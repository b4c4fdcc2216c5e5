//! Errors of retrieved parameters beside the published table.

use maud::{Markup, html};

use super::{symbol, unit};
use crate::report::inputs::ReportInputs;
use crate::report::words::{UNDEFINED, count, minus, missing, number, percent};
use crate::statistics::retrieval_accuracy::published;
use crate::statistics::{ParameterStatistics, RetrievalStatistics};

/// What stands in the place of a comparison with the truth.
pub const NO_STATISTICS: &str = "Retrieved parameters have not been compared with true ones in this run.";

/// Errors in each parameter's unit, and A beside what was published.
pub fn accuracy(inputs: &ReportInputs) -> Markup {
    let Some(found) = &inputs.retrieval else { return missing(NO_STATISTICS) };
    let shares = |row: &ParameterStatistics| {
        let ours = row.accuracy.a_accuracy.map(tenths);
        let public = published(&row.name);
        let test = public.map_or([const { String::new() }; 3], |row| row.test.map(|x| format!("{x:.1}")));
        (ours, test, row.accuracy.a_error.map(tenths))
    };
    let fits = &found.fits;
    html! {
        div.scroll { table.tests.wide {
            thead {
                tr {
                    th rowspan="2" { "Parameter" } th rowspan="2" { "Mean |error|" } th rowspan="2" { "Bias" }
                    th rowspan="2" { "RMS error" }
                    th.group colspan="3" { "1 \u{2212} A, %" } th.group colspan="3" { "Published, test, %" }
                    th.group colspan="3" { "A, %" }
                }
                tr { @for _ in 0..3 { th { "0\u{3c3}" } th { "1\u{3c3}" } th { "2\u{3c3}" } } }
            }
            tbody {
                @for row in &found.parameters {
                    @let (ours, test, error) = shares(row);
                    tr {
                        td { (symbol(&row.name)) " " span.unit { (unit(&row.unit)) } }
                        td { (number(row.accuracy.mean_absolute_error)) }
                        td { (number(row.accuracy.bias)) }
                        td { (number(row.accuracy.rms_error)) }
                        @for cells in [ours, test, error] { @for cell in cells { td { (cell) } } }
                    }
                }
            }
        } }
        p.note {
            (count(found.objects)) " objects; " (unknown(found))
            " A = (1/N) \u{3a3} (retrieved \u{2212} true)\u{b2} / (true\u{b2} + \u{3c3}\u{b2}), \u{3c3} half of the interval
              from 16 to 84\u{a0}% times 0, 1 and 2. That is an error and falls with \u{3c3}; the table that was published for
              ExoGAN under this formula rises, so it must hold 1 \u{2212} A. It is relative to the parameter's own size: a
              logarithm of \u{2212}8 is forgiven more than one of \u{2212}1." }
        p.note {
            "Fits: chi-square a point " (number(fits.chi_square_per_point)) " (median), " (percent(fits.restart_agreement))
            " of restarts agree with the best, " (number(fits.effective_samples)) " effective samples (median), "
            (percent(fits.out_of_range)) " of objects at or beyond the edge of what was learned, "
            (number(fits.iterations)) " iterations an object."
        }
    }
}

/// "97.3".
fn tenths(share: f64) -> String {
    if share.is_finite() { minus(&format!("{:.1}", 100.0 * share)) } else { UNDEFINED.into() }
}

fn unknown(found: &RetrievalStatistics) -> String {
    let left_out: Vec<String> = found
        .parameters
        .iter()
        .filter(|row| row.accuracy.unknown > 0)
        .map(|row| format!("{} of {}", count(row.accuracy.unknown), symbol(&row.name)))
        .collect();
    if left_out.is_empty() {
        "every truth is known.".into()
    } else {
        format!("truths that are not known are left out: {}.", left_out.join(", "))
    }
}

/// The least and the greatest share of truths in the intervals of 68 %, over parameters.
fn covered(found: &RetrievalStatistics) -> Option<(f64, f64)> {
    let shares: Vec<f64> = found.parameters.iter().filter_map(|row| Some(row.coverage?[0].share)).collect();
    let low = shares.iter().copied().reduce(f64::min)?;
    Some((low, shares.iter().copied().fold(low, f64::max)))
}

/// What a retrieval is worth, in a sentence. Computed, never assumed.
pub fn verdict(found: &RetrievalStatistics) -> String {
    let errors: Vec<String> = found
        .parameters
        .iter()
        .map(|row| {
            let error = number(row.accuracy.mean_absolute_error);
            format!("{} {error}\u{a0}{}", symbol(&row.name), unit(&row.unit)).trim_end().to_owned()
        })
        .collect();
    let promise = covered(found).map_or(String::new(), |(low, high)| {
        format!(" Intervals of 68\u{a0}% hold the truth in {} to {} of cases.", percent(low), percent(high))
    });
    format!(
        "Parameters of {} objects are retrieved with mean errors of {}.{promise}",
        count(found.objects),
        errors.join(", ")
    )
}

/// The figures behind it.
pub fn cards(found: &RetrievalStatistics) -> Markup {
    let of = |name: &str| found.parameters.iter().find(|row| row.name == name);
    html! {
        @for name in ["log10_h2o", "planet_radius"] {
            @if let Some(row) = of(name) {
                div.card {
                    div.name { (symbol(name)) ", mean error" }
                    div.figure { (number(row.accuracy.mean_absolute_error)) " " span.unit { (unit(&row.unit)) } }
                    div.beside { "bias " (number(row.accuracy.bias)) " \u{b7} RMS " (number(row.accuracy.rms_error)) }
                }
            }
        }
        @if let Some((low, high)) = covered(found) {
            div.card {
                div.name { "Truths in intervals of 68\u{a0}%" }
                div.figure { (tenths(low)) "\u{2013}" (percent(high)) }
                div.beside { "least and most of " (found.parameters.len()) " parameters" }
            }
        }
    }
}
