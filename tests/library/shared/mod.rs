//! What tests of several rooms use.

pub mod faulty;
pub mod networks;
pub mod spectra;
