//! One forward for many records, in batches that are the same whoever computes them.
//!
//! Record number i has row i mod [`BATCH`] of a batch of [`BATCH`] rows, and rows without a record are 0. So the libtorch
//! kernels, whose rounding may depend on the size of a batch and on the place of a row, treat a record in one way always.
//!
//! Shapes: b = `BATCH` rows, n = numbers of an output.

use tch::{Device, Kind, Tensor};

use super::MapError;
use super::engine::{Engine, Pull};
use crate::data::Record;
use crate::nn::MADE_AT_ONCE;

/// Rows of a batch.
pub const BATCH: u64 = MADE_AT_ONCE;

/// A forward of trained networks, row by row: no row of its output depends on another row of its input.
pub trait BatchModel {
    /// Shape of a prepared record.
    fn shape(&self) -> Vec<i64>;

    /// Where the networks are.
    fn device(&self) -> Device;

    /// Record number `number` as the networks take it: as many values as `shape` has.
    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError>;

    /// - `records`: `[b, ..shape]`
    /// - returns: `[b, n]`
    fn forward(&self, records: &Tensor) -> Tensor;
}

/// A [`BatchModel`] at work.
pub struct FixedBatches<'a>(pub &'a dyn BatchModel);

/// Records of a batch that is being filled: numbers, and their rows one after the other.
#[derive(Default)]
struct Waiting {
    numbers: Vec<u64>,
    rows: Vec<f32>,
}

impl Waiting {
    /// Whether a record belongs into the same batch as those that wait.
    fn takes(&self, number: u64) -> bool {
        self.numbers.first().is_none_or(|first| first / BATCH == number / BATCH)
    }
}

impl FixedBatches<'_> {
    fn compute<E>(
        &self,
        waiting: &mut Waiting,
        done: &mut impl FnMut(u64, Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Waiting { numbers, rows } = std::mem::take(waiting);
        let Some(length) = rows.len().checked_div(numbers.len()) else { return Ok(()) };
        let mut batch = vec![0.0; BATCH as usize * length];
        let places: Vec<usize> = numbers.iter().map(|number| (number % BATCH) as usize).collect();
        for (row, place) in rows.chunks_exact(length).zip(&places) {
            batch[place * length..(place + 1) * length].copy_from_slice(row);
        }
        let shape: Vec<i64> = std::iter::once(BATCH as i64).chain(self.0.shape()).collect();
        let made = tch::no_grad(|| {
            let batch = Tensor::from_slice(&batch).view(shape.as_slice()).to_device(self.0.device());
            self.0.forward(&batch).flatten(1, -1).to_kind(Kind::Float)
        });
        let made: Vec<f32> = Vec::try_from(made.flatten(0, -1)).expect("outputs are numbers");
        let length = made.len() / BATCH as usize;
        let mut all = numbers.into_iter().zip(places);
        all.try_for_each(|(number, place)| done(number, made[place * length..(place + 1) * length].to_vec()))
    }
}

impl Engine for FixedBatches<'_> {
    type Prepared = Vec<f32>;
    type Made = Vec<f32>;

    fn run<E>(
        &self,
        stop: impl Fn() -> bool,
        mut next: impl FnMut() -> Result<Pull<Vec<f32>>, E>,
        mut done: impl FnMut(u64, Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut waiting = Waiting::default();
        while !stop() {
            match next()? {
                Pull::Record(number, row) => {
                    if !waiting.takes(number) {
                        self.compute(&mut waiting, &mut done)?;
                    }
                    waiting.numbers.push(number);
                    waiting.rows.extend(row);
                }
                Pull::Later => self.compute(&mut waiting, &mut done)?,
                Pull::End => return self.compute(&mut waiting, &mut done),
            }
        }
        Ok(())
    }
}
