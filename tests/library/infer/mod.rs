//! Laws of trained networks at work: fits of latent numbers.

pub mod made;

mod hmc;
pub mod latent_fit;
pub mod place;
