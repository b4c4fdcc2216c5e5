//! Commands that one process does run in any environment: in an interactive allocation, in a batch script, under a launcher.

use std::fs;

use crate::program::{CONFIG, arg, command, must, simulated};

/// What launchers tell the first of several processes that they start.
const FIRST: [&[(&str, &str)]; 4] = [
    &[("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "0"), ("SLURM_JOB_ID", "7")],
    &[("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "0")],
    &[("PMI_SIZE", "4"), ("PMI_RANK", "0")],
    &[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "4")],
];

/// They once started MPI, or refused to run because the launcher had started more tasks than there were ranks.
#[test]
fn commands_that_only_read_run_in_an_interactive_allocation() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 64);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps), "--set", "trainer.steps=2"]);
    must(1, &["sample", arg(&run), "--count", "8", "--weights", "live"]);
    let report = folder.path().join("report.html");
    for words in [
        &["inspect", arg(&maps)][..],
        &["inspect", arg(&run), "--json"],
        &["status", arg(&run), "--json"],
        &["evaluate", arg(&run), "--against", arg(&maps)],
        &["report", arg(&run), "--out", arg(&report)],
        &["--help"],
        &["train", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["man"],
    ] {
        let _ = fs::remove_file(&report);
        let plain = must(1, words);
        let made = fs::read(&report).ok();
        // All launchers' variables with two of the commands, those of SLURM with every one: they come by the same door.
        let launchers = if ["inspect", "--help"].contains(&words[0]) { &FIRST[..] } else { &FIRST[..1] };
        for variables in launchers {
            let _ = fs::remove_file(&report);
            let output = command(1, words).envs(variables.iter().copied()).output().expect("it can be started");
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{words:?} with {variables:?}: {text}");
            assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), plain, "{words:?} with {variables:?}");
            assert!(fs::read(&report).ok() == made, "{words:?} with {variables:?}");
        }
    }
    let wrong = command(1, &["inspect", "--none"]).envs(FIRST[0].iter().copied()).output().expect("it can be started");
    assert_eq!(wrong.status.code(), Some(64));
}

/// What the same launchers tell the second.
const SECOND: [&[(&str, &str)]; 4] = [
    &[("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "1"), ("SLURM_JOB_ID", "7")],
    &[("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")],
    &[("PMI_SIZE", "4"), ("PMI_RANK", "1")],
    &[("PMIX_RANK", "1")],
];

#[test]
fn of_several_tasks_the_first_writes_and_each_may_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 64);
    let plain = must(1, &["inspect", arg(&maps)]);
    let out = folder.path().join("statistics.json");
    for variables in SECOND {
        let run = |words: &[&str]| command(1, words).envs(variables.iter().copied()).output().expect("it starts");
        let looked = run(&["inspect", arg(&maps)]);
        assert_eq!(String::from_utf8_lossy(&looked.stdout), plain, "{variables:?}");
        let written = run(&["evaluate", arg(&maps), "--against", arg(&maps), "--split", "train", "--out", arg(&out)]);
        assert!(written.status.success() && written.stdout.is_empty() && !out.exists(), "{variables:?}: {written:?}");
        let told = String::from_utf8_lossy(&written.stderr).into_owned();
        assert_eq!(told, "task 1: nothing to do, task 0 runs this command alone\n", "{variables:?}");
    }
}
