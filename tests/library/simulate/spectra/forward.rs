//! Light through an atmosphere.

use skyforge::atmosphere::named_grid;
use skyforge::simulate::spectra::collision_induced::CollisionInduced;
use skyforge::simulate::spectra::layers::{Layers, Pressures};
use skyforge::simulate::spectra::rayleigh;
use skyforge::simulate::spectra::sampling::Sampling;
use skyforge::simulate::spectra::{
    Atmosphere, CrossSections, ForwardModel, Molecule, Opacities, SpectrumSettings, SpectrumWorkspace,
};

const SUN_M: f64 = 6.957e8;
const JUPITER_M: f64 = 6.9911e7;

fn quiet() -> SpectrumSettings {
    SpectrumSettings { rayleigh: false, ..SpectrumSettings::default() }
}

/// A table that is `m2` everywhere.
fn grey(molecule: Molecule, m2: f64, pressures_pa: &[f64]) -> CrossSections {
    let wavenumbers_cm: Vec<f64> = (0..40_i32).map(|i| 100.0 * 1.16_f64.powi(i)).collect();
    CrossSections {
        molecule,
        source: "grey".into(),
        temperatures_k: vec![100.0, 3000.0],
        pressures_pa: pressures_pa.to_vec(),
        barns: vec![(m2 / 1e-28) as f32; 2 * pressures_pa.len() * wavenumbers_cm.len()],
        wavenumbers_cm,
    }
}

fn opacities(tables: Vec<CrossSections>) -> Opacities {
    Opacities { tables, bands: Vec::new(), collisions: Vec::new() }
}

fn depth(model: &ForwardModel, parameters: [f64; 7]) -> Vec<f32> {
    let mut depth = vec![0.0; model.wavelength_um().len()];
    let made = model.spectrum(&Atmosphere::new(&parameters), &mut SpectrumWorkspace::default(), &mut depth);
    made.expect("the planet holds its atmosphere");
    depth
}

fn model(settings: &SpectrumSettings, opacities: &Opacities) -> ForwardModel {
    ForwardModel::with(settings, settings.wavelengths().expect("a grid"), opacities).expect("a model")
}

