//! What the scripts make of the ends of a step, with a launcher and a queue that are made up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::launch::{own_job, rendered};

/// How a script's step ends.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// What the launcher says.
    code: i32,
    /// What the run's outcome says of this start.
    said: Option<i32>,
    /// What it said of an earlier start; of another verb, that its product is there.
    before: Option<i32>,
    /// The stage was handed in after that.
    anew: bool,
    /// SLURM's count of restarts.
    restarts: u32,
    link: u32,
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct End {
    code: Option<i32>,
    /// What the queue was told to start again.
    requeued: String,
    /// Why the stage has failed for good.
    failed: String,
    log: String,
}

fn tool(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).expect("the disk has room");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Runs the script of a stage; `links` and `starts` are 3.
fn run(stage: &str, links: u32, step: Step) -> End {
    let folder = tempfile::tempdir().expect("a folder");
    let campaign = folder.path().join("campaign");
    for part in ["log", "failed", "run", "tools"] {
        fs::create_dir_all(campaign.join(part)).expect("the disk has room");
    }
    let mut job = own_job("exogan_campaign.toml");
    let wanted = job.stages.iter_mut().find(|wanted| wanted.name == stage).expect("a stage");
    (wanted.chain_length, wanted.max_starts) = (links, 3);
    let outcome = campaign.join(wanted.produces.trim_start_matches("$CAMPAIGN/"));
    fs::create_dir_all(outcome.parent().expect("a folder")).expect("the disk has room");
    let page = |code: i32| format!("status = \"{}\"\nexit_code = {code}\n", if code == 0 { "done" } else { "stopped" });
    if let Some(before) = step.before {
        fs::write(&outcome, page(before)).expect("the disk has room");
        fs::File::options()
            .write(true)
            .open(&outcome)
            .expect("there")
            .set_modified(std::time::UNIX_EPOCH)
            .expect("ours");
    }
    if step.anew {
        fs::write(campaign.join(format!("log/{stage}.given")), "").expect("the disk has room");
    }
    let said =
        step.said.map_or(String::new(), |code| format!("sleep 0.02\nprintf '{}' > {}", page(code), outcome.display()));
    let (tools, asked) = (campaign.join("tools"), campaign.join("requeued"));
    tool(&tools, "srun", &format!("{said}\nexit {}", step.code));
    // SLURM ends the script that asks to be requeued.
    tool(&tools, "scontrol", &format!("[ $1 = requeue ] && echo -n $2 > {} && kill -TERM $PPID", asked.display()));

    let script = rendered(&job, stage, "generic", campaign.to_str().expect("UTF-8"));
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").expect("a PATH"));
    let mut bash = Command::new("bash");
    bash.args(["-c", &script, "script", &step.link.max(1).to_string()]).env("PATH", path).env("SLURM_JOB_ID", "12");
    bash.envs([("SLURM_JOB_NODELIST", "n1"), ("SLURM_ARRAY_JOB_ID", "12"), ("SLURM_ARRAY_TASK_ID", "3")]);
    if step.restarts > 0 {
        bash.env("SLURM_RESTART_COUNT", step.restarts.to_string());
    }
    let output = bash.output().expect("bash is there");
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    End {
        code: output.status.code(),
        requeued: read(&asked),
        failed: read(&campaign.join("failed").join(stage)),
        log: String::from_utf8(output.stdout).expect("UTF-8"),
    }
}

/// Whether the job is started again, has ended well, or has ended for good with a code.
#[track_caller]
fn check(end: &End, wanted: Result<&str, i32>) {
    let fine = match wanted {
        Ok("") => end.code == Some(0) && end.failed.is_empty() && end.requeued.is_empty(),
        Ok(again) => end.requeued == again && end.code.is_none() && end.failed.is_empty(),
        Err(code) => {
            end.code == Some(code) && end.failed.starts_with(&format!("exit code {code},")) && end.requeued.is_empty()
        }
    };
    assert!(fine, "{end:?}, expected {wanted:?}");
}

