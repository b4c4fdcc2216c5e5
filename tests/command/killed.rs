//! kill -9 of any rank at any moment: the next start goes on, and the end is that of a run that nobody touched.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use skyforge::rng::{Draw, Stream};

use crate::program::{CONFIG, arg, children, must, signal, simulated, spawn, word};

/// All that is random here follows from it.
const SEED: u64 = 11;

/// One start of the program, and how it is ended.
#[derive(Debug)]
struct Blow {
    ranks: usize,
    rank: usize,
    /// After the start.
    seconds: f64,
    /// Waits for a checkpoint that is being written then.
    while_saving: bool,
}

impl Blow {
    fn number(index: u64) -> Self {
        let mut chance = Draw::new(SEED).at(Stream::Simulation, index, 0);
        let ranks = if cfg!(feature = "mpi") { 1 + chance.below(4) as usize } else { 1 };
        let rank = chance.below(ranks as u32) as usize;
        Self { ranks, rank, seconds: 2.5 * chance.uniform(), while_saving: chance.below(3) == 0 }
    }

    fn fall(&self, child: &Child, checkpoints: &Path) {
        let (begun, start) = (Instant::now(), SystemTime::now());
        let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
            while !done() {
                assert!(begun.elapsed() < Duration::from_mins(1), "{what} takes no minute: {self}");
                sleep(Duration::from_micros(300));
            }
        };
        wait("time", &mut || begun.elapsed().as_secs_f64() >= self.seconds);
        if self.while_saving {
            wait("a checkpoint", &mut || half_written(checkpoints, start));
        }
        let mut processes = Vec::new();
        wait("a launch", &mut || {
            processes = if self.ranks == 1 { vec![child.id()] } else { children(child.id()) };
            !processes.is_empty()
        });
        let process = processes[self.rank.min(processes.len() - 1)];
        signal(process, "-KILL");
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { ranks, rank, seconds, while_saving } = self;
        write!(f, "rank {rank} of {ranks} after {seconds:.2} s{}", if *while_saving { ", while saving" } else { "" })
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The step of the newest checkpoint, 0 where there is none.
fn newest(checkpoints: &Path) -> u64 {
    let step = |name: &String| name.strip_prefix("step-").and_then(|step| step.parse().ok());
    names(checkpoints).iter().filter_map(step).max().unwrap_or(0)
}

/// Whether there is a checkpoint that is not whole and was begun after `start`.
fn half_written(checkpoints: &Path, start: SystemTime) -> bool {
    let begun = |name: &String| fs::metadata(checkpoints.join(name)).and_then(|folder| folder.modified());
    names(checkpoints)
        .iter()
        .any(|name| name.strip_suffix(".part").is_some() && begun(name).is_ok_and(|begun| begun > start))
}

/// Starts a run of `steps` steps with a checkpoint every `every`.
fn train<T>(run: &Path, maps: &Path, steps: u64, every: u64, start: impl FnOnce(&[&str]) -> T) -> T {
    let lengths = [format!("trainer.steps={steps}"), format!("trainer.checkpoint_every={every}")];
    let mut arguments = vec!["train", CONFIG, "--run", arg(run), "--data", arg(maps)];
    arguments.extend(lengths.iter().flat_map(|length| ["--set", length]));
    arguments.extend(["--set", "trainer.keep_checkpoints=3"]);
    start(&arguments)
}

/// Kills a run so often and ends it. How many blows fell before their start had saved anything, and how many tore a
/// checkpoint.
fn kill_and_go_on(kills: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run, straight) = (folder.path().join("maps"), folder.path().join("run"), folder.path().join("straight"));
    let checkpoints = run.join("checkpoints");
    simulated(&maps, 128);
    let mut story = vec![format!("seed {SEED}")];
    let (mut while_starting, mut while_saving) = (0, 0);
    for index in 0..kills {
        let blow = Blow::number(index);
        let before = newest(&checkpoints);
        let start = SystemTime::now();
        let mut child = train(&run, &maps, 1_000_000, 2, |arguments| spawn(blow.ranks, arguments));
        blow.fall(&child, &checkpoints);
        let status = child.wait().expect("it ends");
        let (after, torn) = (newest(&checkpoints), half_written(&checkpoints, start));
        let half = if torn { ", one half written" } else { "" };
        story.push(format!("{blow}: {status}, from step {before} to {after}{half}"));
        assert!(!status.success() && after >= before, "{story:#?}");
        while_starting += u64::from(after == before);
        while_saving += u64::from(torn);
    }
    let steps = newest(&checkpoints) + 3;
    train(&run, &maps, steps, 2, |arguments| must(if cfg!(feature = "mpi") { 3 } else { 1 }, arguments));
    train(&straight, &maps, steps, steps, |arguments| must(1, arguments));
    assert_eq!(word(&run, "checksum"), word(&straight, "checksum"), "{story:#?}");
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let told = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["step"].as_u64());
    assert!(told.eq((1..=steps).map(Some)), "each step once: {story:#?}");
    story.push(format!(
        "{steps} steps, {while_starting} blows before anything was saved, {while_saving} into a checkpoint"
    ));
    eprintln!("{}", story.join("\n"));
    (while_starting, while_saving)
}

#[test]
fn a_run_killed_at_three_moments_ends_as_one_that_was_not() {
    kill_and_go_on(3);
}

#[test]
#[ignore = "minutes long: fifty kills"]
fn a_run_killed_at_fifty_moments_ends_as_one_that_was_not() {
    let (while_starting, while_saving) = kill_and_go_on(50);
    assert!(while_starting > 0 && while_saving > 0, "blows fall everywhere");
}
