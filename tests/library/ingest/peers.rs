//! What astropy, h5py and numpy read in the same files.

use std::process::Command;

/// What a peer's script says of the program, where it may be asked.
fn told_by(peer: &str) -> Option<String> {
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {peer} fetch astropy");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let done = Command::new(peer).arg(env!("CARGO_BIN_EXE_skyforge")).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    Some(text.into_owned())
}

#[test]
fn astropy_h5py_and_numpy_read_the_same_pixels() {
    let Some(text) = told_by(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/ingested_maps")) else { return };
    assert!(text.lines().filter(|line| line.ends_with(" equal")).count() >= 40, "{text}");
}

#[test]
fn astropy_h5py_and_numpy_have_the_same_spectra() {
    let Some(text) = told_by(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/ingested_spectra")) else { return };
    assert!(text.lines().filter(|line| line.ends_with(" agrees")).count() >= 19, "{text}");
}
