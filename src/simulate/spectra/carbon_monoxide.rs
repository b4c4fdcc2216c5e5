//! The infrared lines of 12C16O, computed from molecular constants, and the table of cross sections that they make.
//!
//! Energies are sums of Dunham's; strengths follow from the vibrational matrix elements of the electric dipole moment of the first
//! three bands, which grow with v as a harmonic oscillator's do. Left out: the change of a band's strengths with rotation beyond
//! Hoenl and London's factor (Herman and Wallis: 10 % at J = 20 of the overtone), other isotopologues (1 %), bands of more than three quanta.

use super::voigt::voigt;
use super::{BARN_M2, CrossSections, Molecule, SECOND_RADIATION_CM_K};

/// Dunham's coefficients Y_kl in 1/cm, k down and l across (Guelachvili et al. 1983; Huber & Herzberg 1979 agree in all digits that
/// they give). E = sum Y_kl (v + 1/2)^k (J (J + 1))^l.
const DUNHAM_CM: [[f64; 4]; 5] = [
    [0.0, 1.931_280_872_4, -6.121_468e-6, 5.827_2e-12],
    [2_169.813_580_2, -1.750_441_21e-2, 1.152_6e-9, 0.0],
    [-13.288_307_6, 5.487e-7, 0.0, 0.0],
    [1.051_127e-2, 2.541e-8, 0.0, 0.0],
    [5.744_0e-5, 0.0, 0.0, 0.0],
];

/// Matrix elements of the dipole moment between v = 0 and v = 1, 2, 3, without rotation, in debye (Chackerian & Tipping 1983;
/// Goorvitch 1994). They make integrated intensities at 296 K of 9.9e-18, 7.5e-20 and 4.7e-22 cm per molecule.
const DIPOLE_DEBYE: [f64; 3] = [0.1055, 6.53e-3, 4.2e-4];

/// Lorentz half width in 1/cm at 1 atm and 296 K, and its power of 296/T: what the ExoMol data base takes for molecules in hydrogen and
/// helium where nothing better is known (Tennyson et al. 2016), and within a fifth of what is measured for CO in hydrogen.
const BROADENING: (f64, f64) = (0.07, 0.5);

const HIGHEST_V: u32 = 12;
const HIGHEST_J: u32 = 130;
/// Lines are cut off this far from their centre, in 1/cm.
const WING_CM: f64 = 100.0;
const ATMOSPHERE_PA: f64 = 101_325.0;

/// One line in absorption.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Of its centre, in 1/cm.
    pub wavenumber_cm: f64,
    /// Energy of the lower level above v = 0, J = 0, in 1/cm.
    pub lower_cm: f64,
    /// Strength over occupation: what stands before the Boltzmann factors, in cm per molecule.
    weight: f64,
}

impl Line {
    /// Integrated cross section in cm per molecule, in equilibrium at a temperature with the given partition sum.
    pub fn strength(&self, temperature_k: f64, partition_sum: f64) -> f64 {
        let c2 = SECOND_RADIATION_CM_K / temperature_k;
        let occupied = (-c2 * self.lower_cm).exp() / partition_sum;
        self.weight * occupied * -(-c2 * self.wavenumber_cm).exp_m1()
    }
}

/// Energy of a level above v = 0, J = 0, in 1/cm.
fn energy_cm(v: u32, j: u32) -> f64 {
    let term = |v: u32, j: u32| {
        let (a, b) = (f64::from(v) + 0.5, f64::from(j * (j + 1)));
        DUNHAM_CM.iter().rev().fold(0.0, |sum, row| sum * a + row.iter().rev().fold(0.0, |sum, y| sum * b + y))
    };
    term(v, j) - term(0, 0)
}

