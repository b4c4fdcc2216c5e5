//! What a verb starts from: the ranks, the log, the threads.

use super::{CommandError, logging};
use crate::comm::{Communicator, Solo, agree};
use crate::exit::Exit;

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
        // Ranks share the cores of a machine; a rank alone has them all.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / comm.ranks()).max(1);
        // It is refused only where a pool is there already, and then that one does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        Self { comm }
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
    pub fn agree<T, E: std::fmt::Display + Into<CommandError>>(&self, result: Result<T, E>) -> Result<T, CommandError> {
        Ok(agree(self.comm(), result)?)
    }

    /// Fixes the threads that libtorch's sums are split over.
    pub fn torch_threads(threads: usize) {
        tch::set_num_threads(threads as i32);
        tch::set_num_interop_threads(1);
    }
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
