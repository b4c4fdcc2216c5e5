//! How a training job ends under SLURM: a rank that is stopped for good, a signal, the limit of its time, a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::files::{log, outcome, steps};
use crate::sandbox::{Sandbox, until};
use crate::{arg, skyforge, told};

/// A job that trains on `spectra` in a chain of `links` jobs of two nodes, and has something to do afterwards.
fn training(folder: &Path, name: &str, spectra: &Path, links: u32, words: &str, more: &str) -> PathBuf {
    let text = format!(
        r#"name = "{name}"

[[stage]]
name           = "train"
command        = "train configs/debug_exogan.toml --run $CAMPAIGN/run --data {} {words}"
produces       = "$CAMPAIGN/run/outcome.toml"
nodes          = 2
ranks_per_node = 2
links          = {links}
{more}

[[stage]]
name     = "report"
after    = ["train"]
command  = "report $CAMPAIGN/run"
produces = "$CAMPAIGN/run/report.html"
time     = "00:10:00"
"#,
        spectra.display()
    );
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).expect("the disk has room");
    path
}

fn simulated(folder: &Path) -> PathBuf {
    let spectra = folder.join("spectra");
    let words = ["simulate", "spectra", "--out", arg(&spectra), "--count", "64"];
    told(&skyforge(&words).output().expect("it can be started"));
    spectra
}

fn story(folder: &Path) -> String {
    log(folder, "train.log")
}

/// A value of the run's outcome, as TOML has it.
fn said(folder: &Path, key: &str) -> String {
    outcome(folder).and_then(|outcome| outcome.get(key).map(toml::Value::to_string)).unwrap_or_default()
}

/// What the controller says of a job under `key`.
fn of_job(sandbox: &Sandbox, job: &str, key: &str) -> String {
    let said = sandbox.slurm("scontrol", &["show", "job", "--oneliner", job]);
    let word = said.split_whitespace().find_map(|word| word.strip_prefix(&format!("{key}=")));
    word.unwrap_or_else(|| panic!("no {key} in {said}")).to_owned()
}

/// How long after `then` a job was over, by the one clock that all nodes here have; SLURM's is in whole seconds.
fn over_after(sandbox: &Sandbox, job: &str, then: SystemTime) -> Duration {
    let date = Command::new("date").args(["-d", &of_job(sandbox, job, "EndTime"), "+%s"]).output();
    let seconds = told(&date.expect("date is there")).trim().parse().expect("a number");
    (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).duration_since(then).unwrap_or_default()
}

/// Nothing of a job is left on any node.
fn nobody_is_left(sandbox: &Sandbox) {
    for node in ["n1", "n2"] {
        sandbox.act(&["exec", node, "! pgrep -x skyforge"]);
    }
}

/// When a run's outcome was written last.
fn told_at(folder: &Path) -> SystemTime {
    fs::metadata(folder.join("run/outcome.toml")).and_then(|page| page.modified()).expect("an outcome")
}

