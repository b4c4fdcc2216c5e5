//! One table written by all ranks.
//!
//! Rank 0 writes its rows into the table as they come. Each other rank writes its rows into a part beside the table,
//! `NAME.rank-0001.part`, which rank 0 adds in the order of ranks when all are done; a part goes with its rank. So no rank
//! holds, and no message carries, what grows with the catalogue.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CommandError;
use super::session::Session;
use crate::files;

/// Takes a row.
pub type Take<'a, T> = dyn FnMut(T) -> Result<(), CommandError> + 'a;

/// Hands over all rows, in their order.
pub type Fill<'a, T> = dyn FnMut(&mut Take<T>) -> Result<(), CommandError> + 'a;

/// Bytes of a part that wait in memory.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// Writes the table `out` of the rows that all ranks make, those of rank 0 first. Called by all ranks.
///
/// - `write`: writes the table, whole or not at all, of the rows that it is handed; called on rank 0
/// - `make`: hands over the rows of this rank
pub fn write<T: Serialize + DeserializeOwned>(
    session: &Session,
    out: &Path,
    write: impl FnOnce(&mut Fill<T>) -> Result<(), CommandError>,
    make: impl FnOnce(&mut Take<T>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    if session.rank() > 0 {
        let made = Part::create(out, session.rank()).and_then(|mut part| {
            make(&mut |row| part.put(&row))?;
            part.finish()?;
            Ok(part)
        });
        let _part = session.agree(made)?; // it goes when rank 0 has read it
        return session.agree(Ok::<(), CommandError>(()));
    }
    // Where the ranks have agreed that one of them failed, they do not meet again.
    let (mut make, mut failed) = (Some(make), false);
    let written = write(&mut |take| {
        let made = make.take().expect("rows are asked for once")(take);
        let agreed = session.agree(made);
        failed = agreed.is_err();
        agreed?;
        (1..session.ranks()).try_for_each(|rank| read(out, rank, take))
    });
    if failed { written } else { session.agree(written) }
}

/// Rows of one rank: the length of each as u64, little-endian, and its bytes.
struct Part {
    path: PathBuf,
    file: Option<File>,
    /// Bytes that are in the file.
    place: u64,
    /// Bytes that are not yet.
    waiting: Vec<u8>,
}

fn path_of(out: &Path, rank: usize) -> PathBuf {
    out.with_file_name(format!("{}.rank-{rank:04}.part", files::name_of(out)))
}

impl Part {
    /// An empty one.
    fn create(out: &Path, rank: usize) -> Result<Self, CommandError> {
        let path = path_of(out, rank);
        let file = files::create(&path).map_err(CommandError::io(&path))?;
        Ok(Self { path, file: Some(file), place: 0, waiting: Vec::new() })
    }

    fn put(&mut self, row: &impl Serialize) -> Result<(), CommandError> {
        let bytes = postcard::to_stdvec(row).expect("rows can be written down");
        self.waiting.extend((bytes.len() as u64).to_le_bytes());
        self.waiting.extend(bytes);
        if self.waiting.len() >= WRITTEN_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        let file = self.file.as_ref().expect("it is open");
        files::write_at(file, &self.path, &self.waiting, self.place).map_err(CommandError::io(&self.path))?;
        self.place += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Closes it, so that other machines see all of it.
    fn finish(&mut self) -> Result<(), CommandError> {
        self.flush()?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = files::remove_file(&self.path); // the next program that writes this table writes over it
    }
}

/// Hands over the rows of the part of `rank`.
fn read<T: DeserializeOwned>(out: &Path, rank: usize, take: &mut Take<T>) -> Result<(), CommandError> {
    let path = path_of(out, rank);
    let mut file = File::open(&path).map(BufReader::new).map_err(CommandError::io(&path))?;
    let mut length = [0; 8];
    let mut bytes = Vec::new();
    loop {
        match file.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read.map_err(CommandError::io(&path))?,
        }
        bytes.resize(u64::from_le_bytes(length) as usize, 0);
        file.read_exact(&mut bytes).map_err(CommandError::io(&path))?;
        take(postcard::from_bytes(&bytes).expect("what a rank wrote can be read"))?;
    }
}
