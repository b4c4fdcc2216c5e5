//! Tables of other programs: read, written, refused.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use skyforge::simulate::spectra::collision_induced::{CollisionInduced, Pair};
use skyforge::simulate::spectra::{CrossSections, Molecule, Opacities, exo_transmit, taurex};

fn table() -> CrossSections {
    CrossSections {
        molecule: Molecule::Co2,
        source: "made up".into(),
        temperatures_k: vec![500.0, 1000.0, 2000.0],
        pressures_pa: vec![1.0, 1e5],
        wavenumbers_cm: vec![1000.0, 2000.0, 4000.0, 5000.0],
        barns: (0..24).map(|i| 0.5 * i as f32).collect(),
    }
}

/// The same table as Exo_Transmit has it, in the order of wavelengths.
fn exo_transmit_text(table: &CrossSections) -> String {
    let join = |values: &[f64]| values.iter().map(|v| format!("{v:e}")).collect::<Vec<_>>().join(" ");
    let mut text = format!("{}\n{}\n", join(&table.temperatures_k), join(&table.pressures_pa));
    for w in (0..table.wavenumbers_cm.len()).rev() {
        writeln!(text, "{:.12e}", 1e-2 / table.wavenumbers_cm[w]).unwrap();
        for (p, pressure) in table.pressures_pa.iter().enumerate() {
            let values: Vec<f64> = (0..3).map(|t| f64::from(table.node(t, p)[w]) * 1e-28).collect();
            writeln!(text, "{:e} {}", pressure.log10(), join(&values)).unwrap();
        }
    }
    text
}

fn same(a: &CrossSections, b: &CrossSections) {
    assert_eq!((a.molecule, &a.temperatures_k, a.barns.len()), (b.molecule, &b.temperatures_k, b.barns.len()));
    for (x, y) in a.pressures_pa.iter().chain(&a.wavenumbers_cm).zip(b.pressures_pa.iter().chain(&b.wavenumbers_cm)) {
        assert!((x / y - 1.0).abs() < 1e-9);
    }
    for (x, y) in a.barns.iter().zip(&b.barns) {
        assert!((x - y).abs() <= 1e-6 * x, "{x} {y}");
    }
}

#[test]
fn tables_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let (text, hdf5) = (folder.path().join("opacCO2.dat"), folder.path().join("CO2.h5"));
    fs::write(&text, exo_transmit_text(&table())).expect("written");
    same(&exo_transmit::read(&text, Molecule::Co2).expect("read"), &table());
    taurex::write(&hdf5, &table()).expect("written");
    same(&taurex::read(&hdf5).expect("read").expect("of carbon dioxide"), &table());
    // Two tables of one molecule are one too many.
    assert!(
        Opacities::load(folder.path().to_str().expect("text"))
            .expect_err("refused")
            .to_string()
            .contains("second table of CO2")
    );
    fs::remove_file(&hdf5).expect("removed");
    let all = Opacities::load(folder.path().to_str().expect("text")).expect("read");
    assert_eq!(all.missing(), [Molecule::H2o, Molecule::Co, Molecule::Ch4]);
}

#[test]
fn a_wrong_text_table_is_told_of_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("opacH2O.dat");
    let text = exo_transmit_text(&table());
    let fault = |text: &str| {
        fs::write(&path, text).expect("written");
        exo_transmit::read(&path, Molecule::H2o).expect_err("refused").to_string()
    };
    assert!(fault(&text.replacen("e-6\n", "x\n", 1)).contains("line 3: `2.000000000000x` is no number"));
    assert!(
        fault(&text.lines().take(4).collect::<Vec<_>>().join("\n"))
            .contains("line 4: expected a pressure and 3 cross sections")
    );
    assert!(fault("").contains("no temperatures"));
    assert!(fault(&text.replacen("5e0 ", "4e0 ", 1)).contains("is of pressure 4, expected 1e5 Pa or its logarithm"));
    let negative = text.lines().enumerate().map(|(i, line)| if i == 3 { "0 -1 -1 -1" } else { line });
    assert!(fault(&negative.collect::<Vec<_>>().join("\n")).contains("expected at least 0"));
}

#[test]
fn a_wrong_hdf5_table_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.h5");
    let fault = || taurex::read(&path).expect_err("refused").to_string();
    fs::write(&path, "no HDF5").expect("written");
    assert!(fault().contains("no table of cross sections"));
    hdf5::File::create(&path).expect("made");
    assert!(fault().contains("has no `mol_name`"));
}

/// A `.cia` file: header of fixed columns, then points.
fn cia(path: &Path, pair: &str, blocks: &[(f64, &[(f64, f64)])]) {
    let mut text = String::new();
    for (temperature, points) in blocks {
        let (low, high) = (points[0].0, points[points.len() - 1].0);
        writeln!(text, "{pair:>20}{low:>10.3}{high:>10.3}{:>7}{temperature:>7.1}{:>10.3e}", points.len(), 1e-44)
            .unwrap();
        for (nu, cm5) in *points {
            writeln!(text, "{nu:>10.4} {cm5:>10.3E}").unwrap();
        }
    }
    fs::write(path, text).expect("written");
}

#[test]
fn collisions_are_read_and_are_linear_between() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("H2-He.cia");
    cia(&path, "H2-He", &[(500.0, &[(20.0, 1e-46), (40.0, 3e-46)]), (1000.0, &[(20.0, 2e-46), (40.0, -1e-50)])]);
    let table = CollisionInduced::read(&path).expect("read");
    assert_eq!((table.pair, &table.temperatures_k[..]), (Pair::HydrogenHelium, &[500.0, 1000.0][..]));
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-52, "{a:e} {b:e}");
    near(table.at(500.0, &[30.0])[0], 2e-46);
    near(table.at(750.0, &[20.0])[0], 1.5e-46);
    near(table.at(3000.0, &[40.0])[0], 0.0);
    assert_eq!(table.at(500.0, &[10.0, 50.0]), [0.0, 0.0]);

    let fault = |pair: &str, points: &[(f64, f64)]| {
        cia(&path, pair, &[(500.0, points)]);
        CollisionInduced::read(&path).expect_err("refused").to_string()
    };
    cia(&path, "H2-H2", &[(500.0, &[(20.0, 1e-46)])]);
    let none = fs::read_to_string(&path).expect("text").replace("      1  500.0", "      0  500.0");
    fs::write(&path, none).expect("written");
    assert!(CollisionInduced::read(&path).expect_err("refused").to_string().contains("line 1: has 0 points"));
    assert!(fault("N2-N2", &[(20.0, 1e-46)]).contains("line 1: expected a header of H2-H2 or H2-He"));
    assert!(fault("H2-H2", &[(20.0, 1e-46), (10.0, 1e-46)]).contains("line 3: expected ascending"));
}
