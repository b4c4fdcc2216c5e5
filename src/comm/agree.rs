//! Ranks that fail together: before a collective, any rank that may have failed tells the others.

use super::Communicator;
use crate::exit::{Ends, Exit};

/// Why not all ranks may go on.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement<E> {
    /// This rank's own error.
    #[error(transparent)]
    Here(E),
    /// This rank is well, another is not.
    #[error(transparent)]
    There(There),
}

/// The failure of another rank.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rank {rank}: {message}")]
pub struct There {
    /// The first rank that failed.
    pub rank: usize,
    /// Its message.
    pub message: String,
    /// How the program ends with it: on this rank as on that one.
    pub exit: Exit,
}

impl Ends for There {
    fn exit(&self) -> Exit {
        self.exit
    }
}

/// What `result` holds if all ranks hold something, else an error on all ranks.
pub fn agree<T, E: Ends>(comm: &dyn Communicator, result: Result<T, E>) -> Result<T, Disagreement<E>> {
    // No bytes: well. Else the exit code and the message.
    let word = match &result {
        Ok(_) => Vec::new(),
        Err(error) => [&[error.exit() as u8], error.to_string().as_bytes()].concat(),
    };
    let first = comm.gather(&word).into_iter().enumerate().find(|(_, word)| !word.is_empty());
    match (result, first) {
        (Err(error), _) => Err(Disagreement::Here(error)),
        (Ok(_), Some((rank, word))) => Err(Disagreement::There(There {
            rank,
            message: String::from_utf8_lossy(&word[1..]).into_owned(),
            exit: Exit::from_code(word[0]),
        })),
        (Ok(value), None) => Ok(value),
    }
}
