//! What a run is given: its length, its data, its ranks, and where it writes.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tch::Device;

use super::bad_step::NotFinite;
use super::drill::Drills;
use super::signals::StopFlag;
use super::step::Cut;
use super::validation::{Score, Validator};
use crate::checkpoint::Identity;
use crate::comm::{Communicator, DeviceSum, Disagreement};
use crate::data::loader::LoaderSettings;
use crate::data::{DataError, Dataset};

/// How long a run is, and how often it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept; 0 = all.
    pub keep_checkpoints: usize,
    /// Those of a step that is a multiple of this are kept as well; 0 = none.
    pub keep_every: u64,
    /// Steps between validations; 0 = never.
    pub validate_every: u64,
    /// Records of a validation.
    pub validation_records: u64,
    /// The score by which the best checkpoint is chosen, where anything is measured.
    pub best: Option<Score>,
    /// Steps between lines of metrics.
    pub log_every: u64,
    /// Steps between comparisons of all ranks' parameters.
    pub compare_every: u64,
}

/// Makes a validator, on all ranks together.
pub type MakeValidator<'a> = dyn Fn() -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> + 'a;

/// Everything a run needs besides its networks.
pub struct Training<'a> {
    /// The ranks.
    pub comm: &'a dyn Communicator,
    /// All chance of the run.
    pub seed: u64,
    /// How a global batch is cut.
    pub cut: Cut,
    /// Where the networks are.
    pub device: Device,
    /// Sums gradients on the devices, where that is wanted and can be had.
    pub device_sum: Option<Rc<dyn DeviceSum>>,
    /// Whether sums over ranks hide behind other work.
    pub overlap: bool,
    /// How long, how often.
    pub schedule: Schedule,
    /// What it learns from.
    pub dataset: Arc<Dataset>,
    /// How that is read.
    pub loader: LoaderSettings,
    /// The run folder, which is there.
    pub folder: &'a Path,
    /// What makes the run what it is.
    pub identity: Identity,
    /// Keys of it that were set by hand and may differ from the checkpoint's.
    pub changed_by_hand: Vec<String>,
    /// Raised from outside to stop.
    pub stop: StopFlag,
    /// Stops by itself after this time.
    pub max_wall: Option<Duration>,
    /// What comes after a step that is not finite.
    pub not_finite: NotFinite,
    /// Makes what measures the model during training, on all ranks together; nothing where nothing is measured.
    pub validator: &'a MakeValidator<'a>,
    /// Faults of this rank on purpose.
    pub drills: Drills,
}
