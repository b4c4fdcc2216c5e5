//! Noise of an observation: Gaussian, independent in each bin.

use std::path::Path;

use super::substreams::NOISE;
use crate::data::spectral_axis::check_wavelengths;
use crate::rng::{Draw, Stream};
use crate::simulate::{SimulateError, read_text};

/// Standard deviation of each bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    sigma: Vec<f32>,
}

impl Noise {
    /// The same in all bins.
    pub fn constant(sigma: f64, bins: usize) -> Self {
        Self { sigma: vec![sigma as f32; bins] }
    }

    /// From a text table of wavelength in um and standard deviation of the depth, linear between its rows, which must cover all bins.
    pub fn read(path: &Path, wavelength_um: &[f64]) -> Result<Self, SimulateError> {
        let text = read_text(path, "a text table of wavelength in um and standard deviation")?;
        let mut rows: Vec<(f64, f64)> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let numbers: Result<Vec<f64>, _> =
                line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::parse).collect();
            match numbers.as_deref() {
                Ok([um, sigma]) if *sigma > 0.0 && sigma.is_finite() => rows.push((*um, *sigma)),
                _ => {
                    let problem = "expected a wavelength in um and a positive standard deviation of the depth".into();
                    return Err(SimulateError::Table { path: path.to_path_buf(), line: number + 1, problem });
                }
            }
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let whole = |problem| SimulateError::WholeTable { path: path.to_path_buf(), problem };
        check_wavelengths(&points).map_err(whole)?;
        let (first, last) = (points[0], points[points.len() - 1]);
        let inside = 1e-9 * last; // a table on the bins themselves may be rounded
        if let Some(um) = wavelength_um.iter().find(|um| **um < first - inside || **um > last + inside) {
            return Err(whole(format!("covers {first} to {last} um, expected all bins, {um:.4} um among them")));
        }
        let sigma = wavelength_um.iter().map(|um| {
            let (low, high, share) = super::cross_sections::between(&points, *um);
            (rows[low].1 * (1.0 - share) + rows[high].1 * share) as f32
        });
        Ok(Self { sigma: sigma.collect() })
    }

    /// Standard deviations, a bin each.
    pub fn sigma(&self) -> &[f32] {
        &self.sigma
    }

    /// Adds the noise of a record to its depths.
    pub fn add(&self, seed: u64, id: u64, depth: &mut [f32]) {
        let mut chance = Draw::new(seed).at(Stream::Simulation, id, NOISE);
        for (depth, sigma) in depth.iter_mut().zip(&self.sigma) {
            *depth += (chance.normal() * f64::from(*sigma)) as f32;
        }
    }
}
