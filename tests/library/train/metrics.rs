//! `metrics.jsonl` over runs that end in all the usual ways.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use skyforge::exit::{Ends, Exit};
use skyforge::train::metrics::{MetricsLog, read};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Steps `from` to `to`, both taken, with a loss that tells them apart.
fn take_steps(log: &mut MetricsLog, from: u64, to: u64) {
    for step in from..=to {
        let loss = 1.0 / step as f64;
        log.append(step, step as f64 / 128.0, step * 64, &[("generator_loss", loss)]).expect("the line is written");
    }
}

fn steps(path: &Path) -> Vec<u64> {
    let records = read(path).expect("the log can be read");
    records.iter().map(|record| record["step"].as_u64().expect("a step is a whole number")).collect()
}

fn add(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).expect("the log is there");
    file.write_all(bytes).expect("the log takes bytes");
}

#[test]
fn what_is_written_is_read_back() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    let mut log = MetricsLog::open(&path, None).expect("a new log");
    let scalars = [("discriminator_loss", 1.386_294_361_119_890_6), ("tiny", 5e-324), ("a \"name\"", -0.1)];
    log.append(12, 0.1, 768, &scalars).expect("the line is written");
    log.append(13, 0.2, 832, &[]).expect("the line is written");

    // Read while it is still open: every line is whole as soon as it is written.
    let records = read(&path).expect("the log can be read");
    assert_eq!(records.len(), 2);
    assert_eq!(
        (&records[0]["step"], &records[0]["epoch"], &records[0]["samples"]),
        (&json!(12), &json!(0.1), &json!(768))
    );
    for (name, value) in scalars {
        assert_eq!(records[0][name].as_f64(), Some(value), "{name}");
    }
    assert_eq!(Value::from(records[1].clone()), json!({"step": 13, "epoch": 0.2, "samples": 832}));
}

#[test]
fn names_stay_in_the_order_they_were_given() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    let mut log = MetricsLog::open(&path, None).expect("a new log");
    log.append(1, 0.5, 64, &[("z", 1.0), ("a", 2.5)]).expect("the line is written");
    let text = fs::read_to_string(&path).expect("the log is there");
    assert_eq!(text, "{\"step\":1,\"epoch\":0.5,\"samples\":64,\"z\":1.0,\"a\":2.5}\n");
}

#[test]
fn what_is_not_finite_is_null() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    let mut log = MetricsLog::open(&path, None).expect("a new log");
    let scalars = [("nan", f64::NAN), ("up", f64::INFINITY), ("down", f64::NEG_INFINITY), ("fine", 1.0)];
    log.append(1, 0.0, 64, &scalars).expect("the line is written");
    let record = read(&path).expect("the log is still JSON").remove(0);
    for name in ["nan", "up", "down"] {
        assert_eq!(record[name], Value::Null, "{name}");
    }
    assert_eq!(record["fine"], json!(1.0));
}

#[test]
fn stopping_halfway_and_going_on_gives_the_log_of_a_straight_run() {
    let folder = folder();
    let (straight, stopped) = (folder.path().join("straight.jsonl"), folder.path().join("stopped.jsonl"));
    take_steps(&mut MetricsLog::open(&straight, None).expect("a new log"), 1, 20);
    // The last checkpoint is of step 10, but 13 steps and a half were taken before the end.
    take_steps(&mut MetricsLog::open(&stopped, None).expect("a new log"), 1, 13);
    add(&stopped, b"{\"step\":14,\"epo");
    take_steps(&mut MetricsLog::open(&stopped, Some(10)).expect("the log of a stopped run"), 11, 20);

    assert_eq!(fs::read(&straight).expect("the log is there"), fs::read(&stopped).expect("the log is there"));
    let files = fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(files, 2, "a .part file is left");
}

#[test]
fn a_torn_line_that_lost_nothing_but_its_end_is_mended() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    take_steps(&mut MetricsLog::open(&path, None).expect("a new log"), 1, 3);
    let whole = fs::read(&path).expect("the log is there");
    fs::write(&path, &whole[..whole.len() - 1]).expect("the log can be cut");
    drop(MetricsLog::open(&path, Some(3)).expect("the log of a stopped run"));
    assert_eq!(fs::read(&path).expect("the log is there"), whole);
}

#[test]
fn a_torn_last_line_is_not_read() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    take_steps(&mut MetricsLog::open(&path, None).expect("a new log"), 1, 3);
    add(&path, b"{\"step\":4");
    assert_eq!(steps(&path), [1, 2, 3]);
}

#[test]
fn a_damaged_line_is_named_to_a_reader_and_does_not_keep_a_run_from_going_on() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    take_steps(&mut MetricsLog::open(&path, None).expect("a new log"), 1, 2);
    add(&path, b"\0\0\0\xff\n");
    add(&path, b"{\"step\":3,\"epoch\":0.1,\"samples\":192}\n");

    let error = read(&path).expect_err("line 3 is no JSON");
    assert_eq!(error.exit(), Exit::Data);
    assert!(error.to_string().contains("line 3 "), "{error}");

    drop(MetricsLog::open(&path, Some(3)).expect("the log of a stopped run"));
    assert_eq!(steps(&path), [1, 2, 3]);
}

#[test]
fn a_new_run_starts_an_empty_log_and_a_lost_log_starts_again() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    take_steps(&mut MetricsLog::open(&path, None).expect("a new log"), 1, 3);
    drop(MetricsLog::open(&path, None).expect("a log over another"));
    assert_eq!(steps(&path), [0; 0]);

    fs::remove_file(&path).expect("the log is there");
    take_steps(&mut MetricsLog::open(&path, Some(5)).expect("a lost log"), 6, 7);
    assert_eq!(steps(&path), [6, 7]);
}

#[test]
fn a_folder_that_is_not_there_is_a_file_system_error_that_names_it() {
    let error = MetricsLog::open(Path::new("/not/there/metrics.jsonl"), None).expect_err("no such folder");
    assert_eq!(error.exit(), Exit::FileSystem);
    assert!(error.to_string().starts_with("/not/there/metrics.jsonl: "), "{error}");
}
