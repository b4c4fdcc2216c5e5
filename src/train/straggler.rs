//! Ranks that are slower than the rest, time after time: all wait for them. The late one is the one that waits least.

use std::ops::Range;

use super::step::Spent;

/// Where the time of a step went.
#[derive(Clone, Copy)]
pub(super) struct Seconds {
    pub load: f64,
    pub step: f64,
}

/// A rank is slow that takes so much longer than the middle one.
const SLOW: f64 = 1.3;
/// Comparisons in a row in which it does, before it is told.
const PATIENCE: u32 = 3;

/// Seconds that a rank's steps take, each, since ranks were compared last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// Reading and checking records.
    pub load: f64,
    /// Forwards and backwards.
    pub networks: f64,
    /// Waiting for sums over ranks.
    pub waiting: f64,
    /// All of it.
    pub step: f64,
}

impl Pace {
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let numbers = [self.load, self.networks, self.waiting, self.step];
        bytes.as_chunks_mut().0.iter_mut().zip(numbers).for_each(|(bytes, number)| *bytes = number.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut numbers = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
        let mut next = || numbers.next().expect("a pace has four numbers");
        Self { load: next(), networks: next(), waiting: next(), step: next() }
    }
}

/// Where the time went on this rank since ranks were compared last.
pub(super) struct Since {
    spent: Spent,
    seconds: Seconds,
    steps: u32,
}

impl Since {
    pub fn new(spent: Spent) -> Self {
        Self { spent, seconds: Seconds { load: 0.0, step: 0.0 }, steps: 0 }
    }

    pub fn add(&mut self, seconds: Seconds) {
        self.seconds.load += seconds.load;
        self.seconds.step += seconds.step;
        self.steps += 1;
    }

    /// The pace up to now, where `spent` is of all steps; begins anew.
    pub fn pace(&mut self, spent: Spent) -> Pace {
        let Self { spent: before, seconds, steps } = std::mem::replace(self, Self::new(spent));
        let steps = f64::from(steps.max(1));
        Pace {
            load: seconds.load / steps,
            networks: spent.networks.saturating_sub(before.networks).as_secs_f64() / steps,
            waiting: spent.sums.saturating_sub(before.sums).as_secs_f64() / steps,
            step: seconds.step / steps,
        }
    }
}

/// What is known of all ranks.
pub(super) struct Stragglers {
    ranks: Vec<Rank>,
}

struct Rank {
    host: String,
    microbatches: usize,
    /// Comparisons in a row in which it was slow.
    lasting: u32,
}

impl Stragglers {
    /// Of ranks on `hosts` with `runs` of microbatches.
    pub fn new(hosts: impl IntoIterator<Item = String>, runs: impl IntoIterator<Item = Range<usize>>) -> Self {
        let ranks = hosts.into_iter().zip(runs);
        Self { ranks: ranks.map(|(host, run)| Rank { host, microbatches: run.len(), lasting: 0 }).collect() }
    }

    /// Takes note of all ranks' paces; says which rank has just been slow for long, or is not any more.
    pub fn see(&mut self, paces: &[Pace]) -> Vec<String> {
        // Ranks may have unequal numbers of microbatches.
        let work = |(rank, pace): (&Rank, &Pace)| (pace.step - pace.waiting) / rank.microbatches as f64;
        let works: Vec<f64> = self.ranks.iter().zip(paces).map(work).collect();
        let middle = middle(works.clone());
        let waiting = self::middle(paces.iter().map(|pace| pace.waiting).collect());
        let mut told = Vec::new();
        for (at, (rank, (work, pace))) in self.ranks.iter_mut().zip(works.iter().zip(paces)).enumerate() {
            let before = rank.lasting;
            rank.lasting = if *work > SLOW * middle { before + 1 } else { 0 };
            let name = format!("rank {at} on {}", rank.host);
            if rank.lasting == PATIENCE {
                let Pace { load, networks, waiting: waits, step } = pace;
                let other = step - load - networks - waits;
                told.push(format!(
                    "{name} is slow: {work:.3} s of work a microbatch, {:.2} times the middle rank's; of a step {load:.3} \
                     s are load, {networks:.3} networks, {other:.3} other, {waits:.3} waiting, where the middle rank waits \
                     {waiting:.3}",
                    work / middle
                ));
            } else if rank.lasting == 0 && before >= PATIENCE {
                told.push(format!("{name} keeps up again"));
            }
        }
        told
    }
}

/// The middle one, of two the lower.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len().max(1) - 1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(work: f64) -> Pace {
        Pace { load: 0.1 * work, networks: 0.8 * work, waiting: 2.0 - work, step: 2.0 }
    }

    fn three() -> Stragglers {
        Stragglers::new(["a", "b", "c"].map(str::to_owned), [0..1, 1..2, 2..4])
    }

    #[test]
    fn a_pace_survives_the_way_over_ranks() {
        let pace = Pace { load: 0.5, networks: -1.0, waiting: 1e-9, step: 7.25 };
        assert_eq!(Pace::from_bytes(&pace.to_bytes()), pace);
    }

    #[test]
    fn who_is_slow_for_long_is_named_once_and_again_when_it_keeps_up() {
        let mut stragglers = three();
        let slow = [pace(0.5), pace(1.0), pace(1.0)];
        let even = [pace(0.5), pace(0.5), pace(1.0)];
        assert!((1..PATIENCE).all(|_| stragglers.see(&slow).is_empty()), "it may pass");
        let told = stragglers.see(&slow);
        assert_eq!(told.len(), 1);
        let line = "rank 1 on b is slow: 1.000 s of work a microbatch, 2.00 times the middle rank's; of a step 0.100 s \
                    are load, 0.800 networks, 0.100 other, 1.000 waiting, where the middle rank waits 1.000";
        assert_eq!(told[0], line, "the last one has twice the work for twice the microbatches");
        assert!((0..10).all(|_| stragglers.see(&slow).is_empty()), "once");
        assert_eq!(stragglers.see(&even), ["rank 1 on b keeps up again"]);
        assert!((0..10).all(|_| stragglers.see(&even).is_empty()));
    }

    #[test]
    fn a_moment_is_no_straggler() {
        let mut stragglers = three();
        for at in 0..20 {
            let mut paces = [pace(0.5), pace(0.5), pace(1.0)];
            paces[at % 3] = pace(2.0);
            assert!(stragglers.see(&paces).is_empty());
        }
    }
}
