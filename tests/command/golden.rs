//! The loss curve of the debug configuration, as committed in `tests/golden`. A change that should not alter numbers
//! leaves it alone; one that should is committed with the new curve: `SKYFORGE_GOLDEN=write cargo test golden`.

use std::fs;

use serde_json::Value;

use crate::program::{CONFIG, arg, must, simulated};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/debug_mass_maps.jsonl");
const LOSSES: [&str; 2] = ["discriminator_loss", "generator_loss"];

#[test]
fn the_debug_configuration_has_its_committed_loss_curve() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 256);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps)]);
    let lines =
        |text: String| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect() };
    let curve = lines(fs::read_to_string(run.join("metrics.jsonl")).expect("metrics"));
    if std::env::var("SKYFORGE_GOLDEN").is_ok_and(|word| word == "write") {
        let kept = curve.iter().map(|line| {
            format!(
                "{{\"step\":{},\"{}\":{},\"{}\":{}}}\n",
                line["step"], LOSSES[0], line[LOSSES[0]], LOSSES[1], line[LOSSES[1]]
            )
        });
        fs::write(GOLDEN, kept.collect::<String>()).expect("the disk has room");
    }
    let golden = lines(fs::read_to_string(GOLDEN).expect("the committed curve"));
    assert_eq!(curve.len(), golden.len());
    for (got, expected) in curve.iter().zip(&golden) {
        for loss in LOSSES {
            let (got, expected, step) =
                (got[loss].as_f64().expect("a number"), expected[loss].as_f64().expect("a number"), &got["step"]);
            // Another type of processor sums in another order, and the difference grows with the steps.
            let allowed = if step.as_u64() <= Some(5) { 1e-3 } else { 0.1 };
            assert!((got - expected).abs() < allowed, "step {step}: {loss} is {got}, expected {expected}");
        }
    }
}
