//! Sums in one binary tree over leaves, whose bits do not depend on how the leaves are spread over ranks.
//!
//! Letters: V = leaves (a power of two), R = ranks, a block = the leaves `index << level .. (index + 1) << level`.
//! Node (level, index) is the sum of its children (level - 1, 2 index) and (level - 1, 2 index + 1). Addition of two
//! floating-point numbers commutes to the bit, so it does not matter who adds.

use std::ops::Range;

use super::{Communicator, Hop, spread};

/// The leaves of a rank: a contiguous run, lengths as equal as can be.
pub fn leaves_of(rank: usize, ranks: usize, leaves: usize) -> Range<usize> {
    rank * leaves / ranks..(rank + 1) * leaves / ranks
}

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    level: u32,
    index: usize,
}

impl Block {
    fn leaf(index: usize) -> Self {
        Self { level: 0, index }
    }

    fn is_left_sibling_of(self, other: Self) -> bool {
        self.level == other.level && other.index % 2 == 1 && self.index + 1 == other.index
    }

    fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / 2 }
    }
}

/// The maximal blocks that a run of leaves is made of, left to right.
fn blocks_of(run: Range<usize>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for leaf in run {
        let mut block = Block::leaf(leaf);
        while blocks.last().is_some_and(|last| last.is_left_sibling_of(block)) {
            blocks.pop();
            block = block.parent();
        }
        blocks.push(block);
    }
    blocks
}

/// What comes in is added in pieces of this many numbers, while they are in a processor's own cache.
const PIECE: usize = 1 << 16;

/// Adds the leaves of one rank as they come, like a binary counter, then those of all ranks.
///
/// The caller has one buffer, filled anew for each leaf; sums wait in buffers of the same length made here, at most
/// log2(V/R) of them for powers of two, none where a rank has one leaf.
#[derive(Debug)]
pub struct TreeSum {
    leaves: usize,
    run: Range<usize>,
    next: usize,
    waiting: Vec<(Block, Vec<f32>)>,
    spare: Vec<Vec<f32>>,
}

impl TreeSum {
    /// For rank `rank` of `ranks`, of a tree of `leaves` leaves.
    pub fn new(rank: usize, ranks: usize, leaves: usize) -> Self {
        assert!(leaves.is_power_of_two() && ranks <= leaves, "{leaves} leaves are a power of two, at least {ranks}");
        let run = leaves_of(rank, ranks, leaves);
        Self { leaves, next: run.start, run, waiting: Vec::new(), spare: Vec::new() }
    }

    /// The leaves of this rank.
    pub fn run(&self) -> Range<usize> {
        self.run.clone()
    }

    /// Takes the next leaf of this rank out of `buffer`. After the last one, `buffer` holds the last block.
    pub fn add(&mut self, buffer: &mut [f32]) {
        assert!(self.run.contains(&self.next), "a rank adds each of its leaves once");
        let mut block = Block::leaf(self.next);
        while self.waiting.last().is_some_and(|(last, _)| last.is_left_sibling_of(block)) {
            let (_, sum) = self.waiting.pop().expect("there is a last one");
            add_to(buffer, &sum);
            self.spare.push(sum);
            block = block.parent();
        }
        self.next += 1;
        if self.next < self.run.end {
            let mut sum = self.spare.pop().unwrap_or_default();
            sum.clear();
            sum.extend_from_slice(buffer);
            self.waiting.push((block, sum));
        }
    }

    /// The sum over all leaves of all ranks, in `buffer`, on all ranks; ready for the next sum afterwards.
    pub fn all_reduce(&mut self, comm: &dyn Communicator, buffer: &mut [f32]) {
        assert_eq!(self.next, self.run.end, "all leaves of this rank were added");
        self.next = self.run.start;
        if comm.ranks() == 1 {
            return;
        }
        let mut scratch = self.spare.pop().unwrap_or_default();
        if comm.ranks().is_power_of_two() {
            scratch.resize(PIECE, 0.0);
            halve_and_double(comm, buffer, &mut scratch);
        } else {
            scratch.resize(buffer.len(), 0.0);
            self.climb(comm, buffer, &mut scratch);
        }
        self.spare.push(scratch);
    }

