//! Wavelengths and channels of a dataset of spectra.
//!
//! A record is `[channels, points]`: the depth alone where it was simulated, or depth, errors and what was observed.

use serde::{Deserialize, Serialize};

/// What a channel of a spectrum holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// (Rp/Rs)^2; 0 where nothing was observed.
    Depth,
    /// One standard deviation downwards; 0 where nothing was observed.
    ErrorBelow,
    /// One standard deviation upwards; 0 where nothing was observed.
    ErrorAbove,
    /// 1 where the depth was observed, 0 where it was not.
    Observed,
}

/// All channels of a spectrum that was observed, in their order.
pub const OBSERVED: [Channel; 4] = [Channel::Depth, Channel::ErrorBelow, Channel::ErrorAbove, Channel::Observed];

/// The points at which spectra are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpectralAxis {
    /// What stands in a record, in order: `["depth"]`, or all of `OBSERVED`.
    pub channels: Vec<Channel>,
    /// Centres of the bins in micrometres, ascending or descending.
    pub wavelength_um: Vec<f64>,
}

impl SpectralAxis {
    /// Whether spectra of this axis have errors, and points that were not observed.
    pub fn is_observed(&self) -> bool {
        self.channels == OBSERVED
    }

    /// Borders of the bins in micrometres, `[points + 1]`, in the order of the points.
    pub fn edges_um(&self) -> Vec<f64> {
        edges(&self.wavelength_um)
    }

    /// Checks all that it says; the error says what is wrong.
    pub fn validate(&self) -> Result<(), String> {
        if self.channels != [Channel::Depth] && !self.is_observed() {
            return Err(
                "`axis.channels` are not [\"depth\"] nor all of depth, error_below, error_above, observed".into()
            );
        }
        check_wavelengths(&self.wavelength_um).map_err(|fault| format!("`axis.wavelength_um` {fault}"))
    }
}

/// Wavelengths that are asked for beyond these, in micrometres, are a mistake.
pub const LEGAL_UM: std::ops::RangeInclusive<f64> = 0.01..=1e4;

/// Wavelengths in a few words.
pub fn in_words(wavelength_um: &[f64]) -> String {
    let (first, last) = (wavelength_um[0], wavelength_um[wavelength_um.len() - 1]);
    format!("{} points from {first:.4} to {last:.4} um", wavelength_um.len())
}

/// A grid out of a text: the first word of each line, in um; what follows `#` is passed over. The error has the line, from 1, where it is
/// one line's.
pub fn grid_from(text: &str) -> Result<Vec<f64>, (Option<usize>, String)> {
    const MOST: usize = 1 << 20;
    let mut grid = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default();
        let Some(word) = line.split([' ', '\t', ',']).find(|word| !word.trim().is_empty()) else { continue };
        match word.trim().parse::<f64>() {
            Ok(um) if LEGAL_UM.contains(&um) => grid.push(um),
            Ok(um) => return Err((Some(number), format!("has {um}, expected a wavelength of 0.01 to 10000 um"))),
            Err(_) => return Err((Some(number), format!("`{word:.30}` is no number, expected a wavelength in um"))),
        }
    }
    check_wavelengths(&grid).map_err(|fault| (None, fault))?;
    if grid.len() > MOST {
        return Err((None, format!("has {} wavelengths, expected at most {MOST}", grid.len())));
    }
    Ok(grid)
}

/// Borders of bins around `centres` that ascend or descend: the geometric means of neighbours, the outer ones as far off as the
/// inner ones, so that bins of constant resolving power join.
pub fn edges(centres: &[f64]) -> Vec<f64> {
    let n = centres.len();
    let between = |i: usize| (centres[i - 1] * centres[i]).sqrt();
    let first = centres[0] * centres[0] / between(1);
    let last = centres[n - 1] * centres[n - 1] / between(n - 1);
    std::iter::once(first).chain((1..n).map(between)).chain(std::iter::once(last)).collect()
}

/// Two or more positive wavelengths, each beyond the one before, in one direction.
pub fn check_wavelengths(wavelength_um: &[f64]) -> Result<(), String> {
    if wavelength_um.len() < 2 {
        return Err(format!("has {} points, expected at least 2", wavelength_um.len()));
    }
    if let Some(bad) = wavelength_um.iter().find(|um| !(um.is_finite() && **um > 0.0)) {
        return Err(format!("has {bad}, expected positive wavelengths"));
    }
    let descends = wavelength_um[1] < wavelength_um[0];
    let wrong = wavelength_um.windows(2).find(|pair| pair[0] == pair[1] || (pair[1] < pair[0]) != descends);
    match wrong {
        Some(pair) => {
            let order = if descends { "descending" } else { "ascending" };
            Err(format!("has {} after {}, expected {order} wavelengths", pair[1], pair[0]))
        }
        None => Ok(()),
    }
}
