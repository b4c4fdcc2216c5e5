//! From blocks on disk to microbatches in the network's range, prepared ahead of the step that uses them.
//!
//! A thread fills the microbatches of the next window while those of this one are used. The arrays of a block are read straight
//! into their rows of their microbatches, and verified and transformed there, so that they are moved once; what a
//! codec makes images of, which are larger, is encoded from the block into its rows. Memory is that of this
//! worker's records of two windows. Blocks are shared out over rayon's threads; what is handed over depends on no thread count.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Device;

use super::DataError;
use super::batch::{Batch, Microbatch};
use super::dataset::{Block, Dataset};
use super::encoding::Encoding;
use super::modality::Modality;
use super::normalise::Transform;
use super::sampler::{Piece, Place, Sampler, Window};

/// What to do about a damaged block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Damaged {
    /// Stop the run and name the block.
    #[default]
    Strict,
    /// Go on without it: each damaged record is replaced by the next sound record of its window, the same on all ranks.
    /// A window without a sound record, or a file that cannot be read at all, stops the run.
    Skip,
}

/// What is loaded, and how.
#[derive(Clone, Debug)]
pub struct LoaderSettings {
    /// Name of the split.
    pub split: String,
    /// Blocks that are mixed with each other; a block is about 1 MiB, and two windows are in memory.
    pub window_blocks: usize,
    /// What to do about a damaged block.
    pub damaged: Damaged,
    /// Encoding of each modality; empty = each modality's own transform.
    pub encodings: Vec<Encoding>,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self { split: "train".into(), window_blocks: 64, damaged: Damaged::Strict, encodings: Vec::new() }
    }
}

/// Which records this worker gets: global batch b is positions `start + b global ..`, and its v-th microbatch the v-th of
/// `microbatches` contiguous slices of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// Records in a step.
    pub global: usize,
    /// Slices of it.
    pub microbatches: usize,
    /// The slices that this worker computes.
    pub mine: Range<usize>,
    /// Seed of the order of records.
    pub seed: u64,
}

impl BatchPlan {
    fn validate(&self) -> Result<(), DataError> {
        if self.microbatches == 0 || self.global == 0 || !self.global.is_multiple_of(self.microbatches) {
            return Err(DataError::Usage(format!(
                "`batch.global` is {}, expected a positive multiple of `batch.microbatches`: {}",
                self.global, self.microbatches
            )));
        }
        if self.mine.is_empty() || self.mine.end > self.microbatches {
            return Err(DataError::Usage(format!(
                "microbatches {}..{} are asked for, expected some of 0..{}",
                self.mine.start, self.mine.end, self.microbatches
            )));
        }
        Ok(())
    }

    /// Records in a microbatch.
    pub fn rows(&self) -> usize {
        self.global / self.microbatches
    }

    /// The first position at or after `position` that is this worker's, in batches that begin at `start`.
    fn next_mine(&self, start: u64, position: u64) -> u64 {
        let global = self.global as u64;
        let mine = (self.mine.start * self.rows()) as u64..(self.mine.end * self.rows()) as u64;
        let place = (position - start) % global;
        if place < mine.start {
            position - place + mine.start
        } else if place < mine.end {
            position
        } else {
            position - place + global + mine.start
        }
    }
}

/// Hands over this worker's microbatches in order, for ever. Knows no ranks.
#[derive(Debug)]
pub struct Loader {
    windows: Option<Receiver<Filled>>,
    ready: VecDeque<Result<Microbatch, DataError>>,
    used: Sender<Microbatch>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    waited: Duration,
    skipped_rows: u64,
    records: u64,
    shapes: Vec<Vec<usize>>,
}

/// The microbatches that a window completes, in order; behind an error comes nothing.
type Filled = VecDeque<Result<Microbatch, DataError>>;

