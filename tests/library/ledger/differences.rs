//! A folder is about one piece of work: whatever is otherwise is named.

use std::fs;

use skyforge::exit::{Ends, Exit};
use skyforge::ledger::{Lease, Ledger, Work};

use crate::ledger::shared::work;

/// What is said of `other` in a folder that has the ledger of 100 objects in blocks of 10.
fn refused(other: Work) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    Ledger::join(folder.path(), work(100, 10), Lease::default()).expect("a ledger");
    let error = Ledger::join(folder.path(), other, Lease::default()).unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    error.to_string().replace(&folder.path().display().to_string(), "LEDGER")
}

#[test]
fn other_work_in_a_folder_is_refused_and_the_difference_is_named() {
    let mut other = work(100, 10);
    other.description["model"]["checksum"] = "0123456789abcdef".into();
    assert_eq!(
        refused(other),
        "LEDGER: is the ledger of other work: `description.model.checksum` is \"00000000deadbeef\" there, \"0123456789abcdef\" \
         here; expected the same, or another folder"
    );
    let mut other = work(100, 10);
    other.description.remove("input");
    assert!(refused(other).contains("`description.input` is \"spectra\" there, nothing here;"));
    assert!(refused(work(100, 20)).contains("`objects_per_block` is 10 there, 20 here;"));
    assert!(refused(work(99, 10)).contains("`end_object` is 100 there, 99 here;"));
    let mut other = work(99, 11);
    other.command = "other".into();
    other.first_object = 1;
    assert!(
        refused(other).ends_with("`first_object` is 0 there, 1 here, and 1 more; expected the same, or another folder")
    );
}

#[test]
fn the_same_work_joins_with_the_lease_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let lease = Lease { attempts: 7, seconds: 1.5 };
    Ledger::join(folder.path(), work(100, 10), lease).expect("a ledger");
    let joined = Ledger::join(folder.path(), work(100, 10), Lease::default()).expect("the same ledger");
    assert_eq!(joined.lease(), lease);
    assert_eq!(Ledger::open(folder.path()).expect("a ledger").work(), &work(100, 10));
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("manifest.json"), "{}").expect("the disk has room");
    let error = Ledger::join(folder.path(), work(100, 10), Lease::default()).unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    let wanted =
        format!("{}: holds manifest.json, expected a ledger, or a new or empty folder", folder.path().display());
    assert_eq!(error.to_string(), wanted);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn of_two_that_begin_at_once_one_is_refused() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let join = |size| Ledger::join(folder.path(), work(100, size), Lease::default()).is_ok();
        let joined = std::thread::scope(|scope| {
            let both = [10, 20].map(|size| scope.spawn(move || join(size)));
            both.map(|thread| thread.join().expect("it ends"))
        });
        assert!(joined[0] != joined[1], "{joined:?}");
    }
}

#[test]
fn another_format_and_a_page_changed_by_hand_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    Ledger::join(folder.path(), work(100, 10), Lease::default()).expect("a ledger");
    let path = folder.path().join("ledger.toml");
    let text = fs::read_to_string(&path).expect("a page");
    let faults = [
        (
            "format = 2",
            "format = 1",
            "`format` is 1, expected 2: finish this ledger with the version of skyforge that made it, or start a new one",
        ),
        ("format = 2", "", "has no `format`, expected 2"),
        ("end_object = 100", "end_object = 90", "the work was changed by hand"),
        ("spectra", "other", "the work was changed by hand"),
        ("attempts = 3", "attempts = 0", "`lease` is not possible"),
        ("command", "comand", "comand"),
        ("[lease]", "[lease", "line "),
    ];
    for (was, is, told) in faults {
        let changed = text.replacen(was, is, 1);
        assert!(changed != text, "{was} is there: {text}");
        fs::write(&path, changed).expect("it is ours");
        let error = Ledger::open(folder.path()).unwrap_err();
        assert!(error.exit() == Exit::Data && error.to_string().contains(told), "{error}");
    }
    fs::remove_file(&path).expect("it is there");
    let error = Ledger::open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("is missing, so this is no ledger"), "{error}");
    let error = Ledger::open(&folder.path().join("nowhere")).unwrap_err();
    assert!(
        error.exit() == Exit::FileSystem && error.to_string().contains("expected the folder of a ledger"),
        "{error}"
    );
}
