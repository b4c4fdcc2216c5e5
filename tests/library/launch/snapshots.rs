//! Rendered scripts as committed in `tests/library/launch/snapshots`. A change that is meant is committed with the new ones:
//! `SKYFORGE_GOLDEN=write cargo test --test library -- launch::snapshots`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::launch::{own_job, rendered};

const FOLDER: &str = "/scratch/me/exogan";

/// Stage, site: each template, and each site that is kept here.
const KEPT: [(&str, &str); 6] = [
    ("simulate", "generic"),
    ("train", "generic"),
    ("train", "gpus_by_constraint"),
    ("train", "gpus_by_partition"),
    ("retrieve", "gpus_by_partition"),
    ("merge", "sandbox"),
];

#[test]
fn scripts_are_those_that_are_committed() {
    let mut job = own_job("exogan_campaign.toml");
    let check = |name: &str, script: &str| {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/launch/snapshots").join(name);
        if std::env::var("SKYFORGE_GOLDEN").is_ok_and(|word| word == "write") {
            fs::write(&kept, script).expect("the disk has room");
        }
        let kept = fs::read_to_string(&kept).unwrap_or_default();
        assert!(kept == script, "{name} is not as committed, but\n{script}");
    };
    for (stage, site) in KEPT {
        check(&format!("{stage}-{site}.sbatch"), &rendered(&job, stage, site, FOLDER));
    }
    job.stages.iter_mut().find(|stage| stage.name == "train").expect("it trains").chain_length = 1;
    check("train-requeued-generic.sbatch", &rendered(&job, "train", "generic", FOLDER));
}

#[test]
fn every_script_of_every_job_is_shell_without_a_gap() {
    for name in ["exogan_campaign.toml", "debug_exogan_campaign.toml"] {
        let job = own_job(name);
        for site in ["generic", "gpus_by_constraint", "gpus_by_partition"] {
            for stage in &job.stages {
                let script = rendered(&job, &stage.name, site, FOLDER);
                let read = Command::new("bash").args(["-n", "-c", &script]).status().expect("bash is there");
                assert!(read.success() && !script.contains("{{"), "{} at {site}: {script}", stage.name);
                // sbatch reads its options up to the first line of shell.
                let (head, body) = script.split_once("\n\n").expect("an empty line ends the options");
                assert!(head.lines().skip(1).all(|line| line.starts_with('#')), "{head}");
                assert!(!body.contains("#SBATCH"), "{body}");
            }
        }
    }
}
