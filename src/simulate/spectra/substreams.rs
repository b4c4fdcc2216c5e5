//! Substreams of `Stream::Simulation`: each use of random numbers has its own, so that no two share any.

/// Parameters of a record.
pub(super) const PARAMETERS: u32 = 1;
/// Noise of a record.
pub(super) const NOISE: u32 = 2;
/// First round of the shuffle of the grid; further rounds follow it.
pub(super) const SHUFFLE: u32 = 16;
