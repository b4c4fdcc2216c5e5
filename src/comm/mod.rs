//! Ranks and what passes between them: messages, agreement, and sums in a fixed binary tree.
//!
//! The room knows no gradient: it moves slices of `f32` and bytes. Every call is made by all ranks in the same order.

mod agree;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod solo;
mod threads;
pub mod tree;

pub use agree::{Disagreement, There, agree};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
#[cfg(feature = "nccl")]
pub use nccl::Nccl;
pub use solo::Solo;
pub use threads::Threads;

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

    /// How many ranks share this machine, this one among them.
    fn ranks_here(&self) -> usize {
        let host = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
        self.gather(&host).iter().filter(|other| **other == host).count()
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
