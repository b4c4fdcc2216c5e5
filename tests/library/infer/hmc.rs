//! Hamiltonian Monte Carlo: samples have the density that they should.

use skyforge::infer::latent_fit::{FitSettings, hmc};
use skyforge::rng::Draw;
use tch::{Kind, Tensor};

const CHAINS: i64 = 2000;

/// Where `CHAINS` chains from 0 end: mean and variance of each of their numbers.
fn moments(latents: i64, bounded: bool, step: f64, potential: impl Fn(&Tensor) -> Tensor) -> (Vec<f64>, Vec<f64>) {
    let settings = FitSettings { hmc_trajectories: 20, hmc_steps: 8, hmc_step_size: step, ..FitSettings::default() };
    let start = Tensor::zeros([CHAINS, latents], tch::kind::FLOAT_CPU);
    let ends = hmc::sample(&settings, Draw::new(1), 7, &start, bounded, potential);
    if bounded {
        assert!(ends.abs().max().double_value(&[]) <= 1.0);
    }
    let all = |tensor: Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double)).expect("numbers");
    (all(ends.mean_dim(0, false, Kind::Float)), all(ends.var_dim(0, true, false)))
}

#[test]
fn a_gaussian_potential_gives_its_mean_and_variance() {
    let (centre, width) = ([0.5_f32, -1.0, 0.0], [0.2_f32, 0.4, 0.3]);
    let [mu, sigma] = [centre, width].map(|values| Tensor::from_slice(&values));
    // The step is long, so that what is refused matters.
    let (mean, variance) =
        moments(3, false, 0.2, |z| ((z - &mu) / &sigma).square().sum_dim_intlist(1, false, Kind::Float) * 0.5);
    for number in 0..3 {
        let (wanted, sigma) = (f64::from(centre[number]), f64::from(width[number]));
        let standard_error = sigma / (CHAINS as f64).sqrt();
        assert!((mean[number] - wanted).abs() < 4.0 * standard_error, "{} for {wanted}", mean[number]);
        let ratio = variance[number] / (sigma * sigma);
        assert!((ratio - 1.0).abs() < 4.0 * (2.0 / CHAINS as f64).sqrt(), "{ratio} of the variance");
    }
}

/// exp(-2 z) on [-1, 1] has the mean 1/2 - coth 2 and the variance 1/4 - 1/sinh^2 2.
#[test]
fn chains_are_thrown_back_at_the_ends_of_the_range() {
    let (mean, variance) = moments(2, true, 0.15, |z| z.sum_dim_intlist(1, false, Kind::Float) * 2.0);
    let wanted = (0.5 - 1.0 / 2.0_f64.tanh(), 0.25 - 2.0_f64.sinh().powi(-2));
    for number in 0..2 {
        let error = (wanted.1 / CHAINS as f64).sqrt();
        assert!((mean[number] - wanted.0).abs() < 4.0 * error, "{} for {}", mean[number], wanted.0);
        assert!((variance[number] / wanted.1 - 1.0).abs() < 0.15, "{} for {}", variance[number], wanted.1);
    }
}

#[test]
fn where_the_energy_is_no_number_nobody_goes() {
    let (mean, variance) = moments(1, false, 0.3, |z| {
        let bowl = z.square().sum_dim_intlist(1, false, Kind::Float) * 0.5;
        let nowhere = Tensor::full_like(&bowl, f64::NAN);
        nowhere.where_self(&z.squeeze_dim(1).gt(1.0), &bowl)
    });
    assert!(mean[0].is_finite() && variance[0].is_finite());
    assert!(mean[0] < -0.1, "the normal below 1 has a mean of -0.29: {}", mean[0]);
}
