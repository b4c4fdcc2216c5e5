//! What restarts say of parameters, and how wide intervals must be.

use skyforge::data::atmosphere::QUANTITIES;
use skyforge::inference::retrieval::{Posterior, SHARES, Trial, Widening, effective_points, model_variance, widen};
use skyforge::rng::{Draw, Stream};
use skyforge::statistics::weighted;

fn posterior(number: u64, chi_square: Vec<f32>, parameters: Vec<[f32; 7]>) -> Posterior {
    let iterations = vec![1; chi_square.len()];
    Posterior { number, chi_square, iterations, parameters, best_depths: Vec::new(), depths: Vec::new() }
}

fn ended(chi_square: &[f32]) -> Posterior {
    posterior(0, chi_square.to_vec(), vec![[0.0; 7]; chi_square.len()])
}

fn close(got: &[f32], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    let near = |(got, wanted): (&f32, &f64)| (f64::from(*got) - wanted).abs() < 1e-6;
    assert!(got.iter().zip(wanted).all(near), "{got:?}, expected {wanted:?}");
}

#[test]
fn a_restart_weighs_by_its_likelihood() {
    close(&ended(&[40.0; 4]).weights(1.0), &[0.25; 4]);
    let worse = (-1.5_f64).exp();
    close(&ended(&[40.0, 43.0]).weights(1.0), &[1.0 / (1.0 + worse), worse / (1.0 + worse)]);
    // Three points that say what one does.
    let worse = (-0.5_f64).exp();
    close(&ended(&[40.0, 43.0]).weights(3.0), &[1.0 / (1.0 + worse), worse / (1.0 + worse)]);
    // Chi-squares whose likelihoods are beyond any number.
    close(&ended(&[1e6, 1e6, 3e6]).weights(1.0), &[0.5, 0.5, 0.0]);
    close(&ended(&[f32::NAN, 40.0, f32::INFINITY]).weights(1.0), &[0.0, 1.0, 0.0]);
    close(&ended(&[f32::NAN; 2]).weights(1.0), &[0.5; 2]);
}

#[test]
fn a_reading_tells_how_well_restarts_agree() {
    let values = [1.0, 2.0, 3.0, 90.0];
    let four = posterior(3, vec![40.0, 40.5, 40.9, 1e4], values.map(|value| [value; 7]).to_vec());
    let reading = four.read(1e9, &[Widening::default(); 7], Draw::new(1));
    assert_eq!((reading.best, reading.agreement), (0, 0.75));
    assert!(reading.effective_samples > 3.99, "{}", reading.effective_samples);
    let sharp = four.read(1.0, &[Widening::default(); 7], Draw::new(1));
    assert!(sharp.effective_samples < 3.0 && sharp.percentiles[0][4] < 3.01, "{sharp:?}");
    // What the generator adds is drawn, and the same for the same seed.
    let wide = [Widening { scale: 1.0, scatter: 5.0 }; 7];
    let read = |seed| four.read(1.0, &wide, Draw::new(seed));
    assert_eq!(read(1), read(1));
    assert!(read(1) != read(2) && read(1).percentiles[0] != read(1).percentiles[1]);
    let narrow = four.read(1.0, &[Widening { scale: 0.0, scatter: 0.0 }; 7], Draw::new(1)).percentiles[0];
    assert!(narrow.iter().all(|value| *value == narrow[2]), "{narrow:?}");
}

/// `spectra` residuals of 16 points, each of 3 ppm: all alike as far as `together` says.
fn residuals(spectra: u64, together: f64) -> Vec<Vec<f32>> {
    let one = |record| {
        let mut chance = Draw::new(9).at(Stream::Simulation, record, 0);
        let common = chance.normal();
        let own = (1.0 - together * together).sqrt();
        (0..16).map(|_| (3e-6 * (together * common + own * chance.normal())) as f32).collect()
    };
    (0..spectra).map(one).collect()
}

#[test]
fn the_generators_variance_is_the_mean_square_of_its_residuals() {
    assert_eq!(model_variance(&[vec![3.0, 0.0], vec![-1.0, 2.0]]), [5.0, 2.0]);
    for variance in model_variance(&residuals(4000, 0.5)) {
        assert!((variance / 9e-12 - 1.0).abs() < 0.1, "{variance}");
    }
}

