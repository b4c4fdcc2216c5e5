//! Training on a copy of the records that each node makes for itself: the same bits, told of, and gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{CONFIG, arg, run, simulated, word};

struct Scene {
    folder: tempfile::TempDir,
    maps: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let maps = folder.path().join("maps");
        simulated(&maps, 128);
        Self { folder, maps }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A good run of three steps: its checksum and what it told.
    fn trained(&self, name: &str, ranks: usize, more: &[&str]) -> (String, String) {
        let folder = self.path(name);
        let words = ["train", CONFIG, "--run", arg(&folder), "--data", arg(&self.maps), "--set", "trainer.steps=3"];
        let output = run(ranks, &[&words[..], more].concat());
        assert!(output.status.success(), "{output:?}");
        (word(&folder, "checksum"), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn records_are_staged_once_a_node_with_the_same_bits_and_are_gone_afterwards() {
    let scene = Scene::new();
    let scratch = scene.path("scratch");
    fs::create_dir(&scratch).expect("the disk has room");
    let (straight, told) = scene.trained("straight", 1, &[]);
    assert!(!told.contains("staged") && metrics(&scene.path("straight")).len() == 3, "{told}");
    let size: u64 = entries(&scene.maps)
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "h5"))
        .map(|path| fs::metadata(path).expect("a shard").len())
        .sum();
    for ranks in if cfg!(feature = "mpi") { vec![1, 3] } else { vec![1] } {
        let name = format!("staged-{ranks}");
        let (checksum, told) = scene.trained(&name, ranks, &["--scratch", arg(&scratch)]);
        assert_eq!(checksum, straight, "{ranks} ranks");
        assert_eq!(told.lines().filter(|line| line.starts_with("staged ")).count(), 1, "by one rank: {told}");
        let lines = metrics(&scene.path(&name));
        assert_eq!((lines.len(), &lines[0]["step"]), (4, &Value::from(0)), "a line of its own");
        assert_eq!(lines[0]["staged_bytes"].as_f64(), Some(size as f64));
        assert!(lines[0]["staged_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
        assert!(entries(&scratch).is_empty(), "nothing is left");
    }
}

#[test]
fn what_is_kept_is_found_by_the_next_start_and_damage_in_it_is_mended() {
    let scene = Scene::new();
    let scratch = scene.path("scratch");
    fs::create_dir(&scratch).expect("the disk has room");
    let (straight, _) = scene.trained("straight", 1, &["--set", "trainer.steps=5"]);
    let stage = ["--scratch", arg(&scratch), "--keep-scratch"];
    scene.trained("run", 1, &stage);
    let copy = entries(&scratch).pop().expect("it is kept");
    let shard = entries(&copy).into_iter().find(|path| path.extension().is_some_and(|end| end == "h5"));
    let shard = shard.expect("a shard");
    let mut bytes = fs::read(&shard).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&shard, bytes).expect("the disk has room");
    let (checksum, told) = scene.trained("run", 1, &[&stage[..], &["--set", "trainer.steps=5"]].concat());
    assert_eq!(checksum, straight, "{told}");
    assert!(told.contains("RESUMED after step 3 of 5 from step-0000003"), "{told}");
    let original = fs::read(scene.maps.join(shard.file_name().expect("a name"))).expect("it is there");
    assert!(fs::read(&shard).expect("it is there") == original, "the copy is what it should be again");
}

#[test]
fn a_place_that_takes_nothing_is_told_of_and_the_run_reads_from_where_the_records_are() {
    let scene = Scene::new();
    let (straight, _) = scene.trained("straight", 1, &[]);
    let (checksum, told) = scene.trained("run", 1, &["--scratch", arg(&scene.path("nowhere"))]);
    assert_eq!(checksum, straight);
    let line = told.lines().find(|line| line.starts_with("warning: not staged on ")).expect("a line");
    assert!(line.ends_with(&format!("; records are read from {}", scene.maps.display())), "{line}");
    assert!(!scene.path("nowhere").exists(), "a place that is not there is not made");
}
