//! Tables of spectra: the same spectrum in every format, units, parameters, and what is refused.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hdf5::types::VarLenUnicode;
use skyforge::ingest::spectra::{
    ColumnRole, DepthUnit, MassUnit, Points, Quantity, RadiusUnit, Reading, Recipe, Role, StarRadius, Table,
    TaurexSpectrum, WavelengthUnit,
};
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::ingest::files::{npy, told, write};

/// In micrometres and fractions, with errors.
fn plain() -> Reading {
    Reading {
        wavelength_unit: Some(WavelengthUnit::Um),
        depth_unit: Some(DepthUnit::Fraction),
        errors: true,
        ..Reading::default()
    }
}

fn said() -> Reading {
    Reading { wavelength_unit: None, depth_unit: None, ..plain() }
}

const TEXT: &str = "# um depth error\n1.0 0.010 1e-4\n1.1 0.011 2e-4 # a comment\n\n1.2\t0.012 3e-4\n";

fn wanted() -> (Vec<f64>, Points) {
    let errors = [1e-4, 2e-4, 3e-4].map(|error| [error; 2]).to_vec();
    (vec![1.0, 1.1, 1.2], Points { depth: vec![0.010, 0.011, 0.012], errors })
}

/// Spectra with the seven parameters.
type Spectra = Vec<(Points, [f32; 7])>;

fn open(name: &str, bytes: &[u8], reading: &Reading) -> Result<(Table, Spectra), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), name, bytes);
    read(&path, reading)
}

fn read(path: &Path, reading: &Reading) -> Result<(Table, Spectra), String> {
    let table = Table::open(path, None, reading).map_err(|error| told(&error, path))?;
    let spectra = table.read(0..table.objects).map_err(|error| told(&error, path))?;
    Ok((table, spectra))
}

/// Whether a file of one object holds the spectrum above, up to rounding of its units.
fn is_wanted((table, spectra): &(Table, Spectra)) {
    let (wavelength_um, points) = wanted();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-14 + 1e-9 * b.abs();
    assert_eq!((table.objects, spectra.len()), (1, 1));
    assert!(table.wavelength_um.iter().zip(&wavelength_um).all(|(a, b)| near(*a, *b)), "{:?}", table.wavelength_um);
    let found = &spectra[0].0;
    assert!(found.depth.iter().zip(&points.depth).all(|(a, b)| near(*a, *b)), "{found:?}");
    assert_eq!(found.errors.len(), points.errors.len());
    let pairs = found.errors.iter().flatten().zip(points.errors.iter().flatten());
    assert!(pairs.into_iter().all(|(a, b)| near(*a, *b)), "{found:?}");
}