impl Loader {
    /// Starts to load from `start_position` on: 0, or the position at which a run stopped between two steps.
    pub fn new(
        dataset: Arc<Dataset>,
        settings: &LoaderSettings,
        plan: BatchPlan,
        start_position: u64,
    ) -> Result<Self, DataError> {
        plan.validate()?;
        let split = dataset.split(&settings.split)?;
        let sampler = Sampler::new(split, dataset.blocks(), settings.window_blocks, plan.seed)?;
        let records = sampler.records();
        dataset.check_first_shard()?;
        let manifest = dataset.manifest();
        let encodings = if settings.encodings.is_empty() {
            manifest.modalities.iter().map(|modality| Encoding::Transform(modality.transform)).collect()
        } else {
            settings.encodings.clone()
        };
        if encodings.len() != manifest.modalities.len() {
            let (have, wanted) = (manifest.modalities.len(), encodings.len());
            return Err(DataError::Usage(format!(
                "{} has {have} modalities, expected {wanted}",
                dataset.folder().display()
            )));
        }
        let mut shapes = Vec::new();
        for (encoding, modality) in encodings.iter().zip(&manifest.modalities) {
            encoding.check(modality, &manifest.labels).map_err(DataError::Usage)?;
            shapes.push(encoding.shape(&modality.shape));
        }

        let stop = Arc::new(AtomicBool::new(false));
        let (windows_out, windows) = sync_channel(0); // a window in use, one in the making
        let (used, used_in) = channel();
        let folder = dataset.folder().to_path_buf();
        let filler = Filler {
            record_len: manifest.modalities.iter().map(Modality::len).collect(),
            row_len: shapes.iter().map(|shape| shape.iter().product()).collect(),
            labels: manifest.labels.len(),
            in_place: encodings.iter().all(|encoding| matches!(encoding, Encoding::Transform(_))),
            encodings,
            sampler,
            damaged: settings.damaged,
            position: plan.next_mine(start_position, start_position),
            plan,
            start: start_position,
            open: None,
            free: Mutex::default(),
            stop: Arc::clone(&stop),
            dataset,
        };
        let thread = thread::Builder::new().name("load".into());
        let thread = thread.spawn(move || filler.run(&windows_out, &used_in)).map_err(DataError::file(&folder))?;
        Ok(Self {
            windows: Some(windows),
            ready: VecDeque::new(),
            used,
            thread: Some(thread),
            stop,
            waited: Duration::ZERO,
            skipped_rows: 0,
            records,
            shapes,
        })
    }

    /// The next microbatch. After an error there is none; a panic in the loader is passed on.
    #[expect(clippy::should_implement_trait, reason = "an iterator's end is no error, here it is")]
    pub fn next(&mut self) -> Result<Microbatch, DataError> {
        while self.ready.is_empty() {
            let since = Instant::now();
            let windows = self.windows.as_ref().expect("the receiver is there until the loader is dropped");
            let received = windows.recv();
            self.waited += since.elapsed();
            let Ok(filled) = received else {
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return Err(DataError::Ended);
            };
            self.ready = filled;
        }
        let microbatch = self.ready.pop_front().expect("it is not empty")?;
        self.skipped_rows += microbatch.skipped_rows;
        Ok(microbatch)
    }

    /// Gives a microbatch back, so that its memory is used again. Need not be called.
    pub fn recycle(&self, microbatch: Microbatch) {
        // Where the thread has ended, nobody needs it.
        let _ = self.used.send(microbatch);
    }

    /// The next microbatch, on `device`.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn next_batch(&mut self, device: Device) -> Result<Batch, DataError> {
        let microbatch = self.next()?;
        let batch = Batch::new(&microbatch, &self.shapes, device);
        self.recycle(microbatch);
        Ok(batch)
    }

    /// Records in the split: positions in an epoch.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// For each modality the shape of one record in a microbatch's values.
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    /// Seconds that `next` has waited, all together.
    pub fn waited_seconds(&self) -> f64 {
        self.waited.as_secs_f64()
    }

    /// Rows of damaged blocks that were left out, in all windows up to the last microbatch, each time they were met.
    pub fn skipped_rows(&self) -> u64 {
        self.skipped_rows
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.windows = None; // whoever waits to send wakes up
        if let Some(thread) = self.thread.take() {
            // A panic that nobody asked for any more.
            let _ = thread.join();
        }
    }
}

struct Filler {
    dataset: Arc<Dataset>,
    sampler: Sampler,
    /// For each modality the numbers of a record as it is stored.
    record_len: Vec<usize>,
    /// And in a microbatch.
    row_len: Vec<usize>,
    labels: usize,
    encodings: Vec<Encoding>,
    /// Whether arrays are encoded where they lie.
    in_place: bool,
    damaged: Damaged,
    plan: BatchPlan,
    start: u64,
    /// The first position of this worker that is still to be filled.
    position: u64,
    /// The microbatch that it is in, where that reaches over from the last window.
    open: Option<Microbatch>,
    /// Used again and again.
    free: Mutex<Vec<Room>>,
    stop: Arc<AtomicBool>,
}

