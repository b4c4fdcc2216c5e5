//! The top of the page: what was trained, how good it is, in numbers and in a sentence.

use maud::{Markup, html};

use super::inputs::ReportInputs;
use super::words::{UNDEFINED, count, percent};
use super::{retrieval, training};
use crate::statistics::Comparison;

/// The largest error of the mean power spectrum that counts as agreement.
pub const TARGET: f64 = 0.2;

/// Name, subject, verdict and the figures behind it.
pub fn headline(inputs: &ReportInputs) -> Markup {
    html! {
        header {
            p.kicker { "skyforge \u{b7} training report" }
            h1 { (inputs.run) }
            @if !inputs.subject.is_empty() { p.subject { (inputs.subject) } }
            p.verdict { (verdict(inputs)) }
            @if !inputs.compared.is_empty() { p.compared { (inputs.compared) } }
            div.cards {
                @if let Some(comparison) = &inputs.comparison { (comparison_cards(comparison)) }
                @if let Some(found) = &inputs.retrieval { (retrieval::cards(found)) }
                (training::card(inputs))
            }
        }
    }
}

/// Does the spectrum hold, and would simulations do better? Computed, never assumed.
fn verdict(inputs: &ReportInputs) -> String {
    let reference = inputs.reference_name();
    let Some(comparison) = &inputs.comparison else {
        if let Some(found) = &inputs.retrieval {
            return retrieval::verdict(found);
        }
        if inputs.is_of_retrieval() {
            return "Retrieved parameters have not been compared with true ones in this run yet, so nothing is said of how \
                    good they are."
                .into();
        }
        return "No comparison with held-back maps is in this run yet, so nothing is said of how good the maps are."
            .into();
    };
    let (worst, floor) = (comparison.generated_distance.spectrum_worst, comparison.floor_distance.spectrum_worst);
    let range = judged(comparison);
    let maps = count(comparison.generated.maps as u64);
    if !worst.is_finite() {
        return format!(
            "The ratio of the mean power spectra is undefined somewhere in {range}: these maps cannot be judged."
        );
    }
    let beside = if !floor.is_finite() {
        "the floor is undefined".into()
    } else if worst <= floor {
        format!("no worse than the {} of a second set of simulations", percent(floor))
    } else {
        format!("a second set of simulations reaches {}", percent(floor))
    };
    let departs = percent(worst);
    if worst <= TARGET {
        format!(
            "The mean power spectrum of {maps} generated maps stays within {departs} of that of {reference} over {range}, \
             inside the 20\u{a0}% asked for; {beside}."
        )
    } else {
        format!(
            "The mean power spectrum of {maps} generated maps departs by up to {departs} from that of {reference} over \
             {range}, more than the 20\u{a0}% asked for; {beside}."
        )
    }
}

/// "8 <= k < 24".
pub fn judged(comparison: &Comparison) -> String {
    format!("{} \u{2264} k < {}", comparison.judged_wavenumbers.start, comparison.judged_wavenumbers.end)
}

fn comparison_cards(comparison: &Comparison) -> Markup {
    let (generated, floor) = (&comparison.generated_distance, &comparison.floor_distance);
    let state = match generated.spectrum_worst {
        x if x <= TARGET => "met",
        x if x > TARGET => "missed",
        _ => UNDEFINED,
    };
    let passed = |above: [usize; 7], tests: usize| format!("{} of {}", above[6], tests);
    let tests = generated.spectrum_ks.p_value.len();
    html! {
        div.card {
            div.name { "Spectrum, largest error" }
            div.figure { (percent(generated.spectrum_worst)) }
            div.beside { "floor " (percent(floor.spectrum_worst)) " \u{b7} target 20\u{a0}%: " (state) }
        }
        div.card {
            div.name { "Histogram, misplaced pixels" }
            div.figure { (percent(generated.histogram_total_variation)) }
            div.beside { "floor " (percent(floor.histogram_total_variation)) }
        }
        div.card {
            div.name { "Wavenumbers with KS p > 0.05" }
            div.figure { (passed(generated.spectrum_ks.above, tests)) }
            div.beside { "floor " (passed(floor.spectrum_ks.above, tests)) " \u{b7} n = " (generated.spectrum_ks.maps) }
        }
    }
}