/// Names and NPY files of an archive.
type Members = Vec<(&'static str, Vec<u8>)>;

fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        writer.start_file(format!("{name}.npy"), FileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn doubles(shape: &str, values: &[f64]) -> Vec<u8> {
    npy("<f8", "False", shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn words(words: &[&str]) -> Vec<u8> {
    let word = |word: &&str| {
        let mut letters: Vec<u32> = word.chars().map(u32::from).collect();
        letters.resize(20, 0);
        letters.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
    };
    let data: Vec<u8> = words.iter().flat_map(word).collect();
    npy("<U20", "False", &format!("({},)", words.len()), &data)
}

fn of(wavelength: &str, depth: &str, errors: &[(&str, &str)], scale: [f64; 2]) -> Vec<(String, String, Vec<f64>)> {
    let (wavelength_um, points) = wanted();
    let scaled = |values: &[f64], scale: f64| values.iter().map(|value| value * scale).collect::<Vec<f64>>();
    let mut arrays = vec![
        (wavelength.to_owned(), String::new(), scaled(&wavelength_um, scale[0])),
        (depth.to_owned(), String::new(), scaled(&points.depth, scale[1])),
    ];
    let error: Vec<f64> = points.errors.iter().map(|error| error[0]).collect();
    arrays.extend(errors.iter().map(|(name, unit)| ((*name).to_owned(), (*unit).to_owned(), scaled(&error, scale[1]))));
    arrays
}

fn put(file: &hdf5::File, name: &str, shape: &[usize], values: &[f64], unit: Option<&str>) {
    let dataset = file.new_dataset::<f64>().shape(shape.to_vec()).create(name).expect("it can be made");
    dataset.write_raw(values).expect("it can be written");
    if let Some(unit) = unit {
        let text: VarLenUnicode = unit.parse().expect("text");
        dataset
            .new_attr::<VarLenUnicode>()
            .create("unit")
            .and_then(|a| a.write_scalar(&text))
            .expect("it can be written");
    }
}

#[test]
fn one_spectrum_is_the_same_in_every_text() {
    for text in [
        TEXT,
        "1.0,0.010,1e-4\n1.1, 0.011, 2e-4\n1.2,0.012,3e-4",
        "1.0;0.010;1e-4\r\n1.1;0.011;2.0D-04\r\n1.2;0.012;3e-4\r\n",
        "\u{feff}1.0 0.010 1e-4\n1.1 0.011 2e-4\n1.2 0.012 3e-4\n",
        "1.2 0.012 3e-4\n1.0 0.010 1e-4\n1.1 0.011 2e-4\n",
        // Names: of ours, in any order, in the first line, in a comment, with units.
        "wavelength depth error\n1.0 0.010 1e-4\n1.1 0.011 2e-4\n1.2 0.012 3e-4\n",
        "error,depth,wavelength\n1e-4,0.010,1.0\n2e-4,0.011,1.1\n3e-4,0.012,1.2\n",
        "# error depth wavelength\n1e-4 0.010 1.0\n2e-4 0.011 1.1\n3e-4 0.012 1.2\n",
        "# Wavelength (um)  depth [fraction]\terror\n1.0 0.010 1e-4\n1.1 0.011 2e-4\n1.2 0.012 3e-4\n",
        "Wavelength (um)\tdepth\terror\tflag\n1.0\t0.010\t1e-4\tgood\n1.1\t0.011\t2e-4\tgood, I hope\n1.2\t0.012\t3e-4\t\n",
        "wv_center transit_depth tran_unc\n1.0 0.010 1e-4\n1.1 0.011 2e-4\n1.2 0.012 3e-4\n",
    ] {
        is_wanted(&open("a.dat", text.as_bytes(), &plain()).unwrap());
    }
    is_wanted(
        &open("a.dat", b"# \xb5m, R\xe9sum\xe9\n1.0 0.010 1e-4\n1.1 0.011 2e-4\n1.2 0.012 3e-4\n", &plain()).unwrap(),
    );
    let both =
        Reading { columns: Some(vec![Role::Wavelength, Role::Depth, Role::ErrorBelow, Role::ErrorAbove]), ..plain() };
    let (table, spectra) = open("a.txt", b"1.2 0.012 1e-4 3e-4\n1.0 0.010 2e-4 4e-4\n", &both).unwrap();
    assert_eq!(table.wavelength_um, [1.2, 1.0], "either order, if it is one");
    assert_eq!(spectra[0].0.errors, [[1e-4, 3e-4], [2e-4, 4e-4]], "below and above");
    assert!(spectra[0].1.iter().all(|parameter| parameter.is_nan()), "nothing is known of it");
    for (text, wavelength, depth) in [
        ("1000 10000 100\n1100 11000 200\n1200 12000 300", WavelengthUnit::Nm, DepthUnit::Ppm),
        ("10000 1.0 0.01\n11000 1.1 0.02\n12000 1.2 0.03", WavelengthUnit::Angstrom, DepthUnit::Percent),
        ("1e-6 0.010 1e-4\n1.1e-6 0.011 2e-4\n1.2e-6 0.012 3e-4", WavelengthUnit::M, DepthUnit::Fraction),
        (
            "10000 0.01 1e-4\n9090.90909090909 0.011 2e-4\n8333.33333333333 0.012 3e-4",
            WavelengthUnit::PerCm,
            DepthUnit::Fraction,
        ),
    ] {
        let reading = Reading { wavelength_unit: Some(wavelength), depth_unit: Some(depth), ..plain() };
        is_wanted(&open("a.dat", text.as_bytes(), &reading).unwrap());
    }
}

#[test]
fn columns_are_what_they_are_said_to_be() {
    use Role::{Depth, Error, Skip, Wavelength, Width};
    let reading = Reading { columns: Some(vec![Skip, Wavelength, Width, Depth, Error]), ..plain() };
    let (table, _) = open("a.dat", b"WFC3 1.0 0.2 0.01 1e-4\nIRAC 3.6 0.75 0.011 1e-4\n", &reading).unwrap();
    let bins = table.widths.expect("they were given");
    assert!((bins[1].low - 3.225).abs() < 1e-12 && (bins[1].high - 3.975).abs() < 1e-12, "{bins:?}");
    let reading = Reading { wavelength_unit: Some(WavelengthUnit::PerCm), ..reading };
    let (table, _) = open("a.dat", b"- 1000 200 0.01 1e-4\n", &reading).unwrap();
    let bin = table.widths.expect("they were given")[0];
    assert!((bin.low - 1e4 / 1100.0).abs() < 1e-9 && (bin.high - 1e4 / 900.0).abs() < 1e-9, "{bin:?}");
    let none = Reading { errors: false, ..plain() };
    let (_, spectra) = open("a.dat", b"1.0 0.01\n1.1 0.02\n", &none).unwrap();
    assert_eq!(spectra[0].0, Points { depth: vec![0.01, 0.02], errors: Vec::new() });
}

#[test]
fn radius_ratios_and_stars_become_depths_whose_bounds_stay_bounds() {
    let reading = Reading { quantity: Quantity::RadiusRatio, ..plain() };
    let (_, spectra) = open("a.dat", b"1.0 0.1 0.01\n1.1 0.2 0.3\n", &reading).unwrap();
    let Points { depth, errors } = &spectra[0].0;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(
        near(depth[0], 0.01) && near(errors[0][0], 0.01 - 0.0081) && near(errors[0][1], 0.0121 - 0.01),
        "{errors:?}"
    );
    assert!(near(errors[1][0], 0.04), "no bound is below 0: {errors:?}");
    let reading = Reading { star_radius: StarRadius::Is(2.0), ..plain() };
    let (_, spectra) = open("a.dat", b"1.0 0.01 0.001\n1.1 0.02 0.002\n", &reading).unwrap();
    assert!(near(spectra[0].0.depth[1], 0.08) && near(spectra[0].0.errors[1][0], 0.008), "{spectra:?}");
}

#[test]
fn ecsv_says_its_units_and_masks() {
    let text = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: star, datatype: string}\n# - {name: wavelength, unit: nm, datatype: float64}\n\
                # - {name: depth, unit: '%', datatype: float64, meta: {name: no name}}\n# - name: error\n#   unit: ppm\n#   datatype: float64\n\
                # delimiter: ','\n# meta: !!omap\n# - {comments: [delimiter, datatype]}\n# schema: astropy-2.0\n\
                star,wavelength,depth,error\n\"HD, 1\",1000,1.0,100\nx,1100,1.1,200\n\"y \"\"z\"\"\",1200,1.2,300\n";
    is_wanted(&open("a.ecsv", text.as_bytes(), &said()).unwrap());
    let blanks = text.replace("','", "' '").replace("star,wavelength,depth,error", "star wavelength depth error");
    let blanks =
        blanks.replace("\"HD, 1\",1000,1.0,100", "\"\" 1000 1.0 100").replace("x,1100,1.1,200", "x  1100 1.1 200");
    let blanks = blanks.replace(",1200,1.2,300", " 1200 1.2 300");
    is_wanted(&open("a.ecsv", blanks.as_bytes(), &said()).unwrap());
    let (_, spectra) = open("a.ecsv", text.replace("1.1,200", ",200").as_bytes(), &said()).unwrap();
    assert!(spectra[0].0.depth[1].is_nan() && spectra[0].0.depth[2] == 0.012, "an empty cell is masked");
    let fault = |text: &str| open("a.ecsv", text.as_bytes(), &said()).map(drop).unwrap_err();
    assert_eq!(
        fault(&text.replace("unit: nm", "unit: pc")),
        "`wavelength` is in `pc`, expected one of um, nm, angstrom, m, cm-1"
    );
    assert_eq!(fault(&text.replace("1.1,200", "1.1,zwei")), "`error`: line 16: `zwei` is no number");
    assert_eq!(
        fault(&text.replace("1.1,200", "nan,200")),
        "line 16: depth is NaN, expected a number, or --mask-nan where it means not observed"
    );
    assert_eq!(fault(&text.replace("x,1100", "1100")), "line 16: has 3 columns, expected 4 as the header");
    assert_eq!(
        fault("# %ECSV 1.0\n# ---\n# {}\na\n1\n"),
        "header: has no `datatype`, expected names and types of columns"
    );
    let alone: String = text.replace("name: error", "name: noise").replace("depth,error", "depth,noise");
    assert_eq!(
        fault(&alone),
        "has no column `error` among star, wavelength, depth, noise, expected --error to name one, or --no-errors"
    );
    is_wanted(&open("a.ecsv", alone.as_bytes(), &Reading { error: vec!["noise".into()], ..said() }).unwrap());
}

#[test]
fn archives_hold_many_objects_and_what_is_known_of_them() {
    let arrays = of("wavelength_nm", "depth_ppm", &[("error_below", ""), ("error_above", "")], [1e3, 1e6]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let members: Vec<(&str, Vec<u8>)> =
            arrays.iter().map(|(name, _, values)| (name.as_str(), doubles("(3,)", values))).collect();
        is_wanted(&open("a.npz", &npz(&members, method), &said()).unwrap());
    }
    let depths = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06];
    let names = ["planet_mass_kg", "temperature_K", "log10_CH4", "planet_radius_m", "H2O", "albedo"];
    let parameters = [1.898e27, 1500.0, -3.0, 6.9911e7, 1e-2, 0.3, f64::NAN, 1100.0, -4.0, 2.0 * 6.9911e7, 1e-8, 0.1];
    let members = [
        ("wavelength_um", doubles("(3,)", &[1.0, 1.1, 1.2])),
        ("depth", doubles("(2, 3)", &depths)),
        ("error", doubles("(3,)", &[1e-4, 2e-4, 3e-4])),
        ("params", doubles("(2, 6)", &parameters)),
        ("param_names", words(&names)),
    ];
    let reading = Reading { depth_unit: Some(DepthUnit::Fraction), ..said() };
    let (table, spectra) = open("a.npz", &npz(&members, CompressionMethod::Deflated), &reading).unwrap();
    assert_eq!((table.objects, spectra[1].0.depth.as_slice()), (2, &depths[3..]));
    assert_eq!(spectra[1].0.errors, wanted().1.errors, "errors of all objects");
    // h2o, co2, co, ch4, mass, radius, temperature
    let known = |object: usize| spectra[object].1.map(|value| if value.is_nan() { None } else { Some(value) });
    assert_eq!(known(0), [Some(-2.0), None, None, Some(-3.0), Some(1.0), Some(1.0), Some(1500.0)]);
    assert_eq!(known(1), [Some(-8.0), None, None, Some(-4.0), None, Some(2.0), Some(1100.0)]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "a.npz", &npz(&members, CompressionMethod::Stored));
    let table = Table::open(&path, None, &reading).unwrap();
    assert_eq!(table.read(1..2).unwrap()[0].0, spectra[1].0, "a part is that part");

    let faults = |change: &dyn Fn(&mut Members)| {
        let mut members = members.to_vec();
        change(&mut members);
        open("a.npz", &npz(&members, CompressionMethod::Stored), &reading).map(drop).unwrap_err()
    };
    for (wanted, change) in [
        (
            "`depth` has shape [2, 2], expected [2, 3] as 3 points of `wavelength_um` want it",
            &(|m: &mut Members| m[1].1 = doubles("(2, 2)", &[0.1; 4])) as &dyn Fn(&mut Members),
        ),
        ("`params` has 3 columns and 6 names, expected a name and a unit each", &|m| {
            m[3].1 = doubles("(2, 3)", &[0.1; 6]);
        }),
        ("`params` has shape [1, 6], expected 2 rows", &|m| m[3].1 = doubles("(1, 6)", &[0.1; 6])),
        ("`params` has `H2O` and `log10_h2o`, expected each quantity once", &|m| {
            m[4].1 = words(&["a", "b", "c", "d", "H2O", "log10_h2o"]);
        }),
        (
            "parameter `planet_mass` says no unit, expected one of kg, mjup, m_jup, jupitermass, mearth, m_earth, earthmass \
             behind its name, or --mass-unit",
            &|m| {
                m[4].1 = words(&["planet_mass", "b", "c", "d", "e", "f"]);
            },
        ),
        ("depth[1, 2] is NaN, expected a number, or --mask-nan where it means not observed", &|m| {
            m[1].1 = doubles("(2, 3)", &[0.1, 0.1, 0.1, 0.1, 0.1, f64::NAN]);
        }),
        ("error[1] is 0, expected a positive number", &|m| m[2].1 = doubles("(3,)", &[1.0, 0.0, 1.0])),
        ("wavelength_um[2] is 1, the same as in wavelength_um[0], expected each wavelength once", &|m| {
            m[0].1 = doubles("(3,)", &[1.0, 2.0, 1.0]);
        }),
        ("has arrays `depth` and `depth_ppm`, expected --depth to name one", &|m| {
            m.push(("depth_ppm", doubles("(3,)", &[1.0; 3])));
        }),
        ("`depth`: has 40 bytes, expected 48 for shape [2, 3]", &|m| m[1].1.truncate(128 + 40)),
        ("`depth`: `descr` is '<c8', expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8", &|m| {
            m[1].1 = npy("<c8", "False", "(2, 3)", &[0; 48]);
        }),
    ] {
        assert_eq!(faults(change), wanted);
    }
    let mut nan = members.to_vec();
    nan[1].1 = doubles("(2, 3)", &[f64::NAN, 0.1, 0.1, f64::NAN, f64::NAN, f64::NAN]);
    let masking = Reading { nan_is_masked: true, ..reading };
    let fault = open("a.npz", &npz(&nan, CompressionMethod::Stored), &masking).map(drop).unwrap_err();
    assert_eq!(fault, "object 1: all points are masked, expected one that is not");
}

#[test]
fn hdf5_says_its_units_as_attributes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    {
        let file = hdf5::File::create(&path).expect("the disk has room");
        let arrays = of("lambda", "tr/depth", &[("sigma", "ppm")], [1e3, 1e6]);
        file.create_group("tr").expect("the disk has room");
        for ((name, _, values), unit) in arrays.iter().zip(["nm", "ppm", "ppm"]) {
            put(&file, name, &[3], values, Some(unit));
        }
        put(&file, "parameters", &[1, 2], &[1.5, 2.0], None);
        let names: Vec<VarLenUnicode> = ["planet_mass", "log10_co"].map(|name| name.parse().expect("text")).to_vec();
        let units: Vec<VarLenUnicode> = ["M_Jup", "dex"].map(|name| name.parse().expect("text")).to_vec();
        let parameters = file.dataset("parameters").expect("it is there");
        for (key, words) in [("names", names), ("units", units)] {
            let attribute = parameters.new_attr::<VarLenUnicode>().shape([2]).create(key).expect("it can be made");
            attribute.write_raw(&words).expect("it can be written");
        }
    }
    let reading = Reading {
        wavelength: Some("lambda".into()),
        depth: Some("tr/depth".into()),
        error: vec!["sigma".into()],
        ..said()
    };
    let found = read(&path, &reading).unwrap();
    is_wanted(&found);
    assert_eq!((found.1[0].1[4], found.1[0].1[2]), (1.5, 2.0));
    let fault = read(&path, &Reading { depth: Some("tr/deep".into()), ..reading }).map(drop).unwrap_err();
    assert_eq!(fault, "has no array `tr/deep`, expected --depth to name one of lambda, parameters, sigma");
}

/// The groups of TauREx 3 (`taurex -o`): Output/Spectra and ModelParameters.
fn taurex(path: &Path, instrument: bool) {
    let file = hdf5::File::create(path).expect("the disk has room");
    for group in ["Output", "Output/Spectra", "ModelParameters", "ModelParameters/Planet", "ModelParameters/Star"] {
        file.create_group(group).expect("the disk has room");
    }
    for group in ["Temperature", "Chemistry", "Chemistry/H2O"] {
        file.create_group(&format!("ModelParameters/{group}")).expect("the disk has room");
    }
    let scalar = |path: &str, value: f64| {
        let dataset =
            file.new_dataset::<f64>().create(format!("ModelParameters/{path}").as_str()).expect("it can be made");
        dataset.write_scalar(&value).expect("it can be written");
    };
    // As TauREx 3.1 writes a planet of 2 M_Jup and 1 equatorial R_Jup: kilograms and metres are not what it says.
    scalar("Planet/planet_mass", 2.0);
    scalar("Planet/mass_kg", 2.0);
    scalar("Planet/radius_m", 1.0);
    scalar("Planet/surface_gravity", 6.674e-11 * 2.0 * 1.898e27 / 7.1492e7_f64.powi(2));
    scalar("Temperature/T", 1234.0);
    scalar("Chemistry/H2O/mix_ratio", 1e-4);
    scalar("Star/radius", 0.5);
    let mut both = vec![("native", vec![5000.0, 6000.0, 8000.0, 10000.0], vec![0.01, 0.02, 0.03, 0.04])];
    both.push(("binned", vec![5500.0, 9000.0, 12000.0], vec![0.015, 0.035, 0.0]));
    if instrument {
        both.push(("instrument", vec![5500.0, 9000.0], vec![0.016, 0.036]));
        put(&file, "Output/Spectra/instrument_noise", &[2], &[1e-4, 2e-4], None);
        put(&file, "Output/Spectra/instrument_wnwidth", &[2], &[1000.0, 2000.0], None);
    }
    for (name, grid, spectrum) in both {
        put(&file, &format!("Output/Spectra/{name}_wngrid"), &[grid.len()], &grid, None);
        put(&file, &format!("Output/Spectra/{name}_spectrum"), &[grid.len()], &spectrum, None);
    }
}

#[test]
fn the_output_of_taurex_is_read_with_its_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("taurex.h5");
    taurex(&path, false);
    let none = Reading { errors: false, ..said() };
    let (table, spectra) = read(&path, &none).unwrap();
    let depth = &spectra[0].0.depth;
    assert_eq!((table.wavelength_um.len(), &depth[..2]), (3, &[0.015, 0.035][..]), "binned where it is there");
    assert!(depth[2].is_nan(), "a bin beyond the native spectrum is 0 there: {depth:?}");
    let native = Reading { taurex: Some(TaurexSpectrum::Native), ..none.clone() };
    let (table, spectra) = read(&path, &native).unwrap();
    assert_eq!((table.wavelength_um[0], spectra[0].0.depth[3]), (2.0, 0.04));
    let [h2o, co2, _, _, mass, radius, temperature] = spectra[0].1;
    assert!(co2.is_nan() && (h2o, mass, temperature) == (-4.0, 2.0, 1234.0), "{spectra:?}");
    assert!((f64::from(radius) - 7.1492 / 6.9911).abs() < 1e-6, "{spectra:?}");
    let fault = read(&path, &said()).map(drop).unwrap_err();
    assert!(
        fault.ends_with("is not there, expected --no-errors, or a spectrum of an instrument (--taurex)"),
        "{fault}"
    );
    let scaled = Reading { star_radius: StarRadius::Said, ..none };
    assert_eq!(read(&path, &scaled).unwrap().1[0].0.depth[1], 0.035 * 0.25);
    let path = folder.path().join("instrument.h5"); // libhdf5 keeps the other open while its table is
    taurex(&path, true);
    let (table, spectra) = read(&path, &said()).unwrap();
    assert_eq!(spectra[0].0, Points { depth: vec![0.016, 0.036], errors: vec![[1e-4; 2], [2e-4; 2]] });
    let bin = table.widths.expect("an instrument has bins")[0];
    assert!((bin.low - 1e4 / 6000.0).abs() < 1e-12 && (bin.high - 1e4 / 5000.0).abs() < 1e-12, "{bin:?}");
}

