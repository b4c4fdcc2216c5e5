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
chain_length   = {links}
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
fn a_rank_that_is_stopped_is_named_and_its_chain_goes_on_and_a_panic_ends_the_chain() {
    let Some(sandbox) = Sandbox::up(2) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let spectra = simulated(place.path());
    let folder = place.path().join("campaign");
    // The watchdog ends the first link, a signal the second, a panic the third and with it the chain: there is time for all where a step
    // takes a fifth of a second.
    let words = "--set trainer.hang_seconds=10 --drill slow@1 --drill panic@25:3";
    sandbox.submit(&training(place.path(), "ends", &spectra, 4, words, "time = \"00:10:00\""), &folder);
    let links = sandbox.jobs(&folder, "train");
    let ended = |job: &str| ["JobState", "ExitCode", "Restarts"].map(|key| of_job(&sandbox, job, key));

    until(120, "steps", || steps(&folder) >= 3);
    let is_it = |word: &str| format!("grep -zqx {word} /proc/$p/environ");
    let is_it = [format!("SLURM_JOB_ID={}", links[0]), "SLURM_PROCID=3".into()].map(|word| is_it(&word)).join(" && ");
    let stop = format!("for p in $(pgrep -x skyforge); do {is_it} && kill -STOP $p && exit 0; done; exit 1");
    sandbox.act(&["exec", "n2", &stop]);
    let then = SystemTime::now();
    until(120, "end of the first link", || said(&folder, "exit_code") == "69");
    let (reason, named) = (said(&folder, "reason"), told_at(&folder).duration_since(then).unwrap_or_default());
    until(120, "second link", || story(&folder).contains("link 2 of 4, start 1: on"));
    // The limit, and then what SLURM needs to end a rank that hears nothing.
    let since = over_after(&sandbox, &links[0], then);
    assert!(
        named < Duration::from_secs(15) && since < Duration::from_secs(40),
        "it was named {named:?} after it was stopped, the job was over {since:?} after that"
    );
    let named = "rank 3 on n2 does not answer, last heard of ";
    assert!(reason.contains(named) && reason.contains(" ago in step "), "{reason}");
    assert!(reason.contains("(trainer.hang_seconds = 10"), "{reason}");
    let told = story(&folder);
    assert!(told.contains(&format!("error: {named}")), "{told}");
    assert!(told.contains("link 1 of 4, start 1: exit code 69, not done, the next link goes on"), "{told}");
    assert_eq!(ended(&links[0]), ["FAILED", "69:0", "0"]);

    until(120, "start of the second link", || said(&folder, "status").contains("running"));
    let before = steps(&folder);
    until(120, "steps of the second link", || steps(&folder) != before);
    sandbox.slurm("scancel", &["--signal=USR2", &links[1]]);
    sandbox.until_idle(120);
    nobody_is_left(&sandbox);
    let told = story(&folder);
    assert!(told.contains("link 2 of 4, start 1: exit code 75, not done, the next link goes on"), "{told}");
    assert_eq!(ended(&links[1]), ["FAILED", "75:0", "0"]);

    assert!(told.contains("panicked at") && told.contains("drill panic@25:3"), "{told}");
    assert!(told.contains("link 3 of 4, start 1: exit code 70, would be so again, the chain ends"), "{told}");
    assert!(told.contains("link 4 of 4, start 1: an earlier link has failed for good"), "{told}");
    assert!(!told.contains("start 2") && !told.contains("link 4 of 4, start 1: on"), "{told}");
    assert!(said(&folder, "exit_code") == "70" && said(&folder, "reason").contains("panicked at"), "{told}");
    let since = over_after(&sandbox, &links[2], told_at(&folder));
    assert!(since < Duration::from_secs(15), "the job was over {since:?} after the panic");
    assert_eq!(ended(&links[2]), ["FAILED", "70:0", "0"]);
    assert_eq!(ended(&links[3]), ["FAILED", "65:0", "0"]);
    assert_eq!(of_job(&sandbox, &sandbox.job(&folder, "report"), "JobState"), "CANCELLED");
}

#[test]
#[ignore = "three minutes: no limit of SLURM is below one"]
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
