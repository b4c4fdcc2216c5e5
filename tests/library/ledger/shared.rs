//! Small ledgers, and workers that do them at once.

use std::path::Path;

use skyforge::ledger::merge::merge;
use skyforge::ledger::{Block, End, Hand, Lease, Ledger, LedgerError, Next, Outcome, Tally, Work, Worker};

/// So short that tests can wait for it, so long that a busy machine keeps it.
pub const LEASE_SECONDS: f64 = 0.6;

pub fn work(objects: u64, objects_per_block: u64) -> Work {
    let description = toml::toml! {
        input = "spectra"
        [model]
        checksum = "00000000deadbeef"
    };
    Work { command: "test".into(), first_object: 0, end_object: objects, objects_per_block, description }
}

pub fn join(folder: &Path, objects: u64, objects_per_block: u64) -> Ledger {
    let lease = Lease { attempts: 2, seconds: LEASE_SECONDS };
    Ledger::join(folder, work(objects, objects_per_block), lease).expect("a ledger").without_sync()
}

pub fn start(ledger: &Ledger) -> Worker<()> {
    Worker::start(ledger, Hand::default(), |block| Ok(vec![(); block.count() as usize]))
}

/// What an object comes to.
pub fn payload(object: u64) -> Vec<u8> {
    format!("object {object}").into_bytes()
}

/// Works until nothing is left, one object at a time.
pub fn finish(worker: Worker<()>) -> Tally {
    finish_with(worker, |object| Ok(payload(object)))
}

/// The same, with these outcomes.
pub fn finish_with(mut worker: Worker<()>, outcome: impl Fn(u64) -> Outcome) -> Tally {
    loop {
        match worker.next_object().expect("nothing is in the way") {
            Next::Object(object, ()) => worker.finish(object, outcome(object)).expect("nothing is in the way"),
            Next::Later => unreachable!("nothing is out"),
            Next::End(end) => {
                assert_eq!(end, End::AllDone);
                return worker.end().expect("nothing is in the way");
            }
        }
    }
}

/// The next object, which must be there.
pub fn object(worker: &mut Worker<()>) -> u64 {
    match worker.next_object().expect("nothing is in the way") {
        Next::Object(object, ()) => object,
        other => panic!("an object was expected: {other:?}"),
    }
}

/// All objects in the order in which they are merged.
pub fn merged(ledger: &Ledger) -> Result<Vec<(u64, Outcome)>, LedgerError> {
    let mut all = Vec::new();
    merge(ledger, |object, outcome| {
        all.push((object, outcome));
        Ok::<(), LedgerError>(())
    })?;
    Ok(all)
}

/// Every object is there once and has its payload.
pub fn assert_whole(ledger: &Ledger) {
    let wanted: Vec<(u64, Outcome)> = ledger.work().objects().map(|object| (object, Ok(payload(object)))).collect();
    assert!(merged(ledger).expect("all is done") == wanted, "every object once, in order");
}

/// The names in one of a ledger's folders, in order.
pub fn names(ledger: &Ledger, kind: &str) -> Vec<String> {
    let mut names = ledger.disk().list(kind).expect("it is there");
    names.sort();
    names
}

pub fn block(first: u64, end: u64) -> Block {
    Block { first, end }
}
