//! Campaigns from `submit` to the report: what is refused before the queue, and what a real SLURM of several nodes makes of the rest.
//!
//! The cluster is the one of `scripts/slurm_sandbox`; where it cannot be had, tests say so on stderr, past the test harness, and pass.

#[cfg(feature = "mpi")]
mod ends;
#[cfg(feature = "mpi")]
mod faults;
#[cfg(feature = "mpi")]
mod files;
mod refused;
#[cfg(feature = "mpi")]
mod sandbox;
#[cfg(feature = "mpi")]
mod short;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository, from which paths of its jobs are seen.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The program, from the repository's root.
fn skyforge(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skyforge"));
    command.args(words).current_dir(ROOT);
    command
}

/// What it wrote to stdout, where it ended well.
#[track_caller]
fn told(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The job of the repository that is small, changed where `changes` say: each text by another.
fn small_job(folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = fs::read_to_string(Path::new(ROOT).join("jobs/debug_exogan_campaign.toml")).expect("our own job");
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is in the job");
        text = text.replace(from, to);
    }
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).expect("the disk has room");
    path
}

fn arg(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}
