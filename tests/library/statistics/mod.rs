//! Statistics: laws that every measurement obeys, and scipy's word on the Kolmogorov-Smirnov tests.

mod comparison;
mod coverage;
mod fields;
mod ks;
mod maps;
mod moments;
mod pixel_correlation;
mod pixel_histogram;
mod power_spectrum;
mod retrieval_accuracy;
mod weighted;
