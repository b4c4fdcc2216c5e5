//! Absorption by pairs of molecules while they collide, H2-H2 and H2-He, from HITRAN's `.cia` files (Karman et al. 2019).
//!
//! A file is a row of blocks: a header of fixed columns (pair 1-20, least and greatest wavenumber 21-30 and 31-40, number of points
//! 41-47, temperature 48-54), then a line a point with wavenumber in 1/cm and absorption in cm^5 per pair.

use std::path::Path;

use super::cross_sections::between;
use crate::files;
use crate::simulate::{SimulateError, read_text};

/// Which molecules collide with hydrogen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// H2-H2.
    HydrogenHydrogen,
    /// H2-He.
    HydrogenHelium,
}

impl Pair {
    /// Its name, as files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HydrogenHydrogen => "H2-H2",
            Self::HydrogenHelium => "H2-He",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::HydrogenHydrogen, Self::HydrogenHelium].into_iter().find(|pair| pair.name().eq_ignore_ascii_case(name))
    }
}

/// Absorption of a pair, linear between temperatures and between wavenumbers, none beyond its wavenumbers.
#[derive(Clone, Debug, PartialEq)]
pub struct CollisionInduced {
    /// Which pair.
    pub pair: Pair,
    /// Where it is from, for the manifest.
    pub source: String,
    /// Ascending, in K.
    pub temperatures_k: Vec<f64>,
    /// Of each temperature: wavenumbers in 1/cm, ascending, and absorption in cm^5.
    curves: Vec<(Vec<f64>, Vec<f64>)>,
}

impl CollisionInduced {
    /// Reads a `.cia` file. Blocks of one temperature join, where they do not overlap.
    pub fn read(path: &Path) -> Result<Self, SimulateError> {
        let text = read_text(path, "collision-induced absorption in HITRAN's format")?;
        let wrong =
            |line: usize, problem: String| SimulateError::Table { path: path.to_path_buf(), line: line + 1, problem };
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut pair = None;
        let mut blocks: Vec<(f64, Vec<f64>, Vec<f64>)> = Vec::new();
        while let Some((number, header)) = lines.next() {
            let column = |from: usize, to: usize| header.get(from..to.min(header.len())).unwrap_or_default().trim();
            let have = Pair::of(column(0, 20));
            let (Some(have), Ok(points), Ok(temperature)) =
                (have, column(40, 47).parse::<usize>(), column(47, 54).parse::<f64>())
            else {
                let wanted =
                    "expected a header of H2-H2 or H2-He with points in columns 41-47 and temperature in 48-54";
                return Err(wrong(number, wanted.into()));
            };
            if *pair.get_or_insert(have) != have {
                return Err(wrong(number, format!("is of {}, expected one pair in a file", have.name())));
            }
            if points == 0 {
                return Err(wrong(number, "has 0 points, expected at least 1".into()));
            }
            if !(temperature > 0.0 && temperature < 1e5) {
                return Err(wrong(number, format!("is at {temperature} K, expected a temperature")));
            }
            let (mut wavenumbers, mut absorption) = (Vec::new(), Vec::new());
            for _ in 0..points {
                let Some((number, line)) = lines.next() else {
                    return Err(wrong(number, format!("has {} points, expected {points}", wavenumbers.len())));
                };
                let mut words = line.split_ascii_whitespace().map(str::parse::<f64>);
                let (Some(Ok(wavenumber)), Some(Ok(cm5))) = (words.next(), words.next()) else {
                    return Err(wrong(number, "expected a wavenumber in 1/cm and an absorption in cm^5".into()));
                };
                if !wavenumber.is_finite()
                    || !cm5.is_finite()
                    || wavenumbers.last().is_some_and(|last| *last >= wavenumber)
                {
                    return Err(wrong(number, "expected ascending wavenumbers and finite absorption".into()));
                }
                wavenumbers.push(wavenumber);
                absorption.push(cm5.max(0.0)); // some published tables cross 0 in their wings
            }
            blocks.push((temperature, wavenumbers, absorption));
        }
        let whole = |problem: &str| SimulateError::WholeTable { path: path.to_path_buf(), problem: problem.into() };
        let pair = pair.ok_or_else(|| whole("is empty, expected collision-induced absorption in HITRAN's format"))?;
        blocks.sort_by(|a, b| {
            a.0.total_cmp(&b.0).then(a.1.first().unwrap_or(&0.0).total_cmp(b.1.first().unwrap_or(&0.0)))
        });
        let mut temperatures_k: Vec<f64> = Vec::new();
        let mut curves: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        for (temperature, wavenumbers, absorption) in blocks {
            if temperatures_k.last() == Some(&temperature) {
                let curve = curves.last_mut().expect("a temperature has its curve");
                if curve.0.last() >= wavenumbers.first() {
                    return Err(whole(&format!("has blocks at {temperature} K that overlap, expected none")));
                }
                curve.0.extend(wavenumbers);
                curve.1.extend(absorption);
            } else {
                temperatures_k.push(temperature);
                curves.push((wavenumbers, absorption));
            }
        }
        let name = files::name_of(path);
        Ok(Self { pair, source: format!("{name} (HITRAN)"), temperatures_k, curves })
    }

    /// All its numbers, to be told from other tables by.
    pub fn bytes(&self) -> Vec<u8> {
        let numbers = self.curves.iter().flat_map(|(wavenumbers, cm5)| wavenumbers.iter().chain(cm5));
        self.temperatures_k.iter().chain(numbers).flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Absorption in cm^5 at a temperature, on these wavenumbers.
    pub fn at(&self, temperature_k: f64, wavenumbers_cm: &[f64]) -> Vec<f64> {
        let (low, high, share) = between(&self.temperatures_k, temperature_k);
        let of = |curve: &(Vec<f64>, Vec<f64>), nu: f64| {
            if nu < curve.0[0] || nu > curve.0[curve.0.len() - 1] {
                return 0.0;
            }
            let (a, b, share) = between(&curve.0, nu);
            curve.1[a] * (1.0 - share) + curve.1[b] * share
        };
        let at = |&nu: &f64| of(&self.curves[low], nu) * (1.0 - share) + of(&self.curves[high], nu) * share;
        wavenumbers_cm.iter().map(at).collect()
    }
}
