//! Transmission spectra of exoplanets: a hydrostatic, isothermal atmosphere of hydrogen and helium with traces of H2O, CO2, CO and CH4,
//! seen in transit.
//!
//! Opacities (tables, lines, bands) -> a work grid -> layers of one atmosphere -> transit depth on any grid of wavelengths.

pub mod band_model;
pub mod carbon_monoxide;
pub mod collision_induced;
pub mod cross_sections;
pub mod draws;
pub mod exo_transmit;
pub mod forward;
pub mod layers;
pub mod noise;
pub mod opacities;
pub mod rayleigh;
pub mod sampling;
pub mod settings;
mod substreams;
pub mod taurex;
pub mod transit;
mod voigt;

pub use cross_sections::CrossSections;
pub use draws::Draws;
pub use forward::{ForwardModel, SpectrumWorkspace};
pub use layers::Atmosphere;
pub use opacities::Opacities;
pub use settings::SpectrumSettings;

/// The gases whose mixing ratios are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Molecule {
    /// Water.
    H2o,
    /// Carbon dioxide.
    Co2,
    /// Carbon monoxide.
    Co,
    /// Methane.
    Ch4,
}

impl Molecule {
    /// All four, in the order of their mixing ratios among the parameters.
    pub const ALL: [Self; 4] = [Self::H2o, Self::Co2, Self::Co, Self::Ch4];

    /// Its formula.
    pub fn formula(self) -> &'static str {
        match self {
            Self::H2o => "H2O",
            Self::Co2 => "CO2",
            Self::Co => "CO",
            Self::Ch4 => "CH4",
        }
    }

    /// The molecule of a formula; none for another one.
    pub fn of(formula: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|molecule| molecule.formula().eq_ignore_ascii_case(formula))
    }

    /// Its place in `ALL`.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Molar mass in g/mol (IUPAC 2021, conventional atomic weights).
    pub fn molar_mass(self) -> f64 {
        match self {
            Self::H2o => 18.015,
            Self::Co2 => 44.009,
            Self::Co => 28.010,
            Self::Ch4 => 16.043,
        }
    }
}

/// Cross sections are held in barns, so that those of a molecule and columns of an atmosphere are far from the ends of single
/// precision.
pub const BARN_M2: f64 = 1e-28;
/// c2 = h c / k in cm K (CODATA 2018).
pub(crate) const SECOND_RADIATION_CM_K: f64 = 1.438_776_877;
/// Boltzmann's constant in J/K (exact).
pub(crate) const BOLTZMANN: f64 = 1.380_649e-23;
