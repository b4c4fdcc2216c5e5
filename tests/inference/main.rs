//! Laws of trained networks at work: fits of latent numbers, and what retrievals make of them.

mod made;

mod hmc;
mod latent_fit;
#[path = "../shared/networks.rs"]
mod networks;
mod place;
mod retrieval;
#[expect(dead_code, reason = "no dataset of them is written here")]
#[path = "../shared/spectra.rs"]
mod spectra;
