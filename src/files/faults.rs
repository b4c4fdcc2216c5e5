//! Faults of the file system on purpose, for tests: the operations of one thread are counted, and some of them fail or
//! end the program, as a bad disk and a crash would.
//!
//! It is part of every build, so that what is tested is what is shipped; nothing but a test makes a plan, and without one
//! an operation costs a look at a variable of its thread.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is done to a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the doors of `files`")]
pub enum Operation {
    Create,
    Open,
    CreateFolder,
    Read,
    Write,
    Sync,
    SyncFolder,
    Rename,
    Link,
    Touch,
    Remove,
}

/// How an operation ends that should not end well. A write has written half of its bytes by then, and the removal of a
/// folder has removed one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With this number from the system.
    Error(i32),
    /// Never: the program is gone, without a word and without tidying up.
    Crash,
}

struct Plan {
    fault: Fault,
    at: Range<usize>,
    seen: Vec<(Operation, PathBuf)>,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// Does `work` with `fault` at those of its file operations whose numbers are in `at`, on this thread. What it gave, and
/// the operations it came to.
pub fn during<T>(fault: Fault, at: Range<usize>, work: impl FnOnce() -> T) -> (T, Vec<(Operation, PathBuf)>) {
    PLAN.set(Some(Plan { fault, at, seen: Vec::new() }));
    let given = work();
    (given, PLAN.take().map(|plan| plan.seen).unwrap_or_default())
}

/// Every operation says here that it is about to begin; one that is to fail does `half` of its work.
pub(super) fn reach(operation: Operation, path: &Path, half: impl FnOnce()) -> io::Result<()> {
    let due = PLAN.with_borrow_mut(|plan| {
        let plan = plan.as_mut()?;
        plan.seen.push((operation, path.to_owned()));
        plan.at.contains(&(plan.seen.len() - 1)).then_some(plan.fault)
    });
    let Some(fault) = due else { return Ok(()) };
    half();
    match fault {
        Fault::Error(number) => Err(io::Error::from_raw_os_error(number)),
        Fault::Crash => std::process::abort(),
    }
}
