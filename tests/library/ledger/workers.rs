//! Workers side by side and one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use skyforge::exit::{Ends, Exit};
use skyforge::ledger::status::Status;
use skyforge::ledger::{End, Hand, Ledger, LedgerError, Next, Worker};

use crate::ledger::shared::{LEASE_SECONDS, assert_whole, finish, join, merged, names, object, payload, start, work};

#[test]
fn one_worker_does_every_object_once_and_in_order_within_its_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 103, 10);
    let tally = finish(start(&ledger));
    assert_eq!((tally.blocks, tally.objects, tally.faults), (11, 103, 0));
    assert_whole(&ledger);
    assert_eq!(finish(start(&ledger)).objects, 0, "run again for free");
}

#[test]
fn objects_need_not_begin_at_zero_and_there_may_be_none() {
    for objects in [7..23, 5..5] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut work = work(objects.end, 10);
        work.first_object = objects.start;
        let ledger = Ledger::join(folder.path(), work, skyforge::ledger::Lease::default()).expect("a ledger");
        assert_eq!(finish(start(&ledger)).objects, objects.end - objects.start);
        assert_whole(&ledger);
    }
}

#[test]
fn sixty_four_workers_do_two_thousand_tiny_blocks_once_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 2000, 1);
    let seen = Mutex::new(BTreeSet::new());
    let blocks: u64 = thread::scope(|scope| {
        let work = || {
            // Each reads the folder for itself, as a process would.
            let mut worker = start(&Ledger::open(folder.path()).expect("a ledger").without_sync());
            loop {
                match worker.next_object().expect("nothing is in the way") {
                    Next::Object(object, ()) => {
                        assert!(
                            seen.lock().expect("no one panics").insert(object),
                            "object {object} is given out once"
                        );
                        worker.finish(object, Ok(payload(object))).expect("nothing is in the way");
                    }
                    Next::Later => unreachable!("nothing is out"),
                    Next::End(_) => return worker.end().expect("nothing is in the way").blocks,
                }
            }
        };
        let workers: Vec<_> = (0..64).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("it ends")).sum()
    });
    assert_eq!(blocks, 2000);
    assert_whole(&ledger);
    assert!(names(&ledger, "failed").is_empty());
}

#[test]
fn a_batch_is_filled_across_the_borders_of_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 40, 4);
    let mut worker = start(&ledger);
    // The first object of all is the last to be ready: the others pass it.
    let straggler = object(&mut worker);
    let mut done = 0;
    while done < 39 {
        match worker.next_object().expect("nothing is in the way") {
            Next::Object(object, ()) => {
                worker.finish(object, Ok(payload(object))).expect("nothing is in the way");
                done += 1;
            }
            Next::Later => thread::sleep(Duration::from_millis(1)),
            Next::End(end) => panic!("{end:?}, but one is out"),
        }
    }
    assert_eq!(worker.next_object().expect("nothing is in the way"), Next::Later);
    assert_eq!(names(&ledger, "results").len(), 9, "the straggler's block waits for it");
    worker.finish(straggler, Ok(payload(straggler))).expect("nothing is in the way");
    assert_eq!(worker.next_object().expect("nothing is in the way"), Next::End(End::AllDone));
    assert_whole(&ledger);
}

#[test]
fn the_next_block_is_taken_while_the_last_one_is_worked_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    let mut worker = start(&ledger);
    object(&mut worker);
    for _ in 0..1000 {
        if names(&ledger, "claims").len() == 2 {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_millis(20));
    assert_eq!(names(&ledger, "claims").len(), 2, "one that is worked on, one that is ready");
}

