//! Bands of the four molecules, built in: smooth, no lines, good for trying things out with nothing downloaded.
//!
//! The exponential wide band model (Edwards 1976; constants as in Modest, Radiative Heat Transfer, table 11.3): a band of strength
//! alpha falls off from its head or centre as exp(-a |nu - nu_c| / omega), omega growing as the root of the temperature. The change of alpha
//! with temperature (hot and combination bands) is left out but for water's rotation, and so is everything below 1.3 um.

use super::{BARN_M2, CrossSections, Molecule};

/// What manifests say of it.
pub const SOURCE: &str = "built-in bands (Edwards 1976)";

/// Nothing absorbs at shorter wavelengths.
pub const SHORTEST_UM: f64 = 1.3;

/// Where a band is said to be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Centre(f64),
    UpperLimit(f64),
}
use At::{Centre, UpperLimit};

/// Place in 1/cm, strength alpha in 1/cm per g/m^2, width omega at 100 K in 1/cm.
type Band = (At, f64, f64);

fn bands(molecule: Molecule) -> &'static [Band] {
    match molecule {
        Molecule::H2o => &[
            (Centre(140.0), 44_205.0, 69.3),
            (Centre(1600.0), 41.2, 56.4),
            (Centre(3760.0), 25.9, 60.0),
            (Centre(5350.0), 3.0, 43.1),
            (Centre(7250.0), 2.5, 32.0),
        ],
        Molecule::Co2 => &[
            (Centre(667.0), 19.0, 12.7),
            (UpperLimit(2410.0), 110.0, 11.2),
            (Centre(3660.0), 4.0, 23.5),
            (Centre(5200.0), 0.060, 34.5),
        ],
        Molecule::Co => &[(Centre(2143.0), 20.9, 25.5), (Centre(4260.0), 0.14, 20.0)],
        Molecule::Ch4 => &[
            (Centre(1310.0), 28.0, 21.0),
            (Centre(3020.0), 46.0, 56.0),
            (Centre(4220.0), 2.9, 60.0),
            (Centre(5861.0), 0.42, 45.0),
        ],
    }
}

/// Water's rotational band alone grows with temperature: alpha = alpha_0 exp(-9 (100 K / T)^1/2).
const ROTATION_BELOW_CM: f64 = 200.0;

/// The table of a molecule on these wavenumbers.
pub fn cross_sections(molecule: Molecule, wavenumbers_cm: &[f64]) -> CrossSections {
    let temperatures_k: Vec<f64> = (1..=30).map(|i| 100.0 * f64::from(i)).collect();
    // 1 m^2/g in barns a molecule.
    let to_barns = molecule.molar_mass() / 6.022_140_76e23 / BARN_M2;
    let mut barns = Vec::with_capacity(temperatures_k.len() * wavenumbers_cm.len());
    for temperature in &temperatures_k {
        let widen = (temperature / 100.0).sqrt();
        barns.extend(wavenumbers_cm.iter().map(|&nu| {
            let of_band = |&(at, alpha, width): &Band| {
                let omega = width * widen;
                match at {
                    Centre(centre) if centre < ROTATION_BELOW_CM => {
                        alpha * (-9.0 / widen).exp() / omega * (-2.0 * (nu - centre).abs() / omega).exp()
                    }
                    Centre(centre) => alpha / omega * (-2.0 * (nu - centre).abs() / omega).exp(),
                    UpperLimit(head) if nu <= head => alpha / omega * (-(head - nu) / omega).exp(),
                    UpperLimit(_) => 0.0,
                }
            };
            (bands(molecule).iter().map(of_band).sum::<f64>() * to_barns) as f32
        }));
    }
    CrossSections {
        molecule,
        source: SOURCE.into(),
        temperatures_k,
        pressures_pa: vec![1e5],
        wavenumbers_cm: wavenumbers_cm.to_vec(),
        barns,
    }
}
