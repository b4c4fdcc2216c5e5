//! Where a rank trains: its threads, its device, its copy of the dataset, and the lock of the run folder.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tch::Device;

use super::plan::Plan;
use crate::app::CommandError;
use crate::app::session::Session;
use crate::app::staging::{self, Staged};
use crate::comm::{Communicator, DeviceSum};
use crate::device;
use crate::exit::{Ends, Exit};
use crate::train::settings::MakeValidator;
use crate::train::signals::StopFlag;
use crate::train::{Outcome, RunLock, TrainError, Training};

/// What a rank holds while it trains.
pub struct Place {
    pub device: Device,
    device_sum: Option<Rc<dyn DeviceSum>>,
    /// The records, as this rank reads them.
    pub staged: Staged,
    /// On rank 0, until the run is given up; it goes after the copy of the dataset.
    lock: Cell<Option<RunLock>>,
}

impl Place {
    /// Takes all of it, together with the other ranks.
    pub fn take(session: &Session, plan: &Plan) -> Result<Self, CommandError> {
        let trainer = &plan.config.sections().trainer;
        session.agree(session.check_threads(trainer.threads_per_rank))?;
        Session::torch_threads(trainer.threads_per_rank);
        let device = session.device(trainer.device, trainer.share_gpu)?;
        device::set_deterministic(trainer.deterministic);
        let lock = if session.rank() == 0 { RunLock::take(&plan.folder).map(Some) } else { Ok(None) };
        let lock = Cell::new(session.agree(lock)?);
        let staged = staging::stage(session, Arc::clone(&plan.dataset), &plan.folder, &plan.scratch);
        let device_sum = session.device_sum(session.comm(), trainer.reduction, device);
        Ok(Self { device, device_sum, staged, lock })
    }

    /// Everything that the loop of `plan` needs besides its networks.
    pub fn training<'a>(
        &self,
        comm: &'a dyn Communicator,
        plan: &'a Plan,
        validator: &'a MakeValidator<'a>,
    ) -> Training<'a> {
        let sections = plan.config.sections();
        Training {
            comm,
            seed: sections.seed,
            cut: plan.config.cut(),
            device: self.device,
            device_sum: self.device_sum.clone(),
            overlap: sections.trainer.overlap,
            schedule: plan.schedule,
            dataset: Arc::clone(&self.staged.dataset),
            loader: plan.loader(),
            folder: &plan.folder,
            identity: plan.identity(self.device),
            changed_by_hand: plan.changed_by_hand.clone(),
            stop: StopFlag::install(),
            max_wall: plan.max_wall,
            not_finite: sections.trainer.not_finite,
            validator,
            drills: plan.drills.clone(),
        }
    }

    /// Gives up a run that did not start: its `folder` stays as it was, but for a note of what has failed.
    pub fn give_up(&self, folder: &Path, error: &TrainError) {
        let Some(lock) = self.lock.take() else { return };
        // Who asks for another run leaves this one as it is; else it has failed, whatever it was before.
        if error.exit() != Exit::Usage {
            Outcome::fail(folder, error.exit(), &error.to_string());
        }
        lock.abandon();
    }
}
