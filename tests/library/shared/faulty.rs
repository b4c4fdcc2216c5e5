//! Work on files that is disturbed at each of its operations in turn.

use std::env;
use std::fmt::Debug;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use skyforge::files::faults::{Fault, Operation, during};

const PLACE: &str = "SKYFORGE_TEST_CRASH";

/// The system's words for a bad disk and a full one, by their numbers.
pub const ERRORS: [(i32, &str); 2] = [(5, "Input/output error"), (28, "No space left on device")];

/// Does `work` undisturbed, and gives its operations.
pub fn operations<T, E: Debug>(work: impl FnOnce() -> Result<T, E>) -> Vec<(Operation, PathBuf)> {
    let (done, seen) = during(Fault::Crash, 0..0, work);
    done.expect("nothing is in the way");
    seen
}

/// In the process that `crashed` starts: does `work` in the folder that it names, and is gone. Elsewhere nothing.
pub fn in_child<T, E: Debug>(work: impl FnOnce(&Path) -> Result<T, E>) {
    let Ok(place) = env::var(PLACE) else { return };
    let (at, folder) = place.split_once(' ').expect("an operation and a folder");
    let at = at.parse().expect("a number");
    let (done, seen) = during(Fault::Crash, at..at + 1, || work(Path::new(folder)));
    done.expect("nothing is in the way");
    panic!("the work ended before operation {at}: {seen:?}");
}

/// Starts the test called `test`, which calls `in_child`, as a process that dies at operation `at` of its work in `folder`.
pub fn crash(test: &str, folder: &Path, at: usize) {
    let mut child = Command::new(env::current_exe().expect("a test is a program"));
    child.args([test, "--exact", "--nocapture"]).env(PLACE, format!("{at} {}", folder.display()));
    let output = child.output().expect("it can be started");
    assert_eq!(output.status.signal(), Some(6), "operation {at}: {output:?}"); // aborted
}

/// A name is given only to what is on the disk, and is then on the disk itself.
pub fn assert_in_order(seen: &[(Operation, PathBuf)]) {
    let has = |steps: &[(Operation, PathBuf)], operation, path: &Path| steps.contains(&(operation, path.to_owned()));
    let mut names = 0;
    for (at, (_, part)) in seen.iter().enumerate().filter(|(_, step)| step.0 == Operation::Rename) {
        let inside = |step: &(usize, &(Operation, PathBuf))| step.1.1.starts_with(part);
        let before = || seen[..at].iter().enumerate().filter(inside);
        let writes: Vec<_> = before().filter(|(_, step)| step.0 == Operation::Write).collect();
        for (write, (_, file)) in &writes {
            assert!(has(&seen[*write..at], Operation::Sync, file), "{} is synced", file.display());
        }
        if let Some((last, _)) = before().rfind(|(_, step)| step.0 == Operation::Create && step.1 != *part) {
            assert!(has(&seen[last..at], Operation::SyncFolder, part), "{} is synced", part.display());
        }
        if !writes.is_empty() {
            let parent = part.parent().expect("a part lies in a folder");
            assert!(has(&seen[at..], Operation::SyncFolder, parent), "the name of {} is synced", part.display());
            names += 1;
        }
    }
    assert!(names > 0, "something is written");
}

/// Every file below `folder` with its bytes, in the order of their paths.
pub fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in paths(folder) {
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.push((path.clone(), fs::read(path).expect("it is there")));
        }
    }
    found
}

/// Cuts every half-written file below `folder` to a share of its length, as a disk does that was not told to sync.
pub fn cut_parts(folder: &Path, share: f64) {
    for path in paths(folder) {
        if path.is_dir() {
            cut_parts(&path, share);
        } else if path.iter().any(|name| name.to_string_lossy().ends_with(".part")) {
            let file = fs::File::options().write(true).open(&path).expect("it is ours");
            let length = file.metadata().expect("it has a length").len();
            file.set_len((length as f64 * share) as u64).expect("it can be cut");
        }
    }
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}
