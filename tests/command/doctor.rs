//! The doctor: what is well passes, what is wrong is named with what to do, on one rank and on several.

use std::fs;
#[cfg(feature = "mpi")]
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::{CONFIG, arg, command, must, run, simulated};

fn findings(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON: {output:?}"));
    told["findings"].as_array().expect("findings").clone()
}

/// Verdict, finding and remedy of one check.
fn of(findings: &[Value], check: &str) -> (String, String, String) {
    let finding = findings.iter().find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("{check} in {findings:?}"));
    let word = |key: &str| finding[key].as_str().expect("a word").to_owned();
    (word("verdict"), word("found"), word("remedy"))
}

fn worlds() -> &'static [usize] {
    if cfg!(feature = "mpi") { &[1, 2, 3] } else { &[1] }
}

#[test]
fn what_is_well_is_ok_on_any_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 64);
    for &ranks in worlds() {
        let run = folder.path().join("run");
        let arguments = ["doctor", "--config", CONFIG, "--data", arg(&maps), "--run", arg(&run), "--json"];
        let output = crate::program::run(ranks, &arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let findings = findings(&output);
        for check in ["launcher", "hosts", "binary", "device", "sum", "folder", "lock", "config", "data", "space"] {
            assert_eq!(of(&findings, check).0, "ok", "{ranks} ranks: {findings:?}");
        }
        assert!(of(&findings, "sum").1.contains(if ranks == 1 { "nobody" } else { "GB/s" }));
        assert_eq!(findings.iter().any(|finding| finding["check"] == "mpi"), ranks > 1);
        assert!(!run.exists(), "a doctor leaves nothing behind");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "a doctor leaves nothing behind");
    }
    let lines = must(1, &["doctor", "--run", arg(folder.path())]);
    assert!(lines.lines().all(|line| ["ok  ", "warn"].contains(&&line[..4])), "{lines}");
}

#[test]
fn the_expected_checkpoint_has_the_size_of_the_real_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, trained) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 64);
    must(1, &["train", CONFIG, "--run", arg(&trained), "--data", arg(&maps), "--set", "trainer.steps=1"]);
    let files = fs::read_dir(trained.join("checkpoints/step-0000001")).expect("a checkpoint");
    let real: u64 = files.map(|file| file.expect("readable").metadata().expect("a file").len()).sum();
    let output = run(1, &["doctor", "--config", CONFIG, "--json"]);
    let (_, found, _) = of(&findings(&output), "space");
    let size = found.split("a checkpoint is ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a size");
    let expected = 1024.0 * size.parse::<f64>().expect("KiB");
    // What is not numbers: names of tensors and the state.
    assert!(expected < real as f64 && real as f64 - expected < 30_000.0, "{expected} of {real}: {found}");
}

#[test]
fn tasks_that_do_not_know_of_each_other_are_a_fault_that_is_told_once() {
    for (task, told) in [("0", true), ("3", false)] {
        let mut program = command(1, &["doctor"]);
        let program = program.envs([("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", task)]);
        let output = program.output().expect("it can be started");
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.starts_with("fault    launcher    4 tasks were started"), told, "{text}");
        assert_eq!(text.contains("srun --mpi=pmix") || text.contains("build it with MPI"), told, "{text}");
    }
}

#[test]
fn a_folder_that_takes_no_files_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("the disk has room");
    for &ranks in worlds() {
        let output = run(ranks, &["doctor", "--run", arg(&file.join("run")), "--json"]);
        assert_eq!(output.status.code(), Some(74), "{output:?}");
        let (verdict, found, remedy) = of(&findings(&output), "folder");
        assert_eq!(verdict, "fault");
        assert!(found.contains("file: is no folder") && remedy.contains("name a folder"), "{found}; {remedy}");
    }
    // The kernel's own folder takes files from nobody, not even from root.
    let output = run(1, &["doctor", "--run", "/proc/skyforge", "--json"]);
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    assert_eq!(of(&findings(&output), "folder").0, "fault");
}

/// A disk of 4 MiB in memory, gone with the test however that ends.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs", arg(folder.path())]).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", arg(self.0.path())]).status();
    }
}