#[test]
fn a_worker_that_is_asked_to_end_gives_back_what_is_not_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    let asked = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&asked);
    let hand = Hand { rank: 0, stop: Arc::new(move || stop.load(Ordering::SeqCst)), ..Hand::default() };
    let mut worker: Worker<u64> = Worker::start(&ledger, hand, |block| Ok(block.objects().collect()));
    for _ in 0..13 {
        let Next::Object(object, input) = worker.next_object().expect("nothing is in the way") else {
            panic!("an object")
        };
        assert_eq!(object, input, "inputs come with their objects");
        worker.finish(object, Ok(payload(object))).expect("nothing is in the way");
    }
    asked.store(true, Ordering::SeqCst);
    assert_eq!(worker.next_object().expect("nothing is in the way"), Next::End(End::Stopped));
    assert_eq!(worker.end().expect("nothing is in the way").objects, 10);
    let status = Status::take(&ledger).expect("a status");
    assert_eq!((status.done, status.claimed, status.free, status.suspect_blocks), (10, 0, 20, 0));
    assert_eq!(finish(start(&ledger)).objects, 20);
    assert_whole(&ledger);
}

#[test]
fn a_worker_whose_inputs_cannot_be_had_says_so_and_holds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    let mut worker: Worker<()> = Worker::start(&ledger, Hand::default(), |_| Err("spectra.h5: is gone".into()));
    let error = worker.next_object().unwrap_err();
    assert!(error.exit() == Exit::FileSystem && error.to_string().ends_with("spectra.h5: is gone"), "{error}");
    drop(worker);
    assert!(names(&ledger, "claims").is_empty());
}

#[test]
fn a_slow_worker_keeps_its_block_for_more_than_a_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 20, 10);
    let mut slow = start(&ledger);
    let mut out = vec![object(&mut slow)];
    thread::scope(|scope| {
        let other = scope.spawn(|| finish(start(&ledger)));
        thread::sleep(Duration::from_secs_f64(3.0 * LEASE_SECONDS));
        while let Next::Object(object, ()) = slow.next_object().expect("nothing is in the way") {
            out.push(object);
        }
        for object in out {
            slow.finish(object, Ok(payload(object))).expect("nothing is in the way");
        }
        drop(slow);
        other.join().expect("it ends");
    });
    assert!(names(&ledger, "failed").is_empty());
    assert_whole(&ledger);
}

/// A worker with all objects of the one block, which somebody took for lost and was faster than.
fn overtaken(ledger: &Ledger) -> (Worker<()>, Vec<u64>) {
    let mut late = start(ledger);
    let out = (0..4).map(|_| object(&mut late)).collect();
    std::fs::write(ledger.disk().path("failed", "000000000000-000000000004.0"), "silence").expect("a record");
    finish(start(ledger));
    (late, out)
}

#[test]
fn other_bytes_for_the_same_block_are_an_error_and_the_first_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 4, 4);
    let (mut late, out) = overtaken(&ledger);
    let outcomes = out.iter().map(|object| late.finish(*object, Ok(b"other".to_vec())));
    let error: Vec<LedgerError> = outcomes.filter_map(Result::err).collect();
    assert!(error.len() == 1 && error[0].exit() == Exit::Hardware, "{error:?}");
    assert_whole(&ledger);
}

#[test]
fn the_same_bytes_for_the_same_block_are_as_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 4, 4);
    let (mut late, out) = overtaken(&ledger);
    for object in out {
        late.finish(object, Ok(payload(object))).expect("it is the same");
    }
    assert_eq!(late.next_object().expect("nothing is in the way"), Next::End(End::AllDone));
    assert_whole(&ledger);
}

#[test]
fn nothing_is_merged_before_all_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    let mut worker = start(&ledger);
    for _ in 0..10 {
        let object = object(&mut worker);
        worker.finish(object, Ok(payload(object))).expect("nothing is in the way");
    }
    let error = merged(&ledger).unwrap_err();
    assert!(error.exit() == Exit::Stopped && error.to_string().contains("20 of 30 objects are not done"), "{error}");
}

#[test]
fn a_damaged_result_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = join(folder.path(), 30, 10);
    finish(start(&ledger));
    let path = ledger.disk().path("results", "000000000010-000000000020");
    let mut bytes = std::fs::read(&path).expect("a result");
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).expect("it is ours");
    let error = merged(&ledger).unwrap_err();
    assert!(
        error.exit() == Exit::Data && error.to_string().contains("000000000010-000000000020: is damaged"),
        "{error}"
    );
}
