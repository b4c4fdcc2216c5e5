//! Maps: their statistics, and that they are a function of place.

use rayon::prelude::*;
use skyforge::exit::{Ends, Exit};
use skyforge::simulate::{Field, MassMapSettings, MassMaps, SimulateError};
use skyforge_fft::Complex;

/// Small periodic maps: 16 px of 2 arcmin.
fn periodic(field: Field) -> MassMapSettings {
    MassMapSettings { field, side: 16, pixel_arcmin: Some(2.0), oversize: 1, ..MassMapSettings::default() }
}

fn maker(settings: &MassMapSettings) -> MassMaps {
    MassMaps::new(settings).expect("settings are good")
}

fn map(maps: &MassMaps, seed: u64, index: u64) -> Vec<f32> {
    let mut out = vec![0.0; maps.side() * maps.side()];
    maps.map(seed, index, &mut maps.workspace(), &mut out);
    out
}

fn many(maps: &MassMaps, count: u64) -> Vec<Vec<f32>> {
    (0..count).map(|index| map(maps, 1, index)).collect()
}

/// Mean of numbers and its standard error.
fn mean_and_error(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

fn assert_within(numbers: &[f64], wanted: f64, standard_errors: f64, what: &str) {
    let (mean, error) = mean_and_error(numbers);
    assert!((mean - wanted).abs() < standard_errors * error, "{what}: {mean:e} +- {error:e}, wanted {wanted:e}");
}

/// C_l of every mode of a periodic map, `[n, n]`, by a transform of our own.
fn power_per_mode(maps: &MassMaps, map: &[f32]) -> Vec<f64> {
    let grid = maps.grid();
    let mut modes: Vec<Complex<f64>> = map.iter().map(|&x| Complex::new(f64::from(x), 0.0)).collect();
    let fft = skyforge_fft::forward_f64(grid.n);
    for _ in 0..2 {
        fft.process(&mut modes);
        modes = (0..grid.n * grid.n).map(|i| modes[i % grid.n * grid.n + i / grid.n]).collect();
    }
    modes.iter().map(|mode| mode.norm_sqr() * grid.pixel_rad.powi(2) / map.len() as f64).collect()
}

/// The spectrum comes back in every ring of modes, and so does the power of mode 0. With eight rings, 4.5 standard
/// errors leave a chance of 1e-4.
fn assert_spectrum_is_returned(settings: &MassMapSettings, count: u64) {
    let maps = maker(settings);
    let grid = maps.grid();
    let powers: Vec<Vec<f64>> = many(&maps, count).iter().map(|map| power_per_mode(&maps, map)).collect();
    let frequency = |i: usize| i.min(grid.n - i) as f64;
    for ring in 0..grid.n / 2 {
        let modes: Vec<usize> = (0..grid.n * grid.n)
            .filter(|i| frequency(i / grid.n).hypot(frequency(i % grid.n)).round() as usize == ring)
            .collect();
        let wanted = |i: &usize| match ring {
            0 => maps.spectrum().mean_inside(grid.fundamental() / std::f64::consts::PI.sqrt()),
            _ => maps.spectrum().at(grid.multipole(i / grid.n, i % grid.n)),
        };
        let ratios: Vec<f64> = powers
            .iter()
            .map(|power| modes.iter().map(|i| power[*i] / wanted(i)).sum::<f64>() / modes.len() as f64)
            .collect();
        assert_within(&ratios, 1.0, 4.5, &format!("ring {ring}"));
        let (_, error) = mean_and_error(&ratios);
        assert!(error < 0.15, "ring {ring} says something: {error}");
    }
}

#[test]
fn gaussian_maps_give_the_spectrum_back() {
    assert_spectrum_is_returned(&periodic(Field::Gaussian), 600);
}

#[test]
fn gaussian_maps_with_an_odd_side_give_the_spectrum_back() {
    assert_spectrum_is_returned(&MassMapSettings { side: 15, ..periodic(Field::Gaussian) }, 600);
}

#[test]
fn lognormal_maps_give_the_spectrum_back() {
    assert_spectrum_is_returned(&periodic(Field::Lognormal), 600);
}

#[test]
fn every_mode_keeps_its_power_where_nothing_was_clipped() {
    let maps = maker(&MassMapSettings::default());
    let grid = maps.grid();
    assert!(maps.clipped_power() < 1e-12);
    for (i, power) in maps.power_per_mode().iter().enumerate().skip(1) {
        let wanted = maps.spectrum().at(grid.multipole(i / grid.n, i % grid.n));
        assert!((power / wanted - 1.0).abs() < 1e-9, "mode {i}");
    }
}

/// All power at one wavelength: the correlation swings far below 0, and its logarithm needs negative power elsewhere.
fn one_wavelength(shift: f64) -> Result<MassMaps, SimulateError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("ring.txt");
    std::fs::write(&table, "100 0\n1400 0\n1500 1e-8\n1600 0\n9000 0\n").expect("a temporary file is written");
    MassMaps::new(&MassMapSettings { table: Some(table), shift: Some(shift), ..periodic(Field::Lognormal) })
}

