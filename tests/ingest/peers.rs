//! What astropy, h5py and numpy read in the same files.

use std::process::Command;

#[test]
fn astropy_h5py_and_numpy_read_the_same_pixels() {
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/ingested_maps");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {peer} fetch astropy");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let done = Command::new(peer).arg(env!("CARGO_BIN_EXE_skyforge")).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    assert!(text.lines().filter(|line| line.ends_with(" equal")).count() >= 40, "{text}");
}
