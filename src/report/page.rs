//! The page: its head, its sections in order, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::inputs::ReportInputs;
use super::words::missing;
use super::{agreement, gallery, headline, pixels, record, tests_table, training};

const STYLE: &str = include_str!("style.css");

/// Anchor, title, content.
type Section = (&'static str, &'static str, Markup);

/// The report of a run as one HTML file: no script, nothing fetched from outside.
pub fn render(inputs: &ReportInputs) -> String {
    if inputs.comparison.as_ref().is_some_and(|found| !found.fits()) {
        return page(
            &ReportInputs { comparison: None, ..inputs.clone() },
            Some("The comparison in this run is damaged: its arrays do not fit together, so it is left out."),
        );
    }
    page(inputs, None)
}

fn page(inputs: &ReportInputs, notice: Option<&str>) -> String {
    let [maps, spectrum, histogram, rest @ ..]: [Section; 9] = [
        ("maps", "Real and generated maps", gallery::examples(inputs)),
        ("spectrum", "Power spectrum", agreement::spectrum(inputs)),
        ("histogram", "Pixel histogram", agreement::histogram(inputs)),
        ("tests", "Kolmogorov\u{2013}Smirnov tests", tests_table::tests(inputs)),
        ("pixels", "Correlation, mean and variance of pixels", pixels::pixels(inputs)),
        ("distances", "All distances", agreement::distances(inputs)),
        ("training", "Training", training::curves(inputs)),
        ("timings", "Timings", training::timings(inputs)),
        ("record", "Provenance and configuration", record::record(inputs)),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (inputs.run) " \u{b7} skyforge" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (headline::headline(inputs))
                @if let Some(notice) = notice { (missing(notice)) }
                main {
                    (section(&maps))
                    div.pair { (section(&spectrum)) (section(&histogram)) }
                    @for section in &rest { (self::section(section)) }
                }
                footer { "Made by skyforge from the files of the run alone; every number here can be computed from them again." }
            }
        }
    };
    page.into_string()
}

fn section((id, title, content): &Section) -> Markup {
    html! { section id=(id) { h2 { (title) } (content) } }
}
