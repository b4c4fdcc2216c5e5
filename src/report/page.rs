//! The page: its head, the sections of the family and those of every run, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::block::sections;
use super::inputs::ReportInputs;
use super::words::missing;
use super::{headline, record, training};

const STYLE: &str = include_str!("style.css");

/// The report of a run as one HTML file: no script, nothing fetched from outside.
pub fn render(inputs: &ReportInputs) -> String {
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
                @for notice in &inputs.family.notices { (missing(notice)) }
                main {
                    (sections(&inputs.family.sections))
                    (of_every_run("training", "Training", &training::curves(inputs)))
                    (of_every_run("timings", "Timings", &training::timings(inputs)))
                    (of_every_run("record", "Provenance and configuration", &record::record(inputs)))
                }
                footer { "Made by skyforge from the files of the run alone; every number here can be computed from them again." }
            }
        }
    };
    page.into_string()
}

fn of_every_run(id: &str, title: &str, content: &Markup) -> Markup {
    html! { section id=(id) { h2 { (title) } (content) } }
}
