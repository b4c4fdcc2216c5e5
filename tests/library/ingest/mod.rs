//! The ingest room: what is read is what is in the file, every patch is a record once, and no pixel trains and tests.
#![expect(clippy::float_cmp, reason = "the same bits are the point")]

mod files;
mod fits;
mod fuzz;
mod gather;
mod hdf5;
mod layers;
mod npy;
mod npz;
mod patches;
mod peers;
mod real_map;
mod real_spectra;
mod scan;
mod spectra_bins;
mod spectra_files;
mod spread;
