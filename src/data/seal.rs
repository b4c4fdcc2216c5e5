//! The seal of a shard: some bytes behind its HDF5 file that vouch for all that no block's checksum covers.
//!
//! libhdf5 trusts what it reads, and damage to its own tables can kill the program, so damage is found before it looks.
//!
//! | bytes, from the end | what                                                                                |
//! | ------------------- | ----------------------------------------------------------------------------------- |
//! | 16 a range          | first byte and end of the rows of each array with rows, u64, little-endian          |
//! | 24..16              | how many ranges, u64, little-endian                                                 |
//! | 16..8               | xxh3 of all bytes before the seal but those in the ranges, then of the seal so far  |
//! | 8..0                | `skyshrd2`; a file that does not end so was made by another program or version and has no seal |

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a seal without its ranges.
const BYTES: u64 = 24;
/// Arrays with rows at most; a seal that says more is damaged.
const MOST_RANGES: u64 = 1 << 16;
const NAME: &[u8; 8] = b"skyshrd2";
const PIECE: u64 = 1 << 16;

/// What stands in a seal, and what should.
pub(super) struct Broken {
    pub(super) found: u64,
    pub(super) wanted: u64,
}

/// The seal of a file that is complete but for it; `rows` are the bytes that blocks' checksums cover.
pub(super) fn make(file: &File, rows: &[Range<u64>]) -> io::Result<Vec<u8>> {
    let numbers = rows.iter().flat_map(|rows| [rows.start, rows.end]).chain([rows.len() as u64]);
    let mut seal: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    let digest = digest(file, file.metadata()?.len(), rows, &seal)?;
    seal.extend(digest.to_le_bytes());
    seal.extend(NAME);
    Ok(seal)
}

/// Holds a file against its seal; whether it has one.
pub(super) fn check(file: &File) -> io::Result<Result<bool, Broken>> {
    let Some(end) = file.metadata()?.len().checked_sub(BYTES) else { return Ok(Ok(false)) };
    let mut seal = [0; BYTES as usize];
    file.read_exact_at(&mut seal, end)?;
    if !seal.ends_with(NAME) {
        return Ok(Ok(false));
    }
    let [ranges, wanted] = [0, 1].map(|at| u64::from_le_bytes(seal.as_chunks::<8>().0[at]));
    let Some(length) = end.checked_sub(16 * ranges.min(MOST_RANGES)).filter(|_| ranges <= MOST_RANGES) else {
        return Ok(Err(Broken { found: 0, wanted }));
    };
    let mut places = vec![0; (end - length) as usize];
    file.read_exact_at(&mut places, length)?;
    let numbers: Vec<u64> = places.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    let rows: Vec<Range<u64>> = numbers.as_chunks::<2>().0.iter().map(|[start, end]| *start..*end).collect();
    places.extend(ranges.to_le_bytes());
    let found = digest(file, length, &rows, &places)?;
    Ok(if found == wanted { Ok(true) } else { Err(Broken { found, wanted }) })
}

/// xxh3 of the first `length` bytes without `rows`, then of `places`, the beginning of the seal.
fn digest(file: &File, length: u64, rows: &[Range<u64>], places: &[u8]) -> io::Result<u64> {
    let mut rows = rows.to_vec();
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
