//! A ledger that is disturbed at any of its file operations: the next worker finds nothing half done.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use skyforge::exit::{Ends, Exit};
use skyforge::files::faults::{Fault, Operation, during};
use skyforge::ledger::retry::retry_failed;
use skyforge::ledger::{Lease, Ledger, LedgerError, Next};

use crate::ledger::shared::{assert_whole, finish, payload, start, work};
use crate::shared::faulty::{ERRORS, crash, in_child, operations};

/// A worker of this process that failed is waited for so long.
const LEASE: Lease = Lease { attempts: 9, seconds: 0.1 };

/// Begins a ledger, does all of its objects but two that are faults, and has those tried again.
fn life(folder: &Path) -> Result<(), LedgerError> {
    let ledger = Ledger::join(folder, work(12, 4), LEASE)?;
    let mut worker = start(&ledger);
    while let Next::Object(object, ()) = worker.next_object()? {
        let outcome = if [5, 6].contains(&object) { Err("dark".into()) } else { Ok(payload(object)) };
        worker.finish(object, outcome)?;
    }
    worker.end()?;
    retry_failed(&ledger, || {}).map(drop)
}

/// Whatever is left of a life, workers that come after it end with every object.
fn assert_usable(folder: &Path, what: &str) {
    let ledger = Ledger::join(folder, work(12, 4), LEASE).expect(what);
    finish(start(&ledger));
    retry_failed(&ledger, || {}).expect(what);
    finish(start(&ledger));
    assert_whole(&ledger);
}

/// Cuts what has no other name yet to a share of its length, as a disk does that was not told to sync.
fn cut_parts(folder: &Path, share: f64) {
    for entry in fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("readable").path()) {
        let length = fs::metadata(&entry).expect("it is there");
        if length.is_dir() {
            cut_parts(&entry, share);
        } else if entry.extension().is_some_and(|end| end == "part") && length.nlink() == 1 {
            let file = fs::File::options().write(true).open(&entry).expect("it is ours");
            file.set_len((length.len() as f64 * share) as u64).expect("it can be cut");
        }
    }
}

#[test]
fn bytes_are_on_the_disk_before_they_have_a_name_and_the_name_is_then_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = operations(|| life(folder.path()));
    let links = seen.iter().enumerate().filter(|(_, step)| step.0 == Operation::Link);
    assert_eq!(links.clone().count(), 4, "the page and three results: {seen:?}");
    for (at, (_, part)) in links {
        assert_eq!(seen[at - 1], (Operation::Sync, part.clone()));
        assert_eq!(seen[at + 1], (Operation::Remove, part.clone()));
        assert_eq!(seen[at + 2], (Operation::SyncFolder, part.parent().expect("a folder").to_owned()));
    }
}

#[test]
fn whichever_operation_fails_is_named_and_the_next_worker_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = operations(|| life(folder.path())).len();
    for (number, words) in ERRORS {
        for at in 0..count {
            for until in [at + 1, count] {
                let folder = tempfile::tempdir().expect("a folder");
                let (done, seen) = during(Fault::Error(number), at..until, || life(folder.path()));
                let what = format!("operation {at} of {count} ({:?}), {words}", seen[at]);
                let error = done.expect_err(&what);
                assert!(
                    error.exit() == Exit::FileSystem
                        && error.to_string().ends_with(&format!("{words} (os error {number})")),
                    "{what}: {error}"
                );
                assert_usable(folder.path(), &what);
            }
        }
    }
}

#[test]
fn a_life_in_a_child() {
    in_child(life);
}

#[test]
fn whichever_operation_a_worker_dies_at_the_next_one_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    for at in 0..operations(|| life(folder.path())).len() {
        let share = [0.0, 0.37, 1.0][at % 3];
        let folder = tempfile::tempdir().expect("a folder");
        crash("ledger::disturbed::a_life_in_a_child", folder.path(), at);
        cut_parts(folder.path(), share);
        assert_usable(folder.path(), &format!("operation {at}, {share} of what was half written"));
    }
}
