//! Masks of spectra: what a word of the command line lets be known, and what it is told that cannot be.

use std::fs;

use proptest::prelude::*;
use skyforge::atmosphere::{GRIDS, QUANTITIES, named_grid};
use skyforge::data::spectral_axis::OBSERVED;
use skyforge::data::{Channel, SpectralAxis};
use skyforge::exit::{Ends, Exit};
use skyforge::family::spectra_gan::mask::{AxisMask, INSTRUMENTS, SpectrumMask, Wavelengths};
use skyforge::family::spectra_gan::{Aspa, AspaSettings};

fn spectra(word: &str) -> SpectrumMask {
    SpectrumMask::parse(word).expect("it is a mask of spectra")
}

fn grid() -> Vec<f64> {
    named_grid("exogan").expect("a grid of that name")
}

fn points(word: &str) -> Vec<bool> {
    spectra(word).points(&grid()).expect("something is known")
}

fn refusal(word: &str) -> String {
    SpectrumMask::parse(word).expect_err("it is refused").to_string()
}

fn on(word: &str, channels: &[Channel]) -> AxisMask {
    let axis = SpectralAxis { channels: channels.to_vec(), wavelength_um: grid() };
    spectra(word).on(&axis).expect("something is known")
}

fn piece() -> impl Strategy<Value = Wavelengths> {
    prop_oneof![
        (0.3..45.0_f64, 1.0..2.0).prop_map(|(from, times)| Wavelengths::Between(from, from * times)),
        (0.3..50.0_f64).prop_map(Wavelengths::At),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Wavelengths>> {
    prop::collection::vec(piece(), 1..4)
}

fn mask(known: &[Wavelengths], left_out: &[Wavelengths]) -> SpectrumMask {
    SpectrumMask::new(known.to_vec(), left_out.to_vec(), [false; 7]).expect("it is legal")
}

/// Nothing, where nothing is left.
fn laid(mask: &SpectrumMask, wavelength_um: &[f64]) -> Vec<bool> {
    mask.points(wavelength_um).unwrap_or_else(|_| vec![false; wavelength_um.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn together_is_what_either_knows(one in pieces(), other in pieces()) {
        let [a, b, both] = [one.clone(), other.clone(), [one, other].concat()].map(|known| laid(&mask(&known, &[]), &grid()));
        prop_assert_eq!(both, a.iter().zip(&b).map(|(a, b)| *a || *b).collect::<Vec<_>>());
    }

    #[test]
    fn not_is_the_complement(pieces in pieces()) {
        let (known, left_out) = (laid(&mask(&pieces, &[]), &grid()), laid(&mask(&[], &pieces), &grid()));
        prop_assert_eq!(known, left_out.iter().map(|left_out| !left_out).collect::<Vec<_>>());
    }

    #[test]
    fn known_without_left_out_is_known_and_not_left_out(known in pieces(), left_out in pieces()) {
        let [a, b, both] = [mask(&known, &[]), mask(&[], &left_out), mask(&known, &left_out)].map(|mask| laid(&mask, &grid()));
        prop_assert_eq!(both, a.iter().zip(&b).map(|(a, b)| *a && *b).collect::<Vec<_>>());
    }

    #[test]
    fn an_axis_that_ascends_has_the_mirror_image_of_one_that_descends(known in pieces(), left_out in pieces()) {
        let mask = mask(&known, &left_out);
        let (descending, ascending): (Vec<f64>, Vec<f64>) = (grid(), grid().into_iter().rev().collect());
        let mirrored: Vec<bool> = laid(&mask, &ascending).into_iter().rev().collect();
        prop_assert_eq!(laid(&mask, &descending), mirrored);
    }

    #[test]
    fn a_mask_survives_its_own_word(known in pieces(), left_out in pieces(), given in any::<[bool; 7]>(), all in any::<bool>()) {
        let known = if all { Vec::new() } else { known };
        let mask = SpectrumMask::new(known, left_out, given).expect("it is legal");
        prop_assert_eq!(SpectrumMask::parse(&mask.to_string()).expect("its word is one"), mask);
    }

    #[test]
    fn a_list_says_what_its_word_says(known in pieces()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list.txt");
        let mask = mask(&known, &[]);
        fs::write(&path, mask.to_string().replace(',', "\n")).expect("it is written");
        prop_assert_eq!(spectra(path.to_str().expect("a name")), mask);
    }

    #[test]
    fn a_wavelength_is_the_point_whose_bin_holds_it(um in 0.31..50.0_f64) {
        let known = laid(&mask(&[Wavelengths::At(um)], &[]), &grid());
        let found: Vec<f64> = grid().into_iter().zip(known).filter(|(_, known)| *known).map(|(centre, _)| centre).collect();
        prop_assert_eq!(found.len(), 1);
        prop_assert!((found[0] / um).ln().abs() <= 1.01_f64.ln() / 2.0 + 1e-12);
    }
}

#[test]
fn what_a_retrieval_has_is_all_points_and_no_parameter() {
    assert_eq!(spectra("parameters"), SpectrumMask::default());
    assert!(points("parameters").iter().all(|known| *known));
    assert_eq!(spectra("parameters").given(), [false; 7]);
    assert_eq!(SpectrumMask::default().to_string(), "parameters");
}

#[test]
fn wfc3_is_the_part_of_the_grid_that_exogan_masks() {
    let wanted: Vec<bool> = (0..515).map(|point| (334..=383).contains(&point)).collect();
    assert_eq!(points("hst-wfc3"), wanted);
}

#[test]
fn an_instrument_is_its_channels() {
    assert_eq!(points("jwst-nirspec-prism"), points("0.6-5.3um"));
    assert_eq!(points("ariel"), points("0.5-7.8um"), "its channels leave no gap");
    for instrument in INSTRUMENTS {
        for (before, after) in instrument.channels_um.iter().zip(&instrument.channels_um[1..]) {
            assert!(before.0 < before.1 && before.1 <= after.0, "{}", instrument.name);
        }
    }
}

#[test]
fn parameters_that_are_named_are_given_beside_all_wavelengths_or_those_named() {
    let index = |name| QUANTITIES.iter().position(|quantity| quantity.name == name).expect("one of the seven");
    let given = |word: &str| spectra(word).given();
    let mut wanted = [false; 7];
    wanted[index("planet_radius")] = true;
    assert_eq!(given("planet_radius"), wanted);
    assert_eq!(given("hst-wfc3,planet_radius,not:1.3-1.4um"), wanted);
    assert_eq!(points("planet_radius"), points("parameters"));
    assert_eq!(points("planet_radius,hst-wfc3"), points("hst-wfc3"));
    wanted[index("log10_h2o")] = true;
    assert_eq!(given("planet_radius,log10_h2o"), wanted);
}

#[test]
fn lists_have_ranges_columns_wavelengths_and_comments() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seen.txt");
    fs::write(&path, "\u{feff}0.6-1.1um\n\n2 3.5  # columns\n4.5\n5um\n6,7\n").expect("it is written");
    let word = path.to_str().expect("a name");
    assert_eq!(spectra(word).to_string(), "0.6-1.1um,2-3.5um,4.5um,5um,6-7um");
    assert_eq!(points(&format!("not:{word}")), points(word).iter().map(|known| !known).collect::<Vec<_>>());
}

#[test]
fn a_record_keeps_what_it_observed_and_the_mask_knows() {
    let mask = on("1-2um", &OBSERVED);
    let (w, known) = (mask.points().len(), mask.points().to_vec());
    let seen: Vec<f32> = (0..w).map(|point| f32::from(u8::from(point % 3 != 0))).collect();
    let channel = |value: f32| seen.iter().map(|seen| value * seen).collect::<Vec<f32>>();
    let record = [channel(0.01), channel(1e-4), channel(2e-4), seen.clone()].concat();
    let parameters = [-4.0, -5.0, -6.0, -7.0, 1.0, 1.2, 1500.0];

    let both: Vec<bool> = known.iter().zip(&seen).map(|(known, seen)| *known && *seen == 1.0).collect();
    assert_eq!(mask.known(&record).expect("something is left"), both);
    let (hidden, shown) = mask.hide(&record, &parameters).expect("something is left");
    for (place, (before, after)) in record.iter().zip(&hidden).enumerate() {
        assert_eq!(*after, if both[place % w] { *before } else { 0.0 });
    }
    assert!(shown.iter().all(|value| value.is_nan()));
}

#[test]
fn a_simulated_record_becomes_one_that_was_observed_where_the_mask_knows() {
    let mask = on("hst-wfc3,temperature", &[Channel::Depth]);
    let (hidden, shown) =
        mask.hide(&[0.01; 515], &[-4.0, -4.0, -4.0, -4.0, 1.0, 1.0, 1234.0]).expect("something is left");
    assert_eq!(hidden.len(), 4 * 515);
    let number = |known: &bool| f32::from(u8::from(*known));
    assert_eq!(hidden[3 * 515..], mask.points().iter().map(number).collect::<Vec<_>>());
    assert_eq!(hidden[..515], mask.points().iter().map(|known| 0.01 * number(known)).collect::<Vec<_>>());
    assert!(hidden[515..3 * 515].iter().all(|error| *error == 0.0));
    assert!(shown[..6].iter().all(|value| value.is_nan()));
    assert_eq!(shown[6], 1234.0);
}

/// ExoGAN's `wfc3`: those points, and of the stripes those of the two sections that they are in.
#[test]
fn the_image_of_a_masked_spectrum_is_known_where_exogan_knows_it() {
    for name in GRIDS {
        let wavelength_um = named_grid(name).expect("a grid of that name");
        let aspa = Aspa::new(AspaSettings::default(), &wavelength_um).expect("it fits");
        let axis = SpectralAxis { channels: vec![Channel::Depth], wavelength_um };
        let mask = spectra("hst-wfc3").on(&axis).expect("something is known");
        let (record, parameters) = mask.hide(&vec![0.01; aspa.points()], &[-4.0; 7]).expect("something is left");
        let (mut image, mut known) = (vec![0.0; 33 * 33], vec![0.0; 33 * 33]);
        aspa.encode_observed(&record, &parameters, &mut image, &mut known).expect("it is legal");
        // 50 points; of sections 7 and 8 a mean, and stripes of 12 and 11 pixels.
        assert_eq!(known.iter().sum::<f32>(), 50.0 + 2.0 * (1.0 + 12.0 + 11.0), "{name}");
    }
}

#[test]
fn nothing_left_is_refused_for_the_axis_and_for_the_record() {
    let fault = spectra("100-200um").points(&grid()).expect_err("nothing is left");
    assert_eq!(
        fault.to_string(),
        "mask `100-200um` leaves none of the 515 points from 0.3015 to 50.1734 um, expected at least one"
    );
    assert_eq!(fault.exit(), Exit::Usage);

    let mask = on("1-2um", &OBSERVED);
    let mut record = vec![0.0; 4 * 515];
    record[3 * 515..3 * 515 + 10].fill(1.0); // at 50 um
    let fault = mask.hide(&record, &[0.0; 7]).expect_err("nothing is left");
    assert_eq!(fault.to_string(), "none of its 10 observed points is known to mask `1-2um`, expected at least one");
    assert_eq!(fault.exit(), Exit::Data);
}

#[test]
fn wrong_words_are_told_what_is_wrong_and_what_was_wanted() {
    for (word, wanted) in [
        ("600-5300nm", "mask `600-5300nm` is in nm, expected um, as in 0.6-5.3um"),
        ("1-2um,0.6-5.3", "mask `0.6-5.3` has no unit, expected um, as in 0.6-5.3um"),
        ("1.4", "mask `1.4` has no unit, expected um, as in 1.4um"),
        ("1-2-3um", "mask `1-2-3um` has `2-3`, which is no number, expected 0.6-5.3um or 1.4um"),
        ("5.3-0.6um", "mask `5.3-0.6um` ends before it begins, expected 0.6-5.3um"),
        ("0-2um", "mask `0-2um` has 0 um, expected wavelengths of 0.01 to 10000 um"),
        ("1-1e9um", "mask `1-1e9um` has 1000000000 um, expected wavelengths of 0.01 to 10000 um"),
        (
            "parameters,1-2um",
            "mask `parameters,1-2um` has some wavelengths beside `parameters`, which is all, expected one of them",
        ),
        (
            "1-2um,not:planet_mass",
            "mask `1-2um,not:planet_mass` names parameters after `not:`, expected wavelengths: those that are not named are not given",
        ),
        (
            "not:1-2um,not:3-4um",
            "mask `not:1-2um,not:3-4um` has `not:` twice, expected it once, before all that is left out",
        ),
    ] {
        assert_eq!(refusal(word), wanted);
        assert_eq!(SpectrumMask::parse(word).expect_err("it is refused").exit(), Exit::Usage);
    }
    for word in ["hubble", "", "1-2um,", "not:", "1-2um,left"] {
        assert!(refusal(word).contains("is not known, expected parameters, wavelengths as in 0.6-5.3um"), "{word}");
    }
}

#[test]
fn a_mask_of_maps_is_refused() {
    assert_eq!(refusal("center"), "mask `center` is of maps, expected a mask of spectra");
    let wanted = "mask `random:2` has no share of pixels, expected more than 0 and less than 1";
    assert_eq!(refusal("random:2"), wanted, "its own fault comes first");
}

#[test]
fn lists_are_refused_with_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seen.txt");
    let name = path.to_str().expect("a name");
    for (text, fault) in [
        ("1.1 1.7\nx\n", "line 2: has `x`, which is no number, expected 0.6-5.3um or 1.4um"),
        ("# nm\n\n1100 - 1700\n", "line 3: has 3 numbers, expected a range or a wavelength"),
        ("2 1\n", "line 1: ends before it begins, expected 1-2um"),
        ("1100000 1700000\n", "line 1: has 1100000 um, expected wavelengths of 0.01 to 10000 um"),
        ("nan\n", "line 1: has NaN um, expected wavelengths of 0.01 to 10000 um"),
        ("# nothing\n", "holds no wavelengths, expected a range or a wavelength a line"),
    ] {
        fs::write(&path, text).expect("it is written");
        assert_eq!(refusal(name), format!("{name}: {fault}"));
        assert_eq!(SpectrumMask::parse(name).expect_err("it is refused").exit(), Exit::Data);
    }
    fs::write(&path, [0xff, 0xfe]).expect("it is written");
    assert_eq!(SpectrumMask::parse(name).expect_err("it is refused").exit(), Exit::FileSystem);
    let gone = folder.path().join("gone.txt");
    let fault = SpectrumMask::parse(gone.to_str().expect("a name")).expect_err("it is refused");
    assert!(fault.to_string().starts_with(&format!("{}: ", gone.display())), "{fault}");
    assert_eq!(fault.exit(), Exit::FileSystem);
}
