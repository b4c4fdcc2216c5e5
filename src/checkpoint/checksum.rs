//! Checksums of a checkpoint and of its files.

use xxhash_rust::xxh3::xxh3_64;

/// The checksum of a checkpoint: that of its CHECKSUMS.
pub(super) fn checksum_of(sums: &[u8]) -> String {
    format!("{:016x}", xxh3_64(sums))
}

/// One line of CHECKSUMS.
pub(super) fn checksum_line(name: &str, bytes: &[u8]) -> String {
    format!("XXH3_{:016x}  {name}\n", xxh3_64(bytes))
}
