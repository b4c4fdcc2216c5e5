//! Statistics: laws that every measurement obeys, and scipy's word on the Kolmogorov-Smirnov test.

mod comparison;
mod fields;
mod ks;
mod maps;
mod moments;
mod pixel_correlation;
mod pixel_histogram;
mod power_spectrum;