#[test]
fn clipped_power_is_told() {
    let maps = one_wavelength(0.05).expect("the shift is large enough");
    assert!(maps.clipped_power() > 0.01, "clipped {}", maps.clipped_power());
}

#[test]
fn a_shift_too_small_for_the_correlation_is_refused() {
    let error = one_wavelength(0.01).err().expect("no lognormal field has this correlation");
    assert!(error.to_string().starts_with("`shift` is 0.01, expected more, beside a pixel deviation of "), "{error}");
    assert_eq!(error.exit(), Exit::Usage);
}

#[test]
fn gaussian_maps_have_mean_0_and_the_variance_of_their_modes() {
    let maps = maker(&periodic(Field::Gaussian));
    let maps_made = many(&maps, 600);
    let moment = |power| per_map(&maps_made, power);
    assert_within(&moment(1), 0.0, 4.0, "mean");
    assert_within(&moment(2), maps.variance(), 4.0, "variance");
    assert_within(&moment(3), 0.0, 4.0, "third moment");
}

#[test]
fn lognormal_maps_have_mean_0_and_the_skewness_of_the_formula() {
    let settings = periodic(Field::Lognormal);
    let maps = maker(&settings);
    let maps_made = many(&maps, 1500);
    let moment = |power| per_map(&maps_made, power);
    assert_within(&moment(1), 0.0, 4.0, "mean");
    assert_within(&moment(2), maps.variance(), 4.0, "variance");
    // With s = variance / shift^2 = e^v - 1: skewness = (s + 3) sqrt(s).
    let s = maps.variance() / maps.shift().expect("the field is lognormal").powi(2);
    assert!((maps.skewness() / ((s + 3.0) * s.sqrt()) - 1.0).abs() < 1e-9);
    let third = maps.skewness() * maps.variance().powf(1.5);
    assert_within(&moment(3), third, 4.0, "third moment");
    let (mean, error) = mean_and_error(&moment(3));
    assert!(mean > 8.0 * error, "the third moment says something: {mean:e} +- {error:e}");
}

fn per_map(maps: &[Vec<f32>], power: i32) -> Vec<f64> {
    maps.iter().map(|map| map.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / map.len() as f64).collect()
}

#[test]
fn lognormal_maps_never_reach_minus_shift() {
    let maps = maker(&MassMapSettings::default());
    let shift = maps.shift().expect("the field is lognormal");
    assert!((shift - 0.02975).abs() < 1e-12, "the fit at redshift 1 (Hilbert et al. 2011, eq. 38)");
    let lowest = many(&maps, 20).concat().into_iter().fold(f32::INFINITY, f32::min);
    assert!(f64::from(lowest) > -shift && f64::from(lowest) < -0.7 * shift, "lowest {lowest}");
}

/// What a cut map knows of slower modes does not depend on how they were made: one mode 0, or many on a larger grid.
#[test]
fn the_scatter_of_map_means_is_that_of_a_larger_grid() {
    let scatter = |oversize| {
        let maps = maker(&MassMapSettings { oversize, ..periodic(Field::Gaussian) });
        let means = per_map(&many(&maps, 400), 1);
        means.iter().map(|mean| mean * mean).sum::<f64>() / means.len() as f64
    };
    let (small, large) = (scatter(2), scatter(6));
    // The variance of a variance of 400 numbers is 2/400 each; the square of a cell is not quite a circle.
    assert!((small / large - 1.0).abs() < 4.0 * 0.1 + 0.1, "{small:e} {large:e}");
}

#[test]
fn cut_maps_are_not_periodic_and_whole_grids_are() {
    // Mean squared step over an edge, in units of that inside.
    let step_at_edge = |oversize| {
        let maps = maker(&MassMapSettings { oversize, ..periodic(Field::Gaussian) });
        let n = maps.side();
        let (mut edge, mut inside) = (0.0, 0.0);
        for map in many(&maps, 50) {
            for row in map.chunks_exact(n) {
                edge += f64::from(row[n - 1] - row[0]).powi(2);
                inside += f64::from(row[n / 2] - row[n / 2 - 1]).powi(2);
            }
        }
        edge / inside
    };
    let (whole, cut) = (step_at_edge(1), step_at_edge(2));
    assert!((whole - 1.0).abs() < 0.2, "whole {whole}");
    assert!(cut > 1.5, "cut {cut}");
}

