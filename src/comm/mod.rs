//! Ranks and what passes between them: messages, agreement, and sums in a fixed binary tree.
//!
//! The room knows no gradient: it moves slices of `f32` and bytes. Every call is made by all ranks in the same order.

mod agree;
pub mod alarm;
mod courier;
mod first;
mod flight;
mod inquiry;
#[cfg(feature = "mpi")]
mod mpi;
mod nccl;
mod solo;
mod threads;
pub mod tree;
mod watchdog;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use tch::Tensor;

use crate::machine;

pub use agree::{Disagreement, There, agree};
pub use courier::Courier;
pub use first::First;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use nccl::Nccl;
pub use solo::Solo;
pub use threads::Threads;
pub use watchdog::{Terms, Watchdog};

/// Name and version of the MPI library; none where the program was built without MPI.
pub fn mpi_version() -> Option<String> {
    #[cfg(feature = "mpi")]
    return Some(mpi::library_version());
    #[cfg(not(feature = "mpi"))]
    None
}

/// Something for the communication thread to do.
pub type Work<'a> = Box<dyn FnOnce(&dyn Communicator) + Send + 'a>;

/// What ranks can do for each other. A transfer that cannot be completed ends the program: MPI aborts the job, and
/// `Threads` panics on every rank that waits for one that is gone.
pub trait Communicator {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn ranks(&self) -> usize;

    /// Sends `values` to rank `to`, which receives as many.
    fn send(&self, to: usize, values: &[f32]);

    /// Fills `values` from rank `from`.
    fn receive(&self, from: usize, values: &mut [f32]);

    /// Sends and receives at once, without a deadlock when the other does the same.
    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]);

    /// Sends a message of any length to rank `to`.
    fn send_bytes(&self, to: usize, message: &[u8]);

    /// The next message of rank `from`.
    fn receive_bytes(&self, from: usize) -> Vec<u8>;

    /// The bytes of rank 0 on every rank.
    fn broadcast(&self, message: &[u8]) -> Vec<u8> {
        let mut held = (self.rank() == 0).then(|| message.to_vec());
        spread(self.rank(), self.ranks(), |hop| match hop {
            Hop::To(rank) => self.send_bytes(rank, held.as_ref().expect("who passes on was told before")),
            Hop::From(rank) => held = Some(self.receive_bytes(rank)),
        });
        held.expect("every rank is reached")
    }

    /// The messages of all ranks, in rank order, on every rank.
    fn gather(&self, message: &[u8]) -> Vec<Vec<u8>> {
        if self.rank() == 0 {
            let mut all = vec![message.to_vec()];
            all.extend((1..self.ranks()).map(|rank| self.receive_bytes(rank)));
            let mut packed = Vec::new();
            for part in &all {
                packed.extend_from_slice(&(part.len() as u64).to_le_bytes());
                packed.extend_from_slice(part);
            }
            self.broadcast(&packed);
            all
        } else {
            self.send_bytes(0, message);
            let packed = self.broadcast(&[]);
            let mut rest = packed.as_slice();
            let mut all = Vec::new();
            while let Some((length, tail)) = rest.split_first_chunk() {
                let (part, tail) = tail.split_at(u64::from_le_bytes(*length) as usize);
                all.push(part.to_vec());
                rest = tail;
            }
            all
        }
    }

    /// Has `work` done after everything asked for before: by the communication thread where there is one, which lets
    /// this rank go on meanwhile, else at once. `label` says in the record of operations what it is for.
    fn post(&self, label: &str, work: Work<'static>);

    /// Has this rank watched until the watchdog is dropped: what takes far longer than usual is told of, and what does
    /// not end ends all ranks.
    fn watch(&self, terms: Terms) -> Watchdog {
        Watchdog::start(Arc::default(), self.rank(), vec![machine::host()], terms)
    }

    /// Sends and receives of this rank up to now.
    fn operations(&self) -> u64 {
        0
    }

    /// Called by an idle communication thread now and then.
    fn attend(&self) {}

    /// Sums `values` over ranks by whatever the library of the ranks has for it, in whatever order that adds: a
    /// yardstick for our own sum. False where there is no library.
    fn library_sum(&self, _values: &mut [f32]) -> bool {
        false
    }

    /// The library that moves what passes between ranks; nothing where there is none.
    fn library(&self) -> Option<Library> {
        None
    }

    /// What the ranks that share this machine have to say, in rank order, and which of them this rank is.
    fn here(&self, word: &str) -> (usize, Vec<String>) {
        let host = machine::host();
        let all = self.gather(format!("{host}\0{word}").as_bytes());
        let here = all.iter().enumerate().filter_map(|(rank, told)| {
            let told = String::from_utf8_lossy(told);
            let (other, word) = told.split_once('\0')?;
            (other == host).then(|| (rank, word.to_owned()))
        });
        let (ranks, words): (Vec<usize>, Vec<String>) = here.unzip();
        (ranks.iter().take_while(|&&rank| rank < self.rank()).count(), words)
    }
}

/// The library of the ranks, as it is at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name and version, in a line.
    pub version: String,
    /// What it grants of threads: single, funneled, serialized or multiple. The program needs funneled.
    pub threads: String,
}

/// Sums of what lives on the ranks' devices, without a detour through the host.
pub trait DeviceSum {
    /// Adds up `values` over all ranks, in place and in whatever order; the sum is there when the call returns.
    fn all_reduce(&self, values: &mut Tensor) -> Result<(), String>;
}

/// Something that the communication thread does meanwhile.
pub struct Pending<T>(Receiver<T>);

/// Starts `work` on `comm`, and lets this rank go on.
pub fn start<T: Send + 'static>(
    comm: &dyn Communicator,
    label: &str,
    work: impl FnOnce(&dyn Communicator) -> T + Send + 'static,
) -> Pending<T> {
    let (tell, told) = channel();
    comm.post(
        label,
        Box::new(move |wire| {
            let _ = tell.send(work(wire)); // nobody may care any more
        }),
    );
    Pending(told)
}

impl<T> Pending<T> {
    /// What came of it, as soon as it is done.
    pub fn wait(self) -> T {
        self.0.recv().expect("the communication thread does its work")
    }
}

/// One message on the way from rank 0 to all.
enum Hop {
    To(usize),
    From(usize),
}

/// The hops of `rank` in a binomial tree, in order: in round d, ranks below d pass on to their partner d further.
fn spread(rank: usize, ranks: usize, mut hop: impl FnMut(Hop)) {
    let mut distance = 1;
    while distance < ranks {
        if rank < distance && rank + distance < ranks {
            hop(Hop::To(rank + distance));
        } else if rank >= distance && rank < 2 * distance {
            hop(Hop::From(rank - distance));
        }
        distance *= 2;
    }
}
