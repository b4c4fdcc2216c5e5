//! Which atmosphere is which record.

use std::collections::HashSet;
use std::fs;

use skyforge::atmosphere::QUANTITIES;
use skyforge::simulate::spectra::SpectrumSettings;
use skyforge::simulate::spectra::draws::{Draws, GRID_POINTS};
use skyforge::simulate::spectra::settings::Order;

fn draws(seed: u64, settings: &SpectrumSettings, count: u64) -> Draws {
    Draws::new(seed, settings, count).expect("they can be drawn")
}

#[test]
fn the_grid_is_ten_levels_of_everything() {
    assert_eq!(GRID_POINTS, 10_000_000);
    let draws = draws(3, &SpectrumSettings::default(), 1000);
    for record in 0..1000 {
        let mut id = draws.id(record);
        for (value, quantity) in draws.parameters(record).into_iter().zip(QUANTITIES) {
            let (low, high) = quantity.range;
            let level = (value - low) / (high - low) * 9.0;
            assert!((level - level.round()).abs() < 1e-9 && level.round() as u64 == id % 10, "{}", quantity.name);
            id /= 10;
        }
    }
}

#[test]
fn no_point_of_the_grid_comes_twice() {
    let count = 300_000;
    let draws = draws(1, &SpectrumSettings::default(), count);
    let seen: HashSet<u64> = (0..count).map(|record| draws.id(record)).collect();
    assert_eq!(seen.len() as u64, count);
    assert!(seen.iter().all(|id| *id < GRID_POINTS));
    // A fair sample: each level of each parameter is a tenth of it.
    for digit in 0..7 {
        let ones = seen.iter().filter(|id| **id / 10_u64.pow(digit) % 10 == 3).count() as f64;
        assert!((ones / count as f64 - 0.1).abs() < 0.003, "digit {digit}");
    }
}

#[test]
#[ignore = "half a minute: the last point of ten million"]
fn the_whole_grid_comes_once() {
    let draws = draws(9, &SpectrumSettings::default(), GRID_POINTS);
    let mut seen = vec![false; GRID_POINTS as usize];
    for record in 0..GRID_POINTS {
        assert!(!std::mem::replace(&mut seen[draws.id(record) as usize], true));
    }
}

#[test]
fn a_part_of_the_draws_is_the_same_as_in_the_whole() {
    for order in [Order::Grid, Order::Continuous] {
        let all = draws(5, &SpectrumSettings { order, ..SpectrumSettings::default() }, 100);
        let part = draws(5, &SpectrumSettings { order, first: 60, ..SpectrumSettings::default() }, 40);
        for record in 0..40 {
            assert_eq!((all.id(60 + record), all.parameters(60 + record)), (part.id(record), part.parameters(record)));
        }
        assert_ne!(
            all.parameters(0),
            draws(6, &SpectrumSettings { order, ..SpectrumSettings::default() }, 1).parameters(0)
        );
    }
}

#[test]
fn continuous_draws_fill_their_ranges() {
    let settings =
        SpectrumSettings { order: Order::Continuous, temperature: [500.0, 600.0], ..SpectrumSettings::default() };
    let draws = draws(2, &settings, 4000);
    for (at, (low, high)) in settings.ranges().into_iter().enumerate() {
        let values: Vec<f64> = (0..4000).map(|record| draws.parameters(record)[at]).collect();
        assert!(values.iter().all(|value| (low..=high).contains(value)));
        let mean = values.iter().sum::<f64>() / 4000.0;
        assert!(((mean - low) / (high - low) - 0.5).abs() < 0.02, "parameter {at}");
    }
}

#[test]
fn a_table_says_each_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.txt");
    let settings =
        SpectrumSettings { order: Order::Table, parameter_table: Some(path.clone()), ..SpectrumSettings::default() };
    let names = "temperature planet_mass planet_radius log10_h2o log10_co2 log10_co log10_ch4";
    fs::write(&path, format!("# {names}\n1500 1 1.1 -3 -4 -5 -6\n\n1600, 2, 1.2, -1, -2, -3, -4\n")).expect("written");
    assert_eq!(draws(0, &settings, 2).parameters(1), [-1.0, -2.0, -3.0, -4.0, 2.0, 1.2, 1600.0]);
    let fault = |text: &str, count| {
        fs::write(&path, text).expect("written");
        Draws::new(0, &settings, count).expect_err("it is refused").to_string()
    };
    let good = format!("{names}\n1500 1 1.1 -3 -4 -5 -6\n");
    assert!(fault(&good, 2).contains("`count` is 2, expected at most 1 records from `first` = 0 on"));
    assert!(fault("temperature\n1500\n", 1).contains("line 1: does not name log10_h2o"));
    assert!(fault(&good.replace("-4", "nan"), 1).contains("line 2: log10_co2 is `nan`, expected -30 to"));
    assert!(fault(&good.replace(" -6", ""), 1).contains("log10_ch4 is ``"));
    assert!(fault("", 1).contains("is empty"));
    assert!(fault(&good.replace(" -6", " -6 99"), 1).contains("line 2: has 8 values, expected 7"));
    assert!(fault(&good.replacen("log10_co2", "log10_h2o log10_co2", 1), 1).contains("line 1: names log10_h2o twice"));
    assert!(
        fault(&good.replace("-3 -4 -5 -6", "-0.5 -0.5 -0.5 -0.5"), 1)
            .contains("line 2: has mixing ratios that add up to 1.26")
    );
    fs::write(&path, b"\xff\xfe").expect("written");
    assert!(
        Draws::new(0, &settings, 1).expect_err("no text").to_string().contains("is no text, expected a text table")
    );
}

#[test]
fn the_grid_ends() {
    let refused = |first| Draws::new(0, &SpectrumSettings { first, ..SpectrumSettings::default() }, 10).is_err();
    assert!(!refused(GRID_POINTS - 10) && refused(GRID_POINTS - 9) && refused(u64::MAX));
}
