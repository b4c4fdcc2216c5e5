//! Runs that an older version has begun (`tests/fixtures/resume`): this version ends them as it ends runs of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use crate::fixtures::copy_folder;
use crate::program::{arg, must, refused, word};
use crate::trained;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/resume");

/// Files of a checkpoint with the tensors of a run: parameters, averages and state, and moments.
const TENSORS: [&str; 2] = ["model.safetensors", "optimizer.safetensors"];

/// Root mean square distance of a tensor's numbers over their root mean square: more than two ways of rounding come apart in a few
/// steps, and less than a wrong moment or weight is off.
const ROUNDING: f32 = 0.02;

/// A copy of one of the runs.
struct Begun {
    folder: TempDir,
    config: PathBuf,
    data: PathBuf,
    run: PathBuf,
}

impl Begun {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_folder(&Path::new(FIXTURES).join(name), folder.path());
        let [config, data, run] = ["config.toml", "data", "run"].map(|name| folder.path().join(name));
        Self { folder, config, data, run }
    }

    fn arguments<'a>(&'a self, run: &'a Path) -> Vec<&'a str> {
        vec!["train", arg(&self.config), "--run", arg(run), "--data", arg(&self.data)]
    }

    /// Goes on to the last step on so many ranks; gives the folder of the run.
    fn resumed(name: &str, ranks: usize) -> Self {
        let begun = Self::of(name);
        must(ranks, &begun.arguments(&begun.run));
        begun
    }
}

/// The processor as `processor.txt` has it.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |key: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|found| found.trim() == key));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim()).to_owned()
    };
    ["vendor_id", "cpu family", "model"].map(|key| format!("{key}: {}\n", of(key))).concat()
}

