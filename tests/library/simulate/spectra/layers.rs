//! The layers of an atmosphere.

use skyforge::simulate::spectra::Atmosphere;
use skyforge::simulate::spectra::layers::{Layers, Pressures};

const PARAMETERS: [f64; 7] = [-4.0, -5.0, -6.0, -7.0, 1.0, 1.2, 1500.0];

fn layers(parameters: [f64; 7], layers: usize) -> (Layers, Pressures) {
    let pressures = Pressures::new(1e6, 1e-5, layers);
    let mut set = Layers::default();
    set.set(&Atmosphere::new(&parameters), &pressures, 0.17647).expect("the planet holds it");
    (set, pressures)
}

#[test]
fn weight_is_carried_by_pressure() {
    // dP/dr = -rho g, with rho = n m: ln P falls by m g / (k T) a metre.
    let (layers, pressures) = layers(PARAMETERS, 2000);
    let mass_kg = 1.0 * 1.898e27;
    for i in (0..2000).step_by(97) {
        let (low, high, middle) = (layers.borders_m[i], layers.borders_m[i + 1], layers.middles_m[i]);
        let fall = (pressures.borders_pa[i] / pressures.borders_pa[i + 1]).ln() / (high - low);
        let gravity = 6.6743e-11 * mass_kg / (middle * middle);
        let molecule_kg = fall * 1.380_649e-23 * 1500.0 / gravity;
        // 85 % hydrogen, 15 % helium, a trace of others.
        assert!((molecule_kg / 1.660_539e-27 - 2.317).abs() < 0.003, "layer {i}: {}", molecule_kg / 1.660_539e-27);
        let density = pressures.middles_pa[i] / (1.380_649e-23 * 1500.0);
        assert!((layers.density_m3[i] / density - 1.0).abs() < 1e-12);
    }
    assert_eq!(layers.borders_m[0], 1.2 * 6.9911e7);
}

#[test]
fn the_pieces_of_a_ray_make_a_chord() {
    let (layers, _) = layers(PARAMETERS, 100);
    let top = layers.borders_m[100];
    let mut path = Vec::new();
    for layer in [0, 1, 50, 99] {
        layers.path_m(layer, &mut path);
        let chord = 2.0 * (top * top - layers.middles_m[layer].powi(2)).sqrt();
        assert_eq!(path.len(), 100 - layer);
        assert!(path.iter().all(|piece| *piece > 0.0));
        assert!((path.iter().sum::<f64>() / chord - 1.0).abs() < 1e-12, "layer {layer}");
    }
}

#[test]
fn a_planet_that_cannot_hold_its_atmosphere_is_told_of() {
    let mut set = Layers::default();
    let light = Atmosphere::new(&[-8.0, -8.0, -8.0, -8.0, 0.01, 1.5, 2000.0]);
    let lost = set.set(&light, &Pressures::new(1e6, 1e-5, 100), 0.17647).expect_err("it is lost");
    assert!((1e-5..1e6).contains(&lost));
}
