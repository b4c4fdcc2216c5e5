//! The binary as users run it: real ranks, real signals, real files.

mod fixtures;
mod program;

mod alone;
mod autoencoder;
mod bad_input;
mod bench;
mod columns;
mod disk;
mod doctor;
#[cfg(feature = "mpi")]
mod documents;
#[cfg(feature = "mpi")]
mod faults;
mod golden;
#[cfg(feature = "mpi")]
mod hang;
mod ingest;
mod ingest_spectra;
mod inpaint;
mod inspect;
mod killed;
mod ledger_commands;
mod ledger_drill;
#[path = "../library/shared/spectra.rs"]
mod made_spectra;
mod main_job;
mod memory;
mod modalities;
mod nothing_to_learn;
mod offsets;
mod on_spectra;
mod ranks;
mod resume;
mod retrieve;
mod spectra;
mod staging;
mod submit;
mod table;
mod trained;
