//! What a rank's communication did last: a ring of operations, written out when one of them does not end.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::files;

/// Operations that are remembered.
const KEPT: usize = 256;

/// The operations of one rank, in order.
#[derive(Debug)]
pub struct Flight {
    started: Instant,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// What the operations are for: `step 12, discriminator`.
    label: String,
    operations: VecDeque<Operation>,
    begun: u64,
    watch: Option<Watch>,
    /// The operation under way was told of.
    told: bool,
}

#[derive(Debug)]
struct Operation {
    number: u64,
    label: String,
    what: String,
    began: Duration,
    /// None while it is under way.
    took: Option<Duration>,
}

#[derive(Debug)]
struct Watch {
    rank: usize,
    file: PathBuf,
    after: Duration,
}

impl Default for Flight {
    fn default() -> Self {
        Self { started: Instant::now(), book: Mutex::default() }
    }
}

impl Flight {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on an operation that takes longer than `after` is told of in the log, and the record goes to `file`.
    pub fn watch(&self, rank: usize, file: PathBuf, after: Duration) {
        self.book().watch = Some(Watch { rank, file, after });
    }

    /// What the next operations are for.
    pub fn label(&self, label: &str) {
        let mut book = self.book();
        book.label.clear();
        book.label.push_str(label);
    }

    /// An operation begins: `receive from rank 1, 4096 bytes`.
    pub fn begin(&self, what: String) {
        let mut book = self.book();
        if book.operations.len() == KEPT {
            book.operations.pop_front();
        }
        book.begun += 1;
        book.told = false;
        let label = book.label.clone();
        let operation = Operation { number: book.begun, label, what, began: self.started.elapsed(), took: None };
        book.operations.push_back(operation);
    }

    /// The last operation is over.
    pub fn end(&self) {
        let mut book = self.book();
        let told = std::mem::take(&mut book.told);
        if let Some(last) = book.operations.back_mut() {
            let took = self.started.elapsed().saturating_sub(last.began);
            last.took = Some(took);
            if told {
                log::warn!("{}: {} is over after {:.1} s", last.label, last.what, took.as_secs_f64());
            }
        }
    }

    /// To be called now and then while an operation is under way: tells once if it takes too long.
    pub fn check(&self) {
        let mut book = self.book();
        let (Some(watch), Some(last)) = (&book.watch, book.operations.back()) else { return };
        let waited = self.started.elapsed().saturating_sub(last.began);
        if book.told || last.took.is_some() || waited < watch.after {
            return;
        }
        let (seconds, file) = (waited.as_secs_f64(), watch.file.clone());
        let story = format!("{}: {} has taken {seconds:.1} s so far", last.label, last.what);
        let written = files::write_whole(&file, book.text(watch.rank).as_bytes());
        book.told = true;
        drop(book);
        match written {
            Ok(()) => log::warn!("{story}; the last operations of this rank are in {}", file.display()),
            Err(error) => log::warn!("{story}; {}: {error}", file.display()),
        }
    }
}

impl Book {
    fn text(&self, rank: usize) -> String {
        let mut text = format!("# the last {} operations of rank {rank}, oldest first\n", self.operations.len());
        text += "# number    began_s     took_ms  operation\n";
        for Operation { number, label, what, began, took } in &self.operations {
            let took = took.map_or("under way".to_owned(), |took| format!("{:.3}", took.as_secs_f64() * 1e3));
            let _ = writeln!(text, "{number:8} {:10.4} {took:>11}  {label}: {what}", began.as_secs_f64());
        }
        text
    }
}
