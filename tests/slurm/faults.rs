//! The same campaign untouched and with all that happens on a cluster: the same weights, the same table.

use std::fs;
use std::path::Path;

use crate::files::{count, log, outcome, steps};
use crate::sandbox::{Sandbox, until};
use crate::{small_job, told};

/// Objects of the catalogue.
const OBJECTS: usize = 48;

/// Steps of the training that is hit: each takes a fifth of a second at least, so that a job makes at most 50 of them in its ten seconds and
/// the time is over twice or more after the node's death, however fast the machine is.
const STEPS: u64 = 140;
const HASTE: &str = "--drill slow@1 --max-wall 0.1667";

#[test]
#[ignore = "four minutes: nodes fail on a real SLURM"]
fn faults_change_neither_the_weights_nor_the_table() {
    let Some(sandbox) = Sandbox::up(2) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let data = "--data $CAMPAIGN/spectra";
    let changes = [
        ("--count 24", format!("--count {OBJECTS}")),
        ("restarts=4 --set iterations=64", "restarts=16 --set iterations=1024".to_owned()),
        ("--objects-per-block 4", "--objects-per-block 2".to_owned()),
        // Two workers on each node.
        ("array          = 3\nat_once        = 2", "array = 4\ncpus_per_rank = 2".to_owned()),
        ("chain_length   = 2", "max_starts = 30".to_owned()),
    ];
    let job = |name: &str, train: &str| {
        let train = (data, format!("{data} --set trainer.steps={STEPS} {train}"));
        let changes: Vec<(&str, String)> = changes.iter().cloned().chain([train]).collect();
        small_job(place.path(), name, &changes.iter().map(|(from, to)| (*from, to.as_str())).collect::<Vec<_>>())
    };
    let untouched = place.path().join("untouched");
    sandbox.submit(&job("untouched", ""), &untouched);
    sandbox.until_idle(600);

    let hit = place.path().join("hit");
    sandbox.submit(&job("hit", HASTE), &hit);
    let job = |stage: &str| sandbox.job(&hit, stage);
    let running =
        |node: &str| sandbox.slurm("squeue", &["-h", "-r", "-w", node, "-t", "R", "-o", "%i"]).lines().count();
    // That SLURM has seen a node's death and runs nothing there any more: a boot before that would hide it.
    let is_given_up = |node: &str| running(node) == 0;
    until(300, "training", || steps(&hit) >= 2);
    sandbox.slurm("scontrol", &["requeue", &job("train")]);
    until(300, "second start", || log(&hit, "train.log").contains("start 2: on"));
    let before = steps(&hit);
    until(300, "training after the requeue", || steps(&hit) > before);
    sandbox.act(&["crash", "n2"]);
    until(120, "word of the dead node", || is_given_up("n2"));
    sandbox.act(&["boot", "n2"]);

    until(600, "workers on both nodes, and claims", || {
        count(&hit, "claims") >= OBJECTS / 4 && running("n1") >= 2 && running("n2") >= 1
    });
    assert!(outcome(&hit).expect("an outcome")["status"].as_str() == Some("done"));
    // One worker, whichever; only those of that node are seen from it. What it had is left for the end.
    let is_lost = || (0..4).any(|task| log(&hit, &format!("retrieve-{task}.log")).contains("exit code 137, requeued"));
    sandbox.act(&["exec", "n1", "pkill", "-KILL", "-n", "-x", "skyforge"]);
    until(60, "requeue of the worker that was killed", is_lost);
    // The other one on that node, at work.
    until(600, "results", || count(&hit, "results") >= 2);
    assert!(count(&hit, "results") < OBJECTS / 2 && running("n1") >= 1, "the array is still at work");
    sandbox.act(&["crash", "n1"]);
    until(120, "word of the dead node", || is_given_up("n1"));
    sandbox.act(&["boot", "n1"]);
    sandbox.until_idle(900);

    let story = log(&hit, "train.log");
    assert!(
        hit.join("run/report.html").is_file(),
        "{}\n{story}",
        told(&sandbox.skyforge(&["status", crate::arg(&hit)]))
    );
    assert!(story.matches("exit code 75, requeued").count() >= 2, "the time was over twice or more: {story}");
    assert!(!story.contains("start 1: exit code") && story.contains("NODE FAILURE"), "{story}");
    let word = |folder, key: &str| outcome(folder).expect("an outcome")[key].to_string();
    assert_eq!(word(&hit, "checksum"), word(&untouched, "checksum"));
    for name in ["table.parquet", "table.samples.parquet"] {
        let read = |folder: &Path| fs::read(folder.join("run/retrieval").join(name)).expect("a table");
        assert!(read(&hit) == read(&untouched), "{name} is the same");
    }
}
