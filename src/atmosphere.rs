//! Spectra of exoplanets' atmospheres: the seven parameters that ExoGAN knows, in the order in which datasets hold them, and the grids of
//! wavelengths that have a name.
//!
//! Ranges and levels are those of its training set (Zingales & Waldmann 2018): each parameter on ten equally spaced levels.

use crate::data::Label;

/// A Jupiter mass in kg, ExoGAN's.
pub const JUPITER_MASS_KG: f64 = 1.898e27;
/// A Jupiter radius in m: the volumetric mean, ExoGAN's, not the equatorial one.
pub const JUPITER_RADIUS_M: f64 = 6.9911e7;

/// One of the seven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// Its name in datasets, tables and settings.
    pub name: &'static str,
    /// Its unit; dex for the decimal logarithm of a volume mixing ratio.
    pub unit: &'static str,
    /// Least and greatest value of ExoGAN's training set.
    pub range: (f64, f64),
}

/// Levels of each quantity in ExoGAN's training set, equally spaced over its range, both ends among them.
pub const LEVELS: u32 = 10;

const fn mixing_ratio(name: &'static str) -> Quantity {
    Quantity { name, unit: "dex", range: (-8.0, -1.0) }
}

/// All seven.
pub const QUANTITIES: [Quantity; 7] = [
    mixing_ratio("log10_h2o"),
    mixing_ratio("log10_co2"),
    mixing_ratio("log10_co"),
    mixing_ratio("log10_ch4"),
    Quantity { name: "planet_mass", unit: "M_Jup", range: (0.8, 2.0) },
    Quantity { name: "planet_radius", unit: "R_Jup", range: (0.8, 1.5) },
    Quantity { name: "temperature", unit: "K", range: (1000.0, 2000.0) },
];

/// Which of a dataset's labels each of the seven is, by name; the error says which has another unit or kind.
pub fn columns(labels: &[Label]) -> Result<[Option<usize>; 7], String> {
    let mut columns = [None; 7];
    for (column, quantity) in columns.iter_mut().zip(&QUANTITIES) {
        let Some(place) = labels.iter().position(|label| label.name == quantity.name) else { continue };
        if labels[place] != Label::real(quantity.name, quantity.unit) {
            let (have, wanted) = (labels[place].in_words(), quantity.unit);
            return Err(format!("label `{}` is {have}, expected a real number in {wanted}", quantity.name));
        }
        *column = Some(place);
    }
    Ok(columns)
}

/// The seven of a record, NaN where they are not known.
///
/// - `columns`: as [`columns`] gives them
/// - `labels`: of the record, `[p]`
pub fn of_labels(columns: &[Option<usize>; 7], labels: &[f32]) -> [f32; 7] {
    columns.map(|column| column.map_or(f32::NAN, |column| labels[column]))
}

/// All seven as labels of a dataset.
pub fn labels() -> Vec<Label> {
    QUANTITIES.iter().map(|quantity| Label::real(quantity.name, quantity.unit)).collect()
}

/// A grid that has a name: `exogan` (515 points of ExoGAN, 50.2 down to 0.30 um) and `exogan-362` (those from 16.0 to 0.44 um, which
/// its follow-up kept); none for another name. Each point is 1.01 times the next, a resolving power of 101 (ExoGAN_public, `wnw_grid.txt`).
pub fn named_grid(name: &str) -> Option<Vec<f64>> {
    let points = match name {
        "exogan" => 0..515,
        "exogan-362" => 115..477,
        _ => return None,
    };
    Some(points.map(|i| 0.3015 * 1.01_f64.powi(514 - i)).collect())
}

/// The names that `named_grid` knows.
pub const GRIDS: [&str; 2] = ["exogan", "exogan-362"];
