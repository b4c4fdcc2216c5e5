//! Linear and non-linear power of matter.

use std::f64::consts::PI;

use skyforge::simulate::{Cosmology, MatterPower};

fn power() -> MatterPower {
    MatterPower::new(&Cosmology::default())
}

/// The definition of sigma_8, integrated here with steps of its own.
#[test]
fn the_linear_spectrum_gives_its_sigma_8_back() {
    let power = power();
    let step = 1e-3;
    let variance: f64 = (-9_000..6_000)
        .map(|i| {
            let k = (f64::from(i) * step).exp();
            let x: f64 = 8.0 * k;
            let top_hat = 3.0 * (x.sin() - x * x.cos()) / x.powi(3);
            k.powi(3) * power.linear(k, 0.0) / (2.0 * PI * PI) * top_hat * top_hat * step
        })
        .sum();
    assert!((variance.sqrt() / 0.798 - 1.0).abs() < 1e-3, "sigma_8 = {}", variance.sqrt());
}

#[test]
fn linear_power_goes_as_the_primordial_slope_at_large_scales() {
    let power = power();
    let slope = (power.linear(2e-5, 0.0) / power.linear(1e-5, 0.0)).log2();
    assert!((slope - 0.96).abs() < 5e-3, "slope {slope}");
}

#[test]
fn linear_power_grows_as_the_square_of_growth() {
    let (power, cosmology) = (power(), Cosmology::default());
    let growth = cosmology.growth(1.0) / cosmology.growth(0.0);
    assert!((power.linear(0.3, 1.0) / power.linear(0.3, 0.0) / growth.powi(2) - 1.0).abs() < 1e-12);
}

#[test]
fn acoustic_oscillations_are_in_the_spectrum() {
    let power = power();
    // Against the spectrum of few baryons, the ratio turns several times between 0.03 and 0.3 h/Mpc.
    let smooth = MatterPower::new(&Cosmology { omega_b: 1e-3, ..Cosmology::default() });
    let ratios: Vec<f64> = (0..200)
        .map(|i| 0.03 * 10_f64.powf(f64::from(i) / 199.0))
        .map(|k| power.linear(k, 0.0) / smooth.linear(k, 0.0))
        .collect();
    let turns = ratios.windows(3).filter(|r| (r[1] - r[0]) * (r[2] - r[1]) < 0.0).count();
    assert!(turns >= 4, "{turns} turns");
}

#[test]
fn non_linear_power_is_linear_at_large_scales_and_far_above_at_small_ones() {
    let power = power();
    for z in [0.0, 1.0, 3.0] {
        let now = power.at(z);
        assert!((now.power(1e-3) / power.linear(1e-3, z) - 1.0).abs() < 0.01, "z = {z}");
        assert!(now.power(10.0) / power.linear(10.0, z) > 2.0, "z = {z}");
    }
}