/// What a thread reads a block into, besides microbatches.
#[derive(Default)]
struct Room {
    block: Block,
    /// For each modality the arrays of records that this worker does not need.
    unused: Vec<Vec<f32>>,
    /// A record on its way to its image.
    record: Vec<f32>,
}

/// The arrays of a record, one a modality. The first stands apart, so that a record of one modality needs no memory of its own:
/// a loader moves half a million a second.
struct Arrays<'a> {
    first: &'a mut [f32],
    others: Vec<&'a mut [f32]>,
}

impl<'a> Arrays<'a> {
    /// Of one record, from the first modality on; there is at least one.
    fn new(mut all: impl Iterator<Item = &'a mut [f32]>) -> Self {
        let first = all.next().expect("a record has a modality");
        Self { first, others: all.collect() }
    }

    fn of(&mut self, modality: usize) -> &mut [f32] {
        if modality == 0 { self.first } else { self.others[modality - 1] }
    }

    /// Gives the array of a modality away, to be put back by `put`.
    fn take(&mut self, modality: usize) -> &'a mut [f32] {
        std::mem::take(if modality == 0 { &mut self.first } else { &mut self.others[modality - 1] })
    }

    fn put(&mut self, modality: usize, array: &'a mut [f32]) {
        *(if modality == 0 { &mut self.first } else { &mut self.others[modality - 1] }) = array;
    }
}

/// Where a record goes.
struct Row<'a> {
    position: u64,
    /// Its row in the piece.
    of_piece: u32,
    values: Arrays<'a>,
    present: &'a mut [u8],
    labels: &'a mut [f32],
    id: &'a mut u64,
}

/// What became of a piece: the first position with a record that the encoding does not take, or why it could not be read.
type Outcome = Result<Option<Bad>, DataError>;

/// A position, and what is wrong with its record.
type Bad = (u64, DataError);

impl Filler {
    fn run(mut self, out: &SyncSender<Filled>, used: &Receiver<Microbatch>) {
        loop {
            let window = self.sampler.window(self.position);
            let filled = self.fill(window, used).unwrap_or_else(|error| VecDeque::from([Err(error)]));
            let failed = filled.iter().any(Result::is_err);
            if out.send(filled).is_err() || failed {
                return;
            }
        }
    }

    /// Fills what of this worker's microbatches is in the window, and hands out those that are complete.
    fn fill(&mut self, window: Window, used: &Receiver<Microbatch>) -> Result<Filled, DataError> {
        let Window { positions, pieces, mut order } = window;
        let mut microbatches = self.begin(&positions, used);
        let outcomes = self.read(&positions, &pieces, &order, &mut microbatches, None);
        let Judged { mut first_bad, sound, skipped_rows, damage } = self.judge(&pieces, outcomes)?;
        microbatches[0].skipped_rows += skipped_rows;
        if let Some(damage) = damage {
            let Some(changed) = stand_in(&mut order, &sound) else { return Err(damage) };
            let outcomes = self.read(&positions, &pieces, &order, &mut microbatches, Some(&changed));
            let again = self.judge(&pieces, outcomes)?;
            if let Some(damage) = again.damage {
                return Err(damage); // it was sound a moment ago
            }
            first_bad = earlier(first_bad, again.first_bad);
        }
        let rows = self.plan.rows() as u64;
        if let Some((bad, error)) = first_bad {
            let before = microbatches.into_iter().filter(|microbatch| microbatch.position + rows <= bad);
            return Ok(before.map(Ok).chain([Err(error)]).collect());
        }
        let last = microbatches.last().expect("the position is in the window").position;
        if last + rows > positions.end {
            self.open = microbatches.pop();
            self.position = positions.end;
        } else {
            self.position = self.plan.next_mine(self.start, last + rows);
        }
        Ok(microbatches.into_iter().map(Ok).collect())
    }

