//! Verbs on ledgers: what workers that are killed, sent away and told apart leave is what one program alone would have made.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use skyforge::data::{Dataset, Split};
use skyforge::family::spectra_gan::retrieval;

use crate::program::{arg, bytes, command, must, refused, run, signal, simulated, spawn};
use crate::trained::{self, QUICK, Scene};

/// Fits that take long enough to be killed in.
const SLOW: [&str; 8] = ["--set", "restarts=8", "--set", "iterations=64", "--set", "patience=0", "--set", "slots=8"];

fn status(ledger: &Path) -> Value {
    serde_json::from_str(&must(1, &["ledger", "status", arg(ledger), "--json"])).expect("JSON")
}

fn count(ledger: &Path, kind: &str) -> usize {
    fs::read_dir(ledger.join(kind)).map_or(0, Iterator::count)
}

/// Waits until so many blocks are done, with `worker` still at work.
fn wait_for(ledger: &Path, blocks: usize, worker: &mut Child) {
    while count(ledger, "results") < blocks {
        assert!(worker.try_wait().expect("it is ours").is_none(), "it works");
        sleep(Duration::from_millis(5));
    }
}

/// A worker that is killed in the middle, beside ranks that are workers too.
fn killed_in_the_middle(ledger: &Path, words: &[&str]) {
    let (mut first, mut second) = (spawn(1, words), spawn(if cfg!(feature = "mpi") { 2 } else { 1 }, words));
    wait_for(ledger, 2, &mut first);
    signal(first.id(), "-KILL");
    first.wait().expect("it ends");
    assert!(second.wait().expect("it ends").success());
    assert!(count(ledger, "failed") > 0, "who was killed had a block");
    let status = status(ledger);
    assert_eq!((&status["claimed"], &status["free"]), (&0.into(), &0.into()), "{status}");
    must(1, words);
}

fn retrieve<'a>(scene: &'a Scene, more: &[&'a str]) -> Vec<&'a str> {
    [&["retrieve", arg(&scene.run), arg(&scene.data), "--seed", "3"][..], more].concat()
}

#[test]
fn a_retrieval_by_workers_of_which_one_is_killed_is_that_of_one_program() {
    let scene = trained::on_spectra();
    let path = |name: &str| scene.place.join(name);
    let (ledger, straight, merged) = (path("ledger"), path("straight.parquet"), path("merged.parquet"));
    let fit = [&["--records", "4..44"][..], &SLOW].concat();
    must(1, &retrieve(&scene, &[&["--out", arg(&straight)][..], &fit].concat()));
    let words = retrieve(&scene, &[&["--ledger", arg(&ledger), "--objects-per-block", "4"][..], &fit].concat());
    killed_in_the_middle(&ledger, &words);
    let told = must(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged), "--strict"]);
    assert_eq!(told, "objects 40\nquarantined 0\n");
    for of in [Path::to_path_buf, retrieval::table::samples_path] {
        let [merged, straight] = [&merged, &straight].map(|table| fs::read(of(table)).expect("a table"));
        assert!(merged == straight, "the same bytes");
    }
    // Other work is refused, with what differs.
    for (set, wanted) in [
        (["--mask", "hst-wfc3"], "`description.mask` is \"parameters\" there, \"1.11-1.81um\" here"),
        (["--set", "restarts=9"], "`description.fit.restarts` is 8 there, 9 here"),
        (["--weights", "live"], "`description.averaged_weights` is true there, false here"),
    ] {
        let (code, line) = refused(&[&words[..], &set].concat());
        assert!(code == 64 && line.contains("is the ledger of other work") && line.contains(wanted), "{line}");
    }
    let (code, line) = refused(&[&words[..], &["--out", "x.parquet"]].concat());
    assert!(code == 64 && line.contains("cannot be used with"), "{line}");
}

