//! Masks that cannot be.

use std::io;
use std::path::PathBuf;

use crate::exit::{Ends, Exit};

/// What can be wrong with a mask.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The word, by itself.
    #[error("mask `{word}` {fault}")]
    Word {
        /// It, or the part of it that is wrong.
        word: String,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A list cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A list does not say what it must.
    #[error("{}: {}{fault}", path.display(), line.map_or(String::new(), |line| format!("line {line}: ")))]
    List {
        /// Which.
        path: PathBuf,
        /// From 1, where it is one line's fault.
        line: Option<usize>,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// It does not fit the axis of a dataset, or the size of its maps.
    #[error("mask `{word}` {fault}")]
    Misfit {
        /// The mask.
        word: String,
        /// What it leaves, and of what.
        fault: String,
    },
    /// A record was observed nowhere where the mask lets it be known.
    #[error("none of its {observed} observed points is known to mask `{word}`, expected at least one")]
    NothingLeft {
        /// The mask.
        word: String,
        /// Points that the record says it observed.
        observed: usize,
    },
}

impl MaskError {
    /// What is wrong with `word`, and what was wanted.
    pub fn word(word: &dyn std::fmt::Display, fault: impl Into<String>) -> Self {
        Self::Word { word: word.to_string(), fault: fault.into() }
    }
}

impl Ends for MaskError {
    fn exit(&self) -> Exit {
        match self {
            Self::Word { .. } | Self::Misfit { .. } => Exit::Usage,
            Self::File { .. } => Exit::FileSystem,
            Self::List { .. } | Self::NothingLeft { .. } => Exit::Data,
        }
    }
}
