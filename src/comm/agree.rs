//! Ranks that fail together: before a collective, any rank that may have failed tells the others.

use super::Communicator;

/// Why not all ranks may go on.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement<E> {
    /// This rank's own error.
    #[error(transparent)]
    Here(E),
    /// This rank is well, another is not. The other says so itself.
    #[error("stopped with rank {rank}: {message}")]
    There {
        /// The first rank that failed.
        rank: usize,
        /// Its message.
        message: String,
    },
}

/// What `result` holds if all ranks hold something, else an error on all ranks.
pub fn agree<T, E: std::fmt::Display>(comm: &dyn Communicator, result: Result<T, E>) -> Result<T, Disagreement<E>> {
    let mine = result.as_ref().err().map(ToString::to_string);
    // An empty message is well; an error is never empty, since it starts with a mark.
    let word = mine.map(|message| format!("!{message}")).unwrap_or_default();
    let first = comm.gather(word.as_bytes()).into_iter().enumerate().find(|(_, word)| !word.is_empty());
    match (result, first) {
        (Err(error), _) => Err(Disagreement::Here(error)),
        (Ok(_), Some((rank, word))) => {
            Err(Disagreement::There { rank, message: String::from_utf8_lossy(&word[1..]).into_owned() })
        }
        (Ok(value), None) => Ok(value),
    }
}
