//! ExoGAN: the codec of spectra, masks, what an embedder sees, fits, posteriors and their tables.
#![expect(clippy::float_cmp, reason = "the same bits are the point")]

mod made;
mod made_retrieval;

mod aspa;
mod aspa_tensors;
mod fit;
mod loader;
mod mask;
mod masking;
mod offsets;
mod peers;
mod report;
mod retrieval;
mod table;
