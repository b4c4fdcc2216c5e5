//! The page: its head, its sections in order, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::inputs::ReportInputs;
use super::words::missing;
use super::{agreement, gallery, headline, pixels, record, retrieval, tests_table, training};

const STYLE: &str = include_str!("style.css");

/// Anchor, title, content.
type Section = (String, String, Markup);

/// The report of a run as one HTML file: no script, nothing fetched from outside.
pub fn render(inputs: &ReportInputs) -> String {
    let mut inputs = inputs.clone();
    let mut notices = Vec::new();
    if inputs.comparison.as_ref().is_some_and(|found| !found.fits()) {
        inputs.comparison = None;
        notices.push("The comparison in this run is damaged: its arrays do not fit together, so it is left out.");
    }
    if inputs.examples.as_ref().is_some_and(|found| !found.fits()) {
        inputs.examples = None;
        notices.push(
            "The retrieved examples in this run are damaged: their arrays do not fit together, so they are left out.",
        );
    }
    page(&inputs, &notices)
}

fn page(inputs: &ReportInputs, notices: &[&str]) -> String {
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
                @for notice in notices { (missing(notice)) }
                main {
                    @if inputs.retrieval.is_some() || inputs.examples.is_some() {
                        @for section in of_retrieval(inputs) { (self::section(&section)) }
                    }
                    @if !inputs.is_of_retrieval() { (of_maps(inputs)) }
                    @for section in of_any(inputs) { (self::section(&section)) }
                }
                footer { "Made by skyforge from the files of the run alone; every number here can be computed from them again." }
            }
        }
    };
    page.into_string()
}

fn of_maps(inputs: &ReportInputs) -> Markup {
    let maps = named("maps", "Real and generated maps", gallery::examples(inputs));
    let spectrum = named("spectrum", "Power spectrum", agreement::spectrum(inputs));
    let histogram = named("histogram", "Pixel histogram", agreement::histogram(inputs));
    let rest = [
        named("tests", "Kolmogorov\u{2013}Smirnov tests", tests_table::tests(inputs)),
        named("pixels", "Correlation, mean and variance of pixels", pixels::pixels(inputs)),
        named("distances", "All distances", agreement::distances(inputs)),
    ];
    html! {
        (section(&maps))
        div.pair { (section(&spectrum)) (section(&histogram)) }
        @for section in &rest { (self::section(section)) }
    }
}

fn of_retrieval(inputs: &ReportInputs) -> Vec<Section> {
    let mut sections = vec![
        named("accuracy", "Accuracy of retrieved parameters", retrieval::accuracy(inputs)),
        named("calibration", "Do intervals keep their promise?", retrieval::calibration(inputs)),
    ];
    if let Some(examples) = &inputs.examples {
        sections.extend(examples.objects.iter().zip(1..).map(|(object, number)| {
            (format!("example-{number}"), object.title(), retrieval::example(&examples.parameters, object))
        }));
    }
    sections
}

fn of_any(inputs: &ReportInputs) -> [Section; 3] {
    [
        named("training", "Training", training::curves(inputs)),
        named("timings", "Timings", training::timings(inputs)),
        named("record", "Provenance and configuration", record::record(inputs)),
    ]
}

fn named(id: &str, title: &str, content: Markup) -> Section {
    (id.into(), title.into(), content)
}

fn section((id, title, content): &Section) -> Markup {
    html! { section id=(id) { h2 { (title) } (content) } }
}
