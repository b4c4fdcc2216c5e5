//! The layers of an isothermal atmosphere in hydrostatic balance, and the ways of light through them.
//!
//! With one temperature, one mean molar mass and gravity falling off as 1/r^2 the balance has a closed form:
//! 1/r = 1/R - k T / (G M m) ln(P0 / P), with P0 the pressure at the planet's radius R.
//!
//! Shapes: n = layers, from the bottom up; n + 1 borders between them.

use super::{BOLTZMANN, Molecule};
use crate::atmosphere::{JUPITER_MASS_KG, JUPITER_RADIUS_M, QUANTITIES};

/// Newton's constant in m^3/(kg s^2) (CODATA 2018).
const GRAVITATION: f64 = 6.674_30e-11;
/// The atomic mass constant in kg (CODATA 2018).
const ATOMIC_MASS_KG: f64 = 1.660_539_066_60e-27;
/// Molar masses in g/mol (IUPAC 2021).
const HYDROGEN: f64 = 2.016;
const HELIUM: f64 = 4.0026;

/// What an atmosphere is made of and stands on: the seven parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atmosphere {
    /// Volume mixing ratios, in the order of `Molecule::ALL`.
    pub mixing_ratios: [f64; 4],
    /// In Jupiter masses.
    pub planet_mass: f64,
    /// At the bottom of the atmosphere, in Jupiter radii.
    pub planet_radius: f64,
    /// In K.
    pub temperature: f64,
}

impl Atmosphere {
    /// From the seven parameters in the order and units of `atmosphere::QUANTITIES`.
    pub fn new(parameters: &[f64; QUANTITIES.len()]) -> Self {
        let [h2o, co2, co, ch4, planet_mass, planet_radius, temperature] = *parameters;
        Self {
            mixing_ratios: [h2o, co2, co, ch4].map(|log10| 10_f64.powf(log10)),
            planet_mass,
            planet_radius,
            temperature,
        }
    }

    /// Volume mixing ratios of hydrogen and helium, which fill what the traces leave.
    pub fn fill(&self, helium_to_hydrogen: f64) -> (f64, f64) {
        let left = 1.0 - self.mixing_ratios.iter().sum::<f64>();
        (left / (1.0 + helium_to_hydrogen), left * helium_to_hydrogen / (1.0 + helium_to_hydrogen))
    }

    /// Mean mass of a molecule in kg.
    fn molecule_kg(&self, helium_to_hydrogen: f64) -> f64 {
        let (hydrogen, helium) = self.fill(helium_to_hydrogen);
        let traces = Molecule::ALL.iter().map(|molecule| molecule.molar_mass()).zip(self.mixing_ratios);
        let traces: f64 = traces.map(|(mass, ratio)| mass * ratio).sum();
        ATOMIC_MASS_KG * (hydrogen * HYDROGEN + helium * HELIUM + traces)
    }
}

/// Borders and middles of the layers in pressure: the same for all atmospheres.
#[derive(Clone, Debug, PartialEq)]
pub struct Pressures {
    /// `[n + 1]` in Pa, descending.
    pub borders_pa: Vec<f64>,
    /// `[n]` in Pa: the geometric mean of a layer's borders.
    pub middles_pa: Vec<f64>,
}

impl Pressures {
    /// `layers` layers of equal depth in ln P.
    pub fn new(bottom_pa: f64, top_pa: f64, layers: usize) -> Self {
        let at = |place: f64| bottom_pa * (top_pa / bottom_pa).powf(place / layers as f64);
        Self {
            borders_pa: (0..=layers).map(|i| at(i as f64)).collect(),
            middles_pa: (0..layers).map(|i| at(i as f64 + 0.5)).collect(),
        }
    }

    /// How many layers there are.
    pub fn layers(&self) -> usize {
        self.middles_pa.len()
    }
}

/// One atmosphere's layers; used again for the next one.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Radii of the borders in m, `[n + 1]`.
    pub borders_m: Vec<f64>,
    /// Radii of the middles in m, `[n]`: where the ray that stands for the layer passes closest.
    pub middles_m: Vec<f64>,
    /// Molecules in a m^3, `[n]`.
    pub density_m3: Vec<f64>,
}

impl Layers {
    /// Lays out the atmosphere; the error is a pressure in Pa that gravity does not reach any more.
    pub fn set(&mut self, atmosphere: &Atmosphere, pressures: &Pressures, helium_to_hydrogen: f64) -> Result<(), f64> {
        let radius = atmosphere.planet_radius * JUPITER_RADIUS_M;
        let weight =
            GRAVITATION * atmosphere.planet_mass * JUPITER_MASS_KG * atmosphere.molecule_kg(helium_to_hydrogen);
        let thermal = BOLTZMANN * atmosphere.temperature;
        let bottom = pressures.borders_pa[0];
        let fall = thermal / weight;
        let at = |pressure: &f64| {
            let inverse = 1.0 / radius - fall * (bottom / pressure).ln();
            // Ten times the planet's radius is no layer of it any more.
            if inverse * radius > 0.1 { Ok(1.0 / inverse) } else { Err(*pressure) }
        };
        self.borders_m.clear();
        self.middles_m.clear();
        self.density_m3.clear();
        for pressure in &pressures.borders_pa {
            self.borders_m.push(at(pressure)?);
        }
        for pressure in &pressures.middles_pa {
            self.middles_m.push(at(pressure)?);
        }
        self.density_m3.extend(pressures.middles_pa.iter().map(|pressure| pressure / thermal));
        Ok(())
    }

    /// Lengths in m of the ray through the middle of `layer` in that layer and each one above, `[n - layer]`.
    pub fn path_m(&self, layer: usize, path: &mut Vec<f64>) {
        let closest = self.middles_m[layer] * self.middles_m[layer];
        path.clear();
        path.extend(self.borders_m[layer + 1..].iter().map(|border| 2.0 * (border * border - closest).sqrt()));
        for k in (1..path.len()).rev() {
            path[k] -= path[k - 1];
        }
    }
}
