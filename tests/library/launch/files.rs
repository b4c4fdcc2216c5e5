//! What may stand in job and site files, and what is said of the rest.

use skyforge::launch::{Kind, Memory, Planned, Site, Wall};

use crate::launch::{job, own_job};

/// A job of one stage, with further lines.
fn with(lines: &str) -> String {
    format!(
        "name = \"sky\"\n[[stage]]\nname = \"a\"\ncommand = \"train c.toml --run $CAMPAIGN/run\"\nproduces = \
         \"$CAMPAIGN/run/outcome.toml\"\n{lines}\n"
    )
}

#[test]
fn times_and_memory_are_read_as_they_are_written() {
    for (text, seconds) in [("00:01:00", 60), ("08:00:00", 28_800), ("2-01:02:03", 176_523)] {
        let wall = Wall::try_from(text.to_owned()).expect("a time");
        assert_eq!((wall.seconds, wall.to_string().as_str()), (seconds, text));
    }
    assert_eq!(Wall::try_from("36:00:00".to_owned()).expect("a time").to_string(), "1-12:00:00");
    for text in ["", "60", "1:2", "00:00:00", "00:61:00", "x-00:01:00", "-1:00:00", "1-2-3:00:00"] {
        assert!(Wall::try_from(text.to_owned()).is_err(), "{text}");
    }
    for (text, mebibytes, again) in [("64G", 65_536, "64G"), ("1500M", 1500, "1500M"), ("1024M", 1024, "1G")] {
        let memory = Memory::try_from(text.to_owned()).expect("memory");
        assert_eq!((memory.mebibytes, memory.to_string().as_str()), (mebibytes, again));
    }
    for text in ["", "64", "G", "0G", "-1G", "64g", "99999999999999T"] {
        assert!(Memory::try_from(text.to_owned()).is_err(), "{text}");
    }
}

#[test]
fn what_cannot_be_in_a_job_is_named() {
    let time = "time = \"01:00:00\"\n";
    for (text, said) in [
        (with("time = \"01:00:00\"\nrank = 2"), "unknown key `stage[0].rank`"),
        (with("time = \"soon\""), "`stage[0].time`: `soon` is no time"),
        (with(""), "`stage[0].time` is missing"),
        (with(&format!("{time}nodes = 0")), "stage `a`: `nodes` is 0, expected 1 or more"),
        (with(&format!("{time}after = [\"b\"]")), "stage `a`: `after` is b, expected names of stages above it"),
        (
            with(&format!("{time}stop_before = \"01:00:00\"")),
            "stage `a`: `stop_before` is 01:00:00, expected less than `time`: 01:00:00",
        ),
        (with(&format!("{time}array = 4\nnodes = 2")), "stage `a`: `nodes` is 2, expected 1"),
        (with(time).replace("c.toml", "$HOME/c.toml"), "expected words without $ (but for $CAMPAIGN)"),
        (with(time).replace("\"sky\"", "\"the sky\""), "`name` is \"the sky\", expected letters"),
        (with(time) + &with(time).replace("name = \"sky\"", ""), "two stages are named `a`"),
    ] {
        let error = job(&text).expect_err(&text);
        assert!(error.contains(said), "{error}, expected {said}");
    }
}

#[test]
fn a_stage_that_does_not_fit_a_site_is_refused_with_what_would() {
    let site = Site::load("gpus_by_partition").expect("a known site");
    let refused = |lines: &str, threads: Option<u32>| {
        let job = job(&with(&format!("time = \"01:00:00\"\n{lines}"))).expect("a job");
        Planned::new(&job.stages[0], &site, threads).expect_err(lines).to_string()
    };
    for (lines, threads, said) in [
        (
            "ranks_per_node = 8\ngpus_per_node = 8",
            None,
            "asks for 8 GPUs a node, expected at most those of the site's nodes: 4",
        ),
        ("ranks_per_node = 8\ngpus_per_node = 4", None, "expected at most a rank for each of `gpus_per_node`: 4"),
        (
            "ranks_per_node = 25",
            Some(2),
            "asks for 50 processors a node, expected at most those of the site's nodes: 48",
        ),
        ("cpus_per_rank = 1", Some(2), "expected those of `trainer.threads_per_rank`: 2"),
        ("memory = \"100G\"", None, "`memory` is 100G, expected at most that of the site's nodes: 90G"),
    ] {
        let error = refused(lines, threads);
        assert!(error.starts_with("stage `a`: ") && error.ends_with(said), "{error}, expected {said}");
    }
    let job = job(&with("time = \"25:00:00\"")).expect("a job");
    let error = Planned::new(&job.stages[0], &site, None).expect_err("too long").to_string();
    assert!(error.contains("`time` is 1-01:00:00, expected at most the site's 1-00:00:00"), "{error}");
}

#[test]
fn a_site_is_a_name_or_a_file_without_unknown_keys() {
    let error = Site::load("nowhere").expect_err("no site").to_string();
    assert!(error.contains("expected a site's file, or one of generic, sandbox"), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "name = \"mine\"\nlauncher = \"srun\"\n[cpu]\npartitions = \"a\"").expect("written");
    let error = Site::load(path.to_str().expect("UTF-8")).expect_err("a wrong key").to_string();
    assert!(error.ends_with("unknown key `cpu.partitions`, did you mean `cpu.partition`"), "{error}");
}

#[test]
fn an_array_is_cut_where_slurm_takes_no_more() {
    let mut job = own_job("exogan_campaign.toml");
    let retrieve = job.stages.iter_mut().find(|stage| stage.name == "retrieve").expect("it retrieves");
    retrieve.array = 2500;
    let site = Site::load("generic").expect("a known site");
    let planned = Planned::new(retrieve, &site, None).expect("it fits");
    assert_eq!((planned.kind, planned.arrays(1001)), (Kind::Array, vec![1001, 1001, 498]));
    assert_eq!(planned.arrays(2500), [2500]);
}

#[test]
fn stages_know_who_needs_whom() {
    let job = own_job("exogan_campaign.toml");
    let names = |found: std::collections::BTreeSet<&str>| found.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names(job.from("retrieve")), "evaluate merge report retrieve");
    assert_eq!(names(job.up_to("train")), "simulate train");
    assert_eq!(names(job.from("hold_back")), "calibrate evaluate hold_back merge report retrieve");
}
