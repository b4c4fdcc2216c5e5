//! What a verb starts from: the ranks, the log, the threads.

use super::{CommandError, logging};
use crate::comm::{Communicator, Solo, agree};
use crate::exit::{Ends, Exit};

/// A started program on this rank.
pub struct Session {
    comm: Box<dyn Communicator>,
}

impl Session {
    /// Joins the other ranks, where a launcher started any.
    pub fn start() -> Self {
        #[cfg(feature = "mpi")]
        let comm: Box<dyn Communicator> = match crate::comm::Mpi::start() {
            Some(mpi) => Box::new(mpi),
            None => Box::new(Solo),
        };
        #[cfg(not(feature = "mpi"))]
        let comm: Box<dyn Communicator> = Box::new(Solo);
        logging::start(comm.rank(), comm.ranks());
        end_all_on_panic();
        // It is refused only where a pool is there already, and then that one does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads(comm.as_ref())).build_global();
        Self { comm }
    }

    /// Whether a launcher started several tasks that do not know of each other: each would do the whole work, in the
    /// same place.
    pub fn check_world(&self) -> Result<(), CommandError> {
        let tasks = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
        let launched = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"].iter().find_map(|name| tasks(name));
        match launched {
            Some(tasks) if tasks > 1 && self.ranks() == 1 => Err(CommandError::Launch { tasks }),
            _ => Ok(()),
        }
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

    /// Fixes the threads that libtorch's sums are split over.
    pub fn torch_threads(threads: usize) {
        tch::set_num_threads(threads as i32);
        tch::set_num_interop_threads(1);
    }
}

/// Processors for this rank's own threads: those it is bound to, or its share of a machine that ranks share unbound.
fn threads(comm: &dyn Communicator) -> usize {
    let mine = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let all = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let ranks_here = comm.ranks_here();
    if mine < all { mine } else { (mine / ranks_here).max(1) }
}

/// A panic on one rank ends all: the others would wait for it for ever.
fn end_all_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |cause| {
        usual(cause);
        #[cfg(feature = "mpi")]
        crate::comm::Mpi::abort_all(Exit::Internal as i32);
        std::process::exit(Exit::Internal as i32);
    }));
}
