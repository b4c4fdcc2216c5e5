//! Maps that no network made, compared, and the folder of a run with them.

use std::path::Path;

use skyforge::data::{Modality, Transform};
use skyforge::family::maps_gan::evaluate::Sets;
use skyforge::family::maps_gan::report::Findings;
use skyforge::family::maps_gan::validation::SCORES;
use skyforge::family::run_folder::{Examples, RunFolder, Target};
use skyforge::rng::{Draw, Stream};
use skyforge::statistics::{ComparisonSettings, Maps, compare};

pub const SIDE: usize = 64;

/// Lognormal maps with power on all scales; `tilt` is the share of the small ones.
pub fn sky(count: usize, seed: u64, tilt: f32) -> Vec<f32> {
    let draw = Draw::new(seed);
    let mut maps = Vec::with_capacity(count * SIDE * SIDE);
    for map in 0..count as u64 {
        let mut field = vec![0.0; SIDE * SIDE];
        for (scale, weight) in [(1, tilt), (2, 0.6), (4, 0.8), (8, 0.8), (16, 0.5)] {
            let mut part = draw.at(Stream::Simulation, map, scale).normals(SIDE * SIDE);
            (0..3).for_each(|_| part = blurred(&part, scale as usize));
            let size = (part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32).sqrt();
            field.iter_mut().zip(part).for_each(|(sum, x)| *sum += weight * x / size);
        }
        maps.extend(field.iter().map(|x| 0.02 * ((0.45 * x).exp() - 1.15)));
    }
    maps
}

/// Averages over `width` pixels along rows, then columns, periodic.
fn blurred(map: &[f32], width: usize) -> Vec<f32> {
    let pass = |map: &[f32], down: usize, right: usize| -> Vec<f32> {
        let near = |at: usize, i: usize| map[(at / SIDE + i * down) % SIDE * SIDE + (at % SIDE + i * right) % SIDE];
        (0..SIDE * SIDE).map(|at| (0..width).map(|i| near(at, i)).sum::<f32>() / width as f32).collect()
    };
    pass(&pass(map, 0, 1), 1, 0)
}

/// A few maps as a run keeps them.
pub fn examples(pixels: &[f32]) -> Examples {
    let modality = Modality::maps([1, SIDE, SIDE], "mK", Transform::Identity {}, None);
    Examples { values: pixels.to_vec(), ids: (0..(pixels.len() / (SIDE * SIDE)) as u64).collect(), modality }
}

/// What is asked of the spectrum.
pub fn target(value: f64) -> Option<Target> {
    let config = toml::toml! { validation = { targets = { spectrum_error = value } } };
    RunFolder::new(Path::new("run"), "maps_gan", &config).target(&SCORES[0])
}

/// What the folder of a run holds. The generated maps have too much power on small scales.
pub fn full() -> Findings {
    let settings = ComparisonSettings { side_deg: Some(5.0), ..ComparisonSettings::default() };
    let (generated, real) = (sky(96, 1, 0.42), sky(192, 2, 0.36));
    let (reference, floor) = Maps::new(&real, SIDE).and_then(|maps| maps.halves()).expect("whole maps");
    let ours = Maps::new(&generated, SIDE).expect("whole maps");
    let sets = Sets {
        generated: "xxh3:01".into(),
        step: Some(4000),
        checkpoint: Some("xxh3:9f2c".into()),
        weights: Some("generator_ema".into()),
        reference: "xxh3:02".into(),
        split: "test".into(),
        records: "maps".into(),
        unit: "mK".into(),
    };
    let shown = 16 * SIDE * SIDE;
    Findings {
        comparison: Some(compare(ours, reference, floor, &settings).expect("sets that can be compared")),
        sets: Some(sets),
        generated: Some(examples(&generated[..shown])),
        reference: Some(examples(&real[..shown])),
        spectrum_target: target(0.2),
        variance_target: None,
    }
}
