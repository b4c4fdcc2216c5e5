//! Who holds the others up: where an operation does not end, a rank asks all others how they stand. Their communication
//! threads answer even while they compute or wait, so a rank that does not answer is stopped, or gone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// How a rank stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// What it is at, and for how many seconds.
    pub at: Option<(String, f64)>,
    /// Its newest operation.
    pub last: Option<Last>,
    /// The newest operations with other ranks that ended, one a rank.
    pub met: Vec<Last>,
}

/// An operation between ranks, as others hear of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    pub number: u64,
    /// What it is for, and what it is.
    pub what: String,
    pub peer: usize,
    /// Since its end, or since its beginning where it is under way.
    pub seconds: f64,
    pub under_way: bool,
}

/// Questions and answers of one rank.
#[derive(Debug, Default)]
pub(super) struct Inquiry(Mutex<Desk>);

#[derive(Debug, Default)]
struct Desk {
    /// The others are to be asked.
    due: bool,
    /// Who has asked this rank since it was last looked at.
    asked: Option<usize>,
    /// What came back, by rank, with how often was asked since.
    answers: Vec<(usize, u32, Standing)>,
}

impl Inquiry {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the communication thread ask all others, once more.
    pub fn ask(&self) {
        let mut desk = self.desk();
        desk.due = true;
        desk.answers.iter_mut().for_each(|(_, since, _)| *since += 1);
    }

    /// Whether the others are to be asked now.
    #[cfg(feature = "mpi")]
    pub fn take_question(&self) -> bool {
        std::mem::take(&mut self.desk().due)
    }

    /// Rank `by` has asked.
    #[cfg(any(feature = "mpi", test))]
    pub fn note_question(&self, by: usize) {
        let mut desk = self.desk();
        desk.asked = Some(desk.asked.map_or(by, |known| known.min(by)));
    }

    /// The first of the ranks that have asked since this was called last.
    pub fn take_asker(&self) -> Option<usize> {
        self.desk().asked.take()
    }

    /// Rank `of` has answered.
    #[cfg(any(feature = "mpi", test))]
    pub fn note_answer(&self, of: usize, standing: Standing) {
        let mut desk = self.desk();
        desk.answers.retain(|(rank, ..)| *rank != of);
        desk.answers.push((of, 0, standing));
    }

    /// What was answered, by rank; what was asked for more than `questions` times since is forgotten.
    pub fn answers(&self, ranks: usize, questions: u32) -> Vec<Option<Standing>> {
        let mut all = vec![None; ranks];
        for (rank, since, standing) in &self.desk().answers {
            if *since <= questions {
                all[*rank] = Some(standing.clone());
            }
        }
        all
    }

    /// What was answered does not count any more.
    pub fn forget(&self) {
        self.desk().answers.clear();
    }
}

/// Who holds the others up, and how that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Ranks that do not answer.
    pub silent: Vec<usize>,
    pub words: String,
}

/// Ranks that a verdict names in full.
const NAMED: usize = 3;

/// Judges how all ranks stand: `standings[rank]` is nothing where that rank was silent; `hosts[rank]` is where it is.
pub(super) fn judge(standings: &[Option<Standing>], hosts: &[String]) -> Verdict {
    let name = |rank: usize| match hosts.get(rank).filter(|host| !host.is_empty()) {
        Some(host) => format!("rank {rank} on {host}"),
        None => format!("rank {rank}"),
    };
    let ranks_that = |holds: &dyn Fn(&Option<Standing>) -> bool| -> Vec<usize> {
        (0..standings.len()).filter(|&rank| holds(&standings[rank])).collect()
    };
    let waits = |standing: &Standing| standing.last.as_ref().is_some_and(|last| last.under_way);
    let silent = ranks_that(&|standing| standing.is_none());
    let busy = ranks_that(&|standing| standing.as_ref().is_some_and(|standing| !waits(standing)));
    let told = |ranks: &[usize], tell: &dyn Fn(usize) -> String| {
        let mut all: Vec<String> = ranks.iter().take(NAMED).map(|&rank| tell(rank)).collect();
        if ranks.len() > NAMED {
            all.push(format!("and so of {} more", ranks.len() - NAMED));
        }
        all.join("; ")
    };
    let words = if !silent.is_empty() {
        told(&silent, &|rank| format!("{} does not answer, {}", name(rank), last_heard(rank, standings)))
    } else if !busy.is_empty() {
        told(&busy, &|rank| format!("{} {}", name(rank), in_words(standings[rank].as_ref())))
    } else {
        let all: Vec<usize> = (0..standings.len()).collect();
        format!(
            "all ranks wait: {}",
            told(&all, &|rank| format!("{} {}", name(rank), in_words(standings[rank].as_ref())))
        )
    };
    Verdict { silent, words }
}