#[test]
fn a_map_is_the_same_in_any_order_and_on_any_thread() {
    let maps = maker(&MassMapSettings { side: 16, ..MassMapSettings::default() });
    let forwards = many(&maps, 24);
    let mut workspace = maps.workspace();
    for index in (0..24).rev() {
        let mut out = vec![7.0; 256];
        maps.map(1, index, &mut workspace, &mut out);
        assert_eq!(out, forwards[index as usize]);
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads start");
    let parallel: Vec<Vec<f32>> =
        threads.install(|| (0..24).into_par_iter().map(|index| map(&maps, 1, index)).collect());
    assert_eq!(parallel, forwards);
    assert_eq!(map(&maker(&MassMapSettings { side: 16, ..MassMapSettings::default() }), 1, 5), forwards[5]);
}

#[test]
fn another_index_or_another_seed_is_another_map() {
    let maps = maker(&MassMapSettings { side: 16, ..MassMapSettings::default() });
    assert_ne!(map(&maps, 1, 0), map(&maps, 1, 1));
    assert_ne!(map(&maps, 1, 0), map(&maps, 2, 0));
    assert_ne!(map(&maps, 1, 0), map(&maps, 1, 1 << 32), "indices count in 64 bits");
}

#[test]
fn the_default_transform_fills_the_range_of_a_network() {
    for field in [Field::Lognormal, Field::Gaussian] {
        let maps = maker(&periodic(field));
        let mut values = many(&maps, 200).concat();
        maps.default_transform().forward(&mut values).expect("every convergence is legal");
        let y: Vec<f64> = values.into_iter().map(f64::from).collect();
        let (mean, error) = mean_and_error(&y);
        let deviation = error * (y.len() as f64).sqrt();
        assert!(mean.abs() < 0.02, "{field:?}: mean {mean}");
        assert!((deviation * 4.5 - 1.0).abs() < 0.05, "{field:?}: deviation {deviation}");
        let outside = y.iter().filter(|y| y.abs() > 1.0).count();
        assert!(outside < y.len() / 2000, "{field:?}: {outside} pixels outside");
    }
}

#[test]
fn a_description_holds_settings_that_make_the_same_maps() {
    let settings = periodic(Field::Lognormal);
    let mut about = maker(&settings).describe();
    assert_eq!(about["c_l"].as_array().map(Vec::len), Some(40));
    for derived in ["side_deg", "clipped_power", "pixel_variance", "pixel_skewness", "spectrum", "multipoles", "c_l"] {
        about.remove(derived).expect("a description names what follows from its settings");
    }
    let again: MassMapSettings = about.try_into().expect("the rest of a description is settings");
    assert_eq!(again, MassMapSettings { shift: Some(0.02975), ..settings });
}

#[test]
fn an_unknown_setting_is_refused() {
    for text in ["sides = 64", "[cosmology]\nsigma8 = 0.8"] {
        let error = toml::from_str::<MassMapSettings>(text).expect_err("the key is unknown");
        assert!(error.message().contains("unknown field"), "{error}");
    }
}

#[test]
fn bad_settings_are_refused_in_one_line_each() {
    let good = MassMapSettings::default();
    for (bad, wanted) in [
        (MassMapSettings { side: 1, ..good.clone() }, "`side` is 1, expected 2 to 16384"),
        (
            MassMapSettings { oversize: 0, ..good.clone() },
            "`oversize` is 0, expected 1 to 256: a grid of at most 16384 px",
        ),
        (
            MassMapSettings { pixel_arcmin: Some(1.0), side_deg: Some(1.0), ..good.clone() },
            "`side_deg` is 1, expected nothing beside `pixel_arcmin`",
        ),
        (
            MassMapSettings { side_deg: Some(-1.0), ..good.clone() },
            "`side_deg` is -1, expected more than 0, and a grid of at most 60 degrees",
        ),
        (
            MassMapSettings { pixel_arcmin: Some(f64::NAN), ..good.clone() },
            "`pixel_arcmin` is NaN, expected more than 0, and a grid of at most 60 degrees",
        ),
        (
            MassMapSettings { pixel_arcmin: Some(0.01), ..good.clone() },
            "`pixel_arcmin` is 0.01, expected pixels of at least 0.0153 arcmin: l up to 1000000",
        ),
        (
            MassMapSettings { source_redshift: 0.0, ..good.clone() },
            "`source_redshift` is 0, expected more than 0 and at most 10",
        ),
        (
            MassMapSettings { source_redshift: 6.0, ..good.clone() },
            "`source_redshift` is 6, expected more than 0 and at most 4, or `shift` beside it",
        ),
        (MassMapSettings { shift: Some(0.0), ..good.clone() }, "`shift` is 0, expected more than 0"),
    ] {
        let error = MassMaps::new(&bad).err().expect("the setting is bad");
        assert_eq!(error.to_string(), wanted);
        assert_eq!(error.exit(), Exit::Usage);
    }
}
