//! The engine: what it finds, who leaves when, and that neighbours change nothing.

use skyforge::infer::latent_fit::{Contextual, FitSettings, Fitted, KnownPixels, LOOK, LatentFit, Start, Subject};
use skyforge::infer::map_records::Engine;
use skyforge::nn::dcgan::{DcganSettings, Latent};
use skyforge::rng::Draw;
use tch::Tensor;

use crate::infer::made::{fitted, latents, map, of_maps, pixels, pulled};
use crate::shared::networks::SMALL;

/// A few restarts of maps from noise.
pub fn settings() -> FitSettings {
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
            let made = Vec::<f32>::try_from(found.maps.get(found.best() as i64).flatten(0, -1)).expect("numbers");
            let worst = made
                .iter()
                .zip(pixels(&networks, found.number))
                .map(|(made, pixel)| (made - pixel).abs())
                .fold(0.0, f32::max);
            assert!(worst < 0.05, "a pixel is off by {worst}");
        }
    }
}

/// The law that the same bits on any number of ranks rest on.
#[test]
fn neighbours_do_not_change_a_bit_of_a_fit() {
    let (small, wide) = (of_maps(&SMALL), of_maps(&DcganSettings { width: 16, latent: Latent::Uniform, ..SMALL }));
    neighbours_change_nothing("small", &LatentFit::new(&small, settings(), None, Draw::new(2)), &|record| {
        map(&small, record, false)
    });
    let embedded = FitSettings { perceptual: 0.1, start: Start::Embedder, ..settings() };
    neighbours_change_nothing("wide", &LatentFit::new(&wide, embedded, None, Draw::new(2)), &|record| {
        map(&wide, record, true)
    });
}

/// Checks that `fit` makes the same of an object alone, among others and in another order.
pub fn neighbours_change_nothing(case: &str, fit: &LatentFit, subject: &dyn Fn(u64) -> Subject) {
    let alone_of = [1, 4]; // a fit of one object takes as long as one of all
    let together = fitted(fit, (0..5).map(subject).collect());
    let backwards = fitted(fit, (0..5).rev().map(subject).collect());
    for number in 0..5 {
        let [among, turned] = [&together, &backwards].map(|fits| bits(&fits[number as usize]));
        assert!(among == turned, "{case}, object {number} in another order");
    }
    for number in alone_of {
        let alone = bits(&fitted(fit, vec![subject(number)])[0]);
        assert!(bits(&together[number as usize]) == alone, "{case}, object {number} among others");
    }
    assert!(bits(&together[0]).1 != bits(&together[1]).1, "{case}: objects differ");
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

/// A start drawn around what the embedder finds was beyond the range, and the best one where nothing better came.
#[test]
fn uniform_latent_numbers_stay_in_their_range() {
    let networks = of_maps(&DcganSettings { latent: Latent::Uniform, ..SMALL });
    let beyond = KnownPixels { pixels: vec![5.0; 256], known: vec![1.0; 256] };
    let drawn_to = FitSettings { iterations: 400, patience: 0, ..settings() };
    let begun_at = FitSettings { iterations: 1, start: Start::Embedder, spread: 2.0, ..settings() };
    for settings in [drawn_to, begun_at] {
        let fit = LatentFit::new(&networks, settings, None, Draw::new(3));
        let subject = Subject { number: 0, known: Box::new(beyond.clone()) };
        let all = latents(&fitted(&fit, vec![subject])[0]).concat();
        assert!(all.iter().all(|z| z.abs() <= 1.0), "{all:?}");
        assert!(all.iter().any(|z| z.abs() == 1.0), "some would go on: {all:?}");
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
    let done = |_, _| panic!("nothing is ready so soon");
    let result: Result<(), ()> = fit.run(stop, || Ok(pulled(subjects.next())), done);
    result.expect("nothing fails");
    assert_eq!(looks.get(), 4);
}

#[test]
fn paths_go_down_to_where_a_restart_ends() {
    let networks = of_maps(&SMALL);
    let fit = LatentFit::new(&networks, settings(), None, Draw::new(1)).watching(1..2);
    let mut subjects = (0..2).map(|record| map(&networks, record, true)).collect::<Vec<_>>().into_iter();
    let mut seen = Vec::new();
    let result: Result<(), ()> = fit.run(
        || false,
        || Ok(pulled(subjects.next())),
        |_, fitted| {
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