const PAR: &str = "[Star]\nradius = 0.5\n[Planet]\nradius = 0.88\nmass = 0.8\n[Atmosphere]\ntp_type = isothermal\ntp_iso_temp = 1117 # K\n\
                   active_gases = H2O, CO, NH3\nactive_gases_mixratios = 1e-1, 2.15e-06, 0.5\n";

#[test]
fn a_parameter_file_beside_a_text_is_what_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "a.dat", TEXT.as_bytes());
    let par = write(folder.path(), "a.par", PAR.as_bytes());
    let (table, spectra) = read(&path, &plain()).unwrap();
    let known: Vec<Option<f32>> = spectra[0].1.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
    // Gases that it does not name are not known: ExoGAN reads a mixing ratio of about 1 there.
    let co = 2.15e-6_f64.log10() as f32;
    assert_eq!(known, [Some(-1.0), None, Some(co), None, Some(0.8), Some(0.88), Some(1117.0)]);
    assert_eq!(
        (table.star_radius, spectra[0].0.depth[0]),
        (Some(0.5), 0.010),
        "a star is used where that is asked for"
    );
    let scaled = Reading { star_radius: StarRadius::Said, ..plain() };
    assert_eq!(read(&path, &scaled).unwrap().1[0].0.depth[0], 0.0025);
    let other = write(folder.path(), "other.par", PAR.replace("1117", "1500").as_bytes());
    let table = Table::open(&path, Some(&other), &plain()).unwrap();
    assert_eq!(table.read(0..1).unwrap()[0].1[6], 1500.0);
    for (from, to, wanted) in [
        ("0.88", "large", "line 4: `radius` is large, expected a positive number"),
        ("2.15e-06, ", "", "line 10: `active_gases_mixratios` has 2 numbers, expected 3 as `active_gases` has"),
        ("2.15e-06", "0", "line 10: `active_gases_mixratios` is 0, expected a positive number"),
        ("[Planet]", "[Planet", "line 3: expected [SECTION]"),
        ("radius = 0.88", "radius", "line 4: expected KEY = VALUE"),
    ] {
        fs::write(&par, PAR.replace(from, to)).expect("the disk has room");
        let error = Table::open(&path, None, &plain()).map(drop).unwrap_err();
        assert_eq!(told(&error, &par), wanted);
    }
    fs::write(&par, PAR.replace("= isothermal", "= guillot")).expect("the disk has room");
    assert!(read(&path, &plain()).unwrap().1[0].1[6].is_nan(), "no one temperature");
    fs::remove_file(par).expect("it can go");
    let fault = read(&path, &scaled).map(drop).unwrap_err();
    assert_eq!(fault, "says no radius of its star, expected --star-radius with a number, or a .par file that says it");
}

