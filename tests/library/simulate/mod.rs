//! The built-in skies: laws of their spectra and maps.

mod convergence_power;
mod cosmology;
mod mass_maps;
mod matter_power;
mod spectra;
