//! A rank that does not go on is told of by those that wait for it; in time it ends the job.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::{CONFIG, arg, children, command, launcher, must, run, signal, simulated, spawn, word};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(2), "{what} takes no two minutes");
        sleep(Duration::from_millis(2));
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Which rank a process is, by what the launcher told it.
fn rank_of(process: u32) -> Option<String> {
    let told = fs::read(format!("/proc/{process}/environ")).ok()?;
    let told = String::from_utf8_lossy(&told).into_owned();
    told.split('\0').find_map(|line| line.strip_prefix("OMPI_COMM_WORLD_RANK=")).map(str::to_owned)
}

/// Whether a process has ended, though nobody may have asked how.
fn is_gone(process: u32) -> bool {
    let line = text(Path::new(&format!("/proc/{process}/stat")));
    line.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.starts_with(" Z"))
}

#[test]
fn a_rank_that_stands_still_is_told_of_and_the_run_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run, straight) = (folder.path().join("maps"), folder.path().join("run"), folder.path().join("straight"));
    simulated(&maps, 256);
    let train = |run: &Path| -> Vec<String> {
        let sets = ["trainer.steps=20", "trainer.hang_seconds=20"];
        let words = ["train", CONFIG, "--run", arg(run), "--data", arg(&maps)].map(str::to_owned).into_iter();
        words.chain(sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()])).collect()
    };
    let words = train(&run);
    let mut child = spawn(2, &words.iter().map(String::as_str).collect::<Vec<_>>());
    until("ten steps", || text(&run.join("metrics.jsonl")).lines().count() >= 10);
    let still = children(child.id()).into_iter().find(|&child| rank_of(child).as_deref() == Some("1"));
    let still = still.expect("rank 1 is a child of the launcher");
    signal(still, "-STOP");
    let (log, record) = (run.join("log/rank-0000.log"), run.join("log/communication-rank-0000.txt"));
    until("the word about it", || text(&log).contains("has taken"));
    signal(still, "-CONT");
    assert!(child.wait().expect("it ends").success());

    let told = text(&log);
    let line = told.lines().find(|line| line.contains("has taken")).expect("it is told");
    assert!(line.starts_with("warning: step ") && line.contains("with rank 1"), "{line}");
    assert!(line.ends_with(&format!("the last operations of this rank are in {}", record.display())), "{line}");
    assert!(told.lines().any(|line| line.contains("is over after")), "that it went on is told too: {told}");
    let record = text(&record);
    let last = record.lines().last().expect("a line");
    assert!(last.contains("under way") && last.contains("with rank 1"), "{record}");
    assert!(record.lines().filter(|line| line.contains("exchange with rank 1")).count() > 10, "{record}");

    let words = train(&straight);
    must(1, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(word(&run, "checksum"), word(&straight, "checksum"));
}

/// A run that is to hang, where it is told of after half a second and ended after 4, 2 of silence.
struct Scene {
    _folder: tempfile::TempDir,
    maps: PathBuf,
    run: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
        simulated(&maps, 64);
        Self { _folder: folder, maps, run }
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let words = ["train", CONFIG, "--run", arg(&self.run), "--data", arg(&self.maps)];
        let sets = ["--set", "trainer.steps=1000000", "--set", "trainer.hang_seconds=4"];
        [&words[..], &sets, more].concat()
    }

    /// The run has ended with 69, and says so.
    fn failed(&self) -> String {
        let reason = word(&self.run, "reason");
        assert_eq!(word(&self.run, "status"), "failed", "{reason}");
        assert_eq!(word(&self.run, "exit_code"), "69", "{reason}");
        assert!(reason.contains("(trainer.hang_seconds = 4"), "{reason}");
        reason
    }
}

