//! Work on many objects by any number of workers that come and go, over a folder that all of them see.
//!
//! Objects are numbers, and *blocks* are ranges of them. What came of an object is a function of the object alone, so who
//! did it, when, and how often does not matter: a block that two workers did has the same bytes twice. A worker is an MPI
//! rank, a process, or a task of a job array; workers know of each other by the folder only.
//!
//! | folder     | a file                                                          | named               |
//! | ---------- | --------------------------------------------------------------- | ------------------- |
//! | `claims/`  | which worker has, or had, a block, as JSON; touched while it works | `FIRST-END.ATTEMPT` |
//! | `failed/`  | why an attempt came to nothing; from then on its claim is void  | `FIRST-END.ATTEMPT` |
//! | `results/` | what came of a block's objects, sealed; that makes it done      | `FIRST-END`         |
//! | `faulty/`  | empty: some objects of that block's result are faults           | `FIRST-END`         |
//! | `retry/`   | empty: that object of a block that is done is a block of its own | `OBJECT`            |
//!
//! Each file is made by a call that succeeds for one of all who try, and nothing is renamed or written anew. Attempts count
//! up, so whoever was taken for dead holds a claim to an attempt that nobody asks for any more.

pub mod block;
pub mod disk;
pub mod ledger_file;
pub mod merge;
pub mod payloads;
pub mod retry;
pub mod sight;
pub mod status;
pub mod worker;

mod claim;
mod claimer;
mod heart;
mod outcomes;
mod owner;
mod patience;
mod watch;

use std::path::PathBuf;

pub use block::Block;
pub use ledger_file::{FILE_NAME, FORMAT, Lease, Ledger, Work};
pub use payloads::Outcome;
pub use worker::{End, Hand, Next, Tally, Worker};

use crate::exit::{Ends, Exit};

/// What is wrong with a ledger, or keeps a worker from its work.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A folder with a ledger of other inputs, another model or other settings.
    #[error("{}: is the ledger of other work: {differences}; expected the same, or another folder", folder.display())]
    Another {
        /// The ledger.
        folder: PathBuf,
        /// What differs, and how.
        differences: String,
    },
    /// A folder with something else.
    #[error("{}: holds {name}, expected a ledger, or a new or empty folder", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        name: String,
    },
    /// Objects are missing.
    #[error("{}: {left} of {objects} objects are not done, expected all: more work is needed first", folder.display())]
    Unfinished {
        /// The ledger.
        folder: PathBuf,
        /// How many are missing.
        left: u64,
        /// Of how many.
        objects: u64,
    },
    /// Two workers disagree.
    #[error(
        "{}: was made again with other bytes, expected the same from every worker (the first ones stay): the processors \
         differ, or the work hangs on more than its objects",
        path.display()
    )]
    Differs {
        /// The result that was there first.
        path: PathBuf,
    },
    /// The inputs of a block cannot be had.
    #[error("objects {block}: {reason}")]
    Inputs {
        /// Which.
        block: Block,
        /// Why.
        reason: String,
    },
}

impl Ends for LedgerError {
    fn exit(&self) -> Exit {
        match self {
            LedgerError::File { .. } | LedgerError::Inputs { .. } => Exit::FileSystem,
            LedgerError::Wrong { .. } => Exit::Data,
            LedgerError::Another { .. } | LedgerError::Foreign { .. } => Exit::Usage,
            LedgerError::Unfinished { .. } => Exit::Stopped,
            LedgerError::Differs { .. } => Exit::Hardware,
        }
    }
}

impl LedgerError {
    /// Adds the path to an error of the file system.
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| LedgerError::File { path, source }
    }
}
