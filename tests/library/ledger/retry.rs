//! What is in quarantine gets another chance, alone.

use skyforge::ledger::retry::retry_failed;
use skyforge::ledger::status::Status;
use skyforge::ledger::{Ledger, Outcome};

use crate::ledger::shared::{assert_whole, block, finish, finish_with, join, names, payload, start};

fn retry(ledger: &Ledger) -> (Vec<u64>, usize) {
    let retried = retry_failed(ledger, || {}).expect("nothing is in the way");
    (retried.objects, retried.blocks.len())
}

fn but(dark: &[u64]) -> impl Fn(u64) -> Outcome {
    move |object| if dark.contains(&object) { Err("dark".into()) } else { Ok(payload(object)) }
}

#[test]
fn only_what_failed_is_done_again_as_often_as_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    finish_with(start(&ledger), but(&[3, 7, 21]));
    assert_eq!(retry(&ledger), (vec![3, 7, 21], 0));
    let status = Status::take(&ledger).expect("a status");
    assert_eq!((status.done, status.free, status.quarantined.len(), status.suspect_blocks), (27, 3, 0, 0));

    assert_eq!(finish_with(start(&ledger), but(&[7])).objects, 3);
    assert_eq!(Status::take(&ledger).expect("a status").quarantined.len(), 1);
    assert_eq!(retry(&ledger), (vec![7], 0));
    assert_eq!(retry(&ledger), (vec![], 0), "it is free already");
    assert_eq!(finish_with(start(&ledger), but(&[7])).objects, 1);
    assert_eq!(retry(&ledger), (vec![7], 0));
    assert_eq!(finish(start(&ledger)).objects, 1);
    assert_eq!(retry(&ledger), (vec![], 0));
    assert_whole(&ledger);
}

#[test]
fn an_object_that_was_given_up_may_be_done_after_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 2, 2);
    for name in ["000000000000-000000000002", "000000000001-000000000002"] {
        for attempt in 0..2 {
            let path = ledger.disk().path("failed", format!("{name}.{attempt}"));
            std::fs::write(path, "rank 0 of process 1 on far died").expect("a record");
        }
    }
    assert_eq!(finish(start(&ledger)).objects, 1);
    let status = Status::take(&ledger).expect("a status");
    assert_eq!((status.done, status.quarantined[0].object), (1, 1));
    assert_eq!(
        status.quarantined[0].reason,
        "2 workers lost with it alone, the last one so: rank 0 of process 1 on far died"
    );
    assert_eq!(retry(&ledger), (vec![1], 0));
    assert_eq!(finish(start(&ledger)).objects, 1);
    assert_whole(&ledger);
}

#[test]
fn a_damaged_result_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    finish(start(&ledger));
    let path = ledger.disk().path("results", block(10, 20));
    std::fs::write(&path, "half").expect("it is ours");
    assert_eq!(retry(&ledger), (vec![], 1));
    assert_eq!(finish(start(&ledger)).objects, 10);
    assert_whole(&ledger);
    assert_eq!(names(&ledger, "claims").len(), 3);
}