#[test]
fn a_rank_that_is_stopped_for_good_is_named_and_ends_the_job() {
    for (rank, ranks) in [(1, 2), (0, 3)] {
        let scene = Scene::new();
        let child = command(ranks, &scene.words(&[])).spawn().expect("it can be started");
        until("ten steps", || text(&scene.run.join("metrics.jsonl")).lines().count() >= 10);
        let processes = children(child.id());
        let still = processes.iter().find(|&&child| rank_of(child) == Some(rank.to_string()));
        signal(*still.expect("it is a child of the launcher"), "-STOP");
        let begun = Instant::now();
        let output = child.wait_with_output().expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        until("the end of all", || processes.iter().all(|&process| is_gone(process)));

        let reason = scene.failed();
        let culprit = format!("rank {rank} on {} does not answer, last heard of ", host());
        assert!(reason.contains(&culprit), "{reason}");
        assert!(reason.contains(" ago in step "), "{reason}");
        assert!(reason.contains(&format!("(operation {}", last_met(&reason))), "{reason}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.lines().any(|line| line == format!("error: {reason}")), "{told}");
        for other in (0..ranks).filter(|&other| other != rank) {
            let log = text(&scene.run.join(format!("log/rank-{other:04}.log")));
            assert!(log.contains(&culprit), "the log of rank {other}: {log}");
        }
        let record = text(&scene.run.join(format!("log/communication-rank-{:04}.txt", usize::from(rank == 0))));
        assert!(record.lines().last().is_some_and(|line| line.contains("under way")), "{record}");
    }
}

fn host() -> String {
    text(Path::new("/proc/sys/kernel/hostname")).trim().to_owned()
}

/// The number of the operation by which a rank was heard of.
fn last_met(reason: &str) -> u64 {
    let (_, rest) = reason.split_once("(operation ").expect("it is numbered");
    let number = rest.split(' ').next().expect("a word").parse().expect("a number");
    assert!(number > 10, "ten steps have more operations: {reason}");
    number
}

#[test]
fn a_rank_that_lives_and_does_not_go_on_ends_the_job_later() {
    for ranks in [1, 2] {
        let scene = Scene::new();
        let drill = format!("hang@6:{}", ranks - 1);
        let begun = Instant::now();
        let output = run(ranks, &scene.words(&["--drill", &drill]));
        assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        let reason = scene.failed();
        let rank = format!("rank {} on {}", ranks - 1, host());
        let said = [format!("{rank} has been at step 6 for "), "step 6 has taken ".to_owned()];
        assert!(said.iter().any(|said| reason.contains(said)), "{reason}");
    }
}

/// The launcher in a network of its own, where ranks talk over it; nothing where this may not be made.
fn in_a_network_of_its_own(ranks: usize, arguments: &[&str]) -> Option<Command> {
    let up = "ip link set lo up && exec \"$0\" \"$@\"";
    let can = Command::new("unshare").args(["-n", "sh", "-c", "ip link set lo up"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["-n", "sh", "-c", up, "mpirun", "--oversubscribe"]);
    unshare.args(["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo", "-n", &ranks.to_string()]);
    unshare.arg(env!("CARGO_BIN_EXE_skyforge")).args(arguments);
    unshare.envs(launcher().get_envs().filter_map(|(name, value)| Some((name, value?))));
    unshare.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(unshare)
}

#[test]
fn ranks_without_a_network_end_though_mpi_can_tell_nobody() {
    let scene = Scene::new();
    let Some(mut launcher) = in_a_network_of_its_own(2, &scene.words(&[])) else {
        eprintln!("skipped: no network may be made here");
        return;
    };
    let child = launcher.spawn().expect("it can be started");
    until("ten steps", || text(&scene.run.join("metrics.jsonl")).lines().count() >= 10);
    let processes = children(child.id());
    let target = child.id().to_string();
    let down = Command::new("nsenter").args(["-t", &target, "-n", "ip", "link", "set", "lo", "down"]).status();
    assert!(down.expect("nsenter is there").success());
    let begun = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    until("the end of all", || processes.iter().all(|&process| is_gone(process)));
    assert!(scene.failed().contains(" does not answer, last heard of "), "each side names the other");
}

#[test]
fn a_job_that_is_suspended_as_a_whole_goes_on_when_it_is_resumed() {
    let scene = Scene::new();
    let mut child = spawn(2, &scene.words(&["--set", "trainer.steps=100"]));
    until("ten steps", || text(&scene.run.join("metrics.jsonl")).lines().count() >= 10);
    let processes = children(child.id());
    let signal_all = |name: &str| {
        for &process in &processes {
            signal(process, name);
        }
    };
    signal_all("-STOP");
    sleep(Duration::from_secs(6)); // half as long again as the limit
    signal_all("-CONT");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(word(&scene.run, "step"), "100");
}