/// What others know of a silent rank.
fn last_heard(rank: usize, standings: &[Option<Standing>]) -> String {
    let others = standings.iter().enumerate().filter_map(|(other, standing)| Some((other, standing.as_ref()?)));
    let met = others.flat_map(|(other, standing)| {
        standing.met.iter().filter(|last| last.peer == rank).map(move |last| (other, last))
    });
    match met.min_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds)) {
        Some((other, Last { number, what, seconds, .. })) => {
            format!("last heard of {seconds:.1} s ago in {what} (operation {number} of rank {other})")
        }
        None => "nor has it been heard of before".into(),
    }
}

/// What a rank says of itself.
fn in_words(standing: Option<&Standing>) -> String {
    let Some(Standing { at, last, .. }) = standing else { return "is silent".into() };
    let operation = last.as_ref().map(|Last { number, what, seconds, under_way, .. }| {
        if *under_way {
            format!("has been in {what} (its operation {number}) for {seconds:.1} s")
        } else {
            format!("ended {what} (its operation {number}) {seconds:.1} s ago")
        }
    });
    match (at, operation) {
        (Some((what, seconds)), None) => format!("has been at {what} for {seconds:.1} s"),
        (Some((what, seconds)), Some(operation)) if last.as_ref().is_some_and(|last| !last.under_way) => {
            format!("has been at {what} for {seconds:.1} s and {operation}")
        }
        (_, Some(operation)) => operation,
        (None, None) => "is between its tasks".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(peer: usize, number: u64, seconds: f64, under_way: bool) -> Last {
        Last { number, what: format!("step 7, generator: exchange with rank {peer}"), peer, seconds, under_way }
    }

    fn waiting(peer: usize, met: Vec<Last>) -> Standing {
        Standing { at: Some(("step 7".into(), 9.0)), last: Some(last(peer, 40, 8.0, true)), met }
    }

    fn hosts() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_silent_rank_is_named_with_what_was_last_heard_of_it() {
        let met = |number, seconds| vec![last(1, number, seconds, false)];
        let verdict = judge(&[Some(waiting(1, met(38, 9.5))), None, Some(waiting(0, met(21, 30.0)))], &hosts());
        assert_eq!(verdict.silent, [1]);
        let wanted = "rank 1 on b does not answer, last heard of 9.5 s ago in step 7, generator: exchange with rank 1 \
                      (operation 38 of rank 0)";
        assert_eq!(verdict.words, wanted, "by the rank that heard of it last");
    }

    #[test]
    fn a_rank_that_computes_while_the_others_wait_holds_them_up() {
        let busy = Standing { at: Some(("step 7".into(), 9.0)), last: Some(last(0, 12, 8.5, false)), met: Vec::new() };
        let verdict = judge(&[Some(waiting(2, Vec::new())), Some(waiting(2, Vec::new())), Some(busy)], &hosts());
        assert!(verdict.silent.is_empty(), "it lives");
        let wanted = "rank 2 on c has been at step 7 for 9.0 s and ended step 7, generator: exchange with rank 0 \
                      (its operation 12) 8.5 s ago";
        assert_eq!(verdict.words, wanted);
    }

    #[test]
    fn ranks_that_all_wait_for_each_other_are_all_named() {
        let verdict = judge(&[Some(waiting(1, Vec::new())), Some(waiting(0, Vec::new()))], &hosts());
        assert!(verdict.words.starts_with("all ranks wait: rank 0 on a has been in step 7"), "{}", verdict.words);
        assert!(verdict.words.contains("; rank 1 on b has been in"), "{}", verdict.words);
    }

    #[test]
    fn who_does_not_answer_again_is_silent_in_the_end() {
        let inquiry = Inquiry::default();
        inquiry.ask();
        inquiry.note_answer(1, Standing::default());
        inquiry.ask();
        inquiry.ask();
        assert_eq!(inquiry.answers(2, 2), [None, Some(Standing::default())]);
        assert_eq!(inquiry.answers(2, 1), [None, None]);
        inquiry.note_answer(1, Standing::default());
        assert_eq!(inquiry.answers(2, 0), [None, Some(Standing::default())]);
    }

    #[test]
    fn the_first_of_those_who_ask_leads() {
        let inquiry = Inquiry::default();
        inquiry.note_question(3);
        inquiry.note_question(1);
        inquiry.note_question(2);
        assert_eq!((inquiry.take_asker(), inquiry.take_asker()), (Some(1), None));
    }
}
