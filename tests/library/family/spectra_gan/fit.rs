//! The engine on spectra: neighbours change nothing, noise is drawn for each restart, and half precision leads as far.

use skyforge::family::spectra_gan::fit::{codec_of, exogan_settings};
use skyforge::infer::latent_fit::{Contextual, FitSettings, LOOK, LatentFit, OffsetGroup, Start, Subject};
use skyforge::nn::{Pass, Precision};
use skyforge::rng::Draw;

use crate::family::spectra_gan::made::{of_spectra, own_spectrum, spectrum};
use crate::infer::latent_fit::{neighbours_change_nothing, settings};
use crate::infer::made::{fitted, latents};
use crate::infer::place;

/// The law that the same bits on any number of ranks rest on.
#[test]
fn neighbours_do_not_change_a_bit_of_a_fit_of_spectra() {
    let [of_spectra, of_halves] = [Precision::Fp32, Precision::Bf16].map(of_spectra);
    let chi_square =
        FitSettings { loss: Contextual::ChiSquare, noise: true, start: Start::Both, iterations: 16, ..settings() };
    let hmc = FitSettings { hmc_trajectories: 2, hmc_steps: 3, hmc_step_size: 1e-4, ..chi_square.clone() };
    let exogan = FitSettings { restarts: 3, iterations: 16, slots: 8, ..exogan_settings() };
    let with_offsets = FitSettings { hmc_trajectories: 1, hmc_steps: 2, ..hmc.clone() };
    let variance = Some(vec![50e-6_f32.powi(2); 362]);
    for (case, networks, settings, variance) in [
        ("chi-square", &of_spectra, chi_square.clone(), variance.clone()),
        ("halves", &of_halves, chi_square, variance.clone()),
        ("trajectories", &of_spectra, hmc, variance),
        ("exogan", &of_spectra, exogan, None),
    ] {
        neighbours_change_nothing(case, &LatentFit::new(networks, settings, variance, Draw::new(2)), &spectrum);
    }
    // Two groups with offsets, one of which spans the hole in the spectra.
    let group = |points: std::ops::Range<usize>, sigma| OffsetGroup {
        members: (0..362).map(|point| points.contains(&point)).collect(),
        sigma,
    };
    let fit = LatentFit::new(&of_spectra, with_offsets, None, Draw::new(2));
    let fit = fit.with_offsets(&[group(30..80, 300e-6), group(200..240, 1e-3)]);
    neighbours_change_nothing("offsets", &fit, &spectrum);
}

#[test]
fn no_place_in_a_batch_of_spectra_is_better_than_another() {
    let [spectra, halves] = [Precision::Fp32, Precision::Bf16].map(of_spectra);
    place::no_place_is_better(&[("spectra", &spectra), ("halves", &halves)], |networks, maps| {
        vec![("parameters", tch::no_grad(|| codec_of(networks).parameter_pixels(maps)))]
    });
}

/// ExoGAN's 64 draws of noise shared one array, so that all restarts saw the last of them.
#[test]
fn each_restart_of_each_object_has_noise_of_its_own() {
    let networks = of_spectra(Precision::Fp32);
    let ends = |noise: bool, seed: u64| -> Vec<Vec<f32>> {
        let settings = FitSettings {
            loss: Contextual::ChiSquare,
            start: Start::Embedder,
            spread: 0.0,
            iterations: 8,
            noise,
            ..settings()
        };
        let fit = LatentFit::new(&networks, settings, None, Draw::new(seed));
        let same = |number| Subject { number, ..spectrum(0) };
        fitted(&fit, vec![same(0), same(1)]).iter().flat_map(latents).collect()
    };
    let quiet = ends(false, 1);
    assert!(quiet.iter().all(|z| *z == quiet[0]), "without noise all six are one");
    let noisy = [ends(true, 1), ends(true, 2)].concat();
    let (first, drawn): (Vec<_>, Vec<_>) = noisy.iter().enumerate().partition(|(restart, _)| restart % 3 == 0);
    assert!(first.iter().all(|(_, z)| **z == quiet[0]), "the first fits what was observed");
    for (one, (_, z)) in drawn.iter().enumerate() {
        assert!(drawn[..one].iter().all(|(_, other)| other != z) && **z != quiet[0], "no two are alike");
    }
    assert_eq!(ends(true, 1), noisy[..6], "and yet the seed decides");
}

/// Half precision is the way, not the end: misfits are those of single precision, and no likelihood tells them from ones that went all the way.
#[test]
fn halves_lead_as_far_down() {
    let settings =
        FitSettings { loss: Contextual::ChiSquare, iterations: 240, half_life: 60.0, patience: 0, ..settings() };
    let [single, half] = [Precision::Fp32, Precision::Bf16].map(|precision| {
        let networks = of_spectra(precision);
        let fit = |iterations| {
            let settings = FitSettings { precision, iterations, ..settings.clone() };
            let fit = LatentFit::new(&networks, settings, Some(vec![100e-6_f32.powi(2); 362]), Draw::new(1));
            fitted(&fit, (0..2).map(|record| own_spectrum(&networks, record)).collect())
        };
        let found = fit(settings.iterations);
        for (found, begun) in found.iter().zip(fit(LOOK)) {
            let made = tch::no_grad(|| networks.generator.forward(&found.latents, Pass::Inference));
            assert_eq!(made, found.maps, "what is told is of single precision");
            assert!(found.misfit[found.best()] < 0.1 * begun.misfit[begun.best()], "it went down");
        }
        found
    });
    for (single, half) in single.iter().zip(&half) {
        assert!(latents(single) != latents(half), "another way was taken");
        let [least, beside] = [single, half].map(|found| found.misfit[found.best()]);
        assert!(beside < least + 1.0, "chi-square {beside} by halves, {least} in single precision");
    }
}
