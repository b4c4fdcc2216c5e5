//! The engine: what it finds, who leaves when, and that neighbours change nothing.

use skyforge::infer::latent_fit::{Contextual, FitSettings, Fitted, Known, LOOK, LatentFit, Start, Subject};
use skyforge::nn::dcgan::{DcganSettings, Latent};
use skyforge::nn::{Pass, Precision};
use skyforge::rng::Draw;
use tch::Tensor;

use crate::infer::made::{fitted, latents, map, of_maps, of_spectra, own_spectrum, pulled, spectrum};
use crate::shared::networks::SMALL;

/// A few restarts of maps from noise.
fn settings() -> FitSettings {
    FitSettings {
        restarts: 3,
        iterations: 40,
        patience: 8,
        learning_rate: 0.05,
        half_life: 0.0,
        loss: Contextual::L2,
        start: Start::Noise,
        noise: false,
        slots: 8,
        ..FitSettings::default()
    }
}

fn bits(fitted: &Fitted) -> (u64, Vec<u32>, Vec<u32>, Vec<u32>, Vec<u32>) {
    let of = |tensor: &Tensor| -> Vec<u32> {
        Vec::<f32>::try_from(tensor.flatten(0, -1)).expect("numbers").into_iter().map(f32::to_bits).collect()
    };
    let misfit = fitted.misfit.iter().map(|value| value.to_bits()).collect();
    (fitted.number, of(&fitted.latents), of(&fitted.maps), misfit, fitted.iterations.clone())
}

#[test]
fn a_map_that_the_generator_made_is_found_again() {
    let networks = of_maps(&SMALL);
    let settings = FitSettings { restarts: 8, iterations: 800, patience: 0, half_life: 150.0, ..settings() };
    for whole in [true, false] {
        let fit = LatentFit::new(&networks, settings.clone(), None, Draw::new(1));
        let none = FitSettings { iterations: 1, learning_rate: 1e-9, ..settings.clone() };
        let start = LatentFit::new(&networks, none, None, Draw::new(1));
        let maps = || (0..3).map(|record| map(&networks, record, whole)).collect();
        for (found, begun) in fitted(&fit, maps()).iter().zip(fitted(&start, maps())) {
            let (least, first) = (found.misfit[found.best()], begun.misfit[begun.best()]);
            assert!(first > 0.1 && least < 1e-3 * first, "from {first} to {least}");
            // What was not shown is that of the same map.
            let Known::Map { pixels, .. } = map(&networks, found.number, true).known else { unreachable!("a map") };
            let made = Vec::<f32>::try_from(found.maps.get(found.best() as i64).flatten(0, -1)).expect("numbers");
            let worst = made.iter().zip(pixels).map(|(made, pixel)| (made - pixel).abs()).fold(0.0, f32::max);
            assert!(worst < 0.05, "a pixel is off by {worst}");
        }
    }
}

/// The law that the same bits on any number of ranks rest on.
#[test]
fn neighbours_do_not_change_a_bit_of_a_fit() {
    let (small, wide) = (of_maps(&SMALL), of_maps(&DcganSettings { width: 16, latent: Latent::Uniform, ..SMALL }));
    let [of_spectra, of_halves] = [Precision::Fp32, Precision::Bf16].map(of_spectra);
    let chi_square =
        FitSettings { loss: Contextual::ChiSquare, noise: true, start: Start::Both, iterations: 16, ..settings() };
    let hmc = FitSettings { hmc_trajectories: 2, hmc_steps: 3, hmc_step_size: 1e-4, ..chi_square.clone() };
    let exogan = FitSettings { restarts: 3, iterations: 16, slots: 8, ..FitSettings::exogan() };
    let alone_of = [1, 4]; // a fit of one object takes as long as one of all
    let variance = Some(vec![50e-6_f32.powi(2); 362]);
    let cases: [(_, FitSettings, _, &dyn Fn(u64) -> Subject); 6] = [
        (&small, settings(), None, &|record| map(&small, record, false)),
        (&wide, FitSettings { perceptual: 0.1, start: Start::Embedder, ..settings() }, None, &|record| {
            map(&wide, record, true)
        }),
        (&of_spectra, chi_square.clone(), variance.clone(), &spectrum),
        (&of_halves, chi_square, variance.clone(), &spectrum),
        (&of_spectra, hmc, variance, &spectrum),
        (&of_spectra, exogan, None, &spectrum),
    ];
    for (case, (networks, settings, variance, subject)) in cases.into_iter().enumerate() {
        let fit = LatentFit::new(networks, settings, variance, Draw::new(2));
        let together = fitted(&fit, (0..5).map(subject).collect());
        let backwards = fitted(&fit, (0..5).rev().map(subject).collect());
        for number in 0..5 {
            let [among, turned] = [&together, &backwards].map(|fits| bits(&fits[number as usize]));
            assert!(among == turned, "case {case}, object {number} in another order");
        }
        for number in alone_of {
            let alone = bits(&fitted(&fit, vec![subject(number)])[0]);
            assert!(bits(&together[number as usize]) == alone, "case {case}, object {number} among others");
        }
        assert!(bits(&together[0]).1 != bits(&together[1]).1, "case {case}: objects differ");
    }
}