/// As `taurex --help` and its documentation write it: sections in sections, quotes, a fitting section with colons in keys.
const TAUREX3: &str = "[Global]\nxsec_path = /data/xsec\n[Chemistry]\nchemistry_type = taurex\nfill_gases = H2, He\n    [[H2O]]\n    gas_type = constant\n\
                       \x20   mix_ratio = 1.1185e-4\n    [[CH4]]\n    gas_type = twolayer\n    mix_ratio_surface = 1e-4\n    [[NH3]]\n    mix_ratio=1e-6\n\
                       [Temperature]\nprofile_type = 'isothermal'\nT = 1265.98\n[Planet]\nplanet_type = Simple\nplanet_mass = 1.3\nplanet_radius = 1.1 # R_J\n\
                       [Star]\nstar_type = blackbody\nradius = 0.9\n[Fitting]\nplanet_radius:fit = True\nH2O:bounds = 1e-12, 1e-1\n";

#[test]
fn parameter_files_of_taurex_3_are_read_and_what_is_not_understood_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "a.dat", TEXT.as_bytes());
    let par = write(folder.path(), "taurex3.par", TAUREX3.as_bytes());
    let (table, spectra) = {
        let table = Table::open(&path, Some(&par), &plain()).map_err(|error| error.to_string()).unwrap();
        let spectra = table.read(0..1).unwrap();
        (table, spectra)
    };
    let known: Vec<Option<f32>> = spectra[0].1.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
    let h2o = 1.1185e-4_f64.log10() as f32;
    assert_eq!(known, [Some(h2o), None, None, None, Some(1.3), Some(1.1), Some(1265.98)]);
    assert_eq!(table.star_radius, Some(0.9));
    let notes = table.notes.join("\n");
    for said in ["CH4 is twolayer, not constant", "[Chemistry] [[NH3]] mix_ratio", "--radius-unit rjup-equatorial"] {
        assert!(notes.contains(said), "{notes}");
    }
    let equatorial = Reading { radius_unit: Some(RadiusUnit::JupiterEquatorial), ..plain() };
    let radius = Table::open(&path, Some(&par), &equatorial).unwrap().read(0..1).unwrap()[0].1[5];
    assert!((f64::from(radius) - 1.1 * 7.1492 / 6.9911).abs() < 1e-6, "{radius}");
    for (from, to, at) in [("'isothermal'", "guillot", 6), ("= taurex", "= ace", 0)] {
        fs::write(&par, TAUREX3.replace(from, to)).expect("the disk has room");
        let table = Table::open(&path, Some(&par), &plain()).unwrap();
        assert!(table.read(0..1).unwrap()[0].1[at].is_nan(), "{from}");
    }
    let beside = write(folder.path(), "a.par", b"[Global]\nxsec_path = a\n");
    for truth in [None, Some(beside.as_path())] {
        let error = Table::open(&path, truth, &plain()).map(drop).unwrap_err();
        let fault = told(&error, &beside);
        assert!(
            fault.starts_with("says none of the parameters: it has [Global] xsec_path, expected [Planet] "),
            "{fault}"
        );
    }
}