    /// Any number of ranks: the right child's holder sends to the left child's, level by level; then rank 0, which
    /// holds the root, tells all.
    fn climb(&mut self, comm: &dyn Communicator, buffer: &mut [f32], scratch: &mut [f32]) {
        let rank = comm.rank();
        // Who holds which block is known to all without a word.
        let mut holders: Vec<(Block, usize)> = (0..comm.ranks())
            .flat_map(|rank| blocks_of(leaves_of(rank, comm.ranks(), self.leaves)).into_iter().map(move |b| (b, rank)))
            .collect();
        let last = *blocks_of(self.run.clone()).last().expect("a rank has a leaf");
        let mut mine = std::mem::take(&mut self.waiting);
        let mut own = self.spare.pop().unwrap_or_default(); // not a new one: it stays with the spare ones afterwards
        own.clear();
        own.extend_from_slice(buffer);
        mine.push((last, own));
        while holders.len() > 1 {
            let level = holders.iter().map(|(block, _)| block.level).min().expect("there are blocks");
            let mut climbed = Vec::with_capacity(holders.len());
            let mut rest = holders.into_iter().peekable();
            while let Some((block, holder)) = rest.next() {
                if block.level != level {
                    climbed.push((block, holder));
                    continue;
                }
                let (right, sender) = rest.next().expect("the lowest blocks come in pairs");
                assert!(block.is_left_sibling_of(right), "{block:?} and {right:?} are siblings");
                if sender == rank {
                    let (_, sum) = take(&mut mine, right);
                    if holder == rank {
                        add_to(slot(&mut mine, block), &sum);
                    } else {
                        comm.send(holder, &sum);
                    }
                    self.spare.push(sum);
                } else if holder == rank {
                    comm.receive(sender, scratch);
                    add_to(slot(&mut mine, block), scratch);
                }
                if holder == rank {
                    let place = mine.iter_mut().find(|(held, _)| *held == block).expect("the left child is held here");
                    place.0 = block.parent();
                }
                climbed.push((block.parent(), holder));
            }
            holders = climbed;
        }
        if let Some((_, sum)) = mine.pop() {
            buffer.copy_from_slice(&sum);
            self.spare.push(sum);
        }
        spread(rank, comm.ranks(), |hop| match hop {
            Hop::To(rank) => comm.send(rank, buffer),
            Hop::From(rank) => comm.receive(rank, buffer),
        });
    }
}

/// Powers of two: recursive halving, neighbours first, so that each rank holds the whole sum of one part; then
/// doubling back. Each round adds sums of sibling blocks, so every element is added in the order of the tree.
fn halve_and_double(comm: &dyn Communicator, buffer: &mut [f32], scratch: &mut [f32]) {
    let mut held = 0..buffer.len();
    let mut parts = Vec::new();
    let mut distance = 1;
    while distance < comm.ranks() {
        let peer = comm.rank() ^ distance;
        let middle = held.start + held.len() / 2;
        let (keep, give) = if comm.rank() & distance == 0 {
            (held.start..middle, middle..held.end)
        } else {
            (middle..held.end, held.start..middle)
        };
        let pieces = keep.len().max(give.len()).div_ceil(PIECE);
        for piece in 0..pieces {
            let cut = |part: &Range<usize>| {
                part.start + piece * part.len() / pieces..part.start + (piece + 1) * part.len() / pieces
            };
            let incoming = &mut scratch[..cut(&keep).len()];
            comm.exchange(peer, &buffer[cut(&give)], incoming);
            add_to(&mut buffer[cut(&keep)], incoming);
        }
        parts.push((peer, keep.clone(), give));
        held = keep;
        distance *= 2;
    }
    for (peer, keep, give) in parts.into_iter().rev() {
        // Neighbours in the buffer: what is held goes out, what is missing comes in where it belongs.
        let (low, high) = buffer.split_at_mut(keep.start.max(give.start));
        if keep.end <= give.start {
            comm.exchange(peer, &low[keep], &mut high[..give.len()]);
        } else {
            comm.exchange(peer, &high[..keep.len()], &mut low[give]);
        }
    }
}

fn add_to(sum: &mut [f32], values: &[f32]) {
    assert_eq!(sum.len(), values.len(), "only equal lengths are added");
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

fn slot(held: &mut [(Block, Vec<f32>)], block: Block) -> &mut [f32] {
    &mut held.iter_mut().find(|(have, _)| *have == block).expect("the block is held here").1
}

fn take(held: &mut Vec<(Block, Vec<f32>)>, block: Block) -> (Block, Vec<f32>) {
    let at = held.iter().position(|(have, _)| *have == block).expect("the block is held here");
    held.remove(at)
}
