//! A run that never was, with all that a report shows.

use serde_json::{Map, Value, json};
use skyforge::report::{ExampleMaps, ReportInputs};
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

/// Rows as the trainer writes them.
pub fn metrics(steps: u64) -> Vec<Map<String, Value>> {
    let draw = Draw::new(3);
    let row = |step: u64| {
        let mut chance = draw.at(Stream::Noise, step, 0);
        let calm = (-(step as f64) / 400.0).exp();
        let row = json!({
            "step": step, "epoch": step as f64 / 115.0, "samples": step * 64,
            "discriminator_loss": 1.1 + 0.9 * calm + 0.08 * chance.normal(),
            "generator_loss": 0.95 - 0.4 * calm + 0.12 * chance.normal(),
            "discriminator_gradient_norm": (0.5 + 0.4 * chance.normal() + calm).exp(),
            "generator_gradient_norm": (-0.5 + 0.5 * chance.normal()).exp(),
            "real_logit": 0.4 + 0.1 * chance.normal(), "fake_logit": -0.45 + 0.1 * chance.normal(),
            "samples_per_second": 93.0 + 2.0 * chance.normal(), "load_seconds": 0.004,
            "step_seconds": 0.69 + 0.02 * chance.normal(),
        });
        row.as_object().expect("a row is an object").clone()
    };
    (1..=steps).map(row).collect()
}

/// A full set of inputs. The generated maps have too much power on small scales.
pub fn full() -> ReportInputs {
    let settings = ComparisonSettings { side_deg: Some(5.0), ..ComparisonSettings::default() };
    let (generated, real) = (sky(96, 1, 0.42), sky(192, 2, 0.36));
    let (reference, floor) = Maps::new(&real, SIDE).and_then(|maps| maps.halves()).expect("whole maps");
    let ours = Maps::new(&generated, SIDE).expect("whole maps");
    let examples = |pixels: &[f32]| Some(ExampleMaps { pixels: pixels[..16 * SIDE * SIDE].to_vec(), side: SIDE });
    ReportInputs {
        reference_name: "held-back maps".into(),
        compared: "Compared: maps of generator_ema after step 4,000 with the split test.".into(),
        run: "small_mass_maps".into(),
        subject: "DCGAN of 64 px convergence maps, 5 degrees wide; 1.2 M parameters; non-saturating, alternating"
            .into(),
        outcome: "finished".into(),
        unit: "convergence".into(),
        config: "seed = 7\n\n[batch]\nglobal       = 64\nmicrobatches = 4   # leaves of the sum\n".into(),
        provenance: [
            ("revision", "2b09329c1f"),
            ("seed", "7"),
            ("ranks", "2"),
            ("threads per rank", "1"),
            ("data checksum", "xxh3:9f2c6f01b6d1e8aa"),
            ("checkpoint judged", "step 2,400, best of 6"),
        ]
        .map(|(key, value)| (key.into(), value.into()))
        .to_vec(),
        metrics: metrics(2400),
        timings: vec![
            ("Sampling 1,024 maps".into(), "14.2 s".into()),
            ("Wall time of training".into(), "28 min 03 s".into()),
        ],
        comparison: Some(compare(ours, reference, floor, &settings).expect("sets that can be compared")),
        generated: examples(&generated),
        reference: examples(&real),
        ..ReportInputs::default()
    }
}
