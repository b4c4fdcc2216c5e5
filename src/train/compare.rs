//! Comparison of all ranks' parameters, bit for bit: broken memory, or a fault of ours.

use xxhash_rust::xxh3::Xxh3;

use super::step::Stepper;
use super::straggler::Pace;

/// A rank with other parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterMismatch {
    /// Most ranks have the same, this one has not.
    #[error("rank {0} has other parameters than the rest")]
    Rank(usize),
    /// This rank and rank 0 differ, and no parameters are those of most ranks.
    #[error("ranks 0 and {0} have different parameters and either may be wrong")]
    Undecided(usize),
}

impl Stepper<'_> {
    /// The first rank whose parameters are not those of the others, if there is one.
    pub fn mismatch(&self) -> Option<ParameterMismatch> {
        self.compare(Pace::default()).0
    }

    /// The same, with what all ranks say of their pace beside.
    pub(super) fn compare(&self, pace: Pace) -> (Option<ParameterMismatch>, Vec<Pace>) {
        let mut hash = Xxh3::new();
        for replica in &self.replicas {
            for some in replica.space.parameters().host().chunks(4096) {
                let bytes: Vec<u8> = some.iter().flat_map(|value| value.to_le_bytes()).collect();
                hash.update(&bytes);
            }
        }
        let told = self.comm.gather(&[&hash.digest().to_le_bytes()[..], &pace.to_bytes()].concat());
        let (all, paces): (Vec<&[u8]>, Vec<Pace>) =
            told.iter().map(|told| told.split_at(8)).map(|(hash, pace)| (hash, Pace::from_bytes(pace))).unzip();
        let votes = |one: &[u8]| all.iter().filter(|other| **other == one).count();
        let mismatch = match all.iter().find(|one| 2 * votes(one) > all.len()) {
            Some(common) => all.iter().position(|one| one != common).map(ParameterMismatch::Rank),
            None => all.iter().position(|one| *one != all[0]).map(ParameterMismatch::Undecided),
        };
        (mismatch, paces)
    }
}
