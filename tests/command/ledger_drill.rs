//! Workers as processes that are killed, stopped and sent away at any moment: the table is that of one that nobody touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use skyforge::rng::{Draw, Stream};

use crate::program::{arg, command, must, refused, run, signal, spawn};

/// All that is random here follows from it.
const SEED: u64 = 5;

/// Workers that are alive at any time.
const WORKERS: usize = 3;

const LEASE_SECONDS: f64 = 1.5;

struct Scene {
    folder: tempfile::TempDir,
    objects: u64,
}

impl Scene {
    fn new(objects: u64) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), objects }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Works on the ledger called `name`, in the way that `start` says.
    fn drill<T>(&self, name: &str, more: &[&str], start: impl FnOnce(&[&str]) -> T) -> T {
        let (ledger, objects) = (self.path(name), self.objects.to_string());
        let drill = ["ledger", "drill", arg(&ledger), "--objects", &objects];
        start(&[&drill[..], more].concat())
    }

    /// The table of a ledger that is finished.
    fn table(&self, name: &str) -> String {
        let out = self.path(&format!("{name}.jsonl"));
        must(1, &["ledger", "merge", arg(&self.path(name)), "--out", arg(&out)]);
        fs::read_to_string(out).expect("a table")
    }

    /// The table of one worker that nobody touches.
    fn straight(&self) -> String {
        self.drill("straight", &[], |arguments| must(1, arguments));
        self.table("straight")
    }

    fn status(&self, name: &str) -> Value {
        let told = must(1, &["ledger", "status", arg(&self.path(name)), "--json"]);
        serde_json::from_str(&told).expect("JSON")
    }
}

#[test]
fn a_worker_whose_object_does_not_end_is_ended_and_others_take_it() {
    let scene = Scene::new(40);
    let lease = ["--round-ms", "5", "--lease", "0.5"];
    let stuck = [&lease[..], &["--hang", "17", "--hang-seconds", "1"]].concat();
    let output = scene.drill("ledger", &stuck, |arguments| run(1, arguments));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{text}");
    assert!(text.lines().any(|line| line.starts_with("warning: object 17 has taken 0.")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("error: object 17 has taken 1.")), "{text}");
    assert!(text.contains(" usual: rank 0 of process ") && text.contains(" ends, another one takes it"), "{text}");
    scene.drill("ledger", &lease, |arguments| must(1, arguments));
    assert_eq!(scene.table("ledger"), scene.straight());
}

/// What became of a worker before it was touched.
fn has_ended(worker: &mut Child) -> bool {
    worker.try_wait().expect("it is ours").is_some()
}

/// Kills workers so often, and more than once has one come, go or stand still: how many were alive when they were killed.
fn kill_and_go_on(kills: u64) -> u64 {
    let scene = Scene::new(120 * kills);
    let mut chance = Draw::new(SEED).at(Stream::Simulation, kills, 0);
    let lease = LEASE_SECONDS.to_string();
    let slowly = ["--round-ms", "10", "--attempts", "20", "--lease", &lease];
    let start = || scene.drill("ledger", &slowly, |arguments| spawn(1, arguments));
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| start()).collect();
    let mut still: Option<(Child, Instant)> = None;
    let (mut killed, mut sent_away) = (0, 0);
    for index in 0..kills {
        sleep(Duration::from_secs_f64(0.4 * chance.uniform()));
        let mut worker = workers.swap_remove(chance.below(WORKERS as u32) as usize);
        workers.push(start());
        if !has_ended(&mut worker) {
            signal(worker.id(), "-KILL");
            killed += 1;
        }
        worker.wait().expect("it ends");
        if index % 5 == 2 {
            let mut worker = workers.swap_remove(0);
            workers.push(start());
            if !has_ended(&mut worker) {
                signal(worker.id(), "-TERM");
                sent_away += 1;
            }
            let code = worker.wait().expect("it ends").code();
            // One that has hardly begun does not know the signal yet.
            assert!([Some(0), Some(75), None].contains(&code), "{code:?}");
        }
        if still.is_none() && has_claim(&scene.path("ledger"), workers[0].id()) {
            let worker = workers.swap_remove(0);
            signal(worker.id(), "-STOP");
            workers.push(start());
            still = Some((worker, Instant::now()));
        }
    }
    for mut worker in workers {
        assert!(worker.wait().expect("it ends").success());
    }
    let (mut worker, since) = still.expect("one stood still with a claim");
    assert!(since.elapsed().as_secs_f64() > LEASE_SECONDS, "others waited for a lease");
    let table = scene.table("ledger");
    signal(worker.id(), "-CONT");
    assert!(worker.wait().expect("it ends").success(), "who comes back late does no harm");
    let status = scene.status("ledger");
    assert_eq!((&status["done"], &status["claimed"]), (&scene.objects.into(), &0.into()), "{status}");
    assert!(table == scene.straight(), "{kills} kills: every object once, with its own bytes");
    assert!(table == scene.table("ledger"), "nor did it change anything");
    let lost = fs::read_dir(scene.path("ledger/failed")).expect("it is there").count();
    eprintln!("{killed} of {kills} killed at work, {sent_away} sent away, {lost} attempts lost");
    killed
}

