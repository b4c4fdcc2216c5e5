//! Rayleigh scattering: cross sections of molecules far from their resonances.

use super::{BARN_M2, Molecule};

/// Number density of an ideal gas at 1 atm in 1/m^3, at the temperatures for which indices are right: 0 degrees Celsius, and 15 where air's
/// is taken.
const AT_0_C_M3: f64 = 2.686_780_1e25;
const AT_15_C_M3: f64 = 2.546_899e25;

/// Of hydrogen, in barns, at a wavenumber in 1/cm (Dalgarno & Williams 1962, eq. 3; wavelengths in angstrom, cross section in cm^2).
pub fn hydrogen(wavenumber_cm: f64) -> f64 {
    let square = (wavenumber_cm * 1e-8).powi(2); // 1/angstrom^2
    let cm2 = square * square * (8.14e-13 + square * (1.28e-6 + square * 1.61));
    cm2 * 1e-4 / BARN_M2
}

/// Of helium, in barns (Chan & Dalgarno 1965).
pub fn helium(wavenumber_cm: f64) -> f64 {
    let square = (wavenumber_cm * 1e-8).powi(2);
    let cm2 = 5.484e-14 * square * square * (1.0 + 2.44e5 * square);
    cm2 * 1e-4 / BARN_M2
}

/// Of a trace gas, in barns: from its refractive index n and King's factor. H2O: 0.85 of air's index, depolarisation 0.17 (Cox 2000,
/// Allen's Astrophysical Quantities); CO2: Bideau-Mehu et al. 1973; CO: Cox 2000; CH4 and King's factors: Sneep & Ubachs 2005.
pub fn trace(molecule: Molecule, wavenumber_cm: f64) -> f64 {
    let square = wavenumber_cm * wavenumber_cm * 1e-8; // 1/um^2
    let (refractivity, king, density) = match molecule {
        Molecule::H2o => {
            let air = 0.057_921_05 / (238.018_5 - square) + 0.001_679_17 / (57.362 - square);
            (0.85 * air, (6.0 + 3.0 * 0.17) / (6.0 - 7.0 * 0.17), AT_15_C_M3)
        }
        Molecule::Co2 => {
            let n = 6.991e-2 / (166.175 - square)
                + 1.447_20e-3 / (79.609 - square)
                + 6.429_41e-5 / (56.306_4 - square)
                + 5.213_06e-5 / (46.019_6 - square); // its infrared resonance at 4.1 um is no scattering
            (n, 1.1364, AT_0_C_M3)
        }
        Molecule::Co => (32.7e-5 * (1.0 + 8.1e-3 * square), 1.016, AT_0_C_M3),
        Molecule::Ch4 => (1e-8 * (46_662.0 + 4.02e-6 * wavenumber_cm * wavenumber_cm), 1.0, AT_0_C_M3),
    };
    let n = 1.0 + refractivity;
    let factor = (n * n - 1.0) / (density * (n * n + 2.0));
    let m2 = 24.0 * std::f64::consts::PI.powi(3) * king * factor * factor * (wavenumber_cm * 100.0).powi(4);
    m2 / BARN_M2
}
