//! An autoencoder through the program: trained and validated on maps, and refused where it cannot do what is asked.

use std::fs;

use skyforge::train::metrics;

use crate::program::{arg, must, refused, simulated, word};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/debug_autoencoder.toml");

#[test]
fn an_autoencoder_has_the_same_bits_on_any_ranks_and_makes_no_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 256);
    let worlds = if cfg!(feature = "mpi") { vec![1, 2] } else { vec![1] };
    let mut checksums = Vec::new();
    for ranks in worlds {
        let run = folder.path().join(format!("run-{ranks}"));
        // Half, and then on from there.
        let train = ["train", CONFIG, "--run", arg(&run), "--data", arg(&maps)];
        must(ranks, &[&train[..], &["--set", "trainer.steps=20"]].concat());
        must(ranks, &train);
        checksums.push(word(&run, "checksum"));
        let measured = metrics::read(&run.join("metrics.jsonl")).expect("it has metrics");
        let scores = measured.iter().filter(|line| line.contains_key("reconstruction_error"));
        assert_eq!(scores.count(), 2, "each checkpoint is measured");
    }
    assert!(checksums.windows(2).all(|pair| pair[0] == pair[1]), "{checksums:?}");
    let run = folder.path().join("run-1");
    let out = folder.path().join("out");
    let (code, line) = refused(&["sample", arg(&run), "--count", "3", "--out", arg(&out)]);
    assert_eq!(code, 65, "{line}");
    assert!(
        line.contains("is of kind \"autoencoder\", which makes no new records, expected a run of a generative model")
    );
    assert!(!out.exists());
    assert!(fs::read_to_string(run.join("config.toml")).expect("it is there").contains("kind = \"autoencoder\""));
}