#[test]
fn tables_of_the_exoplanet_archive_are_read_with_their_units_and_signs() {
    // https://exoplanetarchive.ipac.caltech.edu: bars say where columns lie, ERR2 is the lower error and negative, blanks are null.
    let row = |[um, width, depth, above, below, ratio, note]: [&str; 7]| {
        format!(" {um:>14} {width:>9} {depth:>10} {above:>14} {below:>14} {ratio:>9} {note:<8} \n")
    };
    let text = "\\EXOPLANET = WASP-39 b\n\\ comment\n\
                |CENTRALWAVELNG|BANDWIDTH|PL_TRANDEP|PL_TRANDEPERR1|PL_TRANDEPERR2|PL_RATROR|NOTE    |\n\
                |double        |double   |double    |double        |double        |double   |char    |\n\
                |microns       |microns  |%         |%             |%             |         |        |\n\
                |null          |null     |null      |null          |null          |null     |        |\n"
        .to_owned()
        + &row(["1.0", "0.1", "1.0", "0.01", "-0.009", "0.1", "a b"])
        + &row(["1.1", "0.1", "null", "0.02", "-0.018", "0.2", ""])
        + &row(["1.2", "null", "", "0.03", "-0.027", "0.3", ""])
        + &row(["1.3", "0.1", "1.3", "0.03", "-0.027", "", "c"]);
    let (table, spectra) = open("a.tbl", text.as_bytes(), &said()).unwrap();
    let Points { depth, errors } = &spectra[0].0;
    assert_eq!((depth[0], depth[3]), (0.01, 1.3 / 100.0));
    assert!(depth[1].is_nan() && depth[2].is_nan(), "{depth:?}");
    assert_eq!(errors[0], [0.009 / 100.0, 0.01 / 100.0]);
    let bin = table.widths.as_ref().expect("BANDWIDTH is the full width")[0];
    assert!((bin.low - 0.95).abs() < 1e-12 && (bin.high - 1.05).abs() < 1e-12, "{bin:?}");
    assert!(
        table.notes.iter().any(|note| note == "columns without a role, not read: PL_RATROR, NOTE"),
        "{:?}",
        table.notes
    );
    let ratios = Reading { quantity: Quantity::RadiusRatio, errors: false, depth_unit: plain().depth_unit, ..said() };
    let (_, spectra) = open("a.tbl", text.as_bytes(), &ratios).unwrap();
    assert!((spectra[0].0.depth[1] - 0.04).abs() < 1e-12, "{spectra:?}");
    let csv = "CENTRALWAVELNG,BANDWIDTH,PL_TRANDEP,PL_TRANDEPERR1,PL_TRANDEPERR2\n1.0,0.1,1.0,0.01,-0.009\n1.1,0.1,1.1,0.01,0.009\n";
    let percent = Reading { depth_unit: Some(DepthUnit::Percent), ..plain() };
    let fault = open("a.csv", csv.as_bytes(), &percent).map(drop).unwrap_err();
    assert_eq!(fault, "line 3: PL_TRANDEPERR2 is 0.009 after negative ones, expected one sign");
}

