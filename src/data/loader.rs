//! From blocks on disk to microbatches in the network's range, prepared ahead of the step that uses them.
//!
//! Two threads: one reads and verifies the next window while the other picks records from this one and transforms them, so memory
//! is that of two windows and a few microbatches. The work inside is shared out over rayon's threads; what is handed over depends
//! on no thread count.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::DataError;
use super::dataset::{Block, Dataset};
use super::normalise::Transform;
use super::sampler::{Place, Sampler, Window};

/// What to do about a damaged block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Damaged {
    /// Stop and name it.
    #[default]
    Strict,
    /// Go on without it. The place of a damaged record is taken by the next sound one in the order of its window (after the last
    /// comes the first), so positions stay what they are, and every rank that reads the window sees the same. A window without a
    /// sound record, and a file that cannot be read at all, stop the run all the same.
    Skip,
}

/// What is loaded, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderSettings {
    /// Name of the split.
    pub split: String,
    /// Blocks that are mixed with each other; a block is about 1 MiB, and two windows are in memory.
    pub window_blocks: usize,
    /// What to do about a damaged block.
    pub damaged: Damaged,
    /// The transform to the network's range; the manifest's where there is none.
    pub transform: Option<Transform>,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self { split: "train".into(), window_blocks: 64, damaged: Damaged::Strict, transform: None }
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

/// One leaf of the gradient sum, ready for the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Microbatch {
    /// Position of its first record.
    pub position: u64,
    /// `[n, channels, h, w]`, transformed.
    pub values: Vec<f32>,
    /// `[n, p]`, NaN = unknown, as they are on disk.
    pub parameters: Vec<f32>,
    /// `[n]`, names of the records.
    pub ids: Vec<u64>,
    /// Rows of damaged blocks in windows that begin with it.
    skipped_rows: u64,
}

/// Hands over this worker's microbatches in order, for ever. Knows no ranks.
#[derive(Debug)]
pub struct Loader {
    ready: Option<Receiver<Result<Microbatch, DataError>>>,
    used: Sender<Microbatch>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    waited: Duration,
    skipped_rows: u64,
    records: u64,
}

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
        let transform = settings.transform.unwrap_or(dataset.manifest().transform);
        transform.validate().map_err(|reason| DataError::Usage(format!("`transform`: {reason}")))?;

        let stop = Arc::new(AtomicBool::new(false));
        let (window_out, window_in) = sync_channel(0); // a window in use, one in the making
        let (blocks_out, blocks_in) = channel();
        let (ready_out, ready) = sync_channel(plan.mine.len().max(2));
        let (used, used_in) = channel();
        let picker = Picker {
            record_len: dataset.manifest().record_len(),
            parameters: dataset.manifest().parameters.len(),
            transform,
            plan: plan.clone(),
            start: start_position,
            window: Loaded::default(),
        };
        let folder = dataset.folder().to_path_buf();
        let reader = Reader {
            dataset,
            sampler,
            damaged: settings.damaged,
            plan,
            start: start_position,
            stop: Arc::clone(&stop),
        };
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.into()).spawn(work).map_err(DataError::file(&folder))
        };
        let threads = vec![
            spawn("read", Box::new(move || reader.run(&window_out, &blocks_in)))?,
            spawn("pick", Box::new(move || picker.run(&window_in, &blocks_out, &ready_out, &used_in)))?,
        ];
        Ok(Self { ready: Some(ready), used, threads, stop, waited: Duration::ZERO, skipped_rows: 0, records })
    }

    /// The next microbatch. After an error there is none; a panic in the loader is passed on.
    #[expect(clippy::should_implement_trait, reason = "an iterator's end is no error, here it is")]
    pub fn next(&mut self) -> Result<Microbatch, DataError> {
        let since = Instant::now();
        let ready = self.ready.as_ref().expect("the receiver is there until the loader is dropped");
        let received = ready.recv();
        self.waited += since.elapsed();
        let Ok(microbatch) = received else {
            for thread in self.threads.drain(..) {
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            return Err(DataError::Ended);
        };
        let microbatch = microbatch?;
        self.skipped_rows += microbatch.skipped_rows;
        Ok(microbatch)
    }

    /// Gives a microbatch back, so that its memory is used again. Need not be called.
    pub fn recycle(&self, microbatch: Microbatch) {
        // Where the threads have ended, nobody needs it.
        let _ = self.used.send(microbatch);
    }

    /// Records in the split: positions in an epoch.
    pub fn records(&self) -> u64 {
        self.records
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
        self.ready = None; // whoever waits to send wakes up
        for thread in self.threads.drain(..) {
            // A panic that nobody asked for any more.
            let _ = thread.join();
        }
    }
}

/// A window in memory.
#[derive(Debug, Default)]
struct Loaded {
    positions: Range<u64>,
    blocks: Vec<Block>,
    /// Block and row in it at each position.
    order: Vec<Place>,
    skipped_rows: u64,
}