#[test]
fn a_training_is_requeued_unless_it_would_end_so_again() {
    let end = |code| run("train", 1, Step { code, said: (code == 0).then_some(0), ..Step::default() });
    check(&end(0), Ok(""));
    for code in [69, 74, 75, 1, 137, 143] {
        check(&end(code), Ok("12"));
    }
    for code in [64, 65, 70, 127] {
        check(&end(code), Err(code));
    }
    // The third start is the last one, whoever asked for them.
    check(&run("train", 1, Step { code: 75, restarts: 2, ..Step::default() }), Err(75));
    check(&run("train", 1, Step { code: 0, restarts: 3, ..Step::default() }), Err(75));
}

#[test]
fn the_runs_own_word_counts_where_the_launcher_loses_the_code() {
    let end = |code, said, before| run("train", 1, Step { code, said, before, ..Step::default() });
    check(&end(139, Some(0), None), Ok("")); // a library that dies when all is done
    check(&end(137, Some(70), None), Err(70));
    check(&end(1, Some(75), None), Ok("12"));
    // What an earlier start said is no word on this one.
    check(&end(137, None, Some(70)), Ok("12"));
    check(&end(64, None, Some(75)), Err(64));
    // A launcher that loses it the other way.
    check(&end(0, Some(75), None), Ok("12"));
    check(&end(0, Some(70), None), Err(70));
    check(&end(0, None, None), Ok("12"));
    check(&end(0, None, Some(0)), Ok("")); // done before, and nothing was left to do
}

#[test]
fn a_link_leaves_the_rest_to_the_next_one_and_ends_at_once_when_all_is_done() {
    let end = |step: Step| run("train", 3, step);
    check(&end(Step { code: 0, said: Some(0), ..Step::default() }), Ok(""));
    for code in [69, 74, 75, 137] {
        let stopped = end(Step { code, link: 2, ..Step::default() });
        assert!(stopped.code == Some(code) && stopped.failed.is_empty() && stopped.requeued.is_empty(), "{stopped:?}");
        check(&end(Step { code, link: 3, ..Step::default() }), Err(code));
    }
    check(&end(Step { code: 70, link: 1, ..Step::default() }), Err(70));
    let late = end(Step { code: 99, before: Some(0), link: 2, ..Step::default() });
    check(&late, Ok(""));
    assert!(late.log.contains("was done before"), "{late:?}");
    // More steps were asked for, and the first link came to nothing.
    let more = end(Step { code: 99, before: Some(0), anew: true, link: 2, ..Step::default() });
    assert!(more.code == Some(99) && more.failed.is_empty(), "{more:?}");
}

#[test]
fn a_worker_of_an_array_requeues_itself_alone_and_a_lost_one_too() {
    let end = |step: Step| run("retrieve", 1, step);
    check(&end(Step::default()), Ok(""));
    for code in [69, 70, 74, 75, 137] {
        check(&end(Step { code, ..Step::default() }), Ok("12_3"));
    }
    for code in [64, 65] {
        check(&end(Step { code, ..Step::default() }), Err(code));
    }
    check(&end(Step { code: 75, restarts: 2, ..Step::default() }), Err(75));
}

#[test]
fn a_task_is_started_again_only_for_what_may_go_better() {
    let end = |step: Step| run("merge", 1, step);
    check(&end(Step::default()), Ok(""));
    for code in [69, 74, 137] {
        check(&end(Step { code, ..Step::default() }), Ok("12"));
    }
    for code in [64, 65, 70, 75] {
        check(&end(Step { code, ..Step::default() }), Err(code));
    }
    // A second start is not made for what the first one left, but for what is to be made anew it is.
    let again = |anew| end(Step { code: 65, before: Some(0), anew, restarts: 1, ..Step::default() });
    check(&again(false), Ok(""));
    check(&again(true), Err(65));
}
