//! Bytes to read maps from: those of a file, or unpacked ones in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::IngestError;

/// Bytes that one byte can stand for: twice what deflate makes of zeros.
pub(super) const MOST_PACKED: u64 = 1 << 11;

/// Bytes behind some layers.
pub(super) enum Bytes {
    /// Those of a file.
    File(File, u64),
    /// Unpacked ones.
    Memory(Arc<Vec<u8>>),
}

impl Bytes {
    /// Those of a file.
    pub(super) fn of_file(path: &Path) -> Result<Self, IngestError> {
        let file = File::open(path).map_err(IngestError::file(path))?;
        let length = file.metadata().map_err(IngestError::file(path))?.len();
        Ok(Self::File(file, length))
    }

    /// How many they are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(_, length) => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Those from `place` on.
    pub(super) fn read_exact_at(&self, to: &mut [u8], place: u64) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.read_exact_at(to, place),
            Self::Memory(bytes) => {
                let start = usize::try_from(place).ok();
                let from = start.and_then(|start| bytes.get(start..start.checked_add(to.len())?));
                to.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// At most `most` bytes from the first one.
    pub(super) fn begin(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut begin = vec![0; most.min(usize::try_from(self.len()).unwrap_or(most))];
        self.read_exact_at(&mut begin, 0)?;
        Ok(begin)
    }

    /// To be read from the first one to the last.
    pub(super) fn stream(&self) -> Stream<'_> {
        Stream { bytes: self, place: 0 }
    }
}

/// Reads bytes in their order.
pub(super) struct Stream<'a> {
    bytes: &'a Bytes,
    place: u64,
}

impl Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let there = self.bytes.len().saturating_sub(self.place);
        let count = to.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        self.bytes.read_exact_at(&mut to[..count], self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.bytes.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

/// All that `from` gives, which is made of `packed` bytes.
pub(super) fn bounded(from: impl Read, packed: u64) -> Result<Vec<u8>, String> {
    let most = packed.saturating_mul(MOST_PACKED);
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| format!("is damaged: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("unpacks to more than {most} bytes, {MOST_PACKED} times its own, expected less"));
    }
    Ok(bytes)
}
