//! Every day: a whole campaign with one requeue, and one that a panic ends, on two nodes.

use std::fs;

use crate::files::log;
use crate::sandbox::Sandbox;
use crate::{arg, skyforge, small_job, told};

#[test]
fn a_campaign_goes_from_one_submit_to_its_report_and_a_panic_ends_one_for_good() {
    let Some(sandbox) = Sandbox::up(2) else { return };
    let place = tempfile::tempdir().expect("a folder");
    // Characters of the shell and of sbatch stand for themselves.
    let whole = place.path().join("R&D; it's\t(5%a) \"$x\" `y` #1");
    let lost = place.path().join("lost");
    let data = "--data $CAMPAIGN/spectra";
    // A training that is stopped at step 15 as by a signal is requeued, and goes on.
    let job = small_job(
        place.path(),
        "whole",
        &[("chain_length   = 2", "chain_length = 1"), (data, &format!("{data} --drill stop@15"))],
    );
    let panics = small_job(
        place.path(),
        "lost",
        &[
            ("chain_length   = 2", "chain_length = 1"),
            ("--count 600", "--count 64"),
            (data, &format!("{data} --drill panic@10:1")),
        ],
    );
    sandbox.submit(&job, &whole);
    let jobs = || fs::read_to_string(whole.join("campaign.toml")).expect("a record");
    let before = jobs();
    let again = sandbox.submit(&job, &whole);
    assert!(again.contains("in the queue as") && jobs() == before, "nothing is submitted twice: {again}");
    sandbox.submit(&panics, &lost);
    let words = ["-N2", "--ntasks-per-node=2", env!("CARGO_BIN_EXE_skyforge"), "doctor", "--run", arg(place.path())];
    let doctor = sandbox.slurm("srun", &words);
    for said in ["4 ranks that know each other", "4 ranks on 2 hosts: n1 (2), n2 (2)", "2 nodes, 4 tasks"] {
        assert!(doctor.contains(said), "{doctor}");
    }
    sandbox.until_idle(400);

    let states = |folder| {
        sandbox
            .stages(folder)
            .iter()
            .map(|stage| stage["state"].as_str().expect("a word").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&whole), ["done"; 7], "{}", log(&whole, "train.log"));
    let story = log(&whole, "train.log");
    assert!(story.contains("start 1: exit code 75, requeued") && story.contains("start 2: done"), "{story}");
    assert!(story.contains("step-0000015"), "it says what it goes on from: {story}");
    assert!(log(&whole, "merge.log").contains("objects 24\nquarantined 0"));
    assert!(fs::read_to_string(whole.join("run/report.html")).expect("a report").contains("<svg"));
    // The same weights as without SLURM, on one rank, in one go.
    let alone = place.path().join("alone");
    told(
        &skyforge(&["train", "configs/debug_exogan.toml", "--run", arg(&alone), "--data", arg(&whole.join("spectra"))])
            .output()
            .expect("started"),
    );
    let checksum = |run: &std::path::Path| {
        let outcome: toml::Table =
            fs::read_to_string(run.join("outcome.toml")).expect("an outcome").parse().expect("TOML");
        outcome["checksum"].as_str().expect("a word").to_owned()
    };
    assert_eq!(checksum(&whole.join("run")), checksum(&alone));
    assert!(sandbox.submit(&job, &whole).contains("nothing is submitted, since nothing is left to do"));
    assert!(told(&sandbox.skyforge(&["status", arg(&whole.join("run"))])).starts_with("done 40 of 40 (100.0 %) steps"));
    assert!(
        told(&sandbox.skyforge(&["status", arg(&whole.join("ledger"))])).starts_with("done 24 of 24 (100.0 %) objects")
    );

    // All ranks are gone, the cause is in the log, nothing is requeued, and nothing waits for what will not come.
    let story = log(&lost, "train.log");
    assert!(story.contains("panicked at") && story.contains("exit code 70"), "{story}");
    assert!(!story.contains("start 2"), "{story}");
    assert_eq!(states(&lost), ["done", "done", "failed", "ended", "ended", "ended", "ended"], "{story}");
    let stages = sandbox.stages(&lost);
    assert!(
        stages[2]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("exit code 70") && reason.contains("panicked at")),
        "{stages:?}"
    );
    assert!(stages[6]["ended"].to_string().contains("CANCELLED"), "{stages:?}");
}
