//! `skyforge ingest spectra`: the same bytes on any ranks, instruments joined, and one line for what cannot be.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use skyforge::data::spectral_axis::OBSERVED;
use skyforge::data::{Channel, Dataset};

use crate::program::{arg, bytes, must, refused, run};

const UNITS: [&str; 4] = ["--wavelength-unit", "um", "--depth-unit", "fraction"];

/// A table from `low` to `high` um of resolving power 100 or so.
fn table(folder: &Path, name: &str, [low, high]: [f64; 2], depth: f64, error: f64) -> PathBuf {
    let mut text = String::new();
    let mut um = low;
    while um < high {
        writeln!(text, "{um} {} {error}", depth + 1e-4 * (9.0 * um).sin()).expect("a text grows");
        um *= 1.0087;
    }
    let path = folder.join(name);
    fs::write(&path, text).expect("the disk has room");
    path
}

#[test]
fn ingested_spectra_have_the_same_bytes_on_any_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    // More records than a block holds (127 of them a MiB).
    let inputs: Vec<PathBuf> = (0..300)
        .map(|i| table(folder.path(), &format!("{i:03}.dat"), [0.5, 5.0], 0.01 + 1e-5 * f64::from(i), 1e-4))
        .collect();
    fs::write(folder.path().join("007.par"), "[Planet]\nmass = 1.5\n").expect("the disk has room");
    let ingested = |ranks: usize| {
        let out = folder.path().join(format!("out{ranks}"));
        let mut arguments = vec!["ingest", "spectra", "--out", arg(&out), "--grid", "exogan", "--test", "0.25"];
        arguments.extend(UNITS);
        arguments.extend(inputs.iter().map(|path| arg(path)));
        must(ranks, &arguments);
        out
    };
    let alone = ingested(1);
    assert!(bytes(&alone).len() > 3, "several shards to share");
    for ranks in if cfg!(feature = "mpi") { vec![2, 3] } else { Vec::new() } {
        assert!(bytes(&ingested(ranks)) == bytes(&alone), "{ranks} ranks");
    }
    let dataset = Dataset::open(&alone).expect("whole");
    dataset.verify().expect("whole");
    let manifest = dataset.manifest();
    assert_eq!((manifest.count, manifest.modality().shape.as_slice()), (300, &[4, 515][..]));
    assert_eq!((dataset.split("train").unwrap().records(), dataset.split("test").unwrap().records()), (225, 75));
    assert_eq!(dataset.read_ids(0..300).unwrap(), (0..300).collect::<Vec<u64>>());
    let files = manifest.source["inputs"].as_array().expect("a row a file");
    assert_eq!((files[7]["file"].as_str(), files[7]["first_id"].as_integer()), (Some("007.dat"), Some(7)));
    let known = dataset.read_labels(0..300).unwrap();
    for (at, value) in known.iter().enumerate() {
        assert_eq!(!value.is_nan(), at == 7 * 7 + 4, "the mass of one planet is known");
    }
    let values = dataset.read(0, 7..8).unwrap();
    let [depth, below, above, observed] = [0, 1, 2, 3].map(|channel| &values[channel * 515..(channel + 1) * 515]);
    assert_eq!(below, above);
    let wavelength_um = &manifest.modality().spectral_axis().expect("spectra have wavelengths").wavelength_um;
    for (i, um) in wavelength_um.iter().enumerate() {
        if (0.51..4.9).contains(um) {
            assert_eq!(observed[i], 1.0, "{um}");
            assert!(
                (f64::from(depth[i]) - 0.010_07 - 1e-4 * (9.0 * um).sin()).abs() < 1e-5 * (1.0 + um),
                "{um}: {}",
                depth[i]
            );
            assert!((0.7e-4..1.3e-4).contains(&below[i]), "{um}: {}", below[i]);
        } else if !(0.49..5.1).contains(um) {
            assert_eq!([depth[i], below[i], above[i], observed[i]], [0.0; 4], "{um}");
        }
    }
    let told = must(1, &["inspect", arg(&alone), "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (&told["modalities"][0]["kind"], &told["whole"], &told["axes"]["spectrum"]["points"]),
        (&"spectrum".into(), &true.into(), &515.into())
    );
    let png = folder.path().join("images.png");
    must(1, &["inspect", arg(&alone), "--png", arg(&png)]);
    assert!(fs::read(&png).expect("drawn").starts_with(b"\x89PNG"));
}

