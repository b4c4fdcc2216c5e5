//! What a rank does and did: a ring of operations between ranks, and what it is at otherwise. Written out when one of
//! them does not end, and told to others that ask.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::inquiry::{Inquiry, Last, Standing};

/// Operations that are remembered.
const KEPT: usize = 256;

/// Steps whose middle one is the usual one.
const USUAL_OF: usize = 32;

/// Ranks that a standing names, those of the newest operations: it must fit into a message that waits for nobody.
const MET: usize = 8;

/// The operations of one rank, in order, and what it is at.
#[derive(Debug)]
pub struct Flight {
    started: Instant,
    book: Mutex<Book>,
    /// What ranks ask of each other where one of them does not go on.
    pub(super) inquiry: Inquiry,
}

#[derive(Debug, Default)]
struct Book {
    /// What the operations are for: `step 12, discriminator`.
    label: String,
    operations: VecDeque<Operation>,
    begun: u64,
    /// The operation under way was told of.
    told: bool,
    at: Option<Task>,
    tasks: u64,
    /// How long the last steps took.
    steps: VecDeque<Duration>,
}

#[derive(Debug)]
struct Operation {
    number: u64,
    label: String,
    peer: usize,
    what: String,
    began: Duration,
    /// None while it is under way.
    took: Option<Duration>,
}

/// What the rank is at: `step 12`, `the checkpoint of step 12`.
#[derive(Debug)]
struct Task {
    what: String,
    began: Duration,
    is_step: bool,
}

/// How far a rank is: it goes on as long as this changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Tasks begun.
    pub tasks: u64,
    /// Operations begun.
    pub operations: u64,
    /// Whether one is under way.
    pub in_operation: bool,
}

impl Default for Flight {
    fn default() -> Self {
        Self { started: Instant::now(), book: Mutex::default(), inquiry: Inquiry::default() }
    }
}

impl Flight {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next operations are for.
    pub fn label(&self, label: &str) {
        let mut book = self.book();
        book.label.clear();
        book.label.push_str(label);
    }

    /// An operation begins: `receive from rank 1, 4096 bytes`.
    pub fn begin(&self, peer: usize, what: String) {
        let mut book = self.book();
        if book.operations.len() == KEPT {
            book.operations.pop_front();
        }
        book.begun += 1;
        book.told = false;
        let (number, label, began) = (book.begun, book.label.clone(), self.started.elapsed());
        book.operations.push_back(Operation { number, label, peer, what, began, took: None });
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

    /// The rank turns to something else; what it was at is over.
    pub(super) fn turn_to(&self, what: &str, is_step: bool) {
        let now = self.started.elapsed();
        let mut book = self.book();
        book.tasks += 1;
        let before = book.at.replace(Task { what: what.to_owned(), began: now, is_step });
        if let Some(step) = before.filter(|task| task.is_step) {
            if book.steps.len() == USUAL_OF {
                book.steps.pop_front();
            }
            book.steps.push_back(now.saturating_sub(step.began));
        }
    }

    /// How long a step takes usually; nothing before there was one.
    pub(super) fn usual(&self) -> Option<Duration> {
        let mut steps: Vec<Duration> = self.book().steps.iter().copied().collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied()
    }

    pub(super) fn mark(&self) -> Mark {
        let book = self.book();
        let in_operation = book.operations.back().is_some_and(|last| last.took.is_none());
        Mark { tasks: book.tasks, operations: book.begun, in_operation }
    }

    /// What takes so long, in words: the operation under way, or what the rank is at. That an operation is over is then
    /// told too.
    pub(super) fn tell(&self) -> String {
        let mut book = self.book();
        let under_way = book.operations.back().filter(|last| last.took.is_none());
        let operation = under_way.map(|last| (format!("{}: {}", last.label, last.what), last.began));
        book.told = operation.is_some();
        let task = || book.at.as_ref().map(|task| (task.what.clone(), task.began));
        let (what, began) = operation.or_else(task).unwrap_or_default();
        format!("{what} has taken {:.1} s so far", self.started.elapsed().saturating_sub(began).as_secs_f64())
    }

    /// How this rank stands, for others to know.
    pub(super) fn standing(&self) -> Standing {
        let book = self.book();
        let now = self.started.elapsed();
        let ago = |then: Duration| now.saturating_sub(then).as_secs_f64();
        let told = |operation: &Operation| Last {
            number: operation.number,
            what: format!("{}: {}", operation.label, operation.what),
            peer: operation.peer,
            seconds: ago(operation.began + operation.took.unwrap_or_default()),
            under_way: operation.took.is_none(),
        };
        let mut met: Vec<Last> = Vec::new();
        for operation in book.operations.iter().rev().filter(|operation| operation.took.is_some()) {
            if met.len() < MET && met.iter().all(|known| known.peer != operation.peer) {
                met.push(told(operation));
            }
        }
        Standing {
            at: book.at.as_ref().map(|task| (task.what.clone(), ago(task.began))),
            last: book.operations.back().map(told),
            met,
        }
    }

    /// The record of the last operations of rank `rank`.
    pub(super) fn text(&self, rank: usize) -> String {
        let book = self.book();
        let mut text = format!("# the last {} operations of rank {rank}, oldest first\n", book.operations.len());
        text += "# number    began_s     took_ms  operation\n";
        for Operation { number, label, what, began, took, .. } in &book.operations {
            let took = took.map_or("under way".to_owned(), |took| format!("{:.3}", took.as_secs_f64() * 1e3));
            let _ = writeln!(text, "{number:8} {:10.4} {took:>11}  {label}: {what}", began.as_secs_f64());
        }
        text
    }
}
