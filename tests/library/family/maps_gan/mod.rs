//! CosmoGAN: validation, and the report of its runs.

mod made;

mod report;
mod validation;
