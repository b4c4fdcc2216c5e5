//! Laws of what is true of one family alone, in folders that mirror `src/family`.

mod galaxy_vae;
mod maps_gan;
mod spectra_gan;
