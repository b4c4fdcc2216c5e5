//! The order of records in training: permuted blocks, then a permutation inside a window of blocks.
//!
//! A *position* counts records from the start of training on, across epochs; with n records in the split, position p is in
//! epoch p / n. Which record stands at a position is a function of (seed, epoch, split, window size) alone, so a cursor is one
//! number and any rank can find any record. Memory is that of one number a block and one window.

use std::ops::Range;

use super::DataError;
use super::manifest::Blocks;
use super::split::Split;
use crate::rng::{Draw, Stream};

/// Records of one block that belong to the split, neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The block they are in.
    pub block: u64,
    /// The first of them.
    pub first_record: u64,
    /// How many.
    pub rows: u32,
}

/// Where a record stands in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the window's pieces.
    pub piece: u32,
    /// Which of the piece's rows.
    pub row: u32,
}

/// What is in memory at once: some pieces, and the order in which their records are seen.
#[derive(Clone, Debug)]
pub struct Window {
    /// The positions that it fills.
    pub positions: Range<u64>,
    /// Its pieces, in the order of reading.
    pub pieces: Vec<Piece>,
    /// The record at each of its positions.
    pub order: Vec<Place>,
}

/// The order of a split's records.
#[derive(Debug)]
pub struct Sampler {
    pieces: Vec<Piece>,
    records: u64,
    window_blocks: usize,
    draw: Draw,
    epoch: Option<Epoch>,
    window: Option<Window>,
}

/// The order of pieces in one epoch.
#[derive(Debug)]
struct Epoch {
    number: u64,
    order: Vec<u32>,
    /// First place of each window in the epoch, and the epoch's end.
    bounds: Vec<u64>,
}

impl Sampler {
    /// The order of a split's records with windows of up to `window_blocks` blocks.
    pub fn new(split: &Split, blocks: Blocks, window_blocks: usize, seed: u64) -> Result<Self, DataError> {
        if window_blocks == 0 {
            return Err(DataError::Usage("`window_blocks` is 0, expected at least 1".into()));
        }
        let mut pieces = Vec::new();
        for range in split.ranges() {
            let mut record = range.start;
            while record < range.end {
                let block = blocks.holding(record);
                let end = blocks.records(block).end.min(range.end);
                let rows = u32::try_from(end - record).expect("a block holds fewer than 2^32 records");
                pieces.push(Piece { block, first_record: record, rows });
                record = end;
            }
        }
        if pieces.is_empty() {
            return Err(DataError::Usage("the split is empty, expected at least 1 record".into()));
        }
        Ok(Self { pieces, records: split.records(), window_blocks, draw: Draw::new(seed), epoch: None, window: None })
    }

    /// Records in the split, so positions in an epoch.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The record at a position.
    pub fn record(&mut self, position: u64) -> u64 {
        if self.window.as_ref().is_none_or(|window| !window.positions.contains(&position)) {
            self.window = Some(self.window(position));
        }
        let window = self.window.as_ref().expect("the window has just been made");
        let place = window.order[(position - window.positions.start) as usize];
        window.pieces[place.piece as usize].first_record + u64::from(place.row)
    }

    /// The window that a position is in.
    pub fn window(&mut self, position: u64) -> Window {
        let (number, place) = (position / self.records, position % self.records);
        if self.epoch.as_ref().is_none_or(|epoch| epoch.number != number) {
            self.epoch = Some(self.make_epoch(number));
        }
        let epoch = self.epoch.as_ref().expect("the epoch has just been made");
        let index = epoch.bounds.partition_point(|&bound| bound <= place) - 1;
        let windows = epoch.bounds.len() - 1;
        let pieces: Vec<Piece> = epoch.order[share(epoch.order.len(), windows, index)]
            .iter()
            .map(|&piece| self.pieces[piece as usize])
            .collect();
        let places: Vec<Place> = pieces
            .iter()
            .zip(0..)
            .flat_map(|(piece, number)| (0..piece.rows).map(move |row| Place { piece: number, row }))
            .collect();
        // Place 0 of the stream is the order of the blocks, so windows count from 1.
        let mut chance = self.draw.at(Stream::Shuffle, number, index as u32 + 1);
        let order = chance.permutation(places.len()).into_iter().map(|place| places[place as usize]).collect();
        let start = number * self.records;
        Window { positions: start + epoch.bounds[index]..start + epoch.bounds[index + 1], pieces, order }
    }

    fn make_epoch(&self, number: u64) -> Epoch {
        let order = self.draw.at(Stream::Shuffle, number, 0).permutation(self.pieces.len());
        let windows = order.len().div_ceil(self.window_blocks);
        let mut bounds = vec![0];
        for window in 0..windows {
            let rows: u64 = order[share(order.len(), windows, window)]
                .iter()
                .map(|&piece| u64::from(self.pieces[piece as usize].rows))
                .sum();
            bounds.push(bounds[window] + rows);
        }
        Epoch { number, order, bounds }
    }
}

/// The `index`-th of `parts` nearly equal parts of `0..n`: no window is left with a block or two that hardly mix.
fn share(n: usize, parts: usize, index: usize) -> Range<usize> {
    n * index / parts..n * (index + 1) / parts
}
