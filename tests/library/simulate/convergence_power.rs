//! Angular power of convergence, from a cosmology and from tables.

use std::path::PathBuf;

use skyforge::exit::{Ends, Exit};
use skyforge::simulate::{ConvergencePower, Cosmology, MassMapSettings, MassMaps};
use tempfile::TempDir;

fn table(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("power.txt");
    std::fs::write(&path, text).expect("a temporary file is written");
    path
}

#[test]
fn farther_sources_see_more_power() {
    let power = |z| ConvergencePower::limber(&Cosmology::default(), z).expect("settings are good").at(1000.0);
    assert!(power(0.5) < power(1.0) && power(1.0) < power(2.0));
}

/// While k (chi) stays linear, C_l goes as sigma_8 squared; non-linear scales grow faster.
#[test]
fn power_goes_as_sigma_8_squared_at_large_scales_and_steeper_at_small_ones() {
    let spectrum = |sigma_8| {
        let cosmology = Cosmology { sigma_8, ..Cosmology::default() };
        ConvergencePower::limber(&cosmology, 1.0).expect("settings are good")
    };
    let slope = |l: f64| (spectrum(0.82).at(l) / spectrum(0.78).at(l)).ln() / (0.82_f64 / 0.78).ln();
    assert!((slope(2.0) - 2.0).abs() < 0.05, "slope {}", slope(2.0));
    assert!(slope(3000.0) > 2.5, "slope {}", slope(3000.0));
}

/// Numbers of CAMB 2.0.5 (halofit "takahashi", no neutrinos) by scripts/peers/convergence_maps.py for the default cosmology.
#[test]
fn power_is_camb_s_within_two_per_cent() {
    let power = ConvergencePower::limber(&Cosmology::default(), 1.0).expect("settings are good");
    for (l, camb) in CAMB {
        assert!((power.at(l) / camb - 1.0).abs() < 0.02, "l = {l}: {:e}", power.at(l));
    }
}

const CAMB: [(f64, f64); 4] = [(100.0, 6.2006e-09), (1000.0, 3.1867e-10), (5000.0, 3.0339e-11), (20_000.0, 1.7942e-12)];

#[test]
fn a_table_is_read_back_at_and_between_its_lines() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = table(&folder, "# l C_l\n10 1e-8\n\n100 1e-10 # steep\n1000 1e-12\n");
    let power = ConvergencePower::from_table(&path).expect("the table is good");
    for l in [10.0, 31.6, 100.0, 500.0, 1000.0] {
        assert!((power.at(l) / (1e-6 / (l * l)) - 1.0).abs() < 1e-9, "a power law is straight between lines, l = {l}");
    }
    assert_eq!(power.range(), (10.0, 1000.0));
}

/// Editors put one at the begin of a file; it was once part of the first number.
#[test]
fn a_byte_order_mark_is_no_part_of_a_table() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = table(&folder, "\u{feff}10 1e-8\n100 1e-10\n");
    assert_eq!(ConvergencePower::from_table(&path).expect("the table is good").range(), (10.0, 100.0));
}

#[test]
fn the_mean_inside_a_circle_of_a_power_law_is_its_closed_form() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = table(&folder, "1e-6 1e-6\n1000 1000\n");
    let power = ConvergencePower::from_table(&path).expect("the table is good");
    // Of C_l = l over a disc of radius 300: 2/3 of 300.
    assert!((power.mean_inside(300.0) / 200.0 - 1.0).abs() < 1e-4);
}

#[test]
fn a_bad_table_is_named_with_its_line() {
    let folder = TempDir::new().expect("a temporary folder");
    for (text, wanted) in [
        ("10 1e-8\n20\n", " line 2: has 1 columns, expected 2: l and C_l"),
        ("# l\n10 1e-8 3\n", " line 2: has 3 columns, expected 2: l and C_l"),
        ("10 1e-8\n5 1e-9\n", " line 2: l is 5, expected more than 10 of the line before"),
        ("0 1e-8\n5 1e-9\n", " line 1: l is 0, expected more than 0"),
        ("10 1e-8\n20 -1e-9\n", " line 2: C_l is -0.000000001, expected 0 or more"),
        ("10 1e-8\n20 nan\n", " line 2: C_l is nan, expected a finite number"),
        ("ten 1e-8\n", " line 1: l is ten, expected a finite number"),
        ("# nothing\n", ": has 0 lines of numbers, expected at least 2"),
        ("", ": has 0 lines of numbers, expected at least 2"),
    ] {
        let path = table(&folder, text);
        let error = ConvergencePower::from_table(&path).expect_err("the table is bad");
        assert_eq!(error.to_string(), format!("{}{wanted}", path.display()));
        assert_eq!(error.exit(), Exit::Data);
    }
}

#[test]
fn a_missing_table_is_a_matter_of_the_file_system() {
    let error = ConvergencePower::from_table(&PathBuf::from("no/such/table")).expect_err("there is no table");
    assert_eq!(error.to_string(), "no/such/table: is not there, expected a table of l and C_l, text");
    assert_eq!(error.exit(), Exit::FileSystem);
}

#[test]
fn a_table_that_ends_before_the_grid_does_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = table(&folder, "100 1e-9\n5000 1e-11\n");
    let settings = MassMapSettings { table: Some(path.clone()), ..MassMapSettings::default() };
    let error = MassMaps::new(&settings).err().expect("the grid needs more");
    assert_eq!(error.to_string(), format!("{}: covers l 100 to 5000, expected 411.4 to 37238.3", path.display()));
    assert_eq!(error.exit(), Exit::Data);
}
