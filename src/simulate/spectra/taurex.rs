//! Cross sections in TauREx 3's HDF5 format, as the ExoMol data base gives them out: read, and written for other programs.
//!
//! Datasets: `bin_edges` `[w]` wavenumbers in 1/cm, `p` `[p]` in bar (or as its attribute `units` says), `t` `[t]` in K, `xsecarr`
//! `[p, t, w]` in cm^2, `mol_name` the molecule.

use std::path::Path;

use hdf5::types::{VarLenAscii, VarLenUnicode};

use super::{BARN_M2, CrossSections, Molecule};
use crate::files;
use crate::simulate::SimulateError;

const BAR_PA: f64 = 1e5;
const CM2_M2: f64 = 1e-4;

/// Reads a table; none where it is of another molecule than the four.
pub fn read(path: &Path) -> Result<Option<CrossSections>, SimulateError> {
    let whole = |problem: String| SimulateError::WholeTable { path: path.to_path_buf(), problem };
    std::fs::File::open(path).map_err(|source| SimulateError::Read { path: path.to_path_buf(), source })?;
    let Some(table) = from_file(path).map_err(whole)? else {
        log::info!("{} is of another molecule, passed over", path.display());
        return Ok(None);
    };
    table.validate().map_err(whole)?;
    Ok(Some(table))
}

fn from_file(path: &Path) -> Result<Option<CrossSections>, String> {
    let fault = |error: hdf5::Error| format!("is no table of cross sections as TauREx reads them: {error}");
    let file = hdf5::File::open(path).map_err(fault)?;
    let numbers = |name: &str| -> Result<Vec<f64>, String> {
        let dataset =
            file.dataset(name).map_err(|_| format!("has no dataset `{name}`, expected bin_edges, p, t, xsecarr"))?;
        dataset.read_raw::<f64>().map_err(fault)
    };
    let name = molecule_name(&file).ok_or("has no `mol_name`, expected the formula of a molecule")?;
    let Some(molecule) = Molecule::of(&name) else { return Ok(None) };
    let units = file.dataset("p").ok().and_then(|p| p.attr("units").ok()).and_then(|units| text(&units));
    let pascal = match units.as_deref() {
        None | Some("bar") => BAR_PA,
        Some("Pa") => 1.0,
        Some(other) => return Err(format!("has pressures in {other:.20}, expected bar or Pa")),
    };
    let (wavenumbers_cm, temperatures_k) = (numbers("bin_edges")?, numbers("t")?);
    let pressures_pa: Vec<f64> = numbers("p")?.into_iter().map(|p| p * pascal).collect();
    let (t, p, w) = (temperatures_k.len(), pressures_pa.len(), wavenumbers_cm.len());
    let cm2 = file.dataset("xsecarr").map_err(|_| "has no dataset `xsecarr`, expected [p, t, w]".to_owned())?;
    if cm2.shape() != [p, t, w] {
        return Err(format!("`xsecarr` has shape {:?}, expected {:?} from p, t and bin_edges", cm2.shape(), [p, t, w]));
    }
    let cm2 = cm2.read_raw::<f64>().map_err(fault)?;
    let mut barns = Vec::with_capacity(cm2.len());
    for temperature in 0..t {
        for pressure in 0..p {
            let start = (pressure * t + temperature) * w;
            barns.extend(cm2[start..start + w].iter().map(|cm2| (cm2 * CM2_M2 / BARN_M2) as f32));
        }
    }
    let source = format!("{} (TauREx)", files::name_of(path));
    Ok(Some(CrossSections { molecule, source, temperatures_k, pressures_pa, wavenumbers_cm, barns }))
}

/// Strings are of fixed or of variable length, ASCII or not, by who wrote the file.
fn molecule_name(file: &hdf5::File) -> Option<String> {
    let dataset = file.dataset("mol_name").ok()?;
    let read = dataset.read_raw::<VarLenUnicode>().map(|names| names.first().map(ToString::to_string));
    let read = read.or_else(|_| dataset.read_raw::<VarLenAscii>().map(|names| names.first().map(ToString::to_string)));
    read.or_else(|_| {
        let fixed = dataset.read_raw::<hdf5::types::FixedAscii<64>>();
        fixed.map(|names| names.first().map(ToString::to_string))
    })
    .ok()
    .flatten()
}

fn text(attribute: &hdf5::Attribute) -> Option<String> {
    let unicode = attribute.read_scalar::<VarLenUnicode>().map(|text| text.to_string());
    unicode.or_else(|_| attribute.read_scalar::<VarLenAscii>().map(|text| text.to_string())).ok()
}

/// Writes a table where there is no file yet, whole or not at all.
pub fn write(path: &Path, table: &CrossSections) -> Result<(), SimulateError> {
    let part = files::part_of(path);
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| SimulateError::Read { path, source }
    };
    files::create(&part).map_err(fail(&part))?; // the system says better than HDF5 why a file cannot be made
    let written = to_file(&part, table).map_err(|error| std::io::Error::other(error.to_string()));
    let settled = written.and_then(|()| {
        files::sync(&files::open(&part)?, &part)?;
        files::rename(&part, path)
    });
    if settled.is_err() {
        let _ = files::remove_file(&part); // there is an error already
    }
    settled.map_err(fail(path))
}

fn to_file(path: &Path, table: &CrossSections) -> hdf5::Result<()> {
    let file = hdf5::File::create(path)?;
    let (t, p, w) = (table.temperatures_k.len(), table.pressures_pa.len(), table.wavenumbers_cm.len());
    let mut cm2 = Vec::with_capacity(table.barns.len());
    for pressure in 0..p {
        for temperature in 0..t {
            cm2.extend(table.node(temperature, pressure).iter().map(|barns| f64::from(*barns) * BARN_M2 / CM2_M2));
        }
    }
    let bar: Vec<f64> = table.pressures_pa.iter().map(|pa| pa / BAR_PA).collect();
    let ascii = |text: &str| VarLenAscii::from_ascii(text).map_err(|error| hdf5::Error::from(error.to_string()));
    file.new_dataset::<f64>().shape([w]).create("bin_edges")?.write_raw(&table.wavenumbers_cm)?;
    file.new_dataset::<f64>().shape([t]).create("t")?.write_raw(&table.temperatures_k)?;
    let pressures = file.new_dataset::<f64>().shape([p]).create("p")?;
    pressures.write_raw(&bar)?;
    pressures.new_attr::<VarLenAscii>().create("units")?.write_scalar(&ascii("bar")?)?;
    file.new_dataset::<f64>().shape([p, t, w]).create("xsecarr")?.write_raw(&cm2)?;
    file.new_dataset::<VarLenAscii>().shape([1]).create("mol_name")?.write_raw(&[ascii(table.molecule.formula())?])?;
    file.new_dataset::<VarLenAscii>().shape([1]).create("key_iso_ll")?.write_raw(&[ascii("1-line list")?])?;
    file.flush()
}