struct Reader {
    dataset: Arc<Dataset>,
    sampler: Sampler,
    damaged: Damaged,
    plan: BatchPlan,
    start: u64,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self, out: &SyncSender<Result<Loaded, DataError>>, used: &Receiver<Vec<Block>>) {
        let mut position = self.plan.next_mine(self.start, self.start);
        loop {
            let window = self.sampler.window(position);
            position = self.plan.next_mine(self.start, window.positions.end);
            let loaded = self.load(window, used.try_recv().unwrap_or_default());
            let failed = loaded.is_err();
            if out.send(loaded).is_err() || failed {
                return;
            }
        }
    }

    fn load(&self, window: Window, mut blocks: Vec<Block>) -> Result<Loaded, DataError> {
        let Window { positions, pieces, mut order } = window;
        blocks.resize_with(pieces.len(), Block::default);
        let outcomes: Vec<Result<(), DataError>> = blocks
            .par_iter_mut()
            .zip(&pieces)
            .map(|(block, piece)| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(DataError::Ended);
                }
                self.dataset.read_block_into(piece.block, block)
            })
            .collect();

        let mut sound = vec![true; pieces.len()];
        let mut skipped_rows = 0;
        let mut first_damage = None;
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let Err(error) = outcome else { continue };
            if self.damaged == Damaged::Strict || !error.is_damage() {
                return Err(error);
            }
            log::warn!("{error}; going on without its block");
            sound[index] = false;
            skipped_rows += u64::from(pieces[index].rows);
            first_damage.get_or_insert(error);
        }
        if let Some(error) = first_damage {
            let is_sound = |place: &Place| sound[place.piece as usize];
            let Some(mut next) = order.iter().copied().find(is_sound) else { return Err(error) };
            for place in order.iter_mut().rev() {
                if is_sound(place) {
                    next = *place;
                } else {
                    *place = next;
                }
            }
        }
        for place in &mut order {
            // From rows of the piece to rows of its block.
            let piece = place.piece as usize;
            place.row += (pieces[piece].first_record - blocks[piece].records().start) as u32;
        }
        Ok(Loaded { positions, blocks, order, skipped_rows })
    }
}

struct Picker {
    record_len: usize,
    parameters: usize,
    transform: Transform,
    plan: BatchPlan,
    start: u64,
    window: Loaded,
}

impl Picker {
    fn run(
        mut self,
        windows: &Receiver<Result<Loaded, DataError>>,
        used_blocks: &Sender<Vec<Block>>,
        out: &SyncSender<Result<Microbatch, DataError>>,
        used: &Receiver<Microbatch>,
    ) {
        let rows = self.plan.rows() as u64;
        let mut position = self.plan.next_mine(self.start, self.start);
        loop {
            let mut microbatch = used.try_recv().unwrap_or_default();
            microbatch.position = position;
            let Some(outcome) = self.fill(&mut microbatch, windows, used_blocks) else { return };
            let failed = outcome.is_err();
            if out.send(outcome.map(|()| microbatch)).is_err() || failed {
                return;
            }
            position = self.plan.next_mine(self.start, position + rows);
        }
    }

    /// Fills a microbatch from this window and, where it reaches over its end, from the next. None if the reader is gone.
    fn fill(
        &mut self,
        microbatch: &mut Microbatch,
        windows: &Receiver<Result<Loaded, DataError>>,
        used_blocks: &Sender<Vec<Block>>,
    ) -> Option<Result<(), DataError>> {
        let rows = self.plan.rows();
        microbatch.values.resize(rows * self.record_len, 0.0);
        microbatch.parameters.clear();
        microbatch.ids.clear();
        microbatch.skipped_rows = 0;
        let mut filled = 0;
        while filled < rows {
            let position = microbatch.position + filled as u64;
            if position >= self.window.positions.end {
                match windows.recv().ok()? {
                    Err(error) => return Some(Err(error)),
                    Ok(window) => {
                        let before = std::mem::replace(&mut self.window, window);
                        // Where the reader has ended, nobody needs them.
                        let _ = used_blocks.send(before.blocks);
                        microbatch.skipped_rows += self.window.skipped_rows;
                    }
                }
            }
            assert!(self.window.positions.contains(&position), "reader and picker walk the same positions");
            let first = (position - self.window.positions.start) as usize;
            let last = self.window.order.len().min(first + rows - filled);
            let places = &self.window.order[first..last];
            let values = &mut microbatch.values[filled * self.record_len..][..places.len() * self.record_len];
            if let Err(error) = self.pick(places, values) {
                return Some(Err(error));
            }
            for place in places {
                let block = &self.window.blocks[place.piece as usize];
                microbatch.ids.push(block.id(place.row as usize));
                if self.parameters > 0 {
                    microbatch.parameters.extend(block.parameters(place.row as usize));
                }
            }
            filled += places.len();
        }
        Some(Ok(()))
    }

    /// Copies and transforms the records at `places`; the error is that of the first of them that has one.
    fn pick(&self, places: &[Place], values: &mut [f32]) -> Result<(), DataError> {
        const WORTH_A_THREAD: usize = 1 << 16; // values: less than that is done before another thread is awake
        let one = |(place, to): (&Place, &mut [f32])| {
            let block = &self.window.blocks[place.piece as usize];
            block.copy_row(place.row as usize, to);
            let record = block.records().start + u64::from(place.row);
            self.transform.forward(to).map_err(|source| DataError::Domain { record, source }).err()
        };
        let error = if values.len() < 2 * WORTH_A_THREAD {
            places.iter().zip(values.chunks_exact_mut(self.record_len)).find_map(one)
        } else {
            let at_least = (WORTH_A_THREAD / self.record_len).max(1);
            let records = places.par_iter().zip(values.par_chunks_exact_mut(self.record_len));
            records.with_min_len(at_least).find_map_first(one)
        };
        error.map_or(Ok(()), Err)
    }
}