#[test]
fn workers_whose_time_is_up_give_their_blocks_back_and_tell_how_far_they_are() {
    let scene = trained::on_spectra();
    let ledger = scene.place.join("ledger");
    let words = retrieve(&scene, &[&["--ledger", arg(&ledger), "--objects-per-block", "4"][..], &SLOW].concat());
    let output = run(1, &[&words[..], &["--max-wall", "0"]].concat());
    assert_eq!(output.status.code(), Some(75));
    let mut worker = spawn(1, &words);
    wait_for(&ledger, 2, &mut worker);
    signal(worker.id(), "-TERM");
    assert_eq!(worker.wait().expect("it ends").code(), Some(75));
    let status = status(&ledger);
    assert_eq!((&status["claimed"], &status["suspect_blocks"]), (&0.into(), &0.into()), "{status}");
    let (done, free) = (status["done"].as_u64().expect("a number"), status["free"].as_u64().expect("a number"));
    assert!(done >= 8 && free > 0 && done + free == 64, "{status}");
    let table = scene.place.join("elsewhere");
    let (code, line) = refused(&["ledger", "merge", arg(&ledger), "--out", arg(&table)]);
    assert!(code == 75 && line.contains(&format!("{free} of 64 objects are not done")), "{line}");
    // Nor does it wait for the end of fits that take minutes.
    let hours = ["--ledger", arg(&table), "--set", "restarts=8", "--set", "iterations=10000000", "--set", "patience=0"];
    let mut worker = spawn(1, &retrieve(&scene, &hours));
    while count(&table, "claims") == 0 {
        assert!(worker.try_wait().expect("it is ours").is_none(), "it works");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_secs(2)); // to the fits themselves
    signal(worker.id(), "-TERM");
    let asked = Instant::now();
    while worker.try_wait().expect("it is ours").is_none() && asked.elapsed() < Duration::from_mins(2) {
        sleep(Duration::from_millis(50));
    }
    let _ = worker.kill(); // where it has ended that is too late
    assert_eq!(worker.wait().expect("it ends").code(), Some(75));
    assert_eq!(count(&table, "claims"), 0);
    // Whoever goes on begins where they left, and says in a log what of the whole is its own.
    let told = String::from_utf8(run(1, &words).stderr).expect("UTF-8");
    let last = told.lines().rfind(|line| line.starts_with("spectrum ")).expect("it tells");
    assert!(last.starts_with("spectrum 64/64  100.0 %") && last.ends_with(&format!("  mine {free}")), "{told}");
}

#[cfg(feature = "mpi")]
#[test]
fn each_rank_that_fails_on_a_ledger_says_why() {
    let scene = trained::on_spectra();
    let ledger = scene.place.join("ledger");
    fs::create_dir_all(&ledger).expect("a folder");
    std::os::unix::fs::symlink("/proc/self/task", ledger.join("results")).expect("a folder without room");
    let words = retrieve(&scene, &[&["--ledger", arg(&ledger), "--objects-per-block", "4"][..], &QUICK].concat());
    let output = run(2, &words);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{text}");
    for whose in ["error: ", "error: rank 1 of 2: "] {
        let wanted = format!("{whose}{}", arg(&ledger.join("results")));
        assert!(text.lines().any(|line| line.starts_with(&wanted)), "{wanted}: {text}");
    }
    assert_eq!(count(&ledger, "claims"), 0, "others may have what they held");
}

#[test]
fn tasks_that_do_not_know_of_each_other_are_workers_where_there_is_a_ledger() {
    let scene = trained::on_spectra();
    let ledger = scene.place.join("ledger");
    let words = retrieve(&scene, &[&["--ledger", arg(&ledger), "--objects-per-block", "4"][..], &SLOW].concat());
    let task = |number: &str, words: &[&str]| {
        let mut task = command(1, words);
        task.envs([("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", number), ("SLURM_LOCALID", number)]);
        task
    };
    let mut tasks: Vec<Child> = ["0", "1"].map(|number| task(number, &words).spawn().expect("it starts")).into();
    let mut ranks = Vec::new();
    while ranks.len() < 2 {
        assert!(tasks[0].try_wait().expect("it is ours").is_none(), "both are at work");
        let status = status(&ledger_of(&ledger));
        ranks = status["workers"].as_array().expect("a list").iter().map(|worker| worker["rank"].clone()).collect();
    }
    ranks.sort_by_key(Value::as_u64);
    assert_eq!(ranks, [0, 1]);
    for task in tasks.drain(..) {
        let output = task.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    let calibrating = [&words[..], &["--calibrate", arg(&scene.data)]].concat();
    for alone in [&calibrating[..], &retrieve(&scene, &QUICK)] {
        let output = task("1", alone).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(69) && text.contains("the launcher started 2 tasks"), "{text}");
    }
    let status = task("0", &["ledger", "status", arg(&ledger)]).output().expect("it starts");
    assert!(status.status.success() && !status.stdout.is_empty(), "one process is enough for that: {status:?}");
}

/// The ledger, once it is there.
fn ledger_of(folder: &Path) -> std::path::PathBuf {
    while !folder.join("ledger.toml").exists() {
        sleep(Duration::from_millis(5));
    }
    folder.to_owned()
}