/// How far a ledger is, as soon as there is one.
fn look(ledger: &Path) -> Value {
    serde_json::from_slice(&run(1, &["ledger", "status", arg(ledger), "--json"]).stdout).unwrap_or_default()
}

/// Whether a process holds a block that is not done.
fn has_claim(ledger: &Path, process: u32) -> bool {
    let status = look(ledger);
    let workers = status["workers"].as_array().cloned().unwrap_or_default();
    workers.iter().any(|worker| worker["pid"] == process)
}

#[test]
fn workers_killed_at_five_moments_leave_the_table_of_one_that_was_not() {
    assert!(kill_and_go_on(5) > 0, "one was at work");
}

#[test]
#[ignore = "half a minute: fifty kills"]
fn workers_killed_at_fifty_moments_leave_the_table_of_one_that_was_not() {
    assert!(kill_and_go_on(50) > 40, "most were at work");
}

#[test]
fn a_poison_object_is_named_and_everything_else_is_there() {
    let scene = Scene::new(100);
    let poison = ["--poison", "37", "--fault", "5", "--attempts", "2", "--objects-per-block", "8"];
    let mut lost = 0;
    // Two workers at a time, until one sees the end.
    while !scene.drill("ledger", &poison, |arguments| {
        let mut pair = [spawn(1, arguments), spawn(1, arguments)];
        pair.each_mut().map(|worker| worker.wait().expect("it ends").success())
    })[0]
    {
        lost += 1;
        assert!(lost < 20, "it never ends");
    }
    let ledger = scene.path("ledger");
    let status = scene.status("ledger");
    let quarantined = status["quarantined"].as_array().expect("a list");
    assert_eq!((status["done"].as_u64(), quarantined.len()), (Some(98), 2), "{status}");
    assert_eq!((&quarantined[0]["object"], &quarantined[0]["reason"]), (&5.into(), &"was told to fail".into()));
    assert_eq!(quarantined[1]["object"], 37);
    let reason = quarantined[1]["reason"].as_str().expect("words");
    assert!(reason.starts_with("2 workers lost with it alone") && reason.ends_with("died"), "{reason}");

    let out = scene.path("strict.jsonl");
    let merge = ["ledger", "merge", arg(&ledger), "--out", arg(&out)];
    assert_eq!(must(1, &merge), "objects 100\nquarantined 2\n");
    let (code, line) = refused(&[&merge[..], &["--strict"]].concat());
    assert!(code == 65 && line.ends_with("2 of 100 objects are in quarantine, expected none"), "{line}");
    let (mine, straight) = (scene.table("ledger"), scene.straight());
    for (object, (mine, straight)) in mine.lines().zip(straight.lines()).enumerate() {
        assert_eq!(mine == straight, ![5, 37].contains(&object), "{mine}");
    }

    assert_eq!(must(1, &["ledger", "retry", "--failed", arg(&ledger)]), "objects 2\ndamaged_blocks 0\n");
    let (code, line) = refused(&merge);
    assert!(code == 75 && line.contains("2 of 100 objects are not done"), "{line}");
    scene.drill("ledger", &["--objects-per-block", "8"], |arguments| must(1, arguments));
    assert!(scene.table("ledger") == straight);
}

#[test]
fn a_worker_whose_time_is_up_gives_its_blocks_back_and_says_so() {
    let scene = Scene::new(100);
    let output = scene.drill("ledger", &["--max-wall", "0"], |arguments| run(1, arguments));
    assert_eq!(output.status.code(), Some(75));
    let mut worker = scene.drill("ledger", &["--round-ms", "50"], |arguments| spawn(1, arguments));
    while !has_claim(&scene.path("ledger"), worker.id()) {
        sleep(Duration::from_millis(20));
    }
    signal(worker.id(), "-USR2");
    assert_eq!(worker.wait().expect("it ends").code(), Some(75));
    let status = scene.status("ledger");
    assert_eq!((&status["claimed"], &status["suspect_blocks"]), (&0.into(), &0.into()), "{status}");
}