    /// Room for this worker's microbatches in a window; the first may have begun before it.
    fn begin(&mut self, positions: &Range<u64>, used: &Receiver<Microbatch>) -> Vec<Microbatch> {
        let rows = self.plan.rows();
        let mut position = self.position;
        let mut microbatches = Vec::new();
        if let Some(open) = self.open.take() {
            position = self.plan.next_mine(self.start, open.position + rows as u64);
            microbatches.push(open);
        }
        while position < positions.end {
            let mut microbatch = used.try_recv().unwrap_or_default();
            microbatch.position = position;
            microbatch.skipped_rows = 0;
            microbatch.values.resize(self.row_len.len(), Vec::new());
            for (values, row_len) in microbatch.values.iter_mut().zip(&self.row_len) {
                values.resize(rows * row_len, 0.0);
            }
            microbatch.present.resize(rows * self.row_len.len(), 1);
            microbatch.labels.resize(rows * self.labels, 0.0);
            microbatch.ids.resize(rows, 0);
            microbatches.push(microbatch);
            position = self.plan.next_mine(self.start, position + rows as u64);
        }
        microbatches
    }

    /// Reads every piece, and copies and encodes its records to where they go; with `again`, those that go to these places
    /// alone, and only pieces that have any.
    fn read(
        &self,
        positions: &Range<u64>,
        pieces: &[Piece],
        order: &[Place],
        microbatches: &mut [Microbatch],
        again: Option<&[bool]>,
    ) -> Vec<Outcome> {
        let mut rows_of: Vec<Vec<Row>> = pieces.iter().map(|_| Vec::new()).collect();
        for microbatch in microbatches {
            let mut labels = microbatch.labels.chunks_exact_mut(self.labels.max(1));
            let mut present = microbatch.present.chunks_exact_mut(self.row_len.len());
            let values = microbatch.values.iter_mut().zip(&self.row_len);
            let mut values: Vec<_> = values.map(|(values, row_len)| values.chunks_exact_mut(*row_len)).collect();
            for (id, position) in microbatch.ids.iter_mut().zip(microbatch.position..) {
                let values = values.iter_mut().map(|values| values.next().expect("there is a row for each record"));
                let values = Arrays::new(values);
                let labels = labels.next().unwrap_or_default();
                let present = present.next().expect("there is a row for each record");
                let index = position.wrapping_sub(positions.start) as usize;
                if positions.contains(&position) && again.is_none_or(|again| again[index]) {
                    let Place { piece, row } = order[index];
                    rows_of[piece as usize].push(Row { position, of_piece: row, values, present, labels, id });
                }
            }
        }
        let read = |(rows, piece): (Vec<Row>, &Piece)| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DataError::Ended);
            }
            let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let mut room = free().pop().unwrap_or_default();
            let outcome = match again {
                None if self.in_place => self.read_piece(piece, rows, &mut room),
                Some(_) if rows.is_empty() => Ok(None),
                _ => self.copy_piece(piece, rows, &mut room),
            };
            free().push(room);
            outcome
        };
        rows_of.into_par_iter().zip(pieces).map(read).collect()
    }

    /// Reads a block whose records go to one place each, or to none.
    fn read_piece(&self, piece: &Piece, mut rows: Vec<Row>, room: &mut Room) -> Outcome {
        let records = self.dataset.blocks().records(piece.block);
        let row_of = |row: &Row| (piece.first_record - records.start) as usize + row.of_piece as usize;
        rows.sort_unstable_by_key(|row| row.of_piece);
        let count = (records.end - records.start) as usize;
        let numbers: Vec<usize> = rows.iter().map(&row_of).collect();
        room.unused.resize(self.record_len.len(), Vec::new());
        let mut places: Vec<Vec<&mut [f32]>> = Vec::with_capacity(self.record_len.len());
        for (modality, (unused, length)) in room.unused.iter_mut().zip(&self.record_len).enumerate() {
            unused.resize((count - rows.len()) * length, 0.0);
            let mut unused = unused.chunks_exact_mut(*length);
            let mut arrays: Vec<&mut [f32]> = Vec::with_capacity(count);
            for (row, number) in rows.iter_mut().zip(&numbers) {
                let before = number - arrays.len();
                arrays.extend(unused.by_ref().take(before));
                arrays.push(row.values.take(modality));
            }
            arrays.extend(unused);
            places.push(arrays);
        }
        self.dataset.read_block_to(piece.block, &mut places, &mut room.block)?;
        let place = |(mut row, number): (Row, usize)| {
            for (modality, arrays) in places.iter_mut().enumerate() {
                row.values.put(modality, std::mem::take(&mut arrays[number]));
            }
            self.finish(&room.block, number, &mut room.record, &mut row)
        };
        Ok(rows.into_iter().zip(numbers).filter_map(place).reduce(first))
    }

    /// Reads a block whose records may go to several places, or need other room than theirs.
    fn copy_piece(&self, piece: &Piece, rows: Vec<Row>, room: &mut Room) -> Outcome {
        let Room { block, record, .. } = room;
        self.dataset.read_block_into(piece.block, block)?;
        let place = |mut row: Row| {
            let at = (piece.first_record - block.records().start) as usize + row.of_piece as usize;
            for (modality, encoding) in self.encodings.iter().enumerate() {
                if matches!(encoding, Encoding::Transform(_)) {
                    block.copy_row(modality, at, row.values.of(modality));
                }
            }
            self.finish(block, at, record, &mut row)
        };
        Ok(rows.into_iter().filter_map(place).reduce(first))
    }

    /// What a record still needs: name, labels, and each array, which lies in its place where its encoding is a transform, encoded.
    fn finish(&self, block: &Block, row: usize, whole: &mut Vec<f32>, to: &mut Row) -> Option<Bad> {
        *to.id = block.id(row);
        for (to, value) in to.labels.iter_mut().zip(block.labels(row)) {
            *to = value;
        }
        let record = block.records().start + row as u64;
        for (modality, encoding) in self.encodings.iter().enumerate() {
            let is_present = block.is_present(modality, row);
            to.present[modality] = u8::from(is_present);
            let values = to.values.of(modality);
            let encoded = match encoding {
                _ if !is_present => {
                    values.fill(0.0);
                    Ok(())
                }
                Encoding::Transform(Transform::Identity {}) => Ok(()), // a verified block is finite
                Encoding::Transform(transform) => {
                    transform.forward(values).map_err(|source| DataError::Domain { record, source })
                }
                Encoding::Codec(_) => {
                    whole.resize(self.record_len[modality], 0.0);
                    block.copy_row(modality, row, whole);
                    encoding.encode(record, whole, to.labels, values)
                }
            };
            if let Err(error) = encoded {
                return Some((to.position, error));
            }
        }
        None
    }

    /// What the outcomes of all pieces come to; an error ends the loader.
    fn judge(&self, pieces: &[Piece], outcomes: Vec<Outcome>) -> Result<Judged, DataError> {
        let mut judged = Judged { first_bad: None, sound: vec![true; pieces.len()], skipped_rows: 0, damage: None };
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(bad) => judged.first_bad = earlier(judged.first_bad, bad),
                Err(error) if self.damaged == Damaged::Strict || !error.is_damage() => return Err(error),
                Err(error) => {
                    log::warn!("{error}; going on without its block");
                    judged.sound[index] = false;
                    judged.skipped_rows += u64::from(pieces[index].rows);
                    judged.damage.get_or_insert(error);
                }
            }
        }
        Ok(judged)
    }
}

/// What all pieces of a window come to.
struct Judged {
    first_bad: Option<Bad>,
    /// Which pieces.
    sound: Vec<bool>,
    /// Rows of those that are not.
    skipped_rows: u64,
    /// The first damage.
    damage: Option<DataError>,
}

fn first(a: Bad, b: Bad) -> Bad {
    if b.0 < a.0 { b } else { a }
}

fn earlier(a: Option<Bad>, b: Option<Bad>) -> Option<Bad> {
    a.into_iter().chain(b).reduce(first)
}

/// Puts the next sound record into each place of a damaged one, and says which places those are; none without a sound record.
fn stand_in(order: &mut [Place], sound: &[bool]) -> Option<Vec<bool>> {
    let is_sound = |place: &Place| sound[place.piece as usize];
    let changed = order.iter().map(|place| !is_sound(place)).collect();
    let mut next = order.iter().copied().find(is_sound)?;
    for place in order.iter_mut().rev() {
        if is_sound(place) {
            next = *place;
        } else {
            *place = next;
        }
    }
    Some(changed)
}