#[test]
fn columns_are_given_by_name_where_names_are_not_certain() {
    use Role::{HalfWidth, Skip};
    let text = "wv_center transit_depth wv_wdth tran_unc flag\n1.0 0.010 0.05 1e-4 ok\n1.1 0.011 0.05 2e-4 ok\n1.2 0.012 0.05 3e-4 bad\n";
    let reading = Reading { named: vec![("wv_wdth".into(), HalfWidth)], ..plain() };
    let found = open("a.dat", text.as_bytes(), &reading).unwrap();
    is_wanted(&found);
    let bin = found.0.widths.as_ref().expect("they were given")[0];
    assert!((bin.low - 0.95).abs() < 1e-12 && (bin.high - 1.05).abs() < 1e-12, "{bin:?}");
    assert_eq!(found.0.notes, ["columns without a role, not read: flag"]);
    let skipped = Reading { named: vec![("wv_wdth".into(), Skip)], ..plain() };
    assert_eq!(open("a.dat", text.as_bytes(), &skipped).unwrap().0.widths, None);
    let position = Reading { columns: Some(vec![Role::Wavelength, HalfWidth, Role::Depth, Role::Error]), ..plain() };
    let (table, spectra) = open("a.dat", b"1.0 0.025 0.0207 8e-5\n", &position).unwrap();
    let bin = table.widths.expect("they were given")[0];
    assert!((bin.low - 0.975).abs() < 1e-12 && spectra[0].0.depth == [0.0207], "{bin:?} {spectra:?}");
    let fault = open("a.dat", b"1.0 0.025 0.0207 8e-5\n", &reading).map(drop).unwrap_err();
    assert_eq!(fault, "line 1: has no names above it, expected --columns with the roles by position");
    let lost = Reading { named: vec![("wdth".into(), HalfWidth)], ..plain() };
    let fault = open("a.dat", text.as_bytes(), &lost).map(drop).unwrap_err();
    assert!(fault.starts_with("has no column `wdth`, expected --columns to name one of wv_center, "), "{fault}");
    let fault = open(
        "a.dat",
        b"1 0.01 1e-4 1e-4\n2 0.01 1e-4 inf\n",
        &Reading { columns: Some(vec![Role::Wavelength, Role::Depth, Role::ErrorBelow, Role::ErrorAbove]), ..plain() },
    );
    assert_eq!(fault.map(drop).unwrap_err(), "line 2: error-above is inf, expected a positive number");
    let arrays = [
        ("wavelength_um", doubles("(3,)", &[1.0, 1.1, 1.2])),
        ("bin_width", doubles("(3,)", &[0.1; 3])),
        ("depth", doubles("(3,)", &[0.01; 3])),
        ("error", doubles("(3,)", &[1e-4; 3])),
    ];
    let archive = npz(&arrays, CompressionMethod::Stored);
    assert!(open("a.npz", &archive, &plain()).map(drop).unwrap_err().starts_with("has `bin_width`, which is the full"));
    let half = Reading { named: vec![("bin_width".into(), HalfWidth)], ..plain() };
    let bin = open("a.npz", &archive, &half).unwrap().0.widths.expect("they were given")[0];
    assert!((bin.high - 1.1).abs() < 1e-12, "{bin:?}");
}

