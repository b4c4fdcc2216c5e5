//! A run that never was, with all that a report shows of every run.

use serde_json::{Map, Value, json};
use skyforge::report::ReportInputs;
use skyforge::rng::{Draw, Stream};

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

/// A run that was trained, without anything of its family.
pub fn trained() -> ReportInputs {
    ReportInputs {
        run: "small_mass_maps".into(),
        subject: "DCGAN of 64 px convergence maps, 5 degrees wide; 1.2 M parameters; non-saturating, alternating"
            .into(),
        outcome: "finished".into(),
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
        ..ReportInputs::default()
    }
}
