//! What absorbs: a folder of tables, or what is built in.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::collision_induced::CollisionInduced;
use super::cross_sections::CrossSections;
use super::{Molecule, band_model, exo_transmit, taurex};
use crate::files;
use crate::simulate::SimulateError;

/// The word for the built-in bands, where a folder could stand.
pub const BUILT_IN: &str = "built-in";

/// Everything that absorbs but Rayleigh scattering.
#[derive(Clone, Debug, PartialEq)]
pub struct Opacities {
    /// Of each molecule one at most.
    pub tables: Vec<CrossSections>,
    /// Molecules whose built-in bands absorb.
    pub bands: Vec<Molecule>,
    /// Of each pair one at most.
    pub collisions: Vec<CollisionInduced>,
}

impl Opacities {
    /// The built-in bands of all four molecules, and no collisions.
    pub fn built_in() -> Self {
        Self { tables: Vec::new(), bands: Molecule::ALL.to_vec(), collisions: Vec::new() }
    }

    /// Reads `built-in`, or all tables of a folder: `opac*.dat` (Exo_Transmit), `*.h5` and `*.hdf5` (TauREx), `*.cia` (HITRAN). Files of
    /// other names and of other molecules are passed over; a molecule without a table does not absorb.
    pub fn load(name: &str) -> Result<Self, SimulateError> {
        if name == BUILT_IN {
            return Ok(Self::built_in());
        }
        let folder = Path::new(name);
        let read = |source| SimulateError::Read { path: folder.to_path_buf(), source };
        files::expect_folder(folder, "a folder of opacities, or built-in").map_err(read)?;
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).and_then(|all| all.map(|entry| Ok(entry?.path())).collect()).map_err(read)?;
        paths.sort();
        let mut all = Self { tables: Vec::new(), bands: Vec::new(), collisions: Vec::new() };
        for path in paths {
            let again = |what: &str| SimulateError::WholeTable {
                path: path.clone(),
                problem: format!("is a second table of {what}, expected one"),
            };
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("dat") => {
                    let Some(molecule) = exo_transmit::molecule_of(&path) else { continue };
                    all.add(exo_transmit::read(&path, molecule)?).map_err(again)?;
                }
                Some("h5" | "hdf5") => {
                    if let Some(table) = taurex::read(&path)? {
                        all.add(table).map_err(again)?;
                    }
                }
                Some("cia") => {
                    let table = CollisionInduced::read(&path)?;
                    if all.collisions.iter().any(|other| other.pair == table.pair) {
                        return Err(again(table.pair.name()));
                    }
                    all.collisions.push(table);
                }
                _ => {}
            }
        }
        if all.tables.is_empty() {
            let problem = "holds no table of H2O, CO2, CO or CH4, expected opac*.dat, *.h5 or *.hdf5".into();
            return Err(SimulateError::WholeTable { path: folder.to_path_buf(), problem });
        }
        all.tables.sort_by_key(|table| table.molecule.index());
        Ok(all)
    }

    fn add(&mut self, table: CrossSections) -> Result<(), &'static str> {
        if self.tables.iter().any(|other| other.molecule == table.molecule) {
            return Err(table.molecule.formula());
        }
        self.tables.push(table);
        Ok(())
    }

    /// The wavenumbers of the table that has them closest, and of those alike the widest; none where all is built in.
    pub fn finest_grid(&self) -> Option<&[f64]> {
        let per_octave = |grid: &[f64]| grid.len() as f64 / (grid[grid.len() - 1] / grid[0]).log2();
        let grids = self.tables.iter().map(|table| table.wavenumbers_cm.as_slice());
        grids.max_by(|a, b| {
            let (fine, other) = (per_octave(a), per_octave(b));
            let alike = (fine / other - 1.0).abs() < 0.01;
            if alike { a.len().cmp(&b.len()) } else { fine.total_cmp(&other) }
        })
    }

    /// All tables, bands too, on these wavenumbers: brought there by `resample(from grid, from, to)`.
    pub fn on(&self, wavenumbers_cm: &[f64], resample: impl Fn(&[f64], &[f32], &mut [f32])) -> Vec<CrossSections> {
        let bands = self.bands.iter().map(|molecule| band_model::cross_sections(*molecule, wavenumbers_cm));
        let tables = self
            .tables
            .iter()
            .map(|table| table.on(wavenumbers_cm.to_vec(), |from, to| resample(&table.wavenumbers_cm, from, to)));
        tables.chain(bands).collect()
    }

    /// Molecules that do not absorb.
    pub fn missing(&self) -> Vec<Molecule> {
        let absorbs = |molecule: &Molecule| {
            self.bands.contains(molecule) || self.tables.iter().any(|table| table.molecule == *molecule)
        };
        Molecule::ALL.into_iter().filter(|molecule| !absorbs(molecule)).collect()
    }

    /// What absorbs, where it is from, and a checksum of its numbers, for the manifest.
    pub fn describe(&self) -> toml::Table {
        let checked = |source: &str, numbers: &[u8]| format!("{source}, xxh3 {:016x}", xxh3_64(numbers));
        let tables = self.tables.iter().map(|table| {
            (table.molecule.formula().to_owned(), checked(&table.source, bytemuck::cast_slice(&table.barns)))
        });
        let bands = self.bands.iter().map(|molecule| (molecule.formula().to_owned(), band_model::SOURCE.into()));
        let pairs =
            self.collisions.iter().map(|table| (table.pair.name().to_owned(), checked(&table.source, &table.bytes())));
        tables.chain(bands).chain(pairs).map(|(what, source)| (what, toml::Value::String(source))).collect()
    }
}