/// Whether a tensor depends on rounding alone. Batch norm takes away the bias of the layer before it, so the gradient of
/// that bias is rounding, of which Adam makes steps of full length; the running mean holds the bias.
fn is_rounding(name: &str, names: &BTreeSet<String>) -> bool {
    let name = [".first_moment", ".second_moment"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let Some((network, layer)) = name.strip_suffix(".bias").and_then(|name| name.rsplit_once('.')) else {
        return name.ends_with(".running_mean");
    };
    let number = if layer == "project" { "0" } else { layer.trim_start_matches(|sign: char| !sign.is_ascii_digit()) };
    let norm = format!("{network}.norm{number}.weight");
    !layer.starts_with("norm") && (names.contains(&norm) || names.contains(&format!("{norm}.first_moment")))
}

/// The tensors of two checkpoints are the same bits or, where rounding may be another, near each other.
fn assert_same_tensors(one: &Path, other: &Path, rounding: bool) {
    for name in TENSORS {
        let read = |folder: &Path| fs::read(folder.join(name)).expect("a checkpoint has it");
        let (one, other) = (read(one), read(other));
        if !rounding {
            assert!(one == other, "{name} has other bits");
            continue;
        }
        let [one, other] = [&one, &other].map(|bytes| SafeTensors::deserialize(bytes).expect("it can be read"));
        let names = |tensors: &SafeTensors| tensors.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(names(&one), names(&other));
        for (name, tensor) in one.tensors().into_iter().filter(|(name, _)| !is_rounding(name, &names(&one))) {
            let number = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
            let there = other.tensor(&name).expect("it has the same names");
            let pairs = tensor.data().as_chunks::<4>().0.iter().zip(there.data().as_chunks::<4>().0);
            let (off, all) = pairs.fold((0.0, f32::MIN_POSITIVE), |(off, all), (a, b)| {
                (off + (number(a) - number(b)).powi(2), all + number(a).powi(2))
            });
            assert!((off / all).sqrt() < ROUNDING, "{name} is off by {}", (off / all).sqrt());
        }
    }
}

fn an_older_run_ends_as_a_straight_one(name: &str) {
    let rounding = fs::read_to_string(Path::new(FIXTURES).join("processor.txt")).expect("it is there") != processor();
    if rounding {
        eprintln!("made on another processor: compared to within the rounding of some steps");
    }
    let begun = Begun::of(name);
    let straight = begun.folder.path().join("straight");
    must(1, &begun.arguments(&straight));
    let step = |run: &Path, step: u64| run.join(format!("checkpoints/step-{step:07}"));
    assert_same_tensors(&step(&straight, 4), &step(&begun.run, 4), rounding);
    for ranks in trained::worlds() {
        let resumed = Begun::resumed(name, *ranks);
        assert_eq!(word(&resumed.run, "step"), "8");
        assert_same_tensors(&step(&straight, 8), &step(&resumed.run, 8), rounding);
        if !rounding {
            assert_eq!(word(&resumed.run, "checksum"), word(&straight, "checksum"), "{name} on {ranks} ranks");
        }
    }
}

#[test]
fn a_run_on_maps_of_an_older_version_ends_as_a_straight_one() {
    an_older_run_ends_as_a_straight_one("maps");
}

#[test]
fn a_run_on_spectra_of_an_older_version_ends_as_a_straight_one() {
    an_older_run_ends_as_a_straight_one("spectra");
}

#[test]
fn a_checkpoint_of_an_older_version_samples() {
    for name in ["maps", "spectra"] {
        let begun = Begun::of(name);
        let out = begun.folder.path().join("made");
        must(1, &["sample", arg(&begun.run), "--count", "3", "--out", arg(&out)]);
        assert!(must(1, &["inspect", arg(&out)]).contains("count  3"), "{name}");
    }
}

#[test]
fn a_setting_or_data_that_change_the_bits_of_an_older_run_are_refused_with_both_values() {
    let begun = Begun::of("maps");
    let with = |more: &[&str]| refused(&[&begun.arguments(&begun.run), more].concat());
    let cases = [
        ("family.width=8", "made with family.width = 4, this run has 8"),
        ("family.ema=0.5", "made with family.ema = 0.9, this run has 0.5"),
        ("batch.microbatches=2", "made with batch.microbatches = 4, this run has 2"),
        ("seed=1", "made with seed = 11, this run has 1"),
        (
            "data.transform={kind=\"identity\"}",
            "made with dataset.modalities[0].transform.kind = \"log\", this run has \"identity\"",
        ),
    ];
    for (set, wanted) in cases {
        let (code, line) = with(&["--set", set]);
        assert!(code == 64 && line.ends_with(wanted), "{set}: {code}: {line}");
    }
    // The same records, others of which are trained on.
    let other = begun.folder.path().join("other");
    let simulate = ["simulate", "maps", "--count", "160", "--seed", "3", "--set", "side=16", "--out", arg(&other)];
    must(1, &[&simulate[..], &["--validation", "0.5", "--test", "0.15"]].concat());
    let (code, line) = refused(&["train", arg(&begun.config), "--run", arg(&begun.run), "--data", arg(&other)]);
    let wanted = "made with dataset.training_records = [[0, 96]], this run has [[0, 56]]";
    assert!(code == 64 && line.ends_with(wanted), "{code}: {line}");
    assert_eq!(fs::read_dir(begun.run.join("checkpoints")).expect("a folder").count(), 1, "the run is as it was");
}

/// Checksums that fit the files of a checkpoint as they are.
fn sign(checkpoint: &Path) {
    let line = |name: &str| {
        let sum = xxh3_64(&fs::read(checkpoint.join(name)).expect("it is there"));
        format!("XXH3_{sum:016x}  {name}\n")
    };
    let sums: String = ["model.safetensors", "optimizer.safetensors", "state.toml"].map(line).concat();
    fs::write(checkpoint.join("CHECKSUMS"), sums).expect("the disk has room");
}

/// Lines of `state.toml`, as a program wrote them that knew more or fewer settings.
fn with_state(begun: &Begun, change: impl Fn(&str) -> Option<String>) {
    let checkpoint = begun.run.join("checkpoints/step-0000004");
    let path = checkpoint.join("state.toml");
    let lines: Vec<String> = fs::read_to_string(&path).expect("it is there").lines().filter_map(change).collect();
    fs::write(path, lines.join("\n") + "\n").expect("the disk has room");
    sign(&checkpoint);
}

#[test]
fn keys_that_an_older_program_did_not_write_have_their_defaults() {
    let whole = Begun::resumed("spectra", 1);
    let begun = Begun::of("spectra");
    // All of them have their defaults in this run.
    let later = [
        "penalty",
        "penalty_every",
        "label_flip",
        "instance_noise",
        "depth",
        "norm",
        "update",
        "noise",
        "clip",
        "half_life",
    ];
    with_state(&begun, |line| {
        let is_later = line.split_once(" = ").is_some_and(|(key, _)| later.contains(&key));
        (!is_later).then(|| line.to_owned())
    });
    must(1, &begun.arguments(&begun.run));
    assert_eq!(word(&begun.run, "checksum"), word(&whole.run, "checksum"));
}

#[test]
fn a_key_of_a_newer_program_is_named() {
    let begun = Begun::of("maps");
    with_state(&begun, |line| {
        Some(if line == "[run.family]" { format!("{line}\ncolour = 3") } else { line.to_owned() })
    });
    let (code, line) = refused(&begun.arguments(&begun.run));
    assert!(
        code == 64 && line.contains("settings that this version does not have") && line.contains("colour"),
        "{line}"
    );
}