#[test]
fn who_is_suspended_together_with_others_does_not_take_them_for_lost() {
    let scene = Scene::new(40);
    let slowly = ["--round-ms", "1000", "--batch", "8", "--lease", "4"];
    let mut workers: Vec<Child> =
        (0..8).map(|_| scene.drill("ledger", &slowly, |arguments| spawn(1, arguments))).collect();
    // There are five blocks, so some look on.
    while look(&scene.path("ledger"))["free"] != 0 {
        assert!(workers.iter_mut().all(|worker| !has_ended(worker)), "they work");
    }
    let tell_all = |word| {
        for worker in &workers {
            signal(worker.id(), word);
        }
    };
    tell_all("-STOP");
    sleep(Duration::from_secs(9));
    tell_all("-CONT");
    for mut worker in workers {
        assert!(worker.wait().expect("it ends").success());
    }
    assert_eq!(fs::read_dir(scene.path("ledger/failed")).expect("it is there").count(), 0);
    assert_eq!(scene.table("ledger"), scene.straight());
}

#[test]
fn a_ledger_that_nobody_works_on_says_so_and_does_not_promise_an_end() {
    let scene = Scene::new(400);
    let slowly = ["--round-ms", "20"];
    let mut worker = scene.drill("ledger", &slowly, |arguments| spawn(1, arguments));
    while !look(&scene.path("ledger"))["seconds_left"].is_number() {
        assert!(!has_ended(&mut worker), "it works");
    }
    signal(worker.id(), "-KILL");
    worker.wait().expect("it ends");
    let status = scene.status("ledger");
    assert!(status["seconds_left"].is_null() && status["workers"][0]["process_gone"] == true, "{status}");
    let told = must(1, &["ledger", "status", arg(&scene.path("ledger"))]);
    assert!(
        told.contains(", lost)") && told.contains("nobody shows that it is at work") && !told.contains("rate"),
        "{told}"
    );
    assert!(must(1, &["status", arg(&scene.path("ledger"))]).starts_with("waiting "));
}

#[test]
fn status_is_lines_in_a_pipe() {
    let scene = Scene::new(100);
    scene.drill("ledger", &["--fault", "7"], |arguments| must(1, arguments));
    let told = must(1, &["ledger", "status", arg(&scene.path("ledger"))]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["drill of 100 objects in blocks of 8", "done         99"]);
    assert_eq!(lines.last(), Some(&"quarantined  7: was told to fail"));
}

#[test]
fn what_cannot_be_is_refused_in_a_line() {
    let scene = Scene::new(100);
    scene.drill("ledger", &[], |arguments| must(1, arguments));
    let ledger = scene.path("ledger");
    let (code, line) = scene.drill("ledger", &["--seed", "1"], refused);
    assert!(code == 64 && line.contains("`description.seed` is 0 there, 1 here"), "{line}");
    let (code, line) = refused(&["ledger", "retry", arg(&ledger)]);
    assert!(code == 64 && line.contains("--failed"), "{line}");
    let (code, line) = refused(&["ledger", "status", arg(scene.folder.path())]);
    assert!(code == 65 && line.contains("ledger.toml: is missing"), "{line}");
    let (code, line) = refused(&["ledger", "status", arg(&scene.path("nowhere"))]);
    assert!(code == 74 && line.contains("expected the folder of a ledger"), "{line}");
    let nowhere = scene.path("nowhere/table.jsonl");
    let (code, line) = refused(&["ledger", "merge", arg(&ledger), "--out", arg(&nowhere)]);
    assert!(code == 74 && line.contains("nowhere/table.jsonl"), "{line}");
    let page = ledger.join("ledger.toml");
    let text = fs::read_to_string(&page).expect("a page");
    fs::write(&page, text.replace("format = 2", "format = 1")).expect("it is ours");
    let (code, line) = refused(&["ledger", "status", arg(&ledger)]);
    assert!(code == 65 && line.contains("`format` is 1, expected 2: finish this ledger"), "{line}");
}

#[test]
fn fanout_is_refused_with_the_name_that_it_has_now() {
    let (code, line) = refused(&["fanout", "status", "ledger"]);
    assert!(code == 64 && line.ends_with("; it is called 'ledger' now"), "{line}");
}

#[test]
fn help_has_an_example_and_does_not_show_the_drill() {
    let help = String::from_utf8(command(1, &["ledger", "--help"]).output().expect("it starts").stdout).expect("UTF-8");
    assert!(help.contains("skyforge ledger merge") && !help.contains("drill"), "{help}");
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_are_workers() {
    let scene = Scene::new(200);
    let told = scene.drill("ledger", &["--round-ms", "2"], |arguments| must(3, arguments));
    let all: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let objects = all.iter().map(|rank| rank["objects"].as_u64().expect("a number"));
    assert_eq!((all.len(), objects.sum::<u64>()), (3, 200));
    assert!(scene.table("ledger") == scene.straight());
}
