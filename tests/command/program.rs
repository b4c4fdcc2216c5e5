//! Starting the binary, alone or under mpirun.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixtures;

/// The debug configuration, small enough for tests of the whole.
pub const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/debug_mass_maps.toml");

static LAUNCHES: AtomicUsize = AtomicUsize::new(0);

/// mpirun, ready to be told what to start.
pub fn launcher() -> Command {
    let mut launcher = Command::new("mpirun");
    launcher.arg("--oversubscribe");
    launcher.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
    // More ranks than cores: those that wait should leave the core to those that work.
    launcher.env("OMPI_MCA_mpi_yield_when_idle", "1");
    // Launchers that begin and end at the same time would trip over each other's folders.
    let launch = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id(); // nextest runs each test in one of its own
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mpi-{process}-{launch}"));
    fs::create_dir_all(&folder).expect("the disk has room");
    launcher.env("OMPI_MCA_orte_tmpdir_base", folder);
    launcher
}

/// The binary on `ranks` ranks: without MPI, or for one rank, by itself.
pub fn command(ranks: usize, arguments: &[&str]) -> Command {
    let binary = env!("CARGO_BIN_EXE_skyforge");
    let mut command = if ranks == 1 {
        Command::new(binary)
    } else {
        let mut launcher = launcher();
        launcher.args(["-n", &ranks.to_string(), binary]);
        launcher
    };
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub fn run(ranks: usize, arguments: &[&str]) -> Output {
    command(ranks, arguments).output().expect("the binary, or mpirun, can be started")
}

/// Runs it to a good end and gives stdout.
pub fn must(ranks: usize, arguments: &[&str]) -> String {
    let output = run(ranks, arguments);
    assert!(output.status.success(), "{arguments:?} on {ranks} ranks: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Starts it.
pub fn spawn(ranks: usize, arguments: &[&str]) -> Child {
    command(ranks, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be started")
}

/// Runs it alone to a bad end: the exit code, and the one line on stderr that says why.
pub fn refused(arguments: &[&str]) -> (i32, String) {
    let output = run(1, arguments);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one line says why: {text}");
    (output.status.code().expect("an exit code"), errors[0].to_owned())
}

/// The processes that `parent` has started, in order.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("a list of processes").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let parent_of = |process: u32| -> Option<u32> {
        let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        line.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok() // after the name: state, parent
    };
    let mut found: Vec<u32> = numbers.filter(|&process| parent_of(process) == Some(parent)).collect();
    found.sort_unstable();
    found
}

/// Sends a process a signal, as in `-KILL`.
pub fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().expect("kill is there").success());
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// A dataset of `count` maps, as [`simulate`] makes it.
pub fn simulated(folder: &Path, count: u64) {
    fixtures::copy(&format!("maps-{count}"), folder, |folder| simulate(folder, count));
}

/// Simulates `count` maps, here and now.
pub fn simulate(folder: &Path, count: u64) {
    must(1, &["simulate", "maps", "--out", arg(folder), "--count", &count.to_string(), "--seed", "1"]);
}

/// `outcome.toml` of a run.
pub fn outcome(run: &Path) -> toml::Table {
    fs::read_to_string(run.join("outcome.toml")).expect("a run says how it ended").parse().expect("TOML")
}

/// One word of `outcome.toml`.
pub fn word(run: &Path, key: &str) -> String {
    let value = outcome(run).get(key).unwrap_or_else(|| panic!("{key} is there")).clone();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Every file below a folder with its bytes, in name order.
pub fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}
