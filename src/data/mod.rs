//! Records on disk and their way to the network: folders of HDF5 shards, read in whole blocks, shuffled and encoded.
//!
//! A *record* has one array a *modality*, such as a map `[channels, h, w]` or a spectrum `[channels, points]`, and *labels*; a *shard*
//! is a file; a *block* is about 1 MiB of neighbouring records, the unit that is read, checked and shuffled; a *dataset* is a folder of
//! shards with a `manifest.toml`.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub mod batch;
pub mod codec;
mod constant;
pub mod dataset;
pub mod encoding;
pub mod label;
pub mod loader;
pub mod manifest;
pub mod mask;
pub mod modality;
pub mod normalise;
mod output_folder;
pub mod output_lock;
pub mod records;
pub mod sampler;
mod seal;
pub mod shard;
mod shard_writer;
pub mod spectral_axis;
pub mod split;
pub mod stage;
pub mod writer;

pub use batch::{Batch, Microbatch};
pub use codec::{Codec, CodecFault};
pub use constant::Sameness;
pub use dataset::{Block, Dataset};
pub use encoding::Encoding;
pub use label::{Label, LabelKind};
pub use loader::{BatchPlan, Damaged, Loader, LoaderSettings};
pub use manifest::{Blocks, Header, Layout, Manifest, ShardEntry};
pub use mask::{MapMask, MaskError};
pub use modality::{Axis, Bands, Dtype, Field, Kind, Modality};
pub use normalise::{DomainError, Transform};
pub use output_lock::OutputLock;
pub use records::{Record, Records};
pub use sampler::{Piece, Place, Sampler, Window};
pub use shard::Rows;
pub use spectral_axis::{Channel, SpectralAxis};
pub use split::{Split, Splits};
pub use writer::DatasetWriter;

use crate::exit::{Ends, Exit};

/// What can go wrong with data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A shard cannot be opened or made by HDF5.
    #[error("{}: {reason}", path.display())]
    Hdf5 {
        /// Which.
        path: PathBuf,
        /// What HDF5 says.
        reason: String,
    },
    /// A manifest is missing, or does not say what it must.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what was wanted.
        reason: String,
    },
    /// A shard is missing, cut off, or not the one that the manifest lists.
    #[error("{shard} {reason}")]
    Shard {
        /// The file's name.
        shard: String,
        /// What it is, and what was wanted.
        reason: String,
    },
    /// A block is not what was written.
    #[error("{shard}: rows {}..{} are damaged: checksum {found:016x}, expected {wanted:016x}", rows.start, rows.end)]
    Damaged {
        /// The file's name.
        shard: String,
        /// Rows of the shard.
        rows: Range<u64>,
        /// The checksum of what was read.
        found: u64,
        /// The checksum of what was written.
        wanted: u64,
    },
    /// A value is not a finite number.
    #[error("{shard}: row {row} of `{array}` holds {value} at value {index}, expected finite numbers")]
    NotFinite {
        /// The file's name.
        shard: String,
        /// Row of the shard.
        row: u64,
        /// Name of the modality.
        array: String,
        /// Place in the record.
        index: usize,
        /// What stands there.
        value: f32,
    },
    /// A record has a label that its kind does not take, or lacks what it must have.
    #[error("{shard}: row {row} {fault}")]
    Row {
        /// The file's name.
        shard: String,
        /// Row of the shard.
        row: u64,
        /// What is wrong with it, and what was wanted.
        fault: String,
    },
    /// A transform does not take a value of a record.
    #[error("record {record}: {source}")]
    Domain {
        /// Number of the record in the dataset.
        record: u64,
        /// Which value, and what was wanted.
        source: DomainError,
    },
    /// A codec does not take a record.
    #[error("record {record}: {source}")]
    Codec {
        /// Number of the record in the dataset.
        record: u64,
        /// Which number of it, and what was wanted.
        source: CodecFault,
    },
    /// Another program is writing a dataset there.
    #[error("{} is being written by another program, expected a folder that no other program writes to", folder.display())]
    InUse {
        /// The folder of the dataset.
        folder: PathBuf,
    },
    /// The caller asked for what is not there or cannot be.
    #[error("{0}")]
    Usage(String),
    /// The loader has already ended with an error.
    #[error("the loader has ended after an earlier error")]
    Ended,
}

impl Ends for DataError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } | Self::InUse { .. } => Exit::FileSystem,
            Self::Hdf5 { .. }
            | Self::Manifest { .. }
            | Self::Shard { .. }
            | Self::Damaged { .. }
            | Self::NotFinite { .. }
            | Self::Row { .. }
            | Self::Domain { .. }
            | Self::Codec { .. } => Exit::Data,
            Self::Usage(_) => Exit::Usage,
            Self::Ended => Exit::Internal,
        }
    }
}

impl DataError {
    /// Whether it names records that are bad in themselves, the same for every reader, which `damaged = "skip"` goes on without.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::NotFinite { .. } | Self::Row { .. })
    }

    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}
