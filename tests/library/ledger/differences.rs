//! A folder is about one piece of work: whatever is otherwise is named.

use std::fs;

use skyforge::exit::{Ends, Exit};
use skyforge::ledger::{Ledger, Terms, Work};

use crate::ledger::shared::work;

/// What is said of `other` in a folder that has the ledger of 100 objects in blocks of 10.
fn refused(other: Work) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    Ledger::join(folder.path(), work(100, 10), Terms::default()).expect("a ledger");
    let error = Ledger::join(folder.path(), other, Terms::default()).unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    error.to_string().replace(&folder.path().display().to_string(), "LEDGER")
}

#[test]
fn other_work_in_a_folder_is_refused_and_the_difference_is_named() {
    let mut other = work(100, 10);
    other.facts["model"]["checksum"] = "0123456789abcdef".into();
    assert_eq!(
        refused(other),
        "LEDGER: is the ledger of other work: `facts.model.checksum` is \"00000000deadbeef\" there, \"0123456789abcdef\" \
         here; expected the same, or another folder"
    );
    let mut other = work(100, 10);
    other.facts.remove("input");
    assert!(refused(other).contains("`facts.input` is \"spectra\" there, nothing here;"));
    assert!(refused(work(100, 20)).contains("`objects_per_block` is 10 there, 20 here;"));
    assert!(refused(work(99, 10)).contains("`end_object` is 100 there, 99 here;"));
    let mut other = work(99, 11);
    other.verb = "other".into();
    other.first_object = 1;
    assert!(
        refused(other)
            .ends_with("`objects_per_block` is 10 there, 11 here, and 1 more; expected the same, or another folder")
    );
}

#[test]
fn the_same_work_joins_on_the_terms_that_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let terms = Terms { attempts: 7, lease_seconds: 1.5 };
    Ledger::join(folder.path(), work(100, 10), terms).expect("a ledger");
    let joined = Ledger::join(folder.path(), work(100, 10), Terms::default()).expect("the same ledger");
    assert_eq!(joined.terms(), terms);
    assert_eq!(Ledger::open(folder.path()).expect("a ledger").work(), &work(100, 10));
}

#[test]
fn of_two_that_begin_at_once_one_is_refused() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let join = |size| Ledger::join(folder.path(), work(100, size), Terms::default()).is_ok();
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
    Ledger::join(folder.path(), work(100, 10), Terms::default()).expect("a ledger");
    let path = folder.path().join("ledger.toml");
    let text = fs::read_to_string(&path).expect("a page");
    let faults = [
        ("format = 1", "format = 0", "`format` is 0, expected 1, that of this program"),
        ("format = 1", "", "has no `format`, expected 1"),
        ("end_object = 100", "end_object = 90", "the work was changed by hand"),
        ("spectra", "other", "the work was changed by hand"),
        ("attempts = 3", "attempts = 0", "`terms` are not possible"),
        ("verb", "vreb", "vreb"),
        ("[terms]", "[terms", "line "),
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
