//! The top of the page: what was trained, how good it is, in numbers and in a sentence.

use maud::{Markup, html};

use super::inputs::ReportInputs;
use super::training;

/// Name, subject, verdict and the figures behind it.
pub fn headline(inputs: &ReportInputs) -> Markup {
    let ReportInputs { run, subject, family, .. } = inputs;
    html! {
        header {
            p.kicker { "skyforge \u{b7} training report" }
            h1 { (run) }
            @if !subject.is_empty() { p.subject { (subject) } }
            @if !family.verdict.is_empty() { p.verdict { (family.verdict) } }
            @if !family.compared.is_empty() { p.compared { (family.compared) } }
            div.cards {
                @for card in &family.cards { (card) }
                (training::card(inputs))
            }
        }
    }
}
