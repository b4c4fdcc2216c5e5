//! Datasets and runs that several tests begin with: made once per build, then copied.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use xxhash_rust::xxh3::xxh3_64;

use crate::program::CONFIG;
use crate::trained::EXOGAN;

/// Copies the fixture called `name` to `folder`, which does not exist yet; `make` makes it where this build has not made it before.
pub fn copy(name: &str, folder: &Path, make: impl FnOnce(&Path)) {
    let fixtures = of_this_build();
    let fixture = fixtures.join(name);
    let lock = File::create(fixtures.join(format!("{name}.lock"))).expect("the target folder can be written");
    lock.lock().expect("it can be locked");
    if !fixture.exists() {
        let part = fixtures.join(format!("{name}.part"));
        let _ = fs::remove_dir_all(&part); // of a test that was killed
        make(&part);
        fs::rename(&part, &fixture).expect("it was made");
    }
    drop(lock);
    copy_folder(&fixture, folder);
}

/// The folder of fixtures of this build of program, tests and configurations; those of other builds are removed.
fn of_this_build() -> PathBuf {
    let age = |path: &Path| {
        let changed = fs::metadata(path).and_then(|found| found.modified()).expect("files have a time");
        changed.duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos()
    };
    let tests = env::current_exe().expect("a test knows where it is");
    let made_of = [Path::new(env!("CARGO_BIN_EXE_skyforge")), &tests, Path::new(CONFIG), Path::new(EXOGAN)].map(age);
    let key = format!("fixtures-{:016x}", xxh3_64(format!("{made_of:?}").as_bytes()));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ours = target.join(&key);
    fs::create_dir_all(target).expect("the target folder can be written");
    if fs::create_dir(&ours).is_ok() {
        for entry in fs::read_dir(target).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("fixtures-") && name != key {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
    ours
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the disk has room");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("the disk has room");
        }
    }
}
