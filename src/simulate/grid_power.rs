//! Power of every Fourier mode of a square, periodic grid, and the Gaussian field under a lognormal one.
//!
//! Shapes: n = pixels on a side of the grid. Modes lie row by row, `[n, n]`, in the order of the discrete Fourier
//! transform; C_l is in u^2 sr for maps in unit u.
//!
//! Convention: F = sum over pixels of f exp(-i l x), unnormalised, has mean |F|^2 = C_l n^2 / (pixel in rad)^2, with
//! l = 2 pi |m| / (n pixel in rad). A map is the field sampled at the middle of its pixels: no pixel window.

use std::f64::consts::{PI, TAU};

use skyforge_fft::Complex;

use crate::simulate::ConvergencePower;

/// A square, periodic grid on a flat sky.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Pixels on a side.
    pub n: usize,
    /// Side of a pixel in rad.
    pub pixel_rad: f64,
}

/// The Gaussian field whose exponential is a lognormal one.
#[derive(Clone, Debug)]
pub struct UnderLognormal {
    /// C_l of the Gaussian field per mode, `[n, n]`.
    pub gaussian: Vec<f64>,
    /// C_l that the lognormal field gets, per mode: the wanted one where nothing was clipped.
    pub lognormal: Vec<f64>,
    /// Power of the modes that came out negative and were set to 0, in units of the power of the others.
    pub clipped_power: f64,
}

impl Grid {
    /// Area in sr.
    pub fn area(&self) -> f64 {
        (self.n as f64 * self.pixel_rad).powi(2)
    }

    /// The slowest multipole but 0.
    pub fn fundamental(&self) -> f64 {
        TAU / (self.n as f64 * self.pixel_rad)
    }

    /// Multipole of mode (`row`, `column`).
    pub fn multipole(&self, row: usize, column: usize) -> f64 {
        let frequency = |i: usize| i.min(self.n - i) as f64;
        self.fundamental() * frequency(row).hypot(frequency(column))
    }

    /// C_l per mode, `[n, n]`. Mode 0 stands for its cell of the Fourier plane, all that is slower than the grid,
    /// and gets the mean power there: maps keep the scatter of their mean.
    pub fn power(&self, spectrum: &ConvergencePower) -> Vec<f64> {
        let mut power = Vec::with_capacity(self.n * self.n);
        for row in 0..self.n {
            power.extend((0..self.n).map(|column| spectrum.at(self.multipole(row, column))));
        }
        power[0] = spectrum.mean_inside(self.fundamental() / PI.sqrt()); // a circle of the cell's area
        power
    }

    /// Variance of a pixel of a field with this power per mode.
    pub fn variance(&self, power: &[f64]) -> f64 {
        power.iter().sum::<f64>() / self.area()
    }

    /// The Gaussian field g such that shift (exp(g - var/2) - 1) has the wanted power per mode: its correlation is
    /// ln(1 + xi / shift^2) for the wanted correlation xi (Coles & Jones 1991; Hilbert et al. 2011, eq. 34).
    /// Negative modes are set to 0. `None` where xi falls to -shift^2 and no such field exists.
    pub fn under_lognormal(&self, wanted: &[f64], shift: f64) -> Option<UnderLognormal> {
        let mut correlation = self.transform(wanted);
        for xi in &mut correlation {
            *xi = (*xi / self.area() / (shift * shift)).ln_1p();
            if !xi.is_finite() {
                return None;
            }
        }
        let pixel_area = self.pixel_rad * self.pixel_rad;
        let mut gaussian = self.transform(&correlation);
        let (mut kept, mut clipped) = (0.0, 0.0);
        for power in &mut gaussian {
            *power *= pixel_area;
            if *power < 0.0 {
                clipped -= *power;
                *power = 0.0;
            } else {
                kept += *power;
            }
        }
        let mut correlation = self.transform(&gaussian);
        for xi in &mut correlation {
            *xi = shift * shift * (*xi / self.area()).exp_m1();
        }
        let mut lognormal = self.transform(&correlation);
        for power in &mut lognormal {
            *power *= pixel_area;
        }
        Some(UnderLognormal { gaussian, lognormal, clipped_power: if kept > 0.0 { clipped / kept } else { 0.0 } })
    }

    /// Fourier transform of a real, even function on the grid, which is real and even, and its own inverse times n^2.
    fn transform(&self, even: &[f64]) -> Vec<f64> {
        let n = self.n;
        let fft = skyforge_fft::forward_f64(n);
        let mut values: Vec<Complex<f64>> = even.iter().map(|&value| Complex::new(value, 0.0)).collect();
        for _ in 0..2 {
            fft.process(&mut values); // row by row
            for row in 0..n {
                for column in 0..row {
                    values.swap(row * n + column, column * n + row);
                }
            }
        }
        values.into_iter().map(|value| value.re).collect()
    }
}
