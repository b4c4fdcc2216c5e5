//! What a user got wrong is found at `submit`, not after the queue.

use std::fs;

use crate::{ROOT, arg, skyforge, small_job, told};

/// Submits the small job with `changes` as a dry run that is refused: the exit code and the line that says why.
fn refused(changes: &[(&str, &str)], words: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let job = small_job(folder.path(), "job", changes);
    let campaign = folder.path().join("campaign");
    let all = [&["submit", arg(&job), "--site", "sandbox", "--folder", arg(&campaign), "--dry-run"], words].concat();
    let output = skyforge(&all).output().expect("it can be started");
    assert!(!campaign.join("slurm").exists(), "no script is written of what is refused");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one line says why: {text}");
    (output.status.code().expect("an exit code"), errors[0].to_owned())
}

#[test]
fn a_stages_words_are_checked_by_the_command_itself() {
    let train = "--run $CAMPAIGN/run --data $CAMPAIGN/spectra";
    for (from, to, said) in [
        (
            train,
            "--run $CAMPAIGN/run --data $CAMPAIGN/spectra --set trainer.stepz=4",
            "stage `train`: --set trainer.stepz=4: unknown key",
        ),
        (
            train,
            "--run $CAMPAIGN/run --data $CAMPAIGN/spectra --stepz 4",
            "stage `train`: unexpected argument '--stepz'",
        ),
        (
            "ranks_per_node = 2\nmemory         = \"1G\"\ntime           = \"00:10:00\"\nchain_length",
            "ranks_per_node = 3\ntime = \"00:10:00\"\nchain_length",
            "stage `train`: there are 6 ranks, expected at most `batch.microbatches`: 4",
        ),
        (train, "--run $CAMPAIGN/other --data $CAMPAIGN/spectra", "run/outcome.toml, expected "),
        ("train configs/", "retrain configs/", "stage `train`: unrecognized subcommand 'retrain'"),
        ("restarts=4", "restarts=0", "stage `retrieve`: `restarts` is 0, expected 1 to 65536"),
        ("--set order=continuous", "--set ordr=continuous", "stage `observe`: --set "),
        ("--set order=continuous", "--set opacities=nowhere", "stage `observe`: nowhere: is not there"),
        (
            "--ledger $CAMPAIGN/ledger --objects-per-block 4",
            "",
            "stage `retrieve`: `array` is 3, expected a command that works on a --ledger",
        ),
        ("after          = [\"simulate\"]", "", "spectra"),
        (
            "after          = [\"train\", \"observe\"]",
            "after = [\"train\"]",
            "planets is not there, and no stage before it makes it",
        ),
        (
            "memory         = \"1G\"",
            "memory = \"64G\"",
            "stage `simulate`: `memory` is 64G, expected at most that of the site's nodes: 4G",
        ),
        ("chain_length ", "chain_lenght ", "unknown key `stage[2].chain_lenght`, did you mean `stage[2].chain_length`"),
    ] {
        let (code, line) = refused(&[(from, to)], &[]);
        assert!(
            (code == 64 || code == 74 && (said == "spectra" || said.contains("nowhere"))) && line.contains(said),
            "{code}: {line}, expected {said}"
        );
    }
}

#[test]
fn a_wrong_key_of_a_configuration_is_found_at_submit() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("wrong.toml");
    let text = fs::read_to_string(format!("{ROOT}/configs/debug_exogan.toml")).expect("our own configuration");
    fs::write(&config, text.replace("steps ", "stepz ")).expect("the disk has room");
    let (code, line) = refused(&[("configs/debug_exogan.toml", arg(&config))], &[]);
    assert_eq!(code, 64);
    assert!(line.starts_with("error: stage `train`: ") && line.contains("unknown key `trainer.stepz`"), "{line}");
}

#[test]
fn a_part_of_a_campaign_needs_what_comes_before_it() {
    let (code, line) = refused(&[], &["--from", "merge"]);
    assert!(
        code == 64 && line.contains("stage `merge` needs `retrieve`, which is not done: expected --from retrieve"),
        "{line}"
    );
    let (code, line) = refused(&[], &["--only", "retrain"]);
    assert!(
        code == 64 && line.contains("--only retrain, expected one of the stages simulate, observe, train"),
        "{line}"
    );
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_the_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let campaign = folder.path().join("campaign");
    let words =
        ["submit", "jobs/debug_exogan_campaign.toml", "--site", "sandbox", "--folder", arg(&campaign), "--dry-run"];
    let plan = told(&skyforge(&words).env("PATH", "/usr/bin:/bin").output().expect("started"));
    for said in [
        "train     chain  2 x 2",
        "retrieve  array  1 x 1",
        "nothing is submitted, since this is a dry run",
        "a checkpoint is",
    ] {
        assert!(plan.contains(said), "{plan}");
    }
    assert!(campaign.join("slurm/train.sbatch").is_file() && !campaign.join("campaign.toml").exists());
    // What is done, and was made from what is done, is not done again.
    fs::create_dir_all(campaign.join("spectra")).expect("the disk has room");
    let simulated =
        ["simulate", "spectra", "--out", arg(&campaign.join("spectra")), "--count", "64"].map(str::to_owned);
    fs::remove_dir(campaign.join("spectra")).expect("empty");
    told(&skyforge(&simulated.each_ref().map(String::as_str)).output().expect("started"));
    let plan = told(&skyforge(&[&words[..], &["--json"]].concat()).output().expect("started"));
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
    let states: Vec<&str> =
        plan["stages"].as_array().expect("stages").iter().filter_map(|stage| stage["state"].as_str()).collect();
    assert_eq!(states, ["done", "to do", "to do", "to do", "to do", "to do", "to do"]);
    // A dataset is never written over.
    let again = skyforge(&[&words[..], &["--only", "simulate"]].concat()).output().expect("started");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        again.status.code() == Some(64)
            && said.contains("stage `simulate`: ")
            && said.contains("already holds a dataset"),
        "{said}"
    );
}