/// All lines of one to three quanta from v up to 12 and J up to 130, by wavenumber.
pub fn lines() -> Vec<Line> {
    // 8 pi^3 / (3 h c) in cgs units, for a dipole moment in debye.
    const TO_CM: f64 = 4.162_38e17 * 1e-36;
    let mut lines = Vec::new();
    for (quanta, dipole) in (1_u32..).zip(DIPOLE_DEBYE) {
        for v in 0..=HIGHEST_V {
            // (v + 1) .. (v + quanta) / quanta!
            let growth: f64 = (1..=quanta).map(|i| f64::from(v + i) / f64::from(i)).product();
            for j in 0..=HIGHEST_J {
                for (upper, factor) in [(Some(j + 1), j + 1), (j.checked_sub(1), j)] {
                    let Some(upper) = upper else { continue };
                    let lower_cm = energy_cm(v, j);
                    let wavenumber_cm = energy_cm(v + quanta, upper) - lower_cm;
                    let weight = TO_CM * wavenumber_cm * dipole * dipole * growth * f64::from(factor);
                    lines.push(Line { wavenumber_cm, lower_cm, weight });
                }
            }
        }
    }
    lines.sort_by(|a, b| a.wavenumber_cm.total_cmp(&b.wavenumber_cm));
    lines
}

/// Sum over all levels of (2 J + 1) exp(-E / k T).
pub fn partition_sum(temperature_k: f64) -> f64 {
    let occupied = |v, j| f64::from(2 * j + 1) * (-SECOND_RADIATION_CM_K * energy_cm(v, j) / temperature_k).exp();
    (0..=HIGHEST_V + 3).flat_map(|v| (0..=HIGHEST_J + 20).map(move |j| occupied(v, j))).sum()
}

/// The table of cross sections at these nodes: not means, but what there is at each wavenumber, as in tables that sample opacities.
pub fn cross_sections(temperatures_k: &[f64], pressures_pa: &[f64], wavenumbers_cm: &[f64]) -> CrossSections {
    let lines = lines();
    let points = wavenumbers_cm.len();
    let mut barns = vec![0.0; temperatures_k.len() * pressures_pa.len() * points];
    let nodes = temperatures_k.iter().flat_map(|t| pressures_pa.iter().map(move |p| (*t, *p)));
    for ((temperature, pressure), node) in nodes.zip(barns.chunks_exact_mut(points)) {
        add_lines(&lines, temperature, pressure, wavenumbers_cm, node);
    }
    CrossSections {
        molecule: Molecule::Co,
        source: "lines of 12C16O from Dunham coefficients (Guelachvili et al. 1983) and dipole matrix elements (Goorvitch 1994)".into(),
        temperatures_k: temperatures_k.to_vec(),
        pressures_pa: pressures_pa.to_vec(),
        wavenumbers_cm: wavenumbers_cm.to_vec(),
        barns,
    }
}

fn add_lines(lines: &[Line], temperature_k: f64, pressure_pa: f64, wavenumbers_cm: &[f64], barns: &mut [f32]) {
    const WEAKEST: f64 = 1e-30; // cm per molecule
    let partition_sum = partition_sum(temperature_k);
    let root = std::f64::consts::LN_2.sqrt();
    let (width, power) = BROADENING;
    let lorentz = width * (pressure_pa / ATMOSPHERE_PA) * (296.0 / temperature_k).powf(power);
    // Half width at half maximum of the Doppler profile over its wavenumber: (2 ln 2 k T / (m c^2))^1/2.
    let doppler_share = 3.581_163e-7 * (temperature_k / Molecule::Co.molar_mass()).sqrt();
    let mut sums = vec![0.0_f64; barns.len()];
    for line in lines {
        let strength = line.strength(temperature_k, partition_sum);
        if strength < WEAKEST {
            continue;
        }
        let scale = root / (doppler_share * line.wavenumber_cm);
        let peak = strength * scale / std::f64::consts::PI.sqrt();
        let first = wavenumbers_cm.partition_point(|nu| *nu < line.wavenumber_cm - WING_CM);
        let last = wavenumbers_cm.partition_point(|nu| *nu <= line.wavenumber_cm + WING_CM);
        for (sum, nu) in sums[first..last].iter_mut().zip(&wavenumbers_cm[first..last]) {
            *sum += peak * voigt(scale * (nu - line.wavenumber_cm), scale * lorentz);
        }
    }
    for (barns, cm2) in barns.iter_mut().zip(sums) {
        *barns = (cm2 * 1e-4 / BARN_M2) as f32;
    }
}
