//! Angular power spectrum of convergence, from a cosmology by Limber's integral or from a table.
//!
//! C_l is in sr. On a small, flat sky it is the two-dimensional power spectrum at wavenumber l in 1/rad.

use std::f64::consts::LN_10;
use std::path::Path;

use crate::simulate::cosmology::{Cosmology, HUBBLE_DISTANCE_MPC_H};
use crate::simulate::{MatterPower, SimulateError, read_text};

/// Multipoles of a spectrum from a cosmology: 1 to 1e6.
const DECADES: usize = 6;
const MULTIPOLES_PER_DECADE: usize = 64;
/// Shells of equal width in redshift between us and the sources.
const SHELLS: usize = 256;

/// C_l on a grid of multipoles, straight in ln C_l over ln l between them.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvergencePower {
    /// (l, C_l), ascending in l.
    table: Vec<(f64, f64)>,
}

impl ConvergencePower {
    /// Convergence of sources at one redshift, in the Born and Limber approximations:
    ///
    /// C_l = integral of d chi q(chi)^2 / chi^2 P(k = (l + 1/2) / chi, z(chi)) from 0 to chi_s,
    /// q(chi) = 3/2 omega_m (H0/c)^2 (1 + z) chi (chi_s - chi) / chi_s
    /// (Kaiser 1992; Bartelmann & Schneider 2001, eq. 6.18; l + 1/2 as LoVerde & Afshordi 2008),
    /// with P the non-linear power of `MatterPower`.
    ///
    /// Errors: a cosmology outside the formulae, or a redshift that is not more than 0 and at most 10.
    pub fn limber(cosmology: &Cosmology, source_redshift: f64) -> Result<Self, SimulateError> {
        cosmology.check()?;
        if !(source_redshift > 0.0 && source_redshift <= 10.0) {
            return Err(SimulateError::setting("source_redshift", &source_redshift, "more than 0 and at most 10"));
        }
        let matter = MatterPower::new(cosmology);
        let source_distance = cosmology.comoving_distance(source_redshift);
        let width = source_redshift / SHELLS as f64;
        let shells: Vec<_> = (0..SHELLS)
            .map(|i| {
                let z = (i as f64 + 0.5) * width;
                let distance = cosmology.comoving_distance(z);
                let efficiency = 1.5 * cosmology.omega_m / HUBBLE_DISTANCE_MPC_H.powi(2)
                    * (1.0 + z)
                    * (1.0 - distance / source_distance); // q / chi
                let depth = width * HUBBLE_DISTANCE_MPC_H / cosmology.expansion(z);
                (distance, efficiency * efficiency * depth, matter.at(z))
            })
            .collect();
        let table = (0..=DECADES * MULTIPOLES_PER_DECADE)
            .map(|i| {
                let l = (LN_10 * i as f64 / MULTIPOLES_PER_DECADE as f64).exp();
                let sum = shells.iter().map(|(distance, weight, power)| weight * power.power((l + 0.5) / distance));
                (l, sum.sum())
            })
            .collect();
        Ok(Self { table })
    }

    /// The spectrum of a text file with two columns, l and C_l, ascending in l. `#` starts a comment.
    ///
    /// Errors: no file; a line that has not two finite numbers, or l that does not ascend from above 0, or C_l that
    /// is negative; fewer than two lines.
    pub fn from_table(path: &Path) -> Result<Self, SimulateError> {
        let text = read_text(path, "a table of l and C_l, text")?;
        let mut table: Vec<(f64, f64)> = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default();
            let row: Vec<&str> = content.split_whitespace().collect();
            if row.is_empty() {
                continue;
            }
            let entry = parse_row(&row, table.last().map(|last| last.0)).map_err(|problem| SimulateError::Table {
                path: path.to_path_buf(),
                line: i + 1,
                problem,
            })?;
            table.push(entry);
        }
        if table.len() < 2 {
            let problem = format!("has {} lines of numbers, expected at least 2", table.len());
            return Err(SimulateError::WholeTable { path: path.to_path_buf(), problem });
        }
        Ok(Self { table })
    }

    /// C_l at any l inside `range`; outside, the value at the nearer end.
    pub fn at(&self, l: f64) -> f64 {
        let above = self.table.partition_point(|entry| entry.0 <= l);
        if above == 0 {
            return self.table[0].1;
        }
        if above == self.table.len() {
            return self.table[above - 1].1;
        }
        let ((l0, c0), (l1, c1)) = (self.table[above - 1], self.table[above]);
        if c0 == 0.0 || c1 == 0.0 {
            // No logarithm: straight in C_l over l.
            return c0 + (c1 - c0) * (l - l0) / (l1 - l0);
        }
        c0 * ((c1 / c0).ln() * (l / l0).ln() / (l1 / l0).ln()).exp()
    }

    /// First and last multipole.
    pub fn range(&self) -> (f64, f64) {
        (self.table[0].0, self.table[self.table.len() - 1].0)
    }

    /// Mean of C_l over the multipoles inside a circle of radius `l`: the power per mode of all that is slower.
    pub fn mean_inside(&self, l: f64) -> f64 {
        const RINGS: usize = 256;
        let ring = |i: usize| (i as f64 + 0.5) / RINGS as f64;
        (0..RINGS).map(|i| 2.0 * ring(i) * self.at(ring(i) * l)).sum::<f64>() / RINGS as f64
    }
}

fn parse_row(row: &[&str], previous: Option<f64>) -> Result<(f64, f64), String> {
    let &[l, power] = row else {
        return Err(format!("has {} columns, expected 2: l and C_l", row.len()));
    };
    let number = |name: &str, text: &str| match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{name} is {text}, expected a finite number")),
    };
    let (l, power) = (number("l", l)?, number("C_l", power)?);
    match previous {
        Some(previous) if l <= previous => Err(format!("l is {l}, expected more than {previous} of the line before")),
        None if l <= 0.0 => Err(format!("l is {l}, expected more than 0")),
        _ if power < 0.0 => Err(format!("C_l is {power}, expected 0 or more")),
        _ => Ok((l, power)),
    }
}
