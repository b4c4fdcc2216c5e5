//! Where the run came from: provenance as a table, the configuration in full.

use maud::{Markup, html};

use super::inputs::ReportInputs;
use super::words::missing;

/// Provenance, outcome and configuration.
pub fn record(inputs: &ReportInputs) -> Markup {
    html! {
        @if inputs.provenance.is_empty() {
            (missing("No provenance is in this run."))
        } @else {
            div.scroll { table.record { tbody {
                @for (key, value) in &inputs.provenance { tr { td { (key) } td { code { (value) } } } }
            } } }
        }
        @if inputs.outcome.is_empty() { (missing("The run has not said how it ended.")) } @else { p { "Outcome: " (inputs.outcome) } }
        @if inputs.config.is_empty() {
            (missing("No configuration is in this run."))
        } @else {
            details { summary { "Configuration, every value" } pre { (inputs.config) } }
        }
    }
}
