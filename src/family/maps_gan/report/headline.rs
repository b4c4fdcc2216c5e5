//! What the report says of maps at its top: a sentence, and the figures behind it.

use super::Findings;
use crate::family::maps_gan::evaluate::Sets;
use crate::family::run_folder::Target;
use crate::report::Card;
use crate::report::words::{UNDEFINED, count, percent, round_percent};
use crate::statistics::Comparison;
use crate::statistics::moments::PixelMoments;

/// Does the spectrum hold, and would simulations do better? Computed, never assumed; judged where there is a target.
pub fn verdict(findings: &Findings) -> String {
    let Some(comparison) = &findings.comparison else {
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
        format!("no worse than the {} of a second set of held-back maps", percent(floor))
    } else {
        format!("a second set of held-back maps reaches {}", percent(floor))
    };
    let (departs, reference) = (percent(worst), findings.reference_name());
    let (found, asked) = match findings.spectrum_target {
        Some(target) if target.met(worst) => (
            format!("stays within {departs} of that of {reference}"),
            format!(", inside the {} asked for", round_percent(target.value)),
        ),
        Some(target) => (
            format!("departs by up to {departs} from that of {reference}"),
            format!(", more than the {} asked for", round_percent(target.value)),
        ),
        None => (format!("departs by up to {departs} from that of {reference}"), String::new()),
    };
    format!("The mean power spectrum of {maps} generated maps {found} over {range}{asked}; {beside}.")
}

/// Which maps were compared with which, in a line.
pub fn compared(sets: &Sets) -> String {
    let origin = match (&sets.weights, sets.step, &sets.checkpoint) {
        (Some(weights), Some(step), Some(checkpoint)) => format!("{weights} after step {step} ({checkpoint})"),
        _ => format!("dataset {}", sets.generated),
    };
    format!("Compared: maps of {origin} with the split {} of dataset {}.", sets.split, sets.reference)
}

/// The figures behind the verdict.
pub fn cards(findings: &Findings) -> Vec<Card> {
    let Some(comparison) = &findings.comparison else { return Vec::new() };
    let (generated, floor) = (&comparison.generated_distance, &comparison.floor_distance);
    let card =
        |name: &str, figure: String, beside: String| Card { name: name.into(), figure, unit: String::new(), beside };
    let against = |floor: f64, target: Option<Target>, measured: f64| {
        let judged =
            target.map(|target| format!(" \u{b7} target {}: {}", round_percent(target.value), state(target, measured)));
        format!("floor {}{}", percent(floor), judged.unwrap_or_default())
    };
    let passed = |above: [usize; 7], tests: usize| format!("{} of {}", above[6], tests);
    let tests = generated.spectrum_ks.p_value.len();
    let worst = generated.spectrum_worst;
    let mut cards = vec![
        card("Spectrum, largest error", percent(worst), against(floor.spectrum_worst, findings.spectrum_target, worst)),
        card(
            "Histogram, misplaced pixels",
            percent(generated.histogram_total_variation),
            against(floor.histogram_total_variation, None, f64::NAN),
        ),
        card(
            "Wavenumbers with KS p > 0.05",
            passed(generated.spectrum_ks.above, tests),
            format!("floor {} \u{b7} n = {}", passed(floor.spectrum_ks.above, tests), generated.spectrum_ks.maps),
        ),
    ];
    if findings.variance_target.is_some() {
        let [ours, beside] = [&comparison.generated, &comparison.floor]
            .map(|set| variance_error(&set.pixels, &comparison.reference.pixels));
        cards.push(card("Variance of a pixel, error", percent(ours), against(beside, findings.variance_target, ours)));
    }
    cards
}

fn state(target: Target, measured: f64) -> &'static str {
    match measured {
        x if x.is_nan() => UNDEFINED,
        x if target.met(x) => "met",
        _ => "missed",
    }
}

/// Relative error of the variance of a pixel over maps, averaged over pixels: the score `variance_error`.
fn variance_error(ours: &PixelMoments, theirs: &PixelMoments) -> f64 {
    let mean = |moments: &PixelMoments| moments.variance.iter().sum::<f64>() / moments.variance.len() as f64;
    (mean(ours) / mean(theirs) - 1.0).abs()
}

/// "8 <= k < 24".
pub fn judged(comparison: &Comparison) -> String {
    format!("{} \u{2264} k < {}", comparison.judged_wavenumbers.start, comparison.judged_wavenumbers.end)
}
