//! A table of all ranks is the table of one rank, and whatever fails on one rank ends all of them with nothing left.

use std::fs;
use std::path::Path;

use skyforge::catalog::{Column, Metadata, Table, TableError, Values, by_ranks, parquet_file, write_by_ranks};
use skyforge::comm::{Communicator, Disagreement, Threads};
use skyforge::exit::{Ends, Exit};
use skyforge::files::faults::{Fault, Operation, during};

const ROWS: u64 = 50;

/// An error of a rank, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

impl Ends for Failed {
    fn exit(&self) -> Exit {
        Exit::FileSystem
    }
}

impl From<TableError> for Failed {
    fn from(error: TableError) -> Self {
        Self(error.to_string())
    }
}

impl From<Disagreement<Failed>> for Failed {
    fn from(error: Disagreement<Failed>) -> Self {
        Self(format!("{error:?}"))
    }
}

/// The table of rows 0 to 49, of which each rank makes its part; rank `bad` fails at its second row.
fn write(comm: &dyn Communicator, out: &Path, bad: Option<usize>) -> Result<(), Failed> {
    let (rank, ranks) = (comm.rank() as u64, comm.ranks() as u64);
    let write = |fill: &mut by_ranks::Fill<u64, Failed>| {
        let mut rows = Vec::new();
        fill(&mut |row| {
            rows.push(row);
            Ok(())
        })?;
        let column = Column::new("row", "1", "A number", Values::U64(rows));
        Ok(parquet_file::write(out, &Table::new(Metadata::new(), vec![column]))?)
    };
    write_by_ranks(comm, out, write, |take| {
        for row in ROWS * rank / ranks..ROWS * (rank + 1) / ranks {
            if bad == Some(comm.rank()) && row > ROWS * rank / ranks {
                return Err(Failed("a bad row".into()));
            }
            take(row)?;
        }
        Ok(())
    })
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn any_ranks_write_the_bytes_of_one() {
    let mut first = None;
    for ranks in [1, 2, 5, 60] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("t.parquet");
        fs::write(folder.path().join("t.parquet.rank-0077.part"), "of a program that was killed").expect("room");
        for written in Threads::run(ranks, |comm| write(comm, &out, None)) {
            written.expect("nothing is in the way");
        }
        assert_eq!(names(folder.path()), ["t.parquet"], "{ranks} ranks");
        let bytes = fs::read(&out).expect("a table");
        assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{ranks} ranks");
    }
}

#[test]
fn a_fault_of_any_rank_ends_all_and_leaves_nothing() {
    for bad in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("t.parquet");
        for written in Threads::run(3, |comm| write(comm, &out, Some(bad))) {
            let told = written.expect_err("a rank failed").to_string();
            assert!(told.contains("a bad row"), "{told}");
        }
        assert_eq!(names(folder.path()), [""; 0], "rank {bad}");
    }
}

#[test]
fn a_bad_disk_under_any_rank_ends_all_and_leaves_nothing() {
    let tidying = [Operation::Remove, Operation::SyncFolder];
    for bad in 0..3 {
        let mut at = 0;
        loop {
            let folder = tempfile::tempdir().expect("a folder");
            let out = folder.path().join("t.parquet");
            let done = Threads::run(3, |comm| {
                let faulty = if comm.rank() == bad { at..at + 1 } else { 0..0 };
                during(Fault::Error(5), faulty, || write(comm, &out, None))
            });
            let seen = &done[bad].1;
            let Some((operation, path)) = seen.get(at).cloned() else { break };
            at += 1;
            if tidying.contains(&operation) {
                continue; // the table is whole by then
            }
            let failed = done.iter().filter(|(written, _)| written.is_err()).count();
            assert_eq!(failed, 3, "rank {bad}: {operation:?} of {}: {failed} ranks know", path.display());
            assert_eq!(names(folder.path()), [""; 0], "rank {bad}: {operation:?} of {}", path.display());
        }
        assert!(at > 2, "rank {bad} came to {at} operations");
    }
}

#[test]
fn two_programs_do_not_write_one_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("t.parquet");
    let lock = skyforge::files::FileLock::take(&folder.path().join("t.parquet.lock")).expect("a lock");
    for written in Threads::run(2, |comm| write(comm, &out, None)) {
        let told = written.expect_err("another program writes it").to_string();
        assert!(told.contains("is being written by another program"), "{told}");
    }
    lock.expect("it is ours").remove().expect("it is there");
    assert_eq!(names(folder.path()), [""; 0]);
}
