//! Transmission spectra: laws of the atmosphere, of light through it, and of what it is made of.

mod carbon_monoxide;
mod draws;
mod forward;
mod layers;
mod sampling;
mod tables;
