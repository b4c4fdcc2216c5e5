//! Trained networks at work.

pub mod columns;
pub mod inpaint;
pub mod latent_fit;
pub mod map_records;
pub mod model;
pub mod networks;
pub mod restore;

pub use columns::{BatchOutput, OutputColumn};
pub use map_records::{MapError, RecordMap, map_records};
pub use model::{Generate, Reconstruct, TrainedModel};
pub use networks::Networks;
