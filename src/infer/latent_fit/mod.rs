//! Latent numbers whose map agrees with what is known of an object: one engine for retrieval, inpainting and features.

mod engine;
pub mod hmc;
mod loss;
pub mod offsets;
mod settings;
mod subject;

pub use engine::{Fitted, LOOK, LatentFit, Path, place_of_least};
pub use offsets::{OffsetFit, OffsetGroup};
pub use settings::{Contextual, FitSettings, Start};
pub use subject::{Aim, Known, KnownPixels, ModelVariance, Restarts, Subject, Target};