#[test]
fn points_that_go_together_count_as_one() {
    let (quiet, all) = ([0.0; 16], [true; 16]);
    let alone = effective_points(&residuals(4000, 0.0), &quiet, &all);
    assert!((alone - 16.0).abs() < 0.2, "{alone} of 16 independent points");
    let one = effective_points(&residuals(4000, 1.0), &quiet, &all);
    assert!((one - 1.0).abs() < 1e-3, "{one} of 16 that are one");
    let between = effective_points(&residuals(4000, 0.5_f64.sqrt()), &quiet, &all);
    // Off the diagonal C is 1/2: 256 / (16 + 240 / 4).
    assert!((between - 256.0 / 76.0).abs() < 0.2, "{between}");
    // Errors that dwarf the residuals make points independent; those that nobody observed count for nothing.
    let loud = effective_points(&residuals(4000, 1.0), &[3e-4; 16], &all);
    assert!((loud - 16.0).abs() < 0.01, "{loud}");
    let some: [bool; 16] = std::array::from_fn(|point| point % 4 == 0);
    let four = effective_points(&residuals(4000, 0.0), &quiet, &some);
    assert!((four - 4.0).abs() < 0.1, "{four}");
}

/// Trials whose truth is a standard deviation of `away` shares of a parameter's range from where restarts lie, `spread` shares wide.
fn trials(first: u64, away: f64, spread: f64) -> Vec<Trial> {
    let one = |number| {
        let mut chance = Draw::new(4).at(Stream::Simulation, number, 0);
        let width: [f64; 7] = QUANTITIES.map(|quantity| quantity.range.1 - quantity.range.0);
        let truth: [f64; 7] =
            QUANTITIES.map(|quantity| quantity.range.0 + chance.uniform() * (quantity.range.1 - quantity.range.0));
        let centre: [f64; 7] = std::array::from_fn(|at| truth[at] + away * width[at] * chance.normal());
        let restart = |_| std::array::from_fn(|at| (centre[at] + spread * width[at] * chance.normal()) as f32);
        let parameters = (0..24).map(restart).collect();
        Trial { posterior: posterior(number, vec![50.0; 24], parameters), truth: truth.map(|value| value as f32) }
    };
    (first..first + 300).map(one).collect()
}

/// Share of trials whose truth of a parameter lies between the percentiles 16 and 84.
fn covered(trials: &[Trial], widening: &[Widening; 7], parameter: usize) -> f64 {
    let holds = |trial: &&Trial| {
        let reading = trial.posterior.read(1.0, widening, Draw::new(6));
        let [_, low, _, high, _] = reading.percentiles[parameter];
        (low..=high).contains(&trial.truth[parameter])
    };
    trials.iter().filter(holds).count() as f64 / trials.len() as f64
}

#[test]
fn widening_brings_intervals_to_the_share_that_they_claim() {
    for (away, spread) in [(0.05, 0.01), (0.05, 0.2)] {
        let made = widen(&trials(0, away, spread), 1.0, Draw::new(6));
        let fresh = trials(1000, away, spread);
        for (parameter, widening) in made.iter().enumerate() {
            let before = covered(&fresh, &[Widening::default(); 7], parameter);
            assert!(if spread < away { before < 0.3 } else { before > 0.95 }, "{before}");
            // Both sets of trials have a standard error of 0.027.
            let after = covered(&fresh, &made, parameter);
            assert!((after - 0.68).abs() < 4.0 * 0.027 * 2.0_f64.sqrt(), "{after} by {widening:?}");
            assert!(if spread < away { widening.scatter > 0.0 } else { widening.scale < 1.0 }, "{widening:?}");
        }
    }
}

#[test]
fn a_parameter_that_no_trial_knows_is_left_as_it_is() {
    let mut unknown = trials(0, 0.05, 0.01);
    unknown.truncate(20);
    for trial in &mut unknown {
        trial.truth[2] = f32::NAN;
    }
    let made = widen(&unknown, 1.0, Draw::new(6));
    assert_eq!(made[2], Widening::default());
    assert!(made[3].scatter > 0.0);
}

#[test]
fn without_widening_percentiles_are_those_of_the_restarts() {
    let trial = &trials(0, 0.05, 0.1)[0];
    let reading = trial.posterior.read(1.0, &[Widening::default(); 7], Draw::new(1));
    for parameter in 0..7 {
        let values: Vec<f32> = trial.posterior.parameters.iter().map(|parameters| parameters[parameter]).collect();
        let plain = weighted::percentiles(&values, &[1.0; 24], SHARES);
        let width = QUANTITIES[parameter].range.1 - QUANTITIES[parameter].range.0;
        for (got, wanted) in reading.percentiles[parameter].iter().zip(plain) {
            assert!(f64::from((got - wanted).abs()) < 0.05 * width, "{got} for {wanted}");
        }
    }
}
