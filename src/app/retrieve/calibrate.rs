//! The calibration of a retrieval: measured now, or the one that the run keeps.

use std::cell::RefCell;

use super::Request;
use super::plan::Plan;
use crate::app::CommandError;
use crate::app::apply::Application;
use crate::app::counter::Counter;
use crate::app::session::Session;
use crate::atmosphere::QUANTITIES;
use crate::family::spectra_gan::retrieval::{Calibration, ERRORS_OF, Errors, Measure, Widening, calibration_file};
use crate::infer::Networks;
use crate::rng::Draw;

/// That of `request`, the same on all ranks; none where none is asked for and the run has none.
pub fn calibration(
    session: &Session,
    request: &Request,
    plan: &Plan,
    networks: &Networks,
) -> Result<Option<Calibration>, CommandError> {
    let Application { trained, dataset } = &plan.application;
    let some = plan.objects.start..plan.objects.end.min(plan.objects.start + ERRORS_OF);
    let errors = &session.agree(Errors::of(dataset, &plan.observer, some))?;
    let (checkpoint, mask) = (trained.checkpoint.checksum(), plan.mask.to_string());
    let of = calibration_file::conditions(
        &checkpoint,
        trained.averaged,
        &plan.settings,
        &mask,
        errors,
        &plan.offsets,
        request.adjust,
    );
    let Some(path) = &request.calibrate else {
        let found = session.agree(calibration_file::read(&request.run, &of))?;
        if found.is_none() && session.rank() == 0 {
            log::warn!(
                "the generator's own variance is not known for these errors and settings: intervals may be too narrow; --calibrate DATASET measures it"
            );
        }
        return Ok(found);
    };
    let held_back = session.agree(trained.dataset(path))?;
    let measure = Measure {
        comm: session.comm(),
        networks,
        aspa: &plan.aspa,
        settings: &plan.settings,
        mask: &plan.mask,
        errors,
        offsets: &plan.offset_groups,
        adjust: request.adjust,
        intervals: request.calibration_intervals,
        draw: Draw::new(request.seed),
        counter: &|total| {
            let counter = RefCell::new(Counter::new(session, "spectrum", "spectra", total));
            Box::new(move || counter.borrow_mut().add(1))
        },
    };
    let made = measure.on(&held_back, request.calibration_count, of)?;
    let written = if session.rank() == 0 { calibration_file::write(&request.run, &made).map(drop) } else { Ok(()) };
    session.agree(written)?;
    tell(&made);
    Ok(Some(made))
}

fn tell(calibration: &Calibration) {
    let mut deviations: Vec<f32> = calibration.variance.iter().map(|variance| variance.sqrt() * 1e6).collect();
    deviations.sort_by(f32::total_cmp);
    log::info!(
        "calibrated on {} spectra: the generator is within {:.0} ppm (median over wavelengths; {:.0} at worst), one point in {:.1} says something new, the usual chi-square a point stays below {:.2}",
        calibration.spectra,
        deviations[deviations.len() / 2],
        deviations[deviations.len() - 1],
        calibration.points_per_independent_point,
        calibration.chi_square_per_point_p99
    );
    if let Some(adjustment) = &calibration.adjustment {
        let known = QUANTITIES.iter().zip(adjustment.by_networks()).filter(|(_, by_networks)| *by_networks);
        let known: Vec<&str> = known.map(|(quantity, _)| quantity.name).collect();
        let by_networks =
            if known.is_empty() { String::new() } else { format!(", by networks those of {}", known.join(", ")) };
        log::info!("medians are moved as {} spectra taught{by_networks}", calibration.adjustment_spectra);
    }
    for (quantity, Widening { scale, scatter, tails }) in QUANTITIES.iter().zip(&calibration.widening) {
        log::debug!(
            "{}: restarts' spread times {scale:.3}, and {scatter:.4} {} besides, tails times {tails:.2}",
            quantity.name,
            quantity.unit
        );
    }
}
