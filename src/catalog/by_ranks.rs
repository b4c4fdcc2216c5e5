//! One table written by all ranks.
//!
//! Rank 0 writes its rows into the table as they come. Each other rank writes its rows into a part beside the table,
//! `NAME.rank-0001.part`, which rank 0 adds in the order of ranks when all are done; then the parts are removed. So no rank
//! holds, and no message carries, what grows with the catalogue.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::TableError;
use crate::comm::{Communicator, Disagreement, agree};
use crate::exit::Ends;
use crate::files::{self, FileLock};

/// Takes a row.
pub type Take<'a, T, E> = dyn FnMut(T) -> Result<(), E> + 'a;

/// Hands over all rows, in their order.
pub type Fill<'a, T, E> = dyn FnMut(&mut Take<T, E>) -> Result<(), E> + 'a;

/// Bytes of a part that wait in memory.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// Writes the table `out` of the rows that all ranks make, those of rank 0 first. Called by all ranks, which fail together.
///
/// - `write`: writes the table, whole or not at all, of the rows that it is handed; called on rank 0
/// - `make`: hands over the rows of this rank
pub fn write_by_ranks<T: Serialize + DeserializeOwned, E: Ends + From<TableError> + From<Disagreement<E>>>(
    comm: &dyn Communicator,
    out: &Path,
    write: impl FnOnce(&mut Fill<T, E>) -> Result<(), E>,
    make: impl FnOnce(&mut Take<T, E>) -> Result<(), E>,
) -> Result<(), E> {
    // All ranks agree three times: that there is a file to write to, that all rows are made, and that the table is whole.
    if comm.rank() > 0 {
        let mut part = agree(comm, Part::create(out, comm.rank()).map_err(E::from))?;
        let made = make(&mut |row| Ok(part.put(&row)?));
        let whole = agree(comm, made.and_then(|()| Ok(part.finish()?)))?;
        comm.gather(&whole.to_bytes());
        agree(comm, Ok::<(), E>(()))?; // the part is removed when rank 0 has read it
        return Ok(());
    }
    let lock = lock(out);
    let mut make = Some(make);
    let mut met = Met::Nothing;
    let written = match &lock {
        Err(_) => Err(lock.as_ref().map(drop).map_err(repeated).expect_err("it is an error").into()),
        Ok(_) => write(&mut |take| {
            met = Met::Failure;
            agree(comm, Ok::<(), E>(()))?;
            let made = make.take().expect("rows are asked for once")(take);
            agree(comm, made)?;
            met = Met::AllRows;
            let parts = comm.gather(&[]);
            (1..comm.ranks()).try_for_each(|rank| read(&path_of(out, rank), &Whole::from_bytes(&parts[rank]), take))
        }),
    };
    let written = match met {
        Met::Failure => written, // all ranks know of it
        Met::Nothing | Met::AllRows => agree(comm, written).map_err(E::from),
    };
    if let Ok(lock) = lock {
        remove_old_parts(out);
        let _ = lock.remove(); // it is of no use without its owner
    }
    written
}

/// On what rank 0 has agreed with the others.
enum Met {
    /// Nothing yet.
    Nothing,
    /// That one of them failed, if none of them goes on.
    Failure,
    /// That all rows are made.
    AllRows,
}

/// Keeps other programs from writing the same table.
fn lock(out: &Path) -> Result<FileLock, TableError> {
    let path = out.with_file_name(format!("{}.lock", files::name_of(out)));
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            let told = "its folder is not there, expected one that is";
            TableError::file(out)(io::Error::new(error.kind(), told))
        }
        _ => TableError::file(&path)(error),
    };
    let locked = FileLock::take(&path).map_err(failed)?;
    let fault = "is being written by another program, expected a table that no other program writes";
    locked.ok_or_else(|| TableError::file(out)(io::Error::new(ErrorKind::ResourceBusy, fault)))
}

