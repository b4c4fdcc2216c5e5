//! Distance and growth.

use skyforge::exit::{Ends, Exit};
use skyforge::simulate::Cosmology;

const REDSHIFTS: [f64; 4] = [0.0, 0.5, 1.0, 7.0];

fn only_matter() -> Cosmology {
    Cosmology { omega_m: 1.0, ..Cosmology::default() }
}

#[test]
fn growth_is_the_scale_factor_where_there_is_only_matter() {
    for z in REDSHIFTS {
        let a = 1.0 / (1.0 + z);
        assert!((only_matter().growth(z) / a - 1.0).abs() < 1e-6, "z = {z}");
    }
}

#[test]
fn growth_starts_as_the_scale_factor_and_is_slowed_by_the_cosmological_constant() {
    let cosmology = Cosmology::default();
    assert!((cosmology.growth(100.0) * 101.0 - 1.0).abs() < 1e-5);
    assert!(cosmology.growth(0.0) < 0.85);
}

/// Growth obeys D'' + (3/a + dlnE/da) D' = 3/2 omega_m D / (a^5 E^2), with ' = d/da: checked by central differences.
#[test]
fn growth_solves_its_differential_equation() {
    let cosmology = Cosmology::default();
    let growth = |a: f64| cosmology.growth(1.0 / a - 1.0);
    let expansion = |a: f64| cosmology.expansion(1.0 / a - 1.0);
    let step = 1e-3;
    for a in [0.2, 0.5, 0.9] {
        let first = (growth(a + step) - growth(a - step)) / (2.0 * step);
        let second = (growth(a + step) - 2.0 * growth(a) + growth(a - step)) / (step * step);
        let friction = 3.0 / a + (expansion(a + step).ln() - expansion(a - step).ln()) / (2.0 * step);
        let pull = 1.5 * cosmology.omega_m * growth(a) / (a.powi(5) * expansion(a).powi(2));
        assert!((second + friction * first - pull).abs() < 1e-4 * pull, "a = {a}");
    }
}

#[test]
fn distance_with_only_matter_is_its_closed_form() {
    for z in REDSHIFTS {
        let closed = 2.0 * 2_997.924_58 * (1.0 - 1.0 / (1.0 + z).sqrt());
        assert!((only_matter().comoving_distance(z) - closed).abs() <= 1e-6 * closed, "z = {z}");
    }
}

#[test]
fn a_universe_outside_the_formulae_is_refused_by_name() {
    let good = Cosmology::default();
    assert!(good.check().is_ok());
    for (bad, wanted) in [
        (Cosmology { omega_m: 0.0, ..good }, "`cosmology.omega_m` is 0, expected more than 0 and at most 1"),
        (
            Cosmology { omega_b: 0.3, ..good },
            "`cosmology.omega_b` is 0.3, expected more than 0 and less than `cosmology.omega_m`: 0.26",
        ),
        (Cosmology { sigma_8: f64::NAN, ..good }, "`cosmology.sigma_8` is NaN, expected 0.01 to 10"),
        (Cosmology { n_s: -1.0, ..good }, "`cosmology.n_s` is -1, expected 0.5 to 1.5"),
        (Cosmology { h: 72.0, ..good }, "`cosmology.h` is 72, expected 0.2 to 2"),
    ] {
        let error = bad.check().expect_err("is no universe");
        assert_eq!(error.to_string(), wanted);
        assert_eq!(error.exit(), Exit::Usage);
    }
}