#[test]
fn a_rank_that_panics_and_one_that_is_stopped_end_their_jobs_and_only_the_second_chain_goes_on() {
    let Some(sandbox) = Sandbox::up(2) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let spectra = simulated(place.path());
    let (lost, stopped) = (place.path().join("lost"), place.path().join("stopped"));
    let time = "time = \"00:10:00\"";
    let ended = |job: &str| ["JobState", "ExitCode", "Restarts"].map(|key| of_job(&sandbox, job, key));

    // A panic: all ranks are gone, and no link goes on.
    sandbox.submit(&training(place.path(), "lost", &spectra, 2, "--drill panic@10:3", time), &lost);
    let links = sandbox.jobs(&lost, "train");
    sandbox.until_idle(120);
    nobody_is_left(&sandbox);
    let told = story(&lost);
    assert!(told.contains("panicked at") && told.contains("drill panic@10:3"), "{told}");
    assert!(told.contains("link 1 of 2, start 1: exit code 70, would be so again, the chain ends"), "{told}");
    assert!(told.contains("link 2 of 2, start 1: an earlier link has failed for good"), "{told}");
    assert!(!told.contains("start 2") && !told.contains("link 2 of 2, start 1: on"), "{told}");
    assert!(said(&lost, "exit_code") == "70" && said(&lost, "reason").contains("panicked at"), "{told}");
    let since = over_after(&sandbox, &links[0], told_at(&lost));
    assert!(since < Duration::from_secs(15), "the job was over {since:?} after the panic");
    assert_eq!(ended(&links[0]), ["FAILED", "70:0", "0"]);
    assert_eq!(ended(&links[1]), ["FAILED", "65:0", "0"]);
    assert_eq!(of_job(&sandbox, &sandbox.job(&lost, "report"), "JobState"), "CANCELLED");

    // The first link is ended by the watchdog, the second by a signal, the third comes to the end.
    let words = "--set trainer.steps=60 --set trainer.hang_seconds=10";
    sandbox.submit(&training(place.path(), "stopped", &spectra, 3, words, time), &stopped);
    let links = sandbox.jobs(&stopped, "train");
    until(120, "five steps", || steps(&stopped) >= 5);
    let is_it = |word: &str| format!("grep -zqx {word} /proc/$p/environ");
    let is_it = [format!("SLURM_JOB_ID={}", links[0]), "SLURM_PROCID=3".into()].map(|word| is_it(&word)).join(" && ");
    let stop = format!("for p in $(pgrep -x skyforge); do {is_it} && kill -STOP $p && exit 0; done; exit 1");
    sandbox.act(&["exec", "n2", &stop]);
    let then = SystemTime::now();
    until(120, "end of the first link", || said(&stopped, "exit_code") == "69");
    let (reason, named) = (said(&stopped, "reason"), told_at(&stopped).duration_since(then).unwrap_or_default());
    until(120, "second link", || story(&stopped).contains("link 2 of 3, start 1: on"));
    // The limit, and then what SLURM needs to end a rank that hears nothing.
    let since = over_after(&sandbox, &links[0], then);
    assert!(
        named < Duration::from_secs(12) && since < Duration::from_secs(25),
        "it was named {named:?} after it was stopped, the job was over {since:?} after that"
    );
    assert!(
        reason.contains("rank 3 on n2 does not answer, last heard of ") && reason.contains(" ago in step "),
        "{reason}"
    );
    assert!(reason.contains("(trainer.hang_seconds = 10"), "{reason}");
    let told = story(&stopped);
    assert!(told.contains("error: rank 3 on n2 does not answer, last heard of "), "{told}");
    assert!(told.contains("link 1 of 3, start 1: exit code 69, not done, the next link goes on"), "{told}");
    assert_eq!(ended(&links[0]), ["FAILED", "69:0", "0"]);

    until(120, "a start of the second link", || {
        story(&stopped).contains("RESUMED") || said(&stopped, "status").contains("running")
    });
    let before = steps(&stopped);
    until(120, "steps of the second link", || steps(&stopped) != before);
    sandbox.slurm("scancel", &["--signal=USR2", &links[1]]);
    sandbox.until_idle(120);
    nobody_is_left(&sandbox);
    let told = story(&stopped);
    assert!(told.contains("link 2 of 3, start 1: exit code 75, not done, the next link goes on"), "{told}");
    assert!(told.contains("link 3 of 3, start 1: done"), "{told}");
    assert_eq!(ended(&links[1]), ["FAILED", "75:0", "0"]);
    assert!(stopped.join("run/report.html").is_file() && said(&stopped, "step") == "60", "{told}");
}

#[test]
#[ignore = "two minutes: no limit of SLURM is below one"]
fn slurm_signals_ahead_of_the_limit_and_each_link_goes_on_where_the_one_before_stopped() {
    let Some(sandbox) = Sandbox::up(2) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let spectra = simulated(place.path());
    let folder = place.path().join("campaign");
    // The program's own clock would stop it after an hour. SLURM looks every half minute, so its signal comes 20 to 50 s after the start;
    // these steps take more than a minute.
    let words = "--set trainer.steps=300 --drill slow@1 --max-wall 60";
    let more = "time = \"00:01:00\"\nlead = \"00:00:20\"";
    sandbox.submit(&training(place.path(), "limit", &spectra, 8, words, more), &folder);
    let links = sandbox.jobs(&folder, "train");
    sandbox.until_idle(500);
    nobody_is_left(&sandbox);
    let told = story(&folder);
    assert!(folder.join("run/report.html").is_file() && said(&folder, "step") == "300", "{told}");
    assert_eq!(of_job(&sandbox, &links[0], "ExitCode"), "75:0", "{told}");
    assert!(!told.contains("DUE TO TIME LIMIT"), "no link came to its limit: {told}");
    let after = |what: &str| -> Vec<&str> {
        told.lines().filter_map(|line| line.strip_prefix(what)?.split([' ', ':']).next()).collect()
    };
    let (stopped, resumed) = (after("stopped after step "), after("RESUMED after step "));
    assert!(!stopped.is_empty() && stopped == resumed, "no step is made twice: {told}");
}
