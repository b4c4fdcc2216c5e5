//! Laws of trained networks at work: fits of latent numbers, and what retrievals make of them.

mod made;

mod hmc;
mod latent_fit;
mod place;
mod retrieval;
