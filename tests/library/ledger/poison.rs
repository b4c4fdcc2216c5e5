//! Workers that are lost because of an object, and workers that are lost without a reason.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use skyforge::ledger::disk::Operation;
use skyforge::ledger::status::Status;
use skyforge::ledger::{Ledger, Next};

use crate::ledger::shared::{
    LEASE_SECONDS, assert_whole, finish, finish_with, join, merged, names, object, payload, start,
};

/// Workers come until one sees the end: how many were lost to `poison`. Each works on `batch` objects at once.
fn work_with_poison(ledger: &Ledger, poison: u64, batch: usize) -> u32 {
    for lost in 0..100 {
        let work = || {
            let mut worker = start(ledger);
            let mut out = Vec::new();
            loop {
                while out.len() < batch {
                    match worker.next_object().expect("nothing is in the way") {
                        Next::Object(object, ()) => out.push(object),
                        Next::Later => break,
                        Next::End(_) => return,
                    }
                }
                assert!(!out.contains(&poison), "the poison works");
                for object in out.drain(..) {
                    worker.finish(object, Ok(payload(object))).expect("nothing is in the way");
                }
            }
        };
        if catch_unwind(AssertUnwindSafe(work)).is_ok() {
            return lost;
        }
    }
    panic!("it never ends");
}

#[test]
fn a_poison_object_is_found_by_halving_and_everything_else_is_there() {
    for (poison, batch) in [(0, 1), (21, 1), (37, 7), (63, 64)] {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = join(folder.path(), 64, 16);
        let lost = work_with_poison(&ledger, poison, batch);
        // Twice the block, once each half of 8, 4 and 2, twice the object; the first time others may be out beside it.
        assert_eq!(lost, 7, "poison {poison}, {batch} at once");
        let all = merged(&ledger).expect("all is done");
        assert_eq!(all.len(), 64);
        for (object, outcome) in all {
            match outcome {
                Ok(made) => assert!(made == payload(object) && object != poison),
                Err(reason) => {
                    assert_eq!(object, poison);
                    assert!(reason.starts_with("2 workers lost with it alone, the last one so: rank 0"), "{reason}");
                    assert!(reason.ends_with("panicked"), "{reason}");
                }
            }
        }
        let status = Status::take(&ledger).expect("a status");
        assert_eq!((status.done, status.quarantined.len(), status.quarantined[0].object), (63, 1, poison));
    }
}

#[test]
fn objects_beside_a_poison_are_not_blamed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 40, 1);
    // All blocks that are out when the first worker is lost are suspects; each is then done alone.
    assert_eq!(work_with_poison(&ledger, 17, 8), 2);
    let status = Status::take(&ledger).expect("a status");
    assert_eq!((status.done, status.quarantined.len()), (39, 1));
}

#[test]
fn what_a_silent_worker_held_is_taken_over_after_a_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    // A claim of a machine that is not this one, and one by somebody who died before saying who it is.
    let far = r#"{"worker_id":"x","host":"far","pid_namespace":"far away","pid":1,"start_ticks":"1","rank":3,"claimed_unix_seconds":0}"#;
    std::fs::write(ledger.disk().path("claims", "000000000000-000000000010.0"), far).expect("a claim");
    std::fs::write(ledger.disk().path("claims", "000000000010-000000000020.0"), "").expect("a claim");
    let begun = std::time::Instant::now();
    assert_eq!(finish(start(&ledger)).objects, 30);
    assert!(begun.elapsed().as_secs_f64() >= LEASE_SECONDS);
    assert_whole(&ledger);
    let reasons: Vec<String> = names(&ledger, "failed")
        .iter()
        .map(|name| std::fs::read_to_string(ledger.disk().path("failed", name)).expect("a reason"))
        .collect();
    assert_eq!(
        reasons,
        [
            "rank 3 of process 1 on far gave no sign of life for 0.6 s",
            "a worker without a name gave no sign of life for 0.6 s"
        ]
    );
}

#[test]
fn however_many_are_silent_one_worker_takes_all_over_and_reads_few_claims_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ledger, lost) = (join(folder.path(), 150, 1), 149);
    for object in 1..=lost {
        let far = r#"{"worker_id":"x","host":"far","pid_namespace":"far away","pid":1,"start_ticks":"1","rank":3,"claimed_unix_seconds":0}"#;
        let name = format!("{object:012}-{:012}.0", object + 1);
        std::fs::write(ledger.disk().path("claims", name), far).expect("a claim");
    }
    // While it waits for the lease of the first.
    let mut worker = start(&ledger);
    let free = object(&mut worker);
    thread::sleep(Duration::from_secs_f64(0.7 * LEASE_SECONDS));
    let counts = ledger.disk().counts();
    let (reads, looks) = (counts[Operation::Read as usize], counts[Operation::List as usize] / 5);
    assert!(looks > 2 && reads <= 32 * (looks + 1), "{reads} claims read at {looks} looks");
    worker.finish(free, Ok(payload(free))).expect("nothing is in the way");
    assert_eq!(finish(worker).objects, 150);
    assert_whole(&ledger);
    assert_eq!(names(&ledger, "failed").len(), lost);
}

#[test]
fn a_process_that_is_gone_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 10, 10);
    let mut worker = start(&ledger);
    object(&mut worker);
    let path = ledger.disk().path("claims", "000000000000-000000000010.0");
    let mine: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("a claim")).expect("JSON");
    let mut gone = mine.clone();
    gone["worker_id"] = "other".into();
    gone["start_ticks"] = "1".into(); // another process had this id before
    std::fs::write(&path, gone.to_string()).expect("it is ours");
    let begun = std::time::Instant::now();
    assert_eq!(finish(start(&ledger)).objects, 10);
    assert!(begun.elapsed().as_secs_f64() < LEASE_SECONDS);
}

#[test]
fn a_fault_is_in_quarantine_with_its_reason_and_costs_no_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    let tally = finish_with(start(&ledger), |object| match object {
        13 | 29 => Err(format!("object {object} is dark")),
        _ => Ok(payload(object)),
    });
    assert_eq!(tally.faults, 2);
    let status = Status::take(&ledger).expect("a status");
    let told: Vec<(u64, &str)> = status.quarantined.iter().map(|one| (one.object, &*one.reason)).collect();
    assert_eq!(told, [(13, "object 13 is dark"), (29, "object 29 is dark")]);
    assert_eq!((status.done, status.suspect_blocks, status.is_finished()), (28, 0, true));
}

#[test]
fn a_worker_that_panics_with_a_block_that_it_has_not_begun_leaves_no_suspect() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 20, 10);
    let panicked = catch_unwind(|| {
        let mut worker = start(&ledger);
        object(&mut worker);
        while names(&ledger, "claims").len() < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(50));
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert_eq!((names(&ledger, "failed").len(), names(&ledger, "claims").len()), (1, 1));
}
