//! Faults on purpose (`--drill`) under real mpirun: what is survived, what ends the run, and in which words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::program::{CONFIG, arg, must, refused, run, simulated, word};

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

    fn run(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// 12 steps in the run called `name`, with checkpoints of steps 4, 8 and 12.
    fn train(&self, name: &str, ranks: usize, sets: &[&str], drills: &[&str]) -> Output {
        let folder = self.run(name);
        let mut arguments = vec!["train", CONFIG, "--run", arg(&folder), "--data", arg(&self.maps)];
        for set in ["trainer.steps=12", "trainer.checkpoint_every=4"].iter().chain(sets) {
            arguments.extend(["--set", set]);
        }
        arguments.extend(drills.iter().flat_map(|drill| ["--drill", drill]));
        run(ranks, &arguments)
    }

    /// The same to a good end: the checksum, and what was warned of.
    fn trained(&self, name: &str, ranks: usize, sets: &[&str], drills: &[&str]) -> (String, Vec<String>) {
        let output = self.train(name, ranks, sets, drills);
        assert!(output.status.success(), "{drills:?} on {ranks} ranks: {output:?}");
        let text = stderr(&output);
        let warnings = text.lines().filter(|line| line.contains("not finite")).map(str::to_owned).collect();
        (word(&self.run(name), "checksum"), warnings)
    }

    /// The same to a stop that a drill asks for.
    fn stopped(&self, name: &str, ranks: usize, sets: &[&str], drills: &[&str]) {
        let output = self.train(name, ranks, sets, drills);
        assert_eq!(output.status.code(), Some(75), "{output:?}");
    }

    /// `skipped_steps` and `step` of each line of the metrics.
    fn skipped(&self, name: &str) -> Vec<(u64, u64)> {
        let text = fs::read_to_string(self.run(name).join("metrics.jsonl")).expect("metrics");
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        lines
            .map(|line| {
                let number = |key: &str| line.get(key).map_or(0.0, |value| value.as_f64().expect("a number")) as u64;
                (number("step"), number("skipped_steps"))
            })
            .collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The two files of numbers of a checkpoint.
fn numbers(run: &Path, step: u64) -> [Vec<u8>; 2] {
    ["model.safetensors", "optimizer.safetensors"]
        .map(|name| fs::read(run.join(format!("checkpoints/step-{step:07}")).join(name)).expect("it is there"))
}

#[test]
fn a_bad_step_stops_the_run_and_the_next_start_ends_as_if_it_had_not_been() {
    let scene = Scene::new();
    let (untouched, _) = scene.trained("untouched", 1, &[], &[]);
    let output = scene.train("run", 3, &[], &["nan@7:2"]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let line = "step 7: discriminator gradient is not finite, parameters left as they were";
    assert!(stderr(&output).contains(&format!("error: {line}")), "{output:?}");
    assert_eq!(word(&scene.run("run"), "reason"), line);
    assert_eq!(word(&scene.run("run"), "checkpoint"), "step-0000006", "the last good step");
    assert_eq!(scene.trained("run", 2, &[], &[]).0, untouched);
}

#[test]
fn a_skipped_step_changes_nothing_whichever_rank_it_broke_on() {
    let scene = Scene::new();
    let skip = ["trainer.not_finite=skip"];
    let (alone, warnings) = scene.trained("alone", 1, &skip, &["nan@5", "nan@8"]);
    let warning = |step| format!("warning: step {step}: discriminator gradient is not finite, step skipped");
    assert_eq!(warnings, [warning(5), warning(8)]);
    assert_ne!(alone, scene.trained("untouched", 1, &skip, &[]).0, "two steps are missing");
    for (ranks, rank) in [(3, 2), (4, 1)] {
        let name = format!("{ranks}-{rank}");
        let (checksum, warnings) =
            scene.trained(&name, ranks, &skip, &[&format!("nan@5:{rank}"), &format!("nan@8:{}", ranks - 1)]);
        assert_eq!(checksum, alone, "rank {rank} of {ranks}");
        assert_eq!(warnings.len(), 2, "one line for each bad step: {warnings:?}");
    }
    scene.stopped("in-two", 4, &skip, &["nan@5:3", "stop@6:1"]);
    assert_eq!(scene.trained("in-two", 2, &skip, &["nan@8:1"]).0, alone, "stopped and resumed");
    for name in ["alone", "3-2", "in-two"] {
        let expected: Vec<(u64, u64)> =
            (1..=12).map(|step| (step, u64::from(step >= 5) + u64::from(step >= 8))).collect();
        assert_eq!(scene.skipped(name), expected, "each step once, and how many were skipped so far");
    }
}

#[test]
fn a_rollback_goes_to_the_newest_scheduled_checkpoint_and_on_with_the_next_step() {
    let scene = Scene::new();
    let back = ["trainer.not_finite=rollback", "trainer.keep_checkpoints=1"];
    let (straight, warnings) = scene.trained("straight", 1, &back, &["nan@7"]);
    let consequence = "back to the weights of step-0000004, on with the next step";
    assert_eq!(warnings, [format!("warning: step 7: discriminator gradient is not finite, {consequence}")]);
    assert_ne!(straight, scene.trained("untouched", 1, &back, &[]).0, "three steps are missing");
    assert_eq!(scene.trained("on-three", 3, &back, &["nan@7:1"]).0, straight);
    // A stop between the checkpoint and the bad step leaves one that is newer, but not scheduled.
    scene.stopped("in-two", 2, &back, &["stop@6"]);
    assert_eq!(scene.trained("in-two", 4, &back, &["nan@7:2"]).0, straight, "stopped and resumed");
    assert_eq!(scene.skipped("in-two").last(), Some(&(12, 3)), "steps 5 to 7 are not in the weights");
    // To the bit: all numbers after the bad step are those of the checkpoint.
    scene.stopped("to-the-bit", 2, &back, &["nan@7:1", "stop@7"]);
    let run = scene.run("to-the-bit");
    assert!(numbers(&run, 7) == numbers(&run, 4));
    // Before the first scheduled step there is that of step 0, and the players are as they began.
    scene.stopped("at-once", 3, &back, &["nan@2:2", "stop@2"]);
    let run = scene.run("at-once");
    assert!(numbers(&run, 2) == numbers(&run, 0));
}

#[test]
fn a_run_without_a_checkpoint_to_go_back_to_says_so() {
    let scene = Scene::new();
    scene.stopped("run", 1, &[], &["stop@2"]);
    let output = scene.train("run", 1, &["trainer.not_finite=rollback"], &["nan@3"]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    assert!(stderr(&output).contains("there is no checkpoint to go back to"), "{output:?}");
    assert_eq!(word(&scene.run("run"), "step"), "2");
}

#[test]
fn ten_bad_steps_in_a_row_end_the_run_and_nine_do_not() {
    let scene = Scene::new();
    let drills: Vec<String> = (2..=11).map(|step| format!("nan@{step}")).collect();
    let drills: Vec<&str> = drills.iter().map(String::as_str).collect();
    for policy in ["trainer.not_finite=skip", "trainer.not_finite=rollback"] {
        let nine = format!("nine-{policy}");
        assert_eq!(scene.trained(&nine, 1, &[policy], &drills[1..]).1.len(), 9);
        let ten = format!("ten-{policy}");
        let output = scene.train(&ten, 2, &[policy], &drills);
        assert_eq!(output.status.code(), Some(65), "{output:?}");
        let line =
            "step 11: discriminator gradient is not finite, as in the 9 steps before, parameters left as they were";
        assert!(stderr(&output).contains(&format!("error: {line}")), "{output:?}");
        let run = scene.run(&ten);
        assert_eq!((word(&run, "status"), word(&run, "reason")), ("failed".into(), line.into()));
        assert_eq!(word(&run, "checkpoint"), "step-0000010", "what was there before is kept");
    }
}

#[test]
fn a_rank_that_fails_ends_all_within_seconds_with_the_cause() {
    let scene = Scene::new();
    let (untouched, _) = scene.trained("untouched", 1, &[], &[]);
    for (drill, code, cause) in [
        ("panic@6:1", 70, "drill panic@6:1: a panic, as was asked for"),
        ("panic@6:0", 70, "drill panic@6:0: a panic, as was asked for"),
        ("data@6:2", 65, "error: rank 2: drill data@6:2: no records could be loaded, as was asked for"),
        ("data@6:0", 65, "error: drill data@6:0: no records could be loaded, as was asked for"),
        ("kill@6:0", 137, "signal 9"),
    ] {
        let begun = Instant::now();
        let output = scene.train(drill, 3, &[], &[drill]);
        assert!(begun.elapsed() < Duration::from_secs(30), "{drill} took {:?}", begun.elapsed());
        assert_eq!(output.status.code(), Some(code), "{drill}: {output:?}");
        assert!(stderr(&output).contains(cause), "{drill}: {output:?}");
        if code != 137 {
            let log =
                |rank| fs::read_to_string(scene.run(drill).join(format!("log/rank-{rank:04}.log"))).expect("a log");
            assert!(
                (0..3).all(|rank| log(rank).contains(&format!("drill {drill}: "))),
                "every log has the cause of {drill}"
            );
        }
        if !drill.ends_with(":0") {
            assert_eq!(scene.trained(drill, 2, &[], &[]).0, untouched, "the next start goes on after {drill}");
        }
    }
}

#[test]
fn a_slow_rank_is_named_once() {
    let scene = Scene::new();
    // Rank 2 has two of the four microbatches, the others have one.
    let output = scene.train("slow", 3, &["trainer.compare_every=2"], &["slow@1:1"]);
    assert!(output.status.success(), "{output:?}");
    let text = stderr(&output);
    let told: Vec<&str> = text.lines().filter(|line| line.contains("rank 1 on ")).collect();
    assert_eq!(told.len(), 1, "however long it lasts: {text}");
    assert!(told[0].starts_with("warning: step 6: rank 1 on ") && told[0].contains(" is slow: "), "{text}");
}

#[test]
fn a_flipped_bit_is_found_its_rank_named_and_the_next_start_is_clean() {
    let scene = Scene::new();
    let (untouched, _) = scene.trained("untouched", 1, &[], &[]);
    // Compared before the checkpoint of step 8 at the latest, which is therefore not written.
    let output = scene.train("three", 3, &[], &["flip@6:2"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(stderr(&output).contains("error: step 8: rank 2 has other parameters than the rest"), "{output:?}");
    assert_eq!(word(&scene.run("three"), "checkpoint"), "step-0000004");
    assert_eq!(scene.trained("three", 2, &[], &[]).0, untouched);
    // At once, where it is looked for after each step; of two ranks nobody can say which is wrong.
    let output = scene.train("two", 2, &["trainer.compare_every=1"], &["flip@6:0"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let line = "error: step 6: ranks 0 and 1 have different parameters and either may be wrong";
    assert!(stderr(&output).contains(line), "{output:?}");
}

#[test]
fn a_bad_move_while_the_other_players_sum_is_under_way_is_skipped_too() {
    let scene = Scene::new();
    let skip = ["trainer.not_finite=skip", "family.update=simultaneous"];
    let (alone, _) = scene.trained("alone", 1, &skip, &["nan@5"]);
    assert_eq!(scene.trained("three", 3, &skip, &["nan@5:1"]).0, alone);
    scene.stopped("in-two", 2, &skip, &["nan@5:1", "stop@7:1"]);
    assert_eq!(scene.trained("in-two", 4, &skip, &[]).0, alone, "stopped and resumed");
}

#[test]
fn a_damaged_way_back_is_named_and_the_one_before_is_taken() {
    let scene = Scene::new();
    let back = ["trainer.not_finite=rollback"];
    scene.stopped("run", 2, &back, &["stop@9"]);
    let file = scene.run("run").join("checkpoints/step-0000008/model.safetensors");
    let mut bytes = fs::read(&file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("the disk has room");
    let output = scene.train("run", 2, &back, &["nan@10:1"]);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("step-0000008/model.safetensors: its checksum is not the one in CHECKSUMS: not used"),
        "{text}"
    );
    assert!(text.contains("back to the weights of step-0000004"), "{text}");
    assert!(scene.run("run").join("checkpoints/step-0000008.damaged").is_dir());
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_that_were_given_different_things_do_not_begin() {
    let scene = Scene::new();
    let other = scene.run("other");
    must(1, &["simulate", "maps", "--out", arg(&other), "--count", "256", "--seed", "2"]);
    let run = scene.run("run");
    let binary = env!("CARGO_BIN_EXE_skyforge");
    let mut launcher = crate::program::launcher();
    for (number, maps) in [&scene.maps, &other].into_iter().enumerate() {
        launcher.args(if number == 0 { &[][..] } else { &[":"][..] });
        launcher.args(["-n", "1", binary, "train", CONFIG, "--run", arg(&run), "--data", arg(maps)]);
    }
    let output = launcher.output().expect("mpirun can be started");
    let line = "error: rank 1 has another configuration or other data than rank 0, expected the same on all ranks";
    assert!(stderr(&output).contains(line), "{output:?}");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn microbatches_of_few_records_are_warned_of() {
    let scene = Scene::new();
    let told = |global: &str| stderr(&scene.train(global, 1, &[&format!("batch.global={global}")], &[]));
    assert!(told("28").contains("warning: microbatches of 7 records"), "{}", told("28"));
    assert!(!told("32").contains("warning: microbatches"));
}

#[test]
fn drills_that_cannot_be_are_refused() {
    let scene = Scene::new();
    let run = scene.run("run");
    for (drill, wanted) in [
        ("nan@0", "STEP from 1"),
        ("nan", "KIND@STEP"),
        ("nap@3", "KIND one of nan, panic, data, flip, kill, stop, hang, slow"),
        ("nan@3:x", "KIND@STEP:RANK"),
        ("nan@3:1", "--drill nan@3:1: there is no rank 1, expected one below 1"),
        ("nan@41", "--drill nan@41:0: there is no step 41, expected one up to 40"),
    ] {
        let arguments = ["train", CONFIG, "--run", arg(&run), "--data", arg(&scene.maps), "--drill", drill];
        let (code, line) = refused(&arguments);
        assert!(code == 64 && line.contains(wanted), "{line}");
        assert!(!run.exists(), "nothing is half made");
    }
    assert!(must(1, &["train", "--help"]).contains("--drill"));
}
