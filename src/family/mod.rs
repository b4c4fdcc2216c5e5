//! Families of models: all that is true of one alone, a folder each.

pub mod spectra_gan;
