//! Offsets between instruments: their words, what is refused, and that an offset is found.

use skyforge::atmosphere::named_grid;
use skyforge::data::SpectralAxis;
use skyforge::data::spectral_axis::OBSERVED;
use skyforge::exit::{Ends, Exit};
use skyforge::family::spectra_gan::retrieval::{DRAWS, Posterior, Widening, table};
use skyforge::family::spectra_gan::{InstrumentOffsets, SpectrumMask};
use skyforge::infer::latent_fit::{Contextual, FitSettings, LatentFit, OffsetFit, OffsetGroup, Start};
use skyforge::nn::Precision;
use skyforge::rng::Draw;

use crate::catalog::made::metadata;
use crate::family::spectra_gan::made::{GRID, observed_own_spectrum, of_spectra, rows, samples};
use crate::infer::latent_fit::settings;
use crate::infer::made::fitted;

fn parse(words: &[&str]) -> Result<InstrumentOffsets, (String, Exit)> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    InstrumentOffsets::parse(&words).map_err(|error| (error.to_string(), error.exit()))
}

/// On the points of a grid, of which `mask` says what is known.
fn on(words: &[&str], mask: &str) -> Result<Vec<OffsetGroup>, (String, Exit)> {
    let wavelength_um = named_grid("exogan").expect("a grid of that name");
    let axis = SpectralAxis { channels: OBSERVED.to_vec(), wavelength_um };
    let mask = SpectrumMask::parse(mask).expect("a mask").on(&axis).expect("something is known");
    parse(words)?.on(&axis.wavelength_um, &mask).map_err(|error| (error.to_string(), error.exit()))
}

#[test]
fn a_group_has_the_points_of_the_mask_of_its_name() {
    let grid = named_grid("exogan").expect("a grid of that name");
    let points = |word: &str| SpectrumMask::parse(word).expect("a mask").points(&grid).expect("something");
    let groups = on(&["2-3um,not:2.5um=150", "hst-wfc3=300"], "parameters").expect("they are legal");
    let wanted = [("2-3um,not:2.5um", 150e-6), ("hst-wfc3", 300e-6)];
    for (group, (word, sigma)) in groups.iter().zip(wanted) {
        assert_eq!(group.members, points(word), "{word}");
        assert!((group.sigma / sigma - 1.0).abs() < 1e-12);
    }
    let all = on(&["parameters=50"], "parameters").expect("a common offset is legal");
    assert!(all[0].members.iter().all(|member| *member));
    assert!(on(&[], "parameters").expect("none are legal").is_empty());
}

#[test]
fn the_order_of_the_words_does_not_matter() {
    let [one, other] = [["hst-wfc3=300", "2-3um=150"], ["2-3um=150.0", " hst-wfc3 = 3e2"]];
    let [one, other] = [one, other].map(|words| parse(&words).expect("they are legal"));
    assert_eq!(one, other);
    assert_eq!(one.to_string(), "1.11-1.81um=300;2-3um=150");
    assert_eq!(one.names(), ["2-3um", "hst-wfc3"]);
    assert_eq!(one.in_short()["hst-wfc3"]["wavelengths"], "1.11-1.81um");
}

#[test]
fn what_is_no_offset_is_refused_in_a_line() {
    for (words, wanted) in [
        (&["hst-wfc3"][..], "offset `hst-wfc3` has no `INSTRUMENT=`, expected a standard deviation in ppm"),
        (&["=300"], "offset `=300` has no `INSTRUMENT=`"),
        (&["hst-wfc3=big"], "offset `hst-wfc3=big` has `big`, expected a number of ppm, as in hst-wfc3=300"),
        (&["hst-wfc3=0"], "offset `hst-wfc3=0` has 0 ppm, expected a standard deviation of 0.001 to 1000000 ppm"),
        (&["hst-wfc3=-3"], "has -3 ppm, expected"),
        (&["hst-wfc3=nan"], "has NaN ppm, expected"),
        (&["hst-wfc3=inf"], "has inf ppm, expected"),
        (&["hubble=300"], "offset `hubble=300`: mask `hubble` is not known, expected parameters, wavelengths"),
        (&["0.6-5.3=300"], "has no unit, expected um"),
        (&["planet_radius=300"], "names a parameter of the atmosphere, expected wavelengths or an instrument"),
        (&["hst-wfc3=300", "hst-wfc3=200"], "offset `hst-wfc3` is given twice"),
        (&["hst-wfc3=300", "1.8-2um=200"], "offsets `1.8-2um` and `hst-wfc3` share the point at 1.8"),
        (
            &["hst-wfc3=300", "jwst-nirspec-prism=200"],
            "offsets `hst-wfc3` and `jwst-nirspec-prism` share 50 points from 1.1",
        ),
        (&["60-70um=300"], "offset `60-70um`: mask `60-70um` leaves none of the 515 points"),
        (&["5-6um=300"], "offset `5-6um` has none of the points that --mask leaves known, expected at least one"),
    ] {
        let (line, exit) = on(words, "0.5-4um").expect_err("it is refused");
        assert!(line.contains(wanted) && exit == Exit::Usage, "{line}");
    }
    let (line, exit) = parse(&["/nowhere/list.txt=300"]).expect_err("there is no such file");
    assert!(line.contains("/nowhere/list.txt") && exit == Exit::FileSystem, "{line}");
}

