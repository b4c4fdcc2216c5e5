//! Plans of Fourier transforms, in single and double precision.
//!
//! A package of its own because `rustfft` is generic: whatever crate makes a plan compiles all of its algorithms for that precision,
//! which was two thirds of skyforge's object code. Here they are compiled once, and skyforge sees trait objects.
//!
//! Transforms are not normalised: forward and back multiply by the length n.

use std::sync::Arc;

use realfft::RealFftPlanner;
pub use realfft::{ComplexToReal, RealToComplex};
use rustfft::FftPlanner;
pub use rustfft::{Fft, num_complex::Complex};

/// Complex to complex, n values, single precision.
pub fn forward_f32(n: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_forward(n)
}

/// Complex to complex, n values, double precision.
pub fn forward_f64(n: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_forward(n)
}

/// The inverse of [`forward_f64`], times n.
pub fn inverse_f64(n: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_inverse(n)
}

/// n real values to n/2 + 1 modes, single precision.
pub fn real_forward_f32(n: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::new().plan_fft_forward(n)
}

/// n/2 + 1 modes to n real values, single precision.
pub fn real_inverse_f32(n: usize) -> Arc<dyn ComplexToReal<f32>> {
    RealFftPlanner::new().plan_fft_inverse(n)
}

/// n/2 + 1 modes to n real values, double precision.
pub fn real_inverse_f64(n: usize) -> Arc<dyn ComplexToReal<f64>> {
    RealFftPlanner::new().plan_fft_inverse(n)
}