#[test]
fn joined_files_are_one_object_seen_by_several_instruments() {
    let folder = tempfile::tempdir().expect("a folder");
    let blue = table(folder.path(), "blue.dat", [0.5, 2.0], 0.010, 1e-4);
    let red = table(folder.path(), "red.dat", [1.5, 5.0], 0.011, 2e-4);
    let out = folder.path().join("out");
    let both = format!("{}+{}", blue.display(), red.display());
    let arguments = ["ingest", "spectra", &both, arg(&red), "--out", arg(&out), "--grid", "exogan"];
    must(1, &[&arguments[..], &UNITS].concat());
    let dataset = Dataset::open(&out).expect("whole");
    assert_eq!(
        (dataset.manifest().count, dataset.manifest().modality().spectral_axis().unwrap().channels.as_slice()),
        (2, &OBSERVED[..])
    );
    let um = &dataset.manifest().modality().spectral_axis().expect("spectra have wavelengths").wavelength_um;
    let values = dataset.read(0, 0..2).unwrap();
    let at = |record: usize, channel: usize, wanted: f64| {
        let near =
            um.iter().enumerate().min_by(|a, b| (a.1 - wanted).abs().total_cmp(&(b.1 - wanted).abs())).unwrap().0;
        f64::from(values[record * 4 * 515 + channel * 515 + near])
    };
    let wave = |um: f64| 1e-4 * (9.0 * um).sin();
    for (um, wanted) in [(1.0, 0.010), (1.7, 0.0102), (4.0, 0.011)] {
        assert!((at(0, 0, um) - wanted - wave(um)).abs() < 3e-5, "{um}: {}", at(0, 0, um));
    }
    assert!(at(0, 1, 1.7) < 0.95 * at(0, 1, 1.0), "two are better than one");
    assert_eq!((at(1, 3, 1.0), at(1, 3, 4.0)), (0.0, 1.0));
    let files = dataset.manifest().source["inputs"].as_array().unwrap().clone();
    let ids: Vec<_> = files.iter().map(|file| file["first_id"].as_integer().unwrap()).collect();
    assert_eq!(ids, [0, 0, 1]);
    let twice = format!("{}+{}", red.display(), red.display());
    let other = folder.path().join("other");
    let (code, line) =
        refused(&[&["ingest", "spectra", &twice, "--out", arg(&other), "--grid", "exogan"], &UNITS[..]].concat());
    assert_eq!((code, line.ends_with("expected another instrument's")), (65, true), "{line}");
}

#[test]
fn spectra_without_errors_hold_the_depth_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = table(folder.path(), "a.dat", [0.5, 5.0], 0.01, 0.0);
    let (grid, out) = (folder.path().join("grid.txt"), folder.path().join("out"));
    fs::write(&grid, "# um\n1.0\n1.1\n1.2\n").expect("the disk has room");
    let base = [&["ingest", "spectra", arg(&path), "--out", arg(&out)], &UNITS[..]].concat();
    let with = |more: &[&'static str]| [&base[..], &["--grid", arg(&grid)], more].concat();
    let (code, line) = refused(&with(&[]));
    assert_eq!(
        (code, line),
        (65, format!("error: {}: line 1: error is 0, expected a positive number", path.display()))
    );
    let (code, line) = refused(&[&base[..], &["--grid", "exogan", "--no-errors"]].concat());
    assert!(code == 65 && line.contains("of 515 points of the grid, expected all with --no-errors"), "{line}");
    must(1, &with(&["--no-errors"]));
    let dataset = Dataset::open(&out).expect("whole");
    let axis = dataset.manifest().modality().spectral_axis().expect("spectra have wavelengths");
    assert_eq!(
        (axis.channels.as_slice(), axis.wavelength_um.as_slice()),
        (&[Channel::Depth][..], &[1.0, 1.1, 1.2][..])
    );
    assert_eq!(dataset.split("test").unwrap().records(), 1, "what was observed is not trained on");
}

#[test]
fn what_is_no_spectrum_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = table(folder.path(), "a.dat", [0.5, 5.0], 0.01, 1e-4);
    let nm = folder.path().join("nm.dat");
    fs::write(&nm, "500 0.01 1e-4\n510 0.01 1e-4\n").expect("the disk has room");
    let missing = folder.path().join("none.dat");
    let out = folder.path().join("out");
    let units = &UNITS[..];
    let grid = &["--grid", "exogan"][..];
    for (input, more, code, wanted) in [
        (
            &a,
            vec![grid, &UNITS[2..]],
            64,
            "says no unit of its wavelengths, expected --wavelength-unit with one of um, nm, angstrom, m, cm-1",
        ),
        (
            &a,
            vec![grid, &UNITS[..2]],
            64,
            "says no unit of its depths, expected --depth-unit with one of fraction, percent, ppm",
        ),
        (&missing, vec![grid, units], 74, "is not there, expected a spectrum: text, ECSV, NPZ or HDF5"),
        (
            &nm,
            vec![grid, units],
            65,
            "has wavelengths of 500.0000 to 510.0000 um (given in um), expected some inside the grid's 0.3000 to 50.4236 um; \
             in nm some would be inside",
        ),
    ] {
        let (found, line) =
            refused(&[&["ingest", "spectra", arg(input), "--out", arg(&out)], &more.concat()[..]].concat());
        assert_eq!((found, line), (code, format!("error: {}: {wanted}", input.display())));
        assert!(!out.exists(), "nothing is half made");
    }
    for (more, wanted) in [
        (vec!["--grid", "ariel"], "--grid is ariel, expected exogan, exogan-362 or a file of micrometres"),
        (vec!["--grid", "exogan", "--coverage", "0"], "--coverage is 0, expected a share of more than 0 and at most 1"),
        (vec!["--grid", "exogan", "--test", "2"], "--test is 2, expected a share of at least 0 and at most 1"),
        (
            vec!["--grid", "exogan", "--truth", "a", "--truth", "b"],
            "--truth is given 2 times, expected once for each input: 1",
        ),
        (
            vec!["--grid", "exogan", "--columns", "wavelength,depth"],
            "--columns names no errors, expected error, or error-below and error-above, or --no-errors",
        ),
        (
            vec!["--grid", "exogan", "--star-radius", "-1"],
            "invalid value '-1' for '--star-radius <R_SUN|said>': expected a positive number of solar radii, or said",
        ),
    ] {
        let line = refused(&[&["ingest", "spectra", arg(&a), "--out", arg(&out)], units, &more[..]].concat());
        assert_eq!(line, (64, format!("error: {wanted}")));
    }
    let grid = folder.path().join("grid.txt");
    fs::write(&grid, "1.0\n1.2\n1.1\n").expect("the disk has room");
    let line = refused(&[&["ingest", "spectra", arg(&a), "--out", arg(&out), "--grid", arg(&grid)], units].concat());
    assert_eq!(line, (65, format!("error: {}: has 1.1 after 1.2, expected ascending wavelengths", grid.display())));
}