/// The same error once more: one is returned, the other told to the other ranks.
fn repeated(error: &TableError) -> TableError {
    match error {
        TableError::File { path, source } => {
            TableError::File { path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
        }
        other => TableError::File { path: PathBuf::new(), source: io::Error::other(other.to_string()) },
    }
}

/// Removes what ranks of an earlier program that was killed have left.
fn remove_old_parts(out: &Path) {
    let begins = format!("{}.rank-", files::name_of(out));
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(&begins).and_then(|rest| rest.strip_suffix(".part"));
        if number.is_some_and(|number| number.parse::<usize>().is_ok()) {
            let _ = files::remove_file(&entry.path()); // its rank may be removing it
        }
    }
}

fn path_of(out: &Path, rank: usize) -> PathBuf {
    out.with_file_name(format!("{}.rank-{rank:04}.part", files::name_of(out)))
}

/// Rows of one rank: the length of each as u64, little-endian, and its bytes.
struct Part {
    path: PathBuf,
    file: Option<File>,
    /// Bytes that are not in the file yet.
    waiting: Vec<u8>,
    hash: Xxh3,
    whole: Whole,
}

/// What a whole part holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Whole {
    rows: u64,
    bytes: u64,
    xxh3: u64,
}

impl Whole {
    fn to_bytes(self) -> Vec<u8> {
        postcard::to_stdvec(&self).expect("it is numbers")
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes).expect("it is what a rank wrote")
    }
}

impl Part {
    /// An empty one.
    fn create(out: &Path, rank: usize) -> Result<Self, TableError> {
        let path = path_of(out, rank);
        let file = files::create(&path).map_err(TableError::file(&path))?;
        Ok(Self { path, file: Some(file), waiting: Vec::new(), hash: Xxh3::new(), whole: Whole::default() })
    }

    fn put(&mut self, row: &impl Serialize) -> Result<(), TableError> {
        let bytes = postcard::to_stdvec(row).expect("rows can be written down");
        self.waiting.extend((bytes.len() as u64).to_le_bytes());
        self.waiting.extend(bytes);
        self.whole.rows += 1;
        if self.waiting.len() >= WRITTEN_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), TableError> {
        let file = self.file.as_ref().expect("it is open");
        files::write_at(file, &self.path, &self.waiting, self.whole.bytes).map_err(TableError::file(&self.path))?;
        self.hash.update(&self.waiting);
        self.whole.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Brings it to the disk and closes it, so that other machines see all of it.
    fn finish(&mut self) -> Result<Whole, TableError> {
        self.flush()?;
        let file = self.file.take().expect("it is open");
        files::sync(&file, &self.path).map_err(TableError::file(&self.path))?;
        self.whole.xxh3 = self.hash.digest();
        Ok(self.whole)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = files::remove_file(&self.path); // the next program that writes this table removes it
    }
}

/// Hands over the rows of a part, which is to be `whole`.
fn read<T: DeserializeOwned, E: From<TableError>>(path: &Path, whole: &Whole, take: &mut Take<T, E>) -> Result<(), E> {
    let failed = TableError::file(path);
    let mut file = files::open(path).map(BufReader::new).map_err(failed)?;
    let (mut hash, mut found, mut row) = (Xxh3::new(), Whole::default(), Vec::new());
    let other = || TableError::Foreign {
        path: path.to_owned(),
        reason: format!("is not what its rank wrote, expected {} rows in {} bytes", whole.rows, whole.bytes),
    };
    let mut read = |bytes: &mut [u8]| match file.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(other()),
        read => read.map_err(TableError::file(path)),
    };
    for _ in 0..whole.rows {
        let mut length = [0; 8];
        read(&mut length)?;
        let size = u64::from_le_bytes(length);
        found.bytes += 8 + size;
        if found.bytes > whole.bytes {
            return Err(other().into());
        }
        row.resize(size as usize, 0);
        read(&mut row)?;
        hash.update(&length);
        hash.update(&row);
        found.rows += 1;
        take(postcard::from_bytes(&row).map_err(|_| other())?)?;
    }
    found.xxh3 = hash.digest();
    if found == *whole { Ok(()) } else { Err(other().into()) }
}