#[test]
fn a_folder_without_room_for_a_checkpoint_is_a_fault() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: no file system may be mounted here");
        return;
    };
    let doctor = |more: &[&str]| run(1, &[&["doctor", "--run", arg(disk.0.path()), "--json"], more].concat());
    let wide = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/mass_maps_64.toml");
    let small = doctor(&["--config", CONFIG]);
    assert_eq!((small.status.code(), of(&findings(&small), "space").0.as_str()), (Some(0), "ok"));
    let large = doctor(&["--config", wide]);
    assert_eq!((large.status.code(), of(&findings(&large), "space").0.as_str()), (Some(74), "fault"));
    fs::write(disk.0.path().join("ballast"), vec![0; 5 << 20]).expect_err("4 MiB hold no 5");
    let full = doctor(&[]);
    assert_eq!((full.status.code(), of(&findings(&full), "folder").0.as_str()), (Some(74), "fault"));
}

#[test]
fn more_threads_than_processors_are_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("many.toml");
    let text = fs::read_to_string(CONFIG).expect("it is there");
    fs::write(&config, format!("{text}threads_per_rank = 5000\n")).expect("the disk has room");
    let output = run(1, &["doctor", "--config", arg(&config), "--json"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let (verdict, found, remedy) = of(&findings(&output), "processors");
    assert_eq!(verdict, "fault");
    assert!(
        found.contains("trainer.threads_per_rank = 5000") && remedy.contains("--cpus-per-task"),
        "{found}; {remedy}"
    );
}

#[test]
fn a_wrong_configuration_or_dataset_is_a_fault_and_the_rest_is_still_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("wrong.toml");
    fs::write(&config, fs::read_to_string(CONFIG).expect("it is there").replace("steps  ", "stepz  ")).expect("room");
    let output = run(1, &["doctor", "--config", arg(&config), "--data", "no/such", "--json"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let findings = findings(&output);
    let (verdict, found, _) = of(&findings, "config");
    assert!(verdict == "fault" && found.contains("did you mean `trainer.steps`"), "{found}");
    let (verdict, found, _) = of(&findings, "data");
    assert!(verdict == "fault" && found.contains("no/such"), "{found}");
    assert_eq!(of(&findings, "folder").0, "ok");
}

/// The doctor on two ranks, of which the second one gets other arguments.
#[cfg(feature = "mpi")]
fn differing(common: &str, first: &str, second: &str) -> Output {
    let binary = env!("CARGO_BIN_EXE_skyforge");
    let script = format!(
        "[ $OMPI_COMM_WORLD_RANK = 1 ] && exec {binary} doctor --json {common} {second}; exec {binary} doctor --json {common} {first}"
    );
    Command::new("timeout")
        .args(["60", "mpirun", "--oversubscribe", "-n", "2", "sh", "-c", &script])
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("mpirun can be started")
}

#[cfg(feature = "mpi")]
#[test]
fn the_rank_that_has_another_configuration_dataset_or_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let text = fs::read_to_string(CONFIG).expect("it is there");
    fs::write(at("other.toml"), text.replace("seed = 7", "seed = 8")).expect("the disk has room");
    simulated(&at("maps"), 64);
    simulated(&at("fewer"), 32);
    fs::create_dir(at("elsewhere")).expect("the disk has room");
    let name = |option: &str, path: &Path| format!("{option} {}", path.display());
    for (first, second, code, check, wanted) in [
        (name("--config", Path::new(CONFIG)), name("--config", &at("no.toml")), 74, "config", "rank 1: "),
        (
            name("--config", Path::new(CONFIG)),
            name("--config", &at("other.toml")),
            65,
            "config",
            "rank 1 reads another",
        ),
        (name("--data", &at("maps")), name("--data", &at("fewer")), 65, "data", "rank 1 reads another"),
        (name("--run", folder.path()), name("--run", &at("elsewhere")), 74, "lock", "rank 1 does not see a file"),
    ] {
        let output = differing("", &first, &second);
        assert_eq!(output.status.code(), Some(code), "{second}: {output:?}");
        let (verdict, found, remedy) = of(&findings(&output), check);
        assert!(
            verdict == "fault" && found.contains(wanted) && remedy.contains("all nodes share"),
            "{found}; {remedy}"
        );
    }
}
