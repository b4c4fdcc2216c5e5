//! What an embedder sees of spectra.

use skyforge::atmosphere::named_grid;
use skyforge::family::spectra_gan::{Aspa, AspaSettings, SpectrumMasking};
use skyforge::nn::dcgan::{DcganSettings, Latent, Output};
use skyforge::objective::embedder::EmbedderSettings;
use skyforge::objective::gan::Gan;
use tch::Device;

use crate::objective::embedder::{moved, real_maps, settings};
use crate::shared::networks::SMALL;

const WITH_SPECTRA: DcganSettings =
    DcganSettings { side: 33, latent: Latent::Uniform, output: Output::Sigmoid, depth: 4, ..SMALL };

#[test]
fn spectra_are_veiled_and_noisy_for_the_embedder_alone() {
    let grid = named_grid("exogan-362").expect("a grid");
    let aspa = Aspa::new(AspaSettings { depth_min: 0.005, depth_max: 0.04, ..AspaSettings::default() }, &grid);
    let aspa = aspa.expect("it fits");
    let maps = real_maps(33);
    let of = |veiled: f64, noise_ppm: [f64; 2]| {
        let embedder = EmbedderSettings {
            hidden: 16,
            reconstruction: 10.0,
            masked_fraction: veiled,
            noise_ppm,
            ..EmbedderSettings::default()
        };
        let masking = Box::new(SpectrumMasking::new(&aspa, &embedder, Device::Cpu));
        let gan = Gan::new(&WITH_SPECTRA, settings(), 1, Device::Cpu);
        moved(&gan.with_embedder(&WITH_SPECTRA, embedder, masking, 1), &maps)
    };
    let (bare, veiled, noisy) = (of(0.0, [1.0, 1.0]), of(1.0, [1.0, 1.0]), of(1.0, [1000.0, 1000.0]));
    for player in 0..2 {
        assert_eq!(bare[player].0, veiled[player].0, "player {player} sees whole maps");
        assert_eq!(bare[player].0, noisy[player].0, "player {player} sees no noise");
    }
    assert_ne!(bare[2].0, veiled[2].0);
    assert_ne!(veiled[2].0, noisy[2].0);
    for (gradient, _) in &noisy {
        assert!(gradient.iter().all(|value| value.is_finite()));
    }
}