#[test]
fn a_recipe_describes_the_files_of_a_survey_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, more: &str| {
        let mut text = "wv_center transit_depth wv_wdth tran_unc\n".to_owned();
        for i in 0..20 {
            writeln!(text, "{} 0.01{more} 0.01 1e-4", 1.0 + 0.02 * f64::from(i)).expect("a text grows");
        }
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the disk has room");
        path
    };
    let (a, b, recipe) = (file("a.txt", "1"), file("b.txt", "2"), folder.path().join("survey.toml"));
    let out = |name: &str| folder.path().join(name);
    let out_a = out("a");
    let first = [
        "ingest",
        "spectra",
        arg(&a),
        "--grid",
        "exogan",
        "--out",
        arg(&out_a),
        "--columns",
        "wv_wdth=half-width",
        "--write-recipe",
        arg(&recipe),
    ];
    must(1, &[&first[..], &UNITS].concat());
    let out_b = out("b");
    let second = ["ingest", "spectra", arg(&b), "--grid", "exogan", "--out", arg(&out_b), "--recipe", arg(&recipe)];
    must(1, &second);
    let observed = |name: &str| Dataset::open(&out(name)).unwrap().read(0, 0..1).unwrap()[3 * 515..].to_vec();
    assert_eq!(observed("a"), observed("b"));
    let (code, line) = refused(&[&first[..], &UNITS].concat());
    assert!(code == 64 || code == 74, "{code}: {line}");
    let out_c = out("c");
    let third = [
        "ingest",
        "spectra",
        arg(&b),
        "--grid",
        "exogan",
        "--out",
        arg(&out_c),
        "--recipe",
        arg(&recipe),
        "--write-recipe",
        arg(&recipe),
    ];
    let (code, line) = refused(&third);
    assert_eq!((code, line.ends_with("which is there, expected a new file")), (64, true), "{line}");
    fs::write(&recipe, "colums = [\"depth\"]\n").expect("the disk has room");
    let line = refused(&third[..9]);
    assert_eq!(line, (65, format!("error: {}: unknown key `colums`, did you mean `columns`", recipe.display())));
    assert!(!out_c.exists(), "nothing is half made");
}

/// A damaged file may kill libhdf5: a process of its own finds out.
#[test]
fn an_hdf5_file_that_kills_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (folder.path().join("a.h5"), folder.path().join("out"));
    let wavelength_um: Vec<f64> = (0..200).map(|i| 1.0 + 0.01 * f64::from(i)).collect();
    {
        let file = hdf5::File::create(&path).expect("the disk has room");
        let put = |name: &str, shape: &[usize], chunk: &[usize], values: &[f64]| {
            let dataset = file.new_dataset::<f64>().shape(shape.to_vec()).chunk(chunk.to_vec()).shuffle().create(name);
            dataset.and_then(|dataset| dataset.write_raw(values)).expect("the disk has room");
        };
        put("wavelength_um", &[200], &[200], &wavelength_um);
        put("depth", &[3, 200], &[1, 20], &[0.01; 600]);
        put("error", &[3, 200], &[3, 200], &[1e-4; 600]);
    }
    let arguments =
        ["ingest", "spectra", arg(&path), "--grid", "exogan", "--depth-unit", "fraction", "--out", arg(&out)];
    assert!(run(1, &arguments).status.success());
    fs::remove_dir_all(&out).expect("it can go");
    let mut bytes = fs::read(&path).expect("it is there");
    let chunk: Vec<u8> = [1_u32, 20, 8].into_iter().flat_map(u32::to_le_bytes).collect();
    let place = bytes.windows(chunk.len()).position(|window| *window == *chunk).expect("the layout is in the file");
    bytes[place + 5] ^= 0xff;
    fs::write(&path, &bytes).expect("the disk has room");
    let (code, line) = refused(&arguments);
    assert!(code == 65 && line.starts_with(&format!("error: {}: ", path.display())), "{code}: {line}");
    assert!(!out.exists(), "nothing is half made");
}