/// Spectra that the networks can make, with 300 ppm on a part of them.
#[test]
fn an_offset_is_found_within_its_error() {
    let networks = of_spectra(Precision::Fp32);
    let grid = named_grid(GRID).expect("a grid");
    let members: Vec<bool> = SpectrumMask::parse("hst-wfc3").expect("a mask").points(&grid).expect("points");
    let group = OffsetGroup { members: members.clone(), sigma: 1000e-6 };
    let offset = |record: u64| if record == 0 { 0.0 } else { 300.0 };
    let subject = |record: u64| {
        let here = |point: usize| if members[point] { 1e-6 * offset(record) } else { 0.0 };
        observed_own_spectrum(&networks, record, here)
    };
    let settings = FitSettings {
        loss: Contextual::ChiSquare,
        start: Start::Both,
        noise: true,
        restarts: 8,
        iterations: 400,
        half_life: 80.0,
        patience: 0,
        anchor: 0.0,
        slots: 32,
        ..settings()
    };
    let fit = LatentFit::new(&networks, settings, None, Draw::new(1)).with_offsets(&[group]);
    for fitted in fitted(&fit, (0..3).map(subject).collect()) {
        let posterior = Posterior::of(&networks, &fitted, false);
        let [(mean, error)] = posterior.offsets(&posterior.weights(1.0), 1.0)[..] else { panic!("one group") };
        let (mean, error, wanted) = (1e6 * mean, 1e6 * error, f64::from(offset(fitted.number)));
        assert!(error < 60.0 && (mean - wanted).abs() < 3.0 * error, "{wanted}: {mean} +- {error}");
    }
}

#[test]
fn the_offset_of_an_object_is_the_mixture_of_its_restarts() {
    let one = |mean: f32, weight: f32| vec![OffsetFit { mean, weight, sigma: 1e3 }];
    let posterior = Posterior {
        number: 4,
        chi_square: vec![40.0; 4],
        offsets: vec![one(100.0, 1.0), one(-1.0, 1.0), one(1.0, 1.0), one(f32::NAN, 1.0)],
        iterations: vec![1; 4],
        parameters: vec![[0.0; 7]; 4],
        reference: 0,
        reference_is_drawn: false,
        reference_depths: Vec::new(),
        best_depths: Vec::new(),
        depths: Vec::new(),
    };
    // The first is no draw; the last ended nowhere.
    let weights = posterior.weights(1.0);
    assert_eq!(weights, [0.0, 0.5, 0.5, 0.0]);
    let [(mean, error)] = posterior.offsets(&weights, 1.0)[..] else { panic!("one group") };
    assert!(mean.abs() < 1e-5 && (error - 2.0_f64.sqrt()).abs() < 1e-5, "{mean} {error}");
    // Draws say the same, and follow from the seed.
    let read = |seed| posterior.read(1.0, &[Widening::default(); 7], Draw::new(seed)).offset_samples[0].clone();
    let drawn = read(1);
    assert_eq!(drawn.len(), 4 * DRAWS);
    assert!(drawn[..DRAWS].iter().all(|draw| (draw - 100.0).abs() < 5.0) && drawn[..12] == read(1)[..12]);
    assert!(drawn[..12] != read(2)[..12]);
}

#[test]
fn columns_of_offsets_come_back_from_a_table() {
    let names = ["2-3um".to_owned(), "hst-wfc3".to_owned()];
    let mut rows = rows(5);
    for (row, number) in rows.iter_mut().zip(1_u8..) {
        let value = |of: f32| table::OffsetValue { mean_ppm: of * f32::from(number), error_ppm: 1.0 };
        row.offsets = vec![value(10.0), value(-20.0)];
    }
    let mut samples = samples(8);
    for sample in &mut samples {
        sample.offsets_ppm = vec![sample.weight, 3.0];
    }
    let whole = table::to_table(&rows, &names, metadata());
    assert_eq!(table::from_table(&whole).expect("a table"), rows);
    assert_eq!(whole.f32s("offset_hst-wfc3").expect("a column")[1], -40.0);
    let units =
        |name: &str| whole.columns().iter().find(|column| column.name == name).expect("it is there").unit.clone();
    assert_eq!([units("offset_2-3um"), units("offset_2-3um_error")], ["ppm", "ppm"]);
    assert_eq!(
        table::samples_from_table(&table::samples_to_table(&samples, &names, metadata())).expect("samples"),
        samples
    );
    assert_eq!(table::to_table(&[], &names, metadata()).columns().len(), whole.columns().len());
}
