//! `skyforge ingest`: datasets of other people's skies.

pub mod maps;
pub mod spectra;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use super::session::Session;
use crate::ingest::IngestError;

const HASHED_AT_ONCE: usize = 1 << 20;

/// What all ranks have, each with its number, in the order of these.
fn in_order<N: Ord + Serialize + DeserializeOwned, T: Serialize + DeserializeOwned>(
    session: &Session,
    mine: &[(N, T)],
) -> Vec<T> {
    let mine = serde_json::to_vec(mine).expect("what ranks tell each other is JSON");
    let mut all: Vec<(N, T)> = Vec::new();
    for told in session.comm().gather(&mine) {
        all.extend(serde_json::from_slice::<Vec<_>>(&told).expect("ranks tell each other JSON"));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().map(|(_, what)| what).collect()
}

/// xxh3 of a file, 16 hexadecimal digits, as `xxhsum -H3` prints it.
fn checksum(path: &Path) -> Result<String, IngestError> {
    let failed = |source| IngestError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut bytes) = (Xxh3::new(), vec![0; HASHED_AT_ONCE]);
    loop {
        match file.read(&mut bytes).map_err(failed)? {
            0 => return Ok(format!("{:016x}", hash.digest())),
            read => hash.update(&bytes[..read]),
        }
    }
}

/// The name of a file without its folders.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