#[test]
fn who_has_converged_leaves_and_without_patience_all_iterations_are_made() {
    let networks = of_maps(&SMALL);
    let maps = || (0..2).map(|record| map(&networks, record, true)).collect();
    let long = FitSettings { iterations: 2000, patience: 16, half_life: 100.0, ..settings() };
    for fitted in fitted(&LatentFit::new(&networks, long, None, Draw::new(1)), maps()) {
        for iterations in &fitted.iterations {
            // One that falls goes on, however impatient the fit.
            assert!((24..1000).contains(iterations) && iterations.is_multiple_of(LOOK), "{iterations}");
        }
    }
    let all = FitSettings { iterations: 201, patience: 0, ..settings() };
    for fitted in fitted(&LatentFit::new(&networks, all, None, Draw::new(1)), maps()) {
        assert_eq!(fitted.iterations, [208; 3], "ages are looked at every {LOOK} iterations");
    }
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

/// A start drawn around what the embedder finds was beyond the range, and the best one where nothing better came.
#[test]
fn uniform_latent_numbers_stay_in_their_range() {
    let networks = of_maps(&DcganSettings { latent: Latent::Uniform, ..SMALL });
    let beyond = Subject { number: 0, known: Known::Map { pixels: vec![5.0; 256], known: vec![1.0; 256] } };
    let drawn_to = FitSettings { iterations: 400, patience: 0, ..settings() };
    let begun_at = FitSettings { iterations: 1, start: Start::Embedder, spread: 2.0, ..settings() };
    for settings in [drawn_to, begun_at] {
        let fit = LatentFit::new(&networks, settings, None, Draw::new(3));
        let all = latents(&fitted(&fit, vec![beyond.clone()])[0]).concat();
        assert!(all.iter().all(|z| z.abs() <= 1.0), "{all:?}");
        assert!(all.iter().any(|z| z.abs() == 1.0), "some would go on: {all:?}");
    }
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

#[test]
fn whoever_is_to_stop_leaves_what_is_under_way() {
    let networks = of_maps(&SMALL);
    let fit =
        LatentFit::new(&networks, FitSettings { iterations: 1 << 20, patience: 0, ..settings() }, None, Draw::new(1));
    let mut subjects = (0..4).map(|record| map(&networks, record, true)).collect::<Vec<_>>().into_iter();
    let looks = std::cell::Cell::new(0);
    let stop = || looks.replace(looks.get() + 1) == 3;
    let done = |_| panic!("nothing is ready so soon");
    let result: Result<(), ()> = fit.run_until(stop, || Ok(pulled(subjects.next())), |_| false, done);
    result.expect("nothing fails");
    assert_eq!(looks.get(), 4);
}

#[test]
fn paths_go_down_to_where_a_restart_ends() {
    let networks = of_maps(&SMALL);
    let fit = LatentFit::new(&networks, settings(), None, Draw::new(1));
    let mut subjects = (0..2).map(|record| map(&networks, record, true)).collect::<Vec<_>>().into_iter();
    let mut seen = Vec::new();
    let result: Result<(), ()> = fit.run(
        || Ok(pulled(subjects.next())),
        |number| number == 1,
        |fitted| {
            seen.push((fitted.number, latents(&fitted), fitted.iterations, fitted.misfit, fitted.paths));
            Ok(())
        },
    );
    result.expect("nothing fails");
    seen.sort_by_key(|(number, ..)| *number);
    assert!(seen[0].4.iter().all(Vec::is_empty), "nobody watched");
    let (_, latents, iterations, misfit, paths) = &seen[1];
    for restart in 0..3 {
        let path = &paths[restart];
        let (last, _, end) = path.last().expect("it went somewhere");
        assert_eq!((last, end), (&iterations[restart], &latents[restart]));
        assert!(misfit[restart] <= path[0].1, "{} after {path:?}", misfit[restart]);
    }
}
