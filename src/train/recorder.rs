//! Rank 0's records of a run: metrics, TensorBoard events, progress.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::error::TrainError;
use super::metrics::MetricsLog;
use super::progress::{Progress, Task};
use super::settings::Training;
use super::straggler::Seconds;
use super::tensorboard::EventWriter;
use super::validation::Measured;

/// What is not in the weights, over the whole run.
#[derive(Clone, Copy)]
pub(super) struct Skipped {
    pub rows: u64,
    pub steps: u64,
}

/// Rank 0's records of a run.
pub(super) struct RunRecorder {
    log: MetricsLog,
    events: EventWriter,
    progress: Progress,
    every: u64,
    records_per_step: u64,
    records: u64,
    /// Since the last line: steps, seconds.
    since: (u64, Seconds),
}

impl RunRecorder {
    /// On rank 0 only, for a run that goes on after `step` steps; an epoch has `records` records.
    pub fn open(
        training: &Training,
        step: u64,
        records_per_step: u64,
        records: u64,
    ) -> Result<Option<Self>, TrainError> {
        if training.comm.rank() != 0 {
            return Ok(None);
        }
        let folder = training.folder;
        let task = Task {
            unit: "step",
            total: training.schedule.steps,
            start: step,
            item: "samples",
            items_per_unit: records_per_step,
        };
        Ok(Some(Self {
            log: MetricsLog::open(&folder.join("metrics.jsonl"), (step > 0).then_some(step))?,
            events: EventWriter::create(folder, step, unix_seconds())?,
            progress: Progress::new(task, Instant::now()),
            every: training.schedule.log_every,
            records_per_step,
            records,
            since: (0, Seconds { load: 0.0, step: 0.0 }),
        }))
    }

    /// Takes note of a step, and of what was measured after it.
    pub fn tell(
        &mut self,
        step: u64,
        metrics: &[(String, f64)],
        measured: Option<&Measured>,
        seconds: Seconds,
        skipped: Skipped,
    ) -> Result<(), TrainError> {
        let (steps, sum) = &mut self.since;
        *steps += 1;
        sum.load += seconds.load;
        sum.step += seconds.step;
        let (steps, sum) = self.since;
        let load_share = sum.load / sum.step;
        let mut scalars: Vec<(&str, f64)> = metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let losses: Vec<(&str, f64)> = scalars.iter().filter(|(name, _)| name.ends_with("_loss")).copied().collect();
        self.progress.update(Instant::now(), step, Some(load_share), &losses);
        if step.is_multiple_of(self.every) || measured.is_some() {
            scalars.extend(measured.iter().flat_map(|measured| measured.scores.iter().chain(&measured.beside)));
            scalars.push(("samples_per_second", (steps * self.records_per_step) as f64 / sum.step));
            scalars.push(("load_seconds", sum.load / steps as f64));
            scalars.push(("step_seconds", sum.step / steps as f64));
            for (name, count) in [("skipped_rows", skipped.rows), ("skipped_steps", skipped.steps)] {
                if count > 0 {
                    scalars.push((name, count as f64));
                }
            }
            self.write(step, &scalars)?;
            self.since = (0, Seconds { load: 0.0, step: 0.0 });
        }
        Ok(())
    }

    /// Writes a line.
    pub fn write(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), TrainError> {
        let samples = step * self.records_per_step;
        self.log.append(step, samples as f64 / self.records as f64, samples, scalars)?;
        Ok(self.events.scalars(step, unix_seconds(), scalars)?)
    }

    /// Brings everything to the disk.
    pub fn sync(&mut self) -> Result<(), TrainError> {
        self.log.sync()?;
        Ok(self.events.flush()?)
    }
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
