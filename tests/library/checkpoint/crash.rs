//! A checkpoint that is disturbed at any of its file operations: what is there is whole, and the next attempt succeeds.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::checkpoint::{CheckpointError, Keep, NetworkSlots, keep, newest};
use skyforge::files::faults::{Fault, Operation, during};
use skyforge::optim::{Adam, AdamSettings, Buffer, Home};
use tempfile::TempDir;

use crate::checkpoint::files::{attempt, saved, space};
use crate::shared::faulty::{ERRORS, assert_in_order, crash, cut_parts, everything, in_child, operations};

/// A run with checkpoints of steps 0 and 1, and one of step 3 that was cut off once.
fn run() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    saved(folder.path(), 0);
    saved(folder.path(), 1);
    let part = folder.path().join("step-0000003.part");
    fs::create_dir(&part).expect("the disk has room");
    fs::write(part.join("model.safetensors"), b"half").expect("the disk has room");
    folder
}

/// What a run does after step 2: step 0 goes.
fn checkpoint(folder: &Path) -> Result<(), CheckpointError> {
    attempt(Home::Host, folder, 2, None)?;
    keep(folder, Keep { newest: 2, ..Keep::default() })
}

fn names(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let inside =
        |(path, bytes): (PathBuf, Vec<u8>)| (path.strip_prefix(folder).expect("it is inside").to_owned(), bytes);
    everything(folder).into_iter().map(inside).collect()
}

struct Wanted {
    operations: Vec<(Operation, PathBuf)>,
    after: Vec<(PathBuf, Vec<u8>)>,
}

fn undisturbed() -> Wanted {
    let folder = run();
    let operations = operations(|| checkpoint(folder.path()));
    assert!(operations.len() > 15, "{operations:?}");
    Wanted { operations, after: names(folder.path()) }
}

/// The newest checkpoint is that of step 1 or 2 and can be restored; that of step 1 is as it was; the next attempt ends as
/// one that nothing disturbed. The newest step.
fn assert_usable(folder: &Path, wanted: &Wanted, what: &str) -> u64 {
    let (found, damaged) = newest(folder).expect("the folder can be read");
    assert!(damaged.is_empty(), "{what}: nothing half made has the name of a checkpoint: {damaged:?}");
    let found = found.expect("one was there before");
    let step = found.state.step;
    assert!(step == 1 || step == 2, "{what}: {step}");
    let (_store, mut space) = space([0.0; 6], Home::Host);
    let mut adam = Adam::new(AdamSettings::default(), 6, Home::Host);
    let mut average = Buffer::zeros(6, Home::Host);
    found
        .restore(NetworkSlots { name: "generator", space: &mut space, adam: &mut adam, average: Some(&mut average) })
        .expect(what);
    assert_eq!(*space.parameters().host(), [1.0, -2.0, 3.5, 1e-30, f32::MAX, 0.1], "{what}");
    let first = |files: &[(PathBuf, Vec<u8>)]| {
        files.iter().filter(|(path, _)| path.starts_with("step-0000001")).cloned().collect::<Vec<_>>()
    };
    assert!(first(&names(folder)) == first(&wanted.after), "{what}: the one before is as it was");

    checkpoint(folder).expect(what);
    assert!(names(folder) == wanted.after, "{what}: the next attempt ends as one that nothing disturbed");
    step
}

#[test]
fn a_checkpoint_gets_its_name_when_all_of_it_is_on_the_disk() {
    assert_in_order(&undisturbed().operations);
}

#[test]
fn whichever_operation_fails_is_named_and_the_checkpoint_before_or_the_new_one_is_whole() {
    let wanted = undisturbed();
    let (mut cases, mut new) = (0, 0);
    for (at, (operation, path)) in wanted.operations.iter().enumerate() {
        for (number, words) in ERRORS {
            for until in [at + 1, usize::MAX] {
                let folder = run();
                let what = format!("{operation:?} {} with {words}", path.display());
                let (done, _) = during(Fault::Error(number), at..until, || checkpoint(folder.path()));
                // Reads only tell which old checkpoint is the best: where they fail, none is removed.
                if *operation == Operation::Read {
                    done.expect(&what);
                    assert_eq!(assert_usable(folder.path(), &wanted, &what), 2);
                    continue;
                }
                let error = done.expect_err(&what).to_string();
                let place = folder.path().to_str().expect("UTF-8");
                assert!(error.starts_with(place) && error.contains(words) && !error.contains('\n'), "{what}: {error}");
                new += u64::from(assert_usable(folder.path(), &wanted, &what) == 2);
                cases += 1;
            }
        }
    }
    assert!(new > 0 && new < cases, "some fail before the new one is there, some after");
    eprintln!("{cases} failures at {} operations, {new} after the new checkpoint was there", wanted.operations.len());
}

/// What of a half-written file may be on the disk after a crash.
const SHARES: [f64; 3] = [0.0, 0.37, 1.0];

#[test]
fn a_crash_at_any_operation_leaves_the_checkpoint_before_or_the_new_one_whole() {
    in_child(checkpoint);
    crash_at_each_operation(|at| &SHARES[at % 3..=at % 3]);
}

#[test]
#[ignore = "every share at every operation takes three times as long"]
fn a_crash_at_any_operation_with_any_share_on_the_disk_leaves_a_whole_checkpoint() {
    crash_at_each_operation(|_| &SHARES);
}

fn crash_at_each_operation(shares: impl Fn(usize) -> &'static [f64]) {
    let wanted = undisturbed();
    let mut cases = 0;
    for (at, (operation, path)) in wanted.operations.iter().enumerate() {
        for &share in shares(at) {
            let folder = run();
            crash(
                "checkpoint::crash::a_crash_at_any_operation_leaves_the_checkpoint_before_or_the_new_one_whole",
                folder.path(),
                at,
            );
            cut_parts(folder.path(), share);
            let what = format!("crash at {operation:?} {}, {share} of it on the disk", path.display());
            assert_usable(folder.path(), &wanted, &what);
            cases += 1;
        }
    }
    eprintln!("{cases} crashes at {} operations", wanted.operations.len());
}
