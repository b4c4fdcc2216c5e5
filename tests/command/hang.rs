//! A rank that does not answer is told of by those that wait for it, and nothing else changes.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::{CONFIG, arg, children, must, signal, simulated, spawn, word};

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

#[test]
fn a_rank_that_stands_still_is_told_of_and_the_run_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run, straight) = (folder.path().join("maps"), folder.path().join("run"), folder.path().join("straight"));
    simulated(&maps, 256);
    let train = |run: &Path| -> Vec<String> {
        let sets = ["trainer.steps=20", "trainer.hang_seconds=0.5"];
        let words = ["train", CONFIG, "--run", arg(run), "--data", arg(&maps)].map(str::to_owned).into_iter();
        words.chain(sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()])).collect()
    };
    let words = train(&run);
    let mut child = spawn(2, &words.iter().map(String::as_str).collect::<Vec<_>>());
    until("ten steps", || text(&run.join("metrics.jsonl")).lines().count() >= 10);
    let still = children(child.id()).into_iter().find(|&child| rank_of(child).as_deref() == Some("1"));
    let still = still.expect("rank 1 is a child of the launcher");
    signal(still, "-STOP");
    let (log, record) = (run.join("log/rank-0000.log"), run.join("log/operations-rank-0000.txt"));
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
