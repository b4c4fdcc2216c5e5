//! The absorption cross section of a molecule over temperature, pressure and wavenumber.
//!
//! Shapes: t = temperatures, p = pressures, w = wavenumbers.

use super::{BARN_M2, Molecule};

/// A table of cross sections. Between its temperatures and between the logarithms of its pressures they are linear, beyond its
/// ends they stay what they are there; beyond its wavenumbers there is no absorption.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossSections {
    /// Of what.
    pub molecule: Molecule,
    /// Where it is from, for the manifest of what is made with it.
    pub source: String,
    /// `[t]`, ascending.
    pub temperatures_k: Vec<f64>,
    /// `[p]`, ascending.
    pub pressures_pa: Vec<f64>,
    /// `[w]`, ascending.
    pub wavenumbers_cm: Vec<f64>,
    /// `[t, p, w]` in barns.
    pub barns: Vec<f32>,
}

impl CrossSections {
    /// Checks shapes and values; the error says what is wrong and what was wanted.
    pub fn validate(&self) -> Result<(), String> {
        ascending(&self.temperatures_k, "temperatures", 1)?;
        ascending(&self.pressures_pa, "pressures", 1)?;
        ascending(&self.wavenumbers_cm, "wavenumbers", 2)?;
        let wanted = self.temperatures_k.len() * self.pressures_pa.len() * self.wavenumbers_cm.len();
        if self.barns.len() != wanted {
            return Err(format!("holds {} cross sections, expected {wanted}", self.barns.len()));
        }
        match self.barns.iter().find(|barns| !(barns.is_finite() && **barns >= 0.0)) {
            Some(bad) => Err(format!(
                "holds a cross section of {:e} m^2, expected at least 0 and less than 3e10",
                f64::from(*bad) * BARN_M2
            )),
            None => Ok(()),
        }
    }

    /// The cross sections of one temperature and pressure node, `[w]`.
    pub fn node(&self, temperature: usize, pressure: usize) -> &[f32] {
        let points = self.wavenumbers_cm.len();
        let start = (temperature * self.pressures_pa.len() + pressure) * points;
        &self.barns[start..start + points]
    }

    /// The same table on other wavenumbers, each node brought there by `resample(from, to)`.
    #[must_use]
    pub fn on(&self, wavenumbers_cm: Vec<f64>, mut resample: impl FnMut(&[f32], &mut [f32])) -> Self {
        let points = wavenumbers_cm.len();
        let nodes = self.temperatures_k.len() * self.pressures_pa.len();
        let mut barns = vec![0.0; nodes * points];
        for (from, to) in self.barns.chunks_exact(self.wavenumbers_cm.len()).zip(barns.chunks_exact_mut(points)) {
            resample(from, to);
        }
        Self {
            molecule: self.molecule,
            source: self.source.clone(),
            temperatures_k: self.temperatures_k.clone(),
            pressures_pa: self.pressures_pa.clone(),
            wavenumbers_cm,
            barns,
        }
    }
}

/// At least `least` positive numbers, each greater than the one before.
pub(super) fn ascending(values: &[f64], what: &str, least: usize) -> Result<(), String> {
    if values.len() < least {
        return Err(format!("has {} {what}, expected at least {least}", values.len()));
    }
    if let Some(bad) = values.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
        return Err(format!("has {bad} among its {what}, expected positive numbers"));
    }
    match values.windows(2).find(|pair| pair[1] <= pair[0]) {
        Some(pair) => Err(format!("has {} after {} among its {what}, expected ascending ones", pair[1], pair[0])),
        None => Ok(()),
    }
}

/// The nodes around `value` in an ascending list, and the share of the second: the value itself beyond the ends.
pub(super) fn between(nodes: &[f64], value: f64) -> (usize, usize, f64) {
    let above = nodes.partition_point(|node| *node <= value);
    if above == 0 {
        return (0, 0, 0.0);
    }
    if above == nodes.len() {
        return (above - 1, above - 1, 0.0);
    }
    (above - 1, above, (value - nodes[above - 1]) / (nodes[above] - nodes[above - 1]))
}
