//! A SLURM of several nodes on this machine, for as long as a test wants it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{ROOT, arg, told};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/slurm_sandbox");

/// Clusters of this process: one at a time, since they share the processors.
static ONE: Mutex<()> = Mutex::new(());

/// A cluster that is up. It goes down with this value, or with this process if that is killed.
pub struct Sandbox {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    _one: MutexGuard<'static, ()>,
}

impl Sandbox {
    /// A cluster of `nodes` nodes; none where there can be none, which is said aloud.
    pub fn up(nodes: u32) -> Option<Self> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("slurm-{process}"));
        let port = 10_000 + 100 * (process % 200);
        let settings = [("SLURM_SANDBOX_OWNER", process.to_string()), ("SLURM_SANDBOX_PORT", port.to_string())];
        let settings = settings.map(|(key, value)| (key.to_owned(), value));
        let place = ("SLURM_SANDBOX".to_owned(), arg(&folder).to_owned());
        let mut sandbox = Self { folder, environment: vec![place], _one: one };
        let output = sandbox.command(SCRIPT, &[&nodes.to_string()]).envs(settings).output().expect("bash is there");
        match output.status.code() {
            Some(0) => {}
            Some(69) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                // Past the harness, which keeps what passing tests say.
                let _ = writeln!(std::io::stderr(), "skipped, no SLURM: {}", said.trim());
                return None;
            }
            _ => panic!("{output:?}"),
        }
        let mut bash = sandbox.command("bash", &["-c", &format!("eval \"$({SCRIPT} env)\"; env -0")]);
        let variables = told(&bash.output().expect("bash is there"));
        let ours = |name: &str| name.starts_with("SLURM_") || name.starts_with("OMPI_");
        let pairs = variables.split('\0').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| ours(name));
        sandbox.environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(sandbox)
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(ROOT).envs(self.environment.iter().cloned());
        command
    }

    /// Something that is done to the cluster, as in `crash n2`.
    pub fn act(&self, words: &[&str]) {
        told(&self.command(SCRIPT, words).output().expect("bash is there"));
    }

    /// One of SLURM's programs, to a good end.
    pub fn slurm(&self, program: &str, words: &[&str]) -> String {
        told(&self.command(program, words).output().expect("SLURM is there"))
    }

    /// The program, on the login node.
    pub fn skyforge(&self, words: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_skyforge"), words).output().expect("it can be started")
    }

    /// Submits a job, and gives what is told.
    pub fn submit(&self, job: &Path, folder: &Path) -> String {
        told(&self.skyforge(&["submit", arg(job), "--site", "sandbox", "--folder", arg(folder)]))
    }

    /// A campaign's stages, by `status`.
    pub fn stages(&self, folder: &Path) -> Vec<Value> {
        let status = told(&self.skyforge(&["status", "--json", arg(folder)]));
        let status: Value = serde_json::from_str(&status).expect("JSON");
        status["stages"].as_array().expect("stages").clone()
    }

    /// The jobs of a stage that were submitted last, in their order.
    pub fn jobs(&self, folder: &Path, stage: &str) -> Vec<String> {
        let stages = self.stages(folder);
        let stage = stages.iter().find(|known| known["stage"] == stage).expect("a stage");
        stage["jobs"].as_array().expect("jobs").iter().map(Value::to_string).collect()
    }

    /// A stage's newest job.
    pub fn job(&self, folder: &Path, stage: &str) -> String {
        self.jobs(folder, stage).pop().expect("it is submitted")
    }

    /// Waits until nothing is in the queue.
    pub fn until_idle(&self, seconds: u64) {
        until(seconds, "an empty queue", || self.slurm("squeue", &["--noheader"]).trim().is_empty());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.command(SCRIPT, &["down"]).output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is so; that it never is, is a failure after `seconds`, which are many.
#[track_caller]
pub fn until(seconds: u64, what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "{seconds} s and no {what}");
        sleep(Duration::from_millis(200));
    }
}
