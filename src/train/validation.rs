//! Validation during training: scores of the model with averaged weights on records that are not trained on.
//!
//! What is measured is the family's. Ranks share the batches out, and sums over batches are added in batch order on every
//! rank, so that scores are the same bits whatever the number of ranks.

use super::step::Stepper;
use crate::checkpoint::{Criterion, Direction};
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::DataError;
use crate::infer::TrainedModel;

/// A score, and which values of it are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Its name in metrics, in checkpoints and in `validation.best`.
    pub name: &'static str,
    /// Which values are better.
    pub direction: Direction,
    /// What it is, in words that follow "is".
    pub meaning: &'static str,
}

impl Score {
    /// As a checkpoint says by which score the best is chosen.
    pub fn criterion(self) -> Criterion {
        Criterion { score: self.name.to_owned(), direction: self.direction }
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The scores of the family, by name, in the order in which it declares them.
    pub scores: Vec<(&'static str, f64)>,
    /// Numbers beside the scores that go into the metrics, by name.
    pub beside: Vec<(&'static str, f64)>,
    /// What is wrong with the model, in words, where these numbers show it.
    pub warning: Option<String>,
}

impl Measured {
    /// The first score that is not a finite number, if there is one.
    pub fn missing(&self) -> Option<&'static str> {
        self.scores.iter().find(|(_, score)| !score.is_finite()).map(|(name, _)| *name)
    }
}

/// Measures a model on batches, each by itself.
pub trait Validator {
    /// Batches of a validation.
    fn batches(&self) -> u64;

    /// Numbers that [`Self::sums`] gives.
    fn numbers(&self) -> usize;

    /// Sums over the records of a batch; none where they cannot be computed, such as for values that are not finite.
    fn sums(&self, model: &dyn TrainedModel, batch: u64) -> Result<Option<Vec<f64>>, DataError>;

    /// The scores, out of the sums over all batches; NaN where there are none.
    fn finish(&self, sums: Option<&[f64]>) -> Measured;
}

impl dyn Validator {
    /// Measures the model of `stepper`, on all ranks together.
    pub fn measure(&self, comm: &dyn Communicator, stepper: &mut Stepper) -> Result<Measured, Disagreement<DataError>> {
        let mine = (comm.rank() as u64..self.batches()).step_by(comm.ranks());
        let sums = stepper.with_model(|model| mine.map(|batch| self.sums(model, batch)).collect());
        let sums: Vec<Option<Vec<f64>>> = agree(comm, sums)?;
        Ok(self.finish(add_in_batch_order(comm, sums, self.batches(), self.numbers()).as_deref()))
    }
}

/// Adds the sums of all batches in their order, the same on every rank; none where one is missing or not finite.
///
/// - `mine`: of the batches rank, rank + ranks, ..
/// - `numbers`: in the sums of a batch
pub fn add_in_batch_order(
    comm: &dyn Communicator,
    mine: Vec<Option<Vec<f64>>>,
    batches: u64,
    numbers: usize,
) -> Option<Vec<f64>> {
    let missing = || vec![f64::NAN; numbers];
    let mine: Vec<Vec<f64>> = mine.into_iter().map(|sums| sums.unwrap_or_else(missing)).collect();
    assert!(mine.iter().all(|sums| sums.len() == numbers), "the sums of a batch are {numbers} numbers");
    let packed = mine.into_iter().flatten().flat_map(f64::to_le_bytes);
    let all = comm.gather(&packed.collect::<Vec<u8>>());
    let mut total = vec![0.0; numbers];
    for batch in 0..batches as usize {
        let (rank, place) = (batch % comm.ranks(), batch / comm.ranks() * numbers * size_of::<f64>());
        let bytes = &all[rank][place..place + numbers * size_of::<f64>()];
        for (sum, bytes) in total.iter_mut().zip(bytes.chunks_exact(size_of::<f64>())) {
            *sum += f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            if !sum.is_finite() {
                return None;
            }
        }
    }
    Some(total)
}