#[test]
fn a_transparent_atmosphere_leaves_the_planet() {
    let model = model(&quiet(), &opacities(vec![grey(Molecule::H2o, 0.0, &[1e5])]));
    let planet = (1.1 * JUPITER_M / SUN_M).powi(2);
    for depth in depth(&model, [-3.0, -3.0, -3.0, -3.0, 1.0, 1.1, 1500.0]) {
        assert!((f64::from(depth) / planet - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_grey_gas_is_as_deep_as_theory_has_it() {
    // Where gravity and the scale height H hardly change, the radius seen is r + H (gamma + ln tau), with gamma Euler's constant and
    // tau = n sigma (2 pi r H)^1/2 the depth of the ray that passes at r (Lecavelier des Etangs et al. 2008; Heng & Kitzmann 2017).
    let settings = SpectrumSettings { layers: 1000, ..quiet() };
    let (mass, radius, temperature) = (20.0, 1.0, 300.0);
    let model = model(&settings, &opacities(vec![grey(Molecule::H2o, 1e-25, &[1e5])]));
    let seen = f64::from(depth(&model, [-3.0, -30.0, -30.0, -30.0, mass, radius, temperature])[250]).sqrt() * SUN_M;

    let molecule_kg = {
        let (hydrogen, helium) = (0.999 / 1.17647, 0.999 * 0.17647 / 1.17647);
        (hydrogen * 2.016 + helium * 4.0026 + 1e-3 * 18.015) * 1.660_539e-27
    };
    let (r, k) = (radius * JUPITER_M, 1.380_649e-23);
    let height = k * temperature * r * r / (6.6743e-11 * mass * 1.898e27 * molecule_kg);
    let tau = 1e6 / (k * temperature) * 1e-3 * 1e-25 * (std::f64::consts::TAU * r * height).sqrt();
    let wanted = r + height * (0.577_215_7 + tau.ln());
    assert!(height / r < 1e-3, "H / r = {}", height / r);
    assert!((seen - wanted).abs() < 0.01 * height, "{} scale heights apart", (seen - wanted) / height);
}

#[test]
fn collisions_are_as_deep_as_theory_has_it() {
    // The same with a column of n^2: tau = n^2 alpha (pi r H)^1/2, which falls off with half the scale height.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("H2-H2.cia");
    let line = |nu: f64| format!("{nu:10.3} {:10.3E}\n", 1e-45);
    let header = format!("{:>20}{:10.3}{:10.3}{:7}{:7.1}\n", "H2-H2", 1.0, 50000.0, 2, 300.0);
    std::fs::write(&path, header + &line(1.0) + &line(50_000.0)).expect("written");
    let mut opacities = opacities(vec![grey(Molecule::H2o, 0.0, &[1e5])]);
    opacities.collisions.push(CollisionInduced::read(&path).expect("read"));
    let (mass, radius, temperature) = (20.0, 1.0, 300.0);
    let model = model(&SpectrumSettings { layers: 1000, ..quiet() }, &opacities);
    let seen = f64::from(depth(&model, [-30.0, -30.0, -30.0, -30.0, mass, radius, temperature])[250]).sqrt() * SUN_M;

    let hydrogen = 1.0 / 1.17647;
    let molecule_kg = hydrogen * (2.016 + 0.17647 * 4.0026) * 1.660_539e-27;
    let (r, k) = (radius * JUPITER_M, 1.380_649e-23);
    let height = k * temperature * r * r / (6.6743e-11 * mass * 1.898e27 * molecule_kg);
    let density = 1e6 / (k * temperature) * hydrogen;
    let tau = density * density * 1e-55 * (std::f64::consts::PI * r * height).sqrt();
    let wanted = r + 0.5 * height * (0.577_215_7 + tau.ln());
    assert!(tau > 100.0, "the bottom is not seen");
    assert!((seen - wanted).abs() < 0.01 * height, "{} scale heights apart", (seen - wanted) / height);
}

#[test]
fn molecules_scatter_as_they_refract() {
    // Rayleigh's law, 32 pi^3 nu^4 (n - 1)^2 / (3 N^2), with n at 589 nm, 0 degrees Celsius and 1 atm as handbooks have it. King's
    // factors add up to 14 %; the index of CH4 is 8 % above the handbooks'.
    let (nu_m, density): (f64, f64) = (1.0 / 589e-9, 2.686_78e25);
    let law =
        |n_less_1: f64| 32.0 * std::f64::consts::PI.powi(3) * nu_m.powi(4) * n_less_1.powi(2) / (3.0 * density.powi(2));
    let trace = |molecule| rayleigh::trace(molecule, 1e-2 * nu_m);
    for (what, barns, n_less_1, above) in [
        ("H2", rayleigh::hydrogen(1e-2 * nu_m), 1.36e-4, 1.08),
        ("He", rayleigh::helium(1e-2 * nu_m), 0.349e-4, 1.08),
        ("CO", trace(Molecule::Co), 3.36e-4, 1.05),
        ("CO2", trace(Molecule::Co2), 4.49e-4, 1.16),
        ("CH4", trace(Molecule::Ch4), 4.44e-4, 1.18),
        ("H2O", trace(Molecule::H2o), 2.54e-4, 1.6),
    ] {
        let ratio = barns * 1e-28 / law(n_less_1);
        assert!(ratio > 0.92 && ratio < above, "{what}: {ratio}");
    }
}

#[test]
fn a_cloud_hides_what_is_below_it() {
    let with_cloud = SpectrumSettings { cloud_top_pa: Some(100.0), ..quiet() };
    let clear = opacities(vec![grey(Molecule::H2o, 0.0, &[1e5])]);
    let parameters = [-3.0, -8.0, -8.0, -8.0, 1.0, 1.1, 1500.0];
    let seen = f64::from(depth(&model(&with_cloud, &clear), parameters)[0]).sqrt() * SUN_M;
    let mut layers = Layers::default();
    let pressures = Pressures::new(1e6, 1e-5, 100);
    layers.set(&Atmosphere::new(&parameters), &pressures, 0.17647).expect("it holds");
    // The border of the layer in which the cloud ends.
    let above = pressures.middles_pa.partition_point(|pa| *pa >= 100.0);
    assert!((seen / layers.borders_m[above] - 1.0).abs() < 1e-6);
    // Above it, gas is seen as before.
    let thick = opacities(vec![grey(Molecule::H2o, 1e-20, &[1e5])]);
    let (clouded, free) = (depth(&model(&with_cloud, &thick), parameters), depth(&model(&quiet(), &thick), parameters));
    assert!((clouded[0] / free[0] - 1.0).abs() < 1e-6, "{} {}", clouded[0], free[0]);
}

#[test]
fn nodes_between_equal_tables_change_nothing() {
    // Interpolation in pressure is done on columns; for a table that does not depend on pressure it must not be seen.
    let parameters = [-3.0, -8.0, -8.0, -8.0, 1.0, 1.1, 1500.0];
    let of = |pressures: &[f64]| {
        depth(&model(&quiet(), &opacities(vec![grey(Molecule::H2o, 1e-25, pressures)])), parameters)
    };
    let one = of(&[1e5]);
    for pressures in [vec![1e-4, 1e8], vec![1e-3, 1e0, 2e0, 1e4, 1e5], vec![1e2, 1e3]] {
        for (a, b) in one.iter().zip(of(&pressures)) {
            assert!((a / b - 1.0).abs() < 2e-6, "{pressures:?}");
        }
    }
}

#[test]
fn two_half_tables_make_one() {
    // The same absorption, once by one gas and once by two of half the ratio, over different pressures.
    let parameters = |h2o: f64, ch4: f64| [h2o, -30.0, -30.0, ch4, 1.0, 1.1, 1500.0];
    let half = -3.0 - 2_f64.log10();
    // Masses differ, so the atmosphere's would; make both ratios small against that.
    let small = |parameters: [f64; 7]| parameters.map(|p| if (-4.0..-2.0).contains(&p) { p - 3.0 } else { p });
    let both = opacities(vec![grey(Molecule::H2o, 1e-22, &[1e5]), grey(Molecule::Ch4, 1e-22, &[1e-2, 1e2, 1e6])]);
    let one = depth(&model(&quiet(), &both), small(parameters(-3.0, -30.0)));
    let two = depth(&model(&quiet(), &both), small(parameters(half, half)));
    for (a, b) in one.iter().zip(&two) {
        assert!((a / b - 1.0).abs() < 3e-6, "{a} {b}");
    }
}

#[test]
fn more_gas_takes_more_light() {
    let model = model(&SpectrumSettings::default(), &Opacities::built_in());
    for gas in 0..4 {
        let mut parameters = [-7.0, -7.0, -7.0, -7.0, 1.0, 1.1, 1500.0];
        let little = depth(&model, parameters);
        parameters[gas] = -5.0;
        let more = depth(&model, parameters);
        // Heavier air is lower, by parts in 10,000.
        assert!(little.iter().zip(&more).all(|(a, b)| *b > a * 0.9995), "gas {gas}");
        assert!(little.iter().zip(&more).any(|(a, b)| *b > a * 1.005), "gas {gas}");
    }
}

#[test]
fn scattering_grows_to_the_blue() {
    let model = model(&SpectrumSettings::default(), &opacities(vec![grey(Molecule::H2o, 0.0, &[1e5])]));
    let depth = depth(&model, [-8.0, -8.0, -8.0, -8.0, 1.0, 1.1, 1500.0]);
    assert!(depth.windows(2).all(|pair| pair[1] > pair[0] * (1.0 - 3e-7)), "the grid descends in wavelength");
    // sigma goes as wavelength^-4, so the radius rises by 4 H an e-fold.
    let radius = |i: usize| f64::from(depth[i]).sqrt() * SUN_M;
    let grid = named_grid("exogan").expect("it is named");
    let slope = (radius(500) - radius(440)) / (grid[440] / grid[500]).ln();
    let height = 1.380_649e-23 * 1500.0 * (1.1 * JUPITER_M).powi(2) / (6.6743e-11 * 1.898e27 * 2.317 * 1.660_539e-27);
    assert!((slope / (4.0 * height) - 1.0).abs() < 0.1, "{} H", slope / height);
}

#[test]
fn a_thread_may_use_its_room_again() {
    let model = model(&SpectrumSettings::default(), &Opacities::built_in());
    let mut workspace = SpectrumWorkspace::default();
    let all = [[-2.0, -3.0, -4.0, -5.0, 0.8, 1.5, 2000.0], [-8.0, -8.0, -8.0, -8.0, 2.0, 0.8, 1000.0]];
    for parameters in [all[0], all[1], all[0]] {
        let mut again = vec![0.0; 515];
        model.spectrum(&Atmosphere::new(&parameters), &mut workspace, &mut again).expect("it holds");
        assert_eq!(again, depth(&model, parameters));
    }
}

#[test]
fn smooth_opacities_may_be_binned() {
    // Built-in bands have no lines, so that tables averaged over bins are as good as depths averaged over bins.
    let of = |sampling| model(&SpectrumSettings { sampling, ..SpectrumSettings::default() }, &Opacities::built_in());
    let parameters = [-4.0, -4.0, -4.0, -4.0, 1.0, 1.1, 1500.0];
    let (native, binned) = (depth(&of(Sampling::Native), parameters), depth(&of(Sampling::Binned), parameters));
    let worst = native.iter().zip(&binned).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f32::max);
    assert!(worst < 3e-3, "{worst}");
    assert!(native != binned);
}