#[test]
fn maps_filled_by_workers_of_which_one_is_killed_are_the_dataset_of_one_program_and_of_ranks() {
    let scene = trained::on_maps();
    let path = |name: &str| scene.place.join(name);
    let (data, ledger) = (path("more"), path("ledger"));
    simulated(&data, 150); // three shards, none of which ends where a rank's run does
    let fit = [&["inpaint", arg(&scene.run), arg(&data), "--mask", "random:0.3", "--seed", "5"], &QUICK[..]].concat();
    let words = |more: &[&'static str]| [&fit[..], more].concat();
    let worlds = if cfg!(feature = "mpi") { vec![1, 3, 8] } else { vec![1] };
    let mut straight = None;
    for ranks in worlds {
        let out = path(&format!("straight-{ranks}"));
        must(ranks, &[&words(&[])[..], &["--out", arg(&out)]].concat());
        let files = bytes(&out);
        assert!(files.len() > 3 && *straight.get_or_insert_with(|| files.clone()) == files, "{ranks} ranks");
    }
    killed_in_the_middle(&ledger, &[&words(&["--objects-per-block", "8"])[..], &["--ledger", arg(&ledger)]].concat());
    let merged = path("merged");
    let output = run(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged)]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "objects 150\nquarantined 0\n");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(" values filled in, off by "), "{told}");
    assert!(straight.expect("it was made") == bytes(&merged), "the same bytes");

    let (code, line) = refused(&[&words(&["--mask", "left"])[..], &["--ledger", arg(&ledger)]].concat());
    assert!(code == 64, "{line}");
    let left = fit.iter().map(|word| if *word == "random:0.3" { "left" } else { word }).collect::<Vec<_>>();
    let (code, line) = refused(&[&left[..], &["--objects-per-block", "8", "--ledger", arg(&ledger)]].concat());
    assert!(code == 64 && line.contains("`description.source.mask` is \"random:0.3\" there, \"left\" here"), "{line}");
    let (code, line) = refused(&["ledger", "merge", arg(&ledger), "--out", arg(&merged)]);
    assert!(code == 64 && line.contains("already holds a dataset"), "{line}");
    let (code, line) = refused(&fit);
    assert!(code == 64 && line.contains("--out"), "{line}");
}

#[test]
fn a_spectrum_that_cannot_be_filled_is_in_quarantine_and_the_others_are_a_dataset() {
    let scene = trained::on_spectra();
    let path = |name: &str| scene.place.join(name);
    let (data, ledger, merged, whole) = (path("observed"), path("ledger"), path("merged"), path("whole"));
    let seen = |number: u64, point: usize| !(point as u64 + number).is_multiple_of(4);
    trained::observed(&data, 7, |number, point| number != 3 && seen(number, point));
    let fill = |more: &[&str]| {
        let words = ["inpaint", arg(&scene.run), arg(&data), "--mask", "parameters"];
        run(1, &[&words[..], more, &QUICK].concat()).status.code()
    };
    assert_eq!(fill(&["--out", arg(&whole)]), Some(65), "alone it is refused");
    assert_eq!(fill(&["--ledger", arg(&ledger), "--objects-per-block", "2"]), Some(0));
    let quarantined = &status(&ledger)["quarantined"];
    assert_eq!((quarantined.as_array().map(Vec::len), &quarantined[0]["object"]), (Some(1), &3.into()));
    assert!(quarantined[0]["reason"].as_str().expect("words").contains("object 7003: "), "{quarantined}");
    assert_eq!(must(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged)]), "objects 7\nquarantined 1\n");
    // The others are what they are beside a spectrum of which something is known.
    fs::remove_dir_all(&data).expect("it is ours");
    trained::observed(&data, 7, seen);
    assert_eq!(fill(&["--out", arg(&whole)]), Some(0));
    let [merged, whole] = [&merged, &whole].map(|folder| Dataset::open(folder).expect("a dataset"));
    merged.verify().expect("it is whole");
    assert_eq!(merged.manifest().splits["test"], Split::from(0..6));
    assert_eq!(merged.read_ids(0..6).expect("ids"), [7000, 7001, 7002, 7004, 7005, 7006]);
    for (mine, there) in [(0..3, 0..3), (3..6, 4..7)] {
        assert_eq!(merged.read(0, mine.clone()).expect("spectra"), whole.read(0, there.clone()).expect("spectra"));
        let numbers = [(&merged, mine), (&whole, there)].map(|(of, range)| of.read_labels(range).expect("numbers"));
        assert_eq!(numbers[0], numbers[1]);
    }
}
