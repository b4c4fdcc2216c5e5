//! Statistics: what is measured on sets of maps, how two sets are compared, and how far retrieved parameters are from the
//! truth. Knows no network and no file.
//!
//! Work is spread over threads a map (or a row of pixels) at a time, and what is added over maps is added in map
//! order in double precision: the bits do not depend on the number of threads.

pub mod maps;
pub mod profiles;

// What is measured on each map.
pub mod moments;
pub mod pixel_correlation;
pub mod pixel_histogram;
pub mod power_spectrum;

// How two sets are compared.
pub mod comparison;
pub mod ks;

// Retrieved parameters against the truth.
pub mod coverage;
pub mod retrieval;
pub mod retrieval_accuracy;
pub mod weighted;

pub(crate) mod number;
mod transpose;

pub use comparison::{Comparison, ComparisonSettings, compare};
pub use maps::{Maps, StatisticsError};
pub use retrieval::{ParameterStatistics, RetrievalStatistics};
