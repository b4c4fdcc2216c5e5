//! A dataset that is disturbed at any of its file operations: it is there whole or not at all, and the next attempt succeeds.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::data::{DataError, Dataset};
use skyforge::exit::{Ends, Exit};
use skyforge::files::faults::{Fault, Operation, during};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, header, line, write};
use crate::shared::faulty::{ERRORS, assert_in_order, crash, cut_parts, everything, in_child, operations};

/// A folder in which a larger dataset was begun and cut off.
fn begun() -> TempDir {
    let folder = TempDir::new().unwrap();
    for left in ["shard-00000.h5.part", "shard-00007.h5", "manifest.toml.part"] {
        fs::write(folder.path().join(left), "half").unwrap();
    }
    folder
}

fn simulate(folder: &Path) -> Result<(), DataError> {
    write(folder, header(BLOCK + 3))
}

struct Wanted {
    operations: Vec<(Operation, PathBuf)>,
    after: Vec<Vec<u8>>,
}

fn contents(folder: &Path) -> Vec<Vec<u8>> {
    everything(folder).into_iter().map(|(_, bytes)| bytes).collect()
}

fn undisturbed() -> Wanted {
    let folder = begun();
    let operations = operations(|| simulate(folder.path()));
    assert!(operations.len() > 20, "{operations:?}");
    let after = contents(folder.path());
    assert_eq!(after.len(), 3, "two shards and a manifest");
    Wanted { operations, after }
}

/// The dataset is whole, or is refused as not finished and written by the next attempt. Whether it is whole.
fn assert_usable(folder: &Path, wanted: &Wanted, what: &str) -> bool {
    let whole = match Dataset::open(folder) {
        Ok(dataset) => {
            dataset.verify().expect(what);
            let error = simulate(folder).unwrap_err();
            assert!(
                error.exit() == Exit::Usage && error.to_string().contains("already holds a dataset"),
                "{what}: {error}"
            );
            true
        }
        Err(error) => {
            let message = line::<()>(Err(error));
            assert!(
                message.ends_with("manifest.toml: is missing, so this is no complete dataset"),
                "{what}: {message}"
            );
            simulate(folder).expect(what);
            false
        }
    };
    assert!(contents(folder) == wanted.after, "{what}: it ends as one that nothing disturbed");
    whole
}

#[test]
fn shards_and_manifest_get_their_names_when_all_of_them_is_on_the_disk() {
    let Wanted { operations, .. } = undisturbed();
    assert_in_order(&operations);
    let names: Vec<_> = operations.iter().filter(|step| step.0 == Operation::Rename).collect();
    assert!(names.last().unwrap().1.ends_with("manifest.toml.part"), "the manifest comes last: {names:?}");
}

#[test]
fn whichever_operation_fails_is_named_and_the_dataset_is_whole_or_not_there() {
    let wanted = undisturbed();
    let (mut cases, mut whole) = (0, 0);
    for (at, (operation, path)) in wanted.operations.iter().enumerate() {
        for (number, words) in ERRORS {
            for until in [at + 1, usize::MAX] {
                let folder = begun();
                let what = format!("{operation:?} {} with {words}", path.display());
                let (done, _) = during(Fault::Error(number), at..until, || simulate(folder.path()));
                let error = done.expect_err(&what);
                assert_eq!(error.exit(), Exit::FileSystem, "{what}: {error}");
                let message = line::<()>(Err(error));
                assert!(message.starts_with(folder.path().to_str().unwrap()) && message.contains(words), "{message}");
                whole += u64::from(assert_usable(folder.path(), &wanted, &what));
                cases += 1;
            }
        }
    }
    assert!(whole > 0 && whole < cases, "some fail before the manifest is there, some after");
    eprintln!("{cases} failures at {} operations, {whole} after the dataset was whole", wanted.operations.len());
}

/// What of a half-written file may be on the disk after a crash.
const SHARES: [f64; 3] = [0.0, 0.37, 1.0];

#[test]
fn a_crash_at_any_operation_leaves_the_dataset_whole_or_not_there() {
    in_child(simulate);
    crash_at_each_operation(|at| &SHARES[at % 3..=at % 3]);
}

#[test]
#[ignore = "every share at every operation takes three times as long"]
fn a_crash_at_any_operation_with_any_share_on_the_disk_leaves_the_dataset_whole_or_not_there() {
    crash_at_each_operation(|_| &SHARES);
}

fn crash_at_each_operation(shares: impl Fn(usize) -> &'static [f64]) {
    let wanted = undisturbed();
    let (mut cases, mut whole) = (0, 0);
    for (at, (operation, path)) in wanted.operations.iter().enumerate() {
        for &share in shares(at) {
            let folder = begun();
            crash("data::crash::a_crash_at_any_operation_leaves_the_dataset_whole_or_not_there", folder.path(), at);
            cut_parts(folder.path(), share);
            let what = format!("crash at {operation:?} {}, {share} of it on the disk", path.display());
            whole += u64::from(assert_usable(folder.path(), &wanted, &what));
            cases += 1;
        }
    }
    eprintln!("{cases} crashes at {} operations, {whole} after the dataset was whole", wanted.operations.len());
}
