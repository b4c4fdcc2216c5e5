//! The seal of a shard: 64 bytes behind its HDF5 file that vouch for all that no block's checksum covers.
//!
//! libhdf5 trusts what it reads, and damage to its own tables can kill the program, so damage is found before it looks.
//!
//! | bytes  | what                                                                            |
//! | ------ | ------------------------------------------------------------------------------- |
//! | 0..48  | first byte and end of the rows of x, parameters and id, u64, little-endian      |
//! | 48..56 | xxh3 of all other bytes before the seal, then of the 48 bytes                   |
//! | 56..64 | `skyshard`; a file that does not end so is somebody else's and has no seal      |

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

const BYTES: usize = 64;
const NAME: &[u8; 8] = b"skyshard";
const PIECE: u64 = 1 << 16;

/// What stands in a seal, and what should.
pub(super) struct Broken {
    pub(super) found: u64,
    pub(super) wanted: u64,
}

/// The seal of a file that is complete but for it; `rows` are the bytes that blocks' checksums cover.
pub(super) fn make(file: &File, rows: &[Range<u64>; 3]) -> io::Result<Vec<u8>> {
    let mut seal: Vec<u8> = rows.iter().flat_map(|rows| [rows.start, rows.end]).flat_map(u64::to_le_bytes).collect();
    let digest = digest(file, file.metadata()?.len(), rows, &seal)?;
    seal.extend(digest.to_le_bytes());
    seal.extend(NAME);
    Ok(seal)
}

/// Holds a file against its seal; whether it has one.
pub(super) fn check(file: &File) -> io::Result<Result<bool, Broken>> {
    let Some(length) = file.metadata()?.len().checked_sub(BYTES as u64) else { return Ok(Ok(false)) };
    let mut seal = [0; BYTES];
    file.read_exact_at(&mut seal, length)?;
    if !seal.ends_with(NAME) {
        return Ok(Ok(false));
    }
    let number = |at: usize| u64::from_le_bytes(seal.as_chunks::<8>().0[at]);
    let rows = [number(0)..number(1), number(2)..number(3), number(4)..number(5)];
    let (found, wanted) = (digest(file, length, &rows, &seal[..48])?, number(6));
    Ok(if found == wanted { Ok(true) } else { Err(Broken { found, wanted }) })
}

/// xxh3 of the first `length` bytes without `rows`, then of `places`.
fn digest(file: &File, length: u64, rows: &[Range<u64>; 3], places: &[u8]) -> io::Result<u64> {
    let mut rows = rows.clone();
    rows.sort_by_key(|rows| rows.start);
    let mut hash = Xxh3::new();
    let mut bytes = Vec::new();
    let mut at = 0;
    for rows in rows.iter().chain([&(length..length)]) {
        while at < rows.start.min(length) {
            bytes.resize((rows.start.min(length) - at).min(PIECE) as usize, 0);
            file.read_exact_at(&mut bytes, at)?;
            hash.update(&bytes);
            at += bytes.len() as u64;
        }
        at = at.max(rows.end);
    }
    hash.update(places);
    Ok(hash.digest())
}