#[test]
fn unsorted_points_are_sorted_with_all_that_belongs_to_them() {
    let text = "wavelength,width,depth,error_below,error_above\n1.2,0.3,0.012,1e-4,2e-4\n1.0,0.1,0.010,3e-4,4e-4\n1.1,0.2,,5e-4,6e-4\n";
    let (table, spectra) = open("a.csv", text.as_bytes(), &plain()).unwrap();
    let Points { depth, errors } = &spectra[0].0;
    assert_eq!((table.wavelength_um.as_slice(), depth[0], depth[2]), (&[1.0, 1.1, 1.2][..], 0.010, 0.012));
    assert!(depth[1].is_nan(), "an empty cell is masked, wherever it goes");
    assert_eq!((errors[0], errors[2]), ([3e-4, 4e-4], [1e-4, 2e-4]));
    let width = |point: usize| table.widths.as_ref().map(|bins| bins[point].high - bins[point].low).unwrap_or_default();
    assert!((width(0) - 0.1).abs() < 1e-12 && (width(2) - 0.3).abs() < 1e-12);
    assert!(table.notes.iter().any(|note| note.ends_with("sorted")), "{:?}", table.notes);
}

#[test]
fn masks_in_columns_of_their_own_hold_for_each_column() {
    let text = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: um, datatype: float64}\n# - {name: depth, datatype: float64}\n\
                # - {name: depth.mask, datatype: bool}\n# - {name: error, datatype: float64}\n# - {name: error.mask, datatype: bool}\n\
                # schema: astropy-2.0\nwavelength depth depth.mask error error.mask\n\
                1.0 0.5 True 1e-4 False\n1.1 0.011 False 2e-4 False\n1.2 0.012 False 99 True\n";
    let (_, spectra) = open("a.ecsv", text.as_bytes(), &plain()).unwrap();
    let depth = &spectra[0].0.depth;
    assert!(depth[0].is_nan() && depth[1] == 0.011 && depth[2].is_nan(), "{depth:?}");
    let fault = open("a.ecsv", text.replace("99 True", "99 maybe").as_bytes(), &plain()).map(drop).unwrap_err();
    assert_eq!(fault, "`error`: line 13: `maybe` is no number");
}

#[test]
fn units_of_masses_and_radii_are_said_or_given() {
    let archive = |names: &[&str], units: &[&str]| {
        let arrays = [
            ("wavelength_um", doubles("(3,)", &[1.0, 1.1, 1.2])),
            ("depth", doubles("(3,)", &[0.01; 3])),
            ("parameters", doubles("(1, 3)", &[2.0, 3.0, 0.5])),
            ("parameter_names", words(names)),
            ("parameter_units", words(units)),
        ];
        npz(&arrays, CompressionMethod::Stored)
    };
    let none = Reading { errors: false, ..plain() };
    let bare = ["planet_mass", "planet_radius", "albedo"];
    let seven = |names: &[&str], units: &[&str], reading: &Reading| {
        open("a.npz", &archive(names, units), reading).map(|(_, spectra)| spectra[0].1.map(f64::from))
    };
    let (earth_mass, earth_radius) = (5.972_167_9e24 / 1.898e27, 6.3781 / 69.911);
    let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
    let found = seven(&["planet_mass_mearth", "planet_radius", "albedo"], &["", "R_earth", ""], &none).unwrap();
    assert!(near(found[4], 2.0 * earth_mass) && near(found[5], 3.0 * earth_radius), "{found:?}");
    let found = seven(&bare, &["jupiterMass", "jupiterRad", ""], &none).unwrap();
    assert!(near(found[4], 2.0) && near(found[5], 3.0 * 7.1492 / 6.9911), "{found:?}");
    assert!(seven(&bare, &["", "", ""], &none).unwrap_err().contains("says no unit"));
    let given = Reading { mass_unit: Some(MassUnit::Earth), radius_unit: Some(RadiusUnit::Jupiter), ..none };
    let found = seven(&bare, &["", "", ""], &given).unwrap();
    assert!(near(found[4], 2.0 * earth_mass) && near(found[5], 3.0), "{found:?}");
}

#[test]
fn recipes_are_read_as_they_are_written_and_options_come_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let role = |text: &str| text.parse::<ColumnRole>().expect("a role");
    let recipe = Recipe {
        columns: vec![role("wv_wdth=half-width"), role("a=b=skip")],
        error: vec!["low".into(), "high".into()],
        wavelength_unit: Some(WavelengthUnit::Um),
        depth_unit: Some(DepthUnit::Ppm),
        quantity: Some(Quantity::Depth),
        mask_nan: true,
        star_radius: Some(StarRadius::Is(0.5)),
        mass_unit: Some(MassUnit::Earth),
        ..Recipe::default()
    };
    let path = write(folder.path(), "a.toml", recipe.text().as_bytes());
    let mut again = Recipe::read(&path).unwrap();
    again.columns.sort_by_key(|column| std::cmp::Reverse(column.name.clone()));
    assert_eq!(again, recipe);
    let by_position = Recipe { columns: vec![role("wavelength"), role("depth")], no_errors: true, ..Recipe::default() };
    fs::write(&path, format!("\u{feff}{}", by_position.text())).expect("the disk has room");
    assert_eq!(Recipe::read(&path).unwrap(), by_position);
    let options = Recipe { columns: vec![role("w=width")], depth_unit: Some(DepthUnit::Percent), ..Recipe::default() };
    let both = options.over(recipe.clone());
    let names: Vec<_> = both.columns.iter().map(|column| column.name.clone().unwrap_or_default()).collect();
    assert_eq!((names.join(" "), both.depth_unit), ("w a=b".to_owned(), Some(DepthUnit::Percent)));
    assert_eq!((both.wavelength_unit, both.error.len()), (Some(WavelengthUnit::Um), 2));
    let mixed = Recipe { columns: vec![role("depth"), role("a=error")], ..Recipe::default() };
    assert!(mixed.reading().unwrap_err().contains("expected a name for each or for none"));
    for (text, wanted) in [
        ("wavelenght = \"a\"\n", "unknown key `wavelenght`, did you mean `wavelength`"),
        ("depth_unit = \"furlong\"\n", "`depth_unit`: `furlong` is none of fraction, percent, ppm"),
        (
            "columns = [\"width\", \"breadth\"]\n",
            "`columns`: `breadth` is none of wavelength, width, half-width, depth, error, error-below, error-above, skip",
        ),
        ("no_errors = 1\n", "`no_errors`: is 1, expected true or false"),
    ] {
        fs::write(&path, text).expect("the disk has room");
        assert_eq!(told(&Recipe::read(&path).unwrap_err(), &path), wanted);
    }
    fs::write(&path, "depth = \"a\"\nerror = [\n").expect("the disk has room");
    let fault = told(&Recipe::read(&path).unwrap_err(), &path);
    assert!(fault.starts_with("line ") && !fault.contains('\n'), "{fault}");
}

