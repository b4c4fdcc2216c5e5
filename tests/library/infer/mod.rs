//! Laws of trained networks at work: fits of latent numbers.

pub mod made;

mod hmc;
pub mod latent_fit;
mod map_records;
mod offsets;
pub mod place;
