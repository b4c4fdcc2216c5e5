//! Errors of retrieved parameters beside the published table.

use super::{symbol, unit};
use crate::report::words::{UNDEFINED, count, minus, number, percent};
use crate::report::{Block, Card, Column, Table, Text};
use crate::statistics::retrieval_accuracy::published;
use crate::statistics::{ParameterStatistics, RetrievalStatistics};

/// Errors in each parameter's unit, and A beside what was published.
pub fn accuracy(found: &RetrievalStatistics) -> Vec<Block> {
    let mut columns = vec![
        Column::words("Parameter"),
        Column::numbers("Mean |error|"),
        Column::numbers("Bias"),
        Column::numbers("RMS error"),
    ];
    for group in ["1 \u{2212} A, %", "Published, test, %", "A, %"] {
        columns.extend(["0\u{3c3}", "1\u{3c3}", "2\u{3c3}"].map(|head| Column::numbers(head).under(group)));
    }
    let cells = |row: &ParameterStatistics| {
        let found = &row.accuracy;
        let public =
            published(&row.name).map_or([const { String::new() }; 3], |row| row.test.map(|x| format!("{x:.1}")));
        let mut cells = vec![Text::from(format!("{} ", symbol(&row.name))).muted(unit(&row.unit))];
        cells.extend([found.mean_absolute_error, found.bias, found.rms_error].map(|error| number(error).into()));
        cells.extend(
            [found.a_accuracy.map(tenths), public, found.a_error.map(tenths)].into_iter().flatten().map(Text::from),
        );
        cells
    };
    let fits = &found.fits;
    let formula = format!(
        "{} objects; {} A = (1/N) \u{3a3} (retrieved \u{2212} true)\u{b2} / (true\u{b2} + \u{3c3}\u{b2}), \u{3c3} half of the interval \
         from 16 to 84\u{a0}% times 0, 1 and 2. That is an error and falls with \u{3c3}; the table that was published for \
         ExoGAN under this formula rises, so it must hold 1 \u{2212} A. It is relative to the parameter's own size: a logarithm \
         of \u{2212}8 is forgiven more than one of \u{2212}1.",
        count(found.objects),
        unknown(found)
    );
    let fits = format!(
        "Fits: chi-square a point {} (median), {} of restarts agree with the best, {} effective samples (median), {} of objects \
         at or beyond the edge of what was learned, {} iterations an object.",
        number(fits.chi_square_per_point),
        percent(fits.restart_agreement),
        number(fits.effective_samples),
        percent(fits.out_of_range),
        number(fits.iterations)
    );
    let table = Table { columns, rows: found.parameters.iter().map(cells).collect(), wide: true };
    vec![Block::Table(table), Block::Note(formula.into()), Block::Note(fits.into())]
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
pub fn cards(found: &RetrievalStatistics) -> Vec<Card> {
    let of = |name: &str| found.parameters.iter().find(|row| row.name == name);
    let errors = ["log10_h2o", "planet_radius"].into_iter().filter_map(of).map(|row| Card {
        name: format!("{}, mean error", symbol(&row.name)),
        figure: number(row.accuracy.mean_absolute_error),
        unit: unit(&row.unit).into(),
        beside: format!("bias {} \u{b7} RMS {}", number(row.accuracy.bias), number(row.accuracy.rms_error)),
    });
    let promise = covered(found).map(|(low, high)| Card {
        name: "Truths in intervals of 68\u{a0}%".into(),
        figure: format!("{}\u{2013}{}", tenths(low), percent(high)),
        unit: String::new(),
        beside: format!("least and most of {} parameters", found.parameters.len()),
    });
    errors.chain(promise).collect()
}