#[test]
fn bad_tables_are_refused_with_their_line() {
    let many: PathBuf = "a.dat".into();
    let name = many.to_str().expect("text");
    for (text, wanted) in [
        ("", "is empty, expected a spectrum: text, ECSV, NPZ or HDF5"),
        ("# only this\n", "holds no numbers, expected lines of wavelength, depth, error"),
        ("1.0 0.01\n", "line 1: has 2 columns, expected 3 (wavelength, depth, error), or --no-errors"),
        ("1.0\n", "line 1: has 1 column, expected 3 (wavelength, depth, error)"),
        ("1 0.01 1e-4\n2 0.01\n", "line 2: has 2 columns, expected 3 as line 1"),
        ("um depth error\n", "holds no numbers, expected lines of wavelength, depth, error"),
        (
            "um depth error\n1 0.01 1e-4\n",
            "has no column `wavelength` among um, depth, error, expected --wavelength to name one",
        ),
        (
            "1.0 0.025 0.0207 8e-5\n",
            "line 1: has 4 columns without names, expected --columns with the role of each (e.g. \
             wavelength,half-width,depth,error or wavelength,depth,error-below,error-above)",
        ),
        (
            "# wavelength depth width\n1 0.01 0.02\n",
            "line 1: names `width` where error is, expected --columns with the role of each",
        ),
        (
            "# wavelength(nm) depth error\n1 0.01 1e-4\n2 0.01 1e-4\n",
            "its line of names says nm, expected --wavelength-unit nm, not um",
        ),
        (
            "wv_center transit_depth wv_wdth tran_unc\n1 0.01 0.1 1e-4\n",
            "has `wv_wdth`, which is the full width of a bin in some programs and half of it in others, expected \
             --columns wv_wdth=width, wv_wdth=half-width or wv_wdth=skip",
        ),
        (
            "wavelength radius_ratio error\n1 0.01 1e-4\n",
            "has no column `depth` among wavelength, radius_ratio, error, expected --quantity radius-ratio for \
             `radius_ratio`, or --depth to name one",
        ),
        ("a wavelength depth error\n1 0.01 1e-4\n", "line 2: has 3 columns, expected 4 as line 1"),
        ("|a|b|\n 1 2 3\n", "line 2: has `3` below a bar, expected numbers between the bars"),
        (
            "1,0 0,01 0,0001\n",
            "line 1: has 4 columns without names, expected --columns with the role of each (e.g. \
             wavelength,half-width,depth,error or wavelength,depth,error-below,error-above)",
        ),
        ("1 0.01 1e-4\n2 0.0l 1e-4\n", "line 2: depth is `0.0l`, expected a number (and # before words)"),
        (
            "1 0.01 1e-4\n2 nan 1e-4\n",
            "line 2: depth is NaN, expected a number, or --mask-nan where it means not observed",
        ),
        (
            "1 0.01 1e-4\n2 0.01 nan\n",
            "line 2: error is NaN, expected a number, or --mask-nan where it means not observed",
        ),
        ("1 0.01 1e-4\n2 0.01 0\n", "line 2: error is 0, expected a positive number"),
        ("1 0.01 1e-4\n2 0.01 -1e-5\n", "line 2: error is -0.00001, expected a positive number"),
        (
            "1 0.01 1e-4\n\n2 0 1e-4\n",
            "line 3: depth is 0 (fraction), expected more than 0 and less than 1 as a fraction",
        ),
        (
            "1 0.01 1e-4\n2 1.0 1e-4\n",
            "line 2: depth is 1 (fraction), expected more than 0 and less than 1 as a fraction",
        ),
        (
            "1 0.01 1e-4\n2 inf 1e-4\n",
            "line 2: depth is inf (fraction), expected more than 0 and less than 1 as a fraction",
        ),
        (
            "1 0.01 1e-4\n2 0.01 1e-4\n2 0.01 1e-4\n",
            "line 3: wavelength is 2, the same as in line 2, expected each wavelength once",
        ),
        ("1 0.01 1e-4\n-2 0.01 1e-4\n", "line 2: wavelength is -2, expected a positive number"),
        ("SIMPLE  =                    T", "is FITS, expected a spectrum: text, ECSV, NPZ or HDF5"),
        ("PK\u{3}\u{4} no archive", "is no whole NPZ file: invalid Zip archive: Invalid zip header"),
    ] {
        let fault = open(name, text.as_bytes(), &plain()).map(drop).unwrap_err();
        assert_eq!(fault, wanted, "{text}");
    }
    let fault = |bytes: &[u8]| open(name, bytes, &plain()).map(drop).unwrap_err();
    assert_eq!(fault(b"\xff\xfe1"), "is neither text nor HDF5 nor NPZ, expected a table of spectra");
    assert!(fault(b"\x89HDF\r\n\x1a\n").starts_with("is no whole HDF5 file"));
    let all = Reading { nan_is_masked: true, ..plain() };
    let fault = open(name, b"1 nan 1e-4\n2 0.01 nan\n", &all).map(drop).unwrap_err();
    assert_eq!(fault, "all points are masked, expected one that is not");
}
