//! Ranks as MPI processes.

use mpi::environment::Universe;
use mpi::point_to_point as p2p;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Destination, Source};

use super::Communicator;

/// MPI counts are C ints; longer transfers go in pieces of this many elements.
const PIECE: usize = 1 << 28;

/// The ranks that the MPI launcher started.
pub struct Mpi {
    world: SimpleCommunicator,
    // Finalises MPI when dropped, after everything else.
    _universe: Universe,
}

impl Mpi {
    /// Starts MPI, if a launcher started this process and nobody has done so before.
    pub fn start() -> Option<Self> {
        // Every launcher tells its processes about themselves in one of these ways. The rank itself is MPI's word.
        let launched = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "PALS_RANKID"];
        launched.iter().find_map(std::env::var_os)?;
        let (universe, _level) = mpi::initialize_with_threading(mpi::Threading::Funneled)?;
        Some(Self { world: universe.world(), _universe: universe })
    }

    /// Ends all ranks at once with `code`, if MPI was started in this process.
    pub fn abort_all(code: i32) {
        if mpi::environment::is_initialized() && !mpi::environment::is_finalized() {
            SimpleCommunicator::world().abort(code);
        }
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn ranks(&self) -> usize {
        self.world.size() as usize
    }

    fn send(&self, to: usize, values: &[f32]) {
        let process = self.world.process_at_rank(to as i32);
        for piece in values.chunks(PIECE) {
            process.send(piece);
        }
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        let process = self.world.process_at_rank(from as i32);
        for piece in values.chunks_mut(PIECE) {
            process.receive_into(piece);
        }
    }

    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]) {
        let process = self.world.process_at_rank(peer as i32);
        // Both halves of an odd length differ by one; pieces are cut so that both sides make as many calls.
        let pieces = outgoing.len().max(incoming.len()).div_ceil(PIECE).max(1);
        for piece in 0..pieces {
            let cut = |length: usize| piece * length / pieces..(piece + 1) * length / pieces;
            let (give, take) = (cut(outgoing.len()), cut(incoming.len()));
            p2p::send_receive_into(&outgoing[give], &process, &mut incoming[take], &process);
        }
    }

    fn send_bytes(&self, to: usize, message: &[u8]) {
        let process = self.world.process_at_rank(to as i32);
        process.send(&(message.len() as u64));
        for piece in message.chunks(PIECE) {
            process.send(piece);
        }
    }

    fn receive_bytes(&self, from: usize) -> Vec<u8> {
        let process = self.world.process_at_rank(from as i32);
        let (length, _) = process.receive::<u64>();
        let mut message = vec![0; length as usize];
        for piece in message.chunks_mut(PIECE) {
            process.receive_into(piece);
        }
        message
    }
}
