//! What a command starts from: the ranks, the log, the threads.

use std::rc::Rc;

use super::allocation::{Allocation, World};
use super::{CommandError, logging};
use crate::comm::{Communicator, DeviceSum, Nccl, Solo, agree, alarm};
#[cfg(feature = "mpi")]
use crate::comm::{Courier, Mpi};
use crate::config::{ConfigError, Reduction};
use crate::device;
use crate::exit::{Ends, Exit};
use crate::machine;

/// A started program on this rank.
pub struct Session {
    comm: Box<dyn Communicator>,
    allocation: Allocation,
}

impl Session {
    /// Joins the other ranks, where a launcher started any.
    pub fn start() -> Self {
        Self::over(join())
    }

    /// A session of this process alone, without MPI.
    pub fn alone() -> Self {
        Self::over(Box::new(Solo))
    }

    fn over(comm: Box<dyn Communicator>) -> Self {
        logging::start(comm.rank(), comm.ranks());
        end_all_on_panic(comm.rank());
        // It is refused only where a pool is there already, and then that one does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads(comm.as_ref())).build_global();
        Self { comm, allocation: Allocation::of_process() }
    }

    /// Whether a launcher started several tasks that do not know of each other: each would do the whole work, in the
    /// same place.
    pub fn check_world(&self) -> Result<(), CommandError> {
        self.allocation.check(self.ranks())
    }

    /// What the launcher and the batch system say of this process.
    pub fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// Whether this process is the launcher's first, whatever the ranks know of each other.
    pub fn is_first_task(&self) -> bool {
        self.task() == 0
    }

    /// This rank, or among tasks that do not know of each other the launcher's number.
    pub fn task(&self) -> usize {
        match self.rank() {
            0 => self.allocation.number(),
            rank => rank,
        }
    }

    /// Whether there is a processor for each of the `threads` of this rank.
    pub fn check_threads(&self, threads: usize) -> Result<(), ConfigError> {
        let processors = std::thread::available_parallelism().map_or(threads, usize::from);
        self.allocation.check_threads(threads, processors)
    }

    /// The ranks.
    pub fn comm(&self) -> &dyn Communicator {
        self.comm.as_ref()
    }

    /// This rank.
    pub fn rank(&self) -> usize {
        self.comm.rank()
    }

    /// How many ranks there are.
    pub fn ranks(&self) -> usize {
        self.comm.ranks()
    }

    /// Goes on with what `result` holds if all ranks can go on.
    pub fn agree<T, E: Ends + Into<CommandError>>(&self, result: Result<T, E>) -> Result<T, CommandError> {
        Ok(agree(self.comm(), result)?)
    }

    /// This rank's device, which is said in its log.
    pub fn device(&self, choice: device::Choice, share: bool) -> Result<tch::Device, CommandError> {
        let here = self.here();
        let chosen = self.agree(device::choose(choice, here, share))?;
        let all = self.comm.gather(&[u8::from(chosen.device.is_cuda())]);
        device::alike(&all.iter().map(|on_gpu| *on_gpu == [1]).collect::<Vec<bool>>())?;
        log::info!("on {}", chosen.reason);
        let world = World { rank: self.rank(), ranks: self.ranks(), rank_here: here.rank };
        if let Some(differences) = self.allocation.differences(world) {
            log::warn!("{differences}: MPI's word counts, here and for GPUs");
        }
        Ok(chosen.device)
    }

    /// This rank among those of its machine.
    pub fn here(&self) -> device::Here {
        // Tasks that do not know of each other still are not to meet on one GPU.
        let alone = if self.ranks() == 1 { self.allocation.number_here() } else { None };
        if let Some(rank) = alone {
            return device::Here { rank, ranks: rank + 1, lists_differ: false };
        }
        let (rank, mut lists) = self.comm.here(&device::visible_list());
        let ranks = lists.len();
        lists.sort();
        lists.dedup();
        device::Here { rank, ranks, lists_differ: lists.len() == ranks && ranks > 1 }
    }

    /// What sums gradients of the ranks of `comm` on `device`, if that is asked for and can be had on all of them; else
    /// the tree does.
    pub fn device_sum(
        &self,
        comm: &dyn Communicator,
        reduction: Reduction,
        device: tch::Device,
    ) -> Option<Rc<dyn DeviceSum>> {
        let wanted = reduction == Reduction::Nccl && comm.ranks() > 1;
        let started = wanted.then(|| nccl(comm, device))?;
        match started {
            Ok((sum, version)) => {
                log::info!("NCCL {version} sums gradients: their bits depend on the number of ranks");
                Some(sum)
            }
            Err(reason) => {
                if self.rank() == 0 {
                    log::warn!("no NCCL ({reason}): the tree sums gradients, on the host");
                }
                None
            }
        }
    }

    /// Fixes the threads that libtorch's sums are split over.
    pub fn torch_threads(threads: usize) {
        tch::set_num_threads(threads as i32);
        tch::set_num_interop_threads(1);
    }
}

/// Whether there is a microbatch for each rank.
pub fn check_ranks(ranks: usize, microbatches: usize) -> Result<(), CommandError> {
    if ranks <= microbatches {
        return Ok(());
    }
    let wanted = format!("expected at most `batch.microbatches`: {microbatches}");
    Err(CommandError::Usage(format!("there are {ranks} ranks, {wanted}")))
}

/// Processors for this rank's own threads: those it is bound to, or its share of a machine that ranks share unbound.
fn threads(comm: &dyn Communicator) -> usize {
    let mine = std::thread::available_parallelism().map_or(1, usize::from);
    let all = machine::processors();
    let ranks_here = comm.here("").1.len();
    if mine < all { mine } else { (mine / ranks_here).max(1) }
}

/// NCCL for a rank that works on `device`, and its version.
fn nccl(comm: &dyn Communicator, device: tch::Device) -> Result<(Rc<dyn DeviceSum>, i32), String> {
    let tch::Device::Cuda(index) = device else { return Err("this run is on the CPU".into()) };
    let nccl = Nccl::start(comm, index)?;
    let version = nccl.version();
    Ok((Rc::new(nccl), version))
}

/// The ranks that the launcher started, or this one alone.
fn join() -> Box<dyn Communicator> {
    #[cfg(feature = "mpi")]
    if Mpi::is_launched() {
        return Box::new(Courier::start(Mpi::start));
    }
    Box::new(Solo)
}

/// A panic on one rank ends all, with the cause in every log: the others would wait for it for ever.
fn end_all_on_panic(rank: usize) {
    alarm::on_alarm(move |alarm| logging::error(rank == alarm.speaker, &alarm.cause));
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let place = panic.location().map_or_else(|| "somewhere".to_owned(), ToString::to_string);
        let words = panic.payload_as_str().unwrap_or("without a word");
        alarm::raise(&format!("panicked at {place}: {words}"), Exit::Internal);
    }));
}
