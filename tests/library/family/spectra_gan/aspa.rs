//! Spectra and parameters as images: what stands where, that nothing is lost, and what is refused.

use proptest::prelude::*;
use skyforge::atmosphere::{GRIDS, QUANTITIES, named_grid};
use skyforge::family::spectra_gan::aspa::{Aspa, AspaError, AspaSettings, FullScale, MOST_SECTIONS, Owner};
use skyforge::rng::{Chance, Draw, Stream};

const SIDE: usize = 33;

pub fn grid(name: &str) -> Vec<f64> {
    named_grid(name).expect("a grid of that name")
}

pub fn aspa(wavelength_um: &[f64]) -> Aspa {
    Aspa::new(AspaSettings::default(), wavelength_um).expect("it fits")
}

fn between(chance: &mut Chance, range: (f64, f64)) -> f32 {
    (range.0 + (range.1 - range.0) * chance.uniform()) as f32
}

/// Any legal spectrum: of some sections nothing but one depth, of others all that there may be.
pub fn spectrum(aspa: &Aspa, chance: &mut Chance) -> Vec<f32> {
    let AspaSettings { depth_min, depth_max, .. } = *aspa.settings();
    let legal = |depth: f32| depth.clamp((depth_min as f32).next_up(), (depth_max as f32).next_down());
    let mut depths = vec![0.0; aspa.points()];
    for section in aspa.sections() {
        let ends = (between(chance, (depth_min, depth_max)), between(chance, (depth_min, depth_max)));
        let flat = chance.uniform() < 0.1;
        for depth in &mut depths[section] {
            *depth = legal(if flat { ends.0 } else { between(chance, (f64::from(ends.0), f64::from(ends.1))) });
        }
    }
    depths
}

pub fn parameters(chance: &mut Chance) -> Vec<f32> {
    QUANTITIES.iter().map(|quantity| between(chance, quantity.range)).collect()
}

pub fn image(aspa: &Aspa, depths: &[f32], parameters: &[f32]) -> Vec<f32> {
    let mut image = vec![f32::NAN; aspa.side().pow(2)];
    aspa.encode(depths, parameters, &mut image).expect("it is legal");
    image
}

fn decoded(aspa: &Aspa, image: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut depths, mut parameters) = (vec![f32::NAN; aspa.points()], vec![f32::NAN; 7]);
    aspa.decode(image, &mut depths, &mut parameters);
    (depths, parameters)
}

fn close(got: &[f32], wanted: &[f32]) {
    assert_eq!(got.len(), wanted.len());
    for (index, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((got - wanted).abs() <= 1e-6 * wanted.abs(), "number {index} is {got}, expected {wanted}");
    }
}

pub fn record(depths: &[f32], observed: &[f32]) -> Vec<f32> {
    let error = vec![1e-4; depths.len()];
    let depths: Vec<f32> = depths.iter().zip(observed).map(|(depth, seen)| depth * seen).collect();
    [depths, error.clone(), error, observed.to_vec()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_on_the_way_there_and_back(seed in any::<u64>(), which in 0..3_usize, reversed in any::<bool>()) {
        let mut wavelength_um = match GRIDS.get(which) {
            Some(name) => grid(name),
            None => (0..100).map(|i| 20.0 * 0.96_f64.powi(i)).collect(),
        };
        if reversed {
            wavelength_um.reverse();
        }
        let aspa = aspa(&wavelength_um);
        let mut chance = Draw::new(seed).at(Stream::Simulation, 0, 0);
        let (depths, parameters) = (spectrum(&aspa, &mut chance), parameters(&mut chance));
        let image = image(&aspa, &depths, &parameters);
        prop_assert!(image.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        prop_assert!((0..image.len()).all(|pixel| aspa.owner(pixel) != Owner::Nobody || image[pixel] == 0.0));
        let (depths_again, parameters_again) = decoded(&aspa, &image);
        close(&depths_again, &depths);
        close(&parameters_again, &parameters);
        // Where all was observed, observing changes nothing.
        let (mut observed, mut known) = (vec![f32::NAN; image.len()], vec![f32::NAN; image.len()]);
        let all = vec![1.0; depths.len()];
        aspa.encode_observed(&record(&depths, &all), &parameters, &mut observed, &mut known).unwrap();
        close(&observed, &image); // means are summed in another order
        for (pixel, known) in known.iter().enumerate() {
            prop_assert_eq!(*known, f32::from(u8::from(aspa.owner(pixel) != Owner::Nobody)));
        }
    }

    /// The spectrum decides the image, not the direction of the axis.
    #[test]
    fn an_axis_the_other_way_round_gives_the_same_image(seed in any::<u64>()) {
        let there = aspa(&grid("exogan"));
        let mut wavelength_um = grid("exogan");
        wavelength_um.reverse();
        let back = aspa(&wavelength_um);
        let mut chance = Draw::new(seed).at(Stream::Simulation, 0, 0);
        let (mut depths, parameters) = (spectrum(&there, &mut chance), parameters(&mut chance));
        let wanted = image(&there, &depths, &parameters);
        depths.reverse();
        prop_assert_eq!(image(&back, &depths, &parameters), wanted);
    }

    #[test]
    fn a_number_changes_the_pixels_that_are_its_own_and_no_other(seed in any::<u64>(), which in 0..2_usize) {
        let aspa = aspa(&grid(GRIDS[which]));
        let mut chance = Draw::new(seed).at(Stream::Simulation, 0, 0);
        let (mut depths, mut numbers) = (spectrum(&aspa, &mut chance), parameters(&mut chance));
        let before = image(&aspa, &depths, &numbers);
        for (index, quantity) in QUANTITIES.iter().enumerate() {
            let (low, high) = (quantity.range.0 as f32, quantity.range.1 as f32);
            numbers[index] = low + 0.5 * (numbers[index] - low) + 0.3 * (high - low);
        }
        let after = image(&aspa, &depths, &numbers);
        for pixel in 0..before.len() {
            prop_assert_eq!(before[pixel] != after[pixel], matches!(aspa.owner(pixel), Owner::Parameter(_)));
        }
        let sections = aspa.sections();
        let one = chance.below(sections.len() as u32) as usize;
        depths[sections[one].clone()].iter_mut().for_each(|depth| *depth = (0.999 * *depth).max(0.006_504));
        let changed = image(&aspa, &depths, &numbers);
        for pixel in 0..before.len() {
            let own = match aspa.owner(pixel) {
                Owner::Depth(point) => sections[one].contains(&point),
                Owner::Mean(section) | Owner::Greatest(section) | Owner::Least(section) => section == one,
                Owner::Parameter(_) | Owner::Nobody => false,
            };
            prop_assert!(own || changed[pixel] == after[pixel]);
        }
    }
}

#[test]
fn every_pixel_has_one_owner_and_every_number_its_pixels() {
    for (name, nobody) in [("exogan", 0), ("exogan-362", 153)] {
        let aspa = aspa(&grid(name));
        let mut counts = std::collections::BTreeMap::new();
        for pixel in 0..SIDE * SIDE {
            *counts.entry(aspa.owner(pixel)).or_insert(0) += 1;
        }
        for point in 0..aspa.points() {
            assert_eq!(counts.remove(&Owner::Depth(point)), Some(1));
        }
        for section in 0..MOST_SECTIONS {
            assert_eq!(counts.remove(&Owner::Mean(section)), Some(1));
            assert_eq!(counts.remove(&Owner::Greatest(section)), Some(12));
            assert_eq!(counts.remove(&Owner::Least(section)), Some(11));
        }
        assert_eq!(counts.remove(&Owner::Parameter(0)), Some(100));
        for parameter in 1..7 {
            assert_eq!(counts.remove(&Owner::Parameter(parameter)), Some(23));
        }
        assert_eq!(counts.remove(&Owner::Nobody).unwrap_or(0), nobody);
        assert!(counts.is_empty(), "{counts:?}");
    }
}

/// ExoGAN's sections (its `functions.py`), with the last point where it belongs.
#[test]
fn on_exogans_grid_sections_are_its_own() {
    let starts = [0, 162, 195, 208, 241, 255, 318, 334, 371, 384, 394, 406, 420, 440, 515];
    let wanted: Vec<_> = starts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    assert_eq!(aspa(&grid("exogan")).sections(), wanted);
    let kept: Vec<_> = wanted.iter().map(|points| points.start.max(115) - 115..points.end.min(477) - 115).collect();
    assert_eq!(aspa(&grid("exogan-362")).sections(), kept);
}

/// ExoGAN's code left the depth of the shortest wavelength as it is and set the four before it to 0.
#[test]
fn the_last_points_are_stretched_with_their_section() {
    let aspa = aspa(&grid("exogan"));
    let mut chance = Draw::new(1).at(Stream::Simulation, 0, 0);
    let mut depths = spectrum(&aspa, &mut chance);
    for (step, depth) in depths[440..].iter_mut().enumerate() {
        *depth = 0.01 + 1e-5 * step as f32;
    }
    let image = image(&aspa, &depths, &parameters(&mut chance));
    let pixel = |point: usize| image[point / 23 * SIDE + point % 23];
    for point in 440..515 {
        assert!((pixel(point) - (point - 440) as f32 / 74.0).abs() < 1e-4, "point {point}: {}", pixel(point));
    }
    // Behind them the means: the last is that of the last section.
    assert!((pixel(515 + 13) - 0.01037 / 0.030_180_347).abs() < 1e-5);
}

/// The values of ExoGAN's `input_spectrum.par`, where its paper puts them.
#[test]
fn parameters_stand_in_their_stripes() {
    let aspa = aspa(&grid("exogan"));
    let log = |ratio: f64| ratio.log10() as f32;
    let numbers = [log(1e-1), log(1.29e-5), log(2.15e-6), log(0.0028), 0.8, 0.88, 1117.0];
    let image = image(&aspa, &vec![0.008; 515], &numbers);
    let mut seen = 0;
    for (rows, columns, wanted) in [
        (23..33, 23..33, 0.125),                     // H2O
        (0..23, 30..31, -1.29e-5_f64.log10() / 8.0), // CO2
        (0..23, 31..32, -2.15e-6_f64.log10() / 8.0), // CO
        (0..23, 32..33, -0.0028_f64.log10() / 8.0),  // CH4
        (30..31, 0..23, 0.4),
        (31..32, 0..23, 0.88 / 1.5),
        (32..33, 0..23, 0.5585),
        // A spectrum without features: nothing to stretch, its depth in all stripes and means.
        (0..12, 23..30, 0.008 / 0.030_180_347_162_9),
        (12..23, 23..30, 0.006_503_702_966_35 / 0.008),
        (23..30, 0..12, 0.008 / 0.030_180_347_162_9),
        (23..30, 12..23, 0.006_503_702_966_35 / 0.008),
        (22..23, 9..23, 0.008 / 0.030_180_347_162_9),
        (0..22, 0..23, 0.0),
        (22..23, 0..9, 0.0),
    ] {
        for row in rows {
            for column in columns.clone() {
                let pixel = f64::from(image[row * SIDE + column]);
                assert!((pixel - wanted).abs() <= 1e-6 * wanted, "{row}, {column}: {pixel}, expected {wanted}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, SIDE * SIDE);
}

/// ExoGAN's code wrote 1e-8 into the pixels of a gas that its input did not name, which is a mixing ratio of 1.
#[test]
fn a_gas_of_which_there_is_nothing_is_1_and_one_of_which_nothing_is_known_is_masked() {
    let aspa = aspa(&grid("exogan"));
    let mut numbers = vec![-3.0, f32::NEG_INFINITY, -4.0, -5.0, 1.0, 1.0, 1500.0];
    let full = image(&aspa, &vec![0.01; 515], &numbers);
    let of_co2: Vec<usize> = (0..SIDE * SIDE).filter(|pixel| aspa.owner(*pixel) == Owner::Parameter(1)).collect();
    assert!(of_co2.iter().all(|pixel| full[*pixel] == 1.0));
    assert_eq!(decoded(&aspa, &full).1[1], -8.0);

    numbers[1] = f32::NAN;
    let (mut masked, mut known) = (vec![f32::NAN; full.len()], vec![f32::NAN; full.len()]);
    aspa.encode_observed(&record(&[0.01; 515], &[1.0; 515]), &numbers, &mut masked, &mut known).unwrap();
    for pixel in 0..full.len() {
        let unknown = of_co2.contains(&pixel);
        assert_eq!(known[pixel], f32::from(u8::from(!unknown)));
        assert_eq!(masked[pixel], if unknown { 0.0 } else { full[pixel] });
    }
    // To learn from, it must be known.
    assert_eq!(aspa.encode(&[0.01; 515], &numbers, &mut masked), Err(AspaError::Unknown { name: "log10_co2" }));
}

/// ExoGAN's code filled what was not observed with zeros, and stretched sections with these zeros in them.
#[test]
fn sections_are_stretched_by_what_of_them_was_observed() {
    let aspa = aspa(&grid("exogan"));
    let mut chance = Draw::new(2).at(Stream::Simulation, 0, 0);
    let depths = spectrum(&aspa, &mut chance);
    // WFC3, 1.11 to 1.81 um: all of section 8, and of section 7 some.
    let observed: Vec<f32> = (0..515).map(|point| f32::from(u8::from((340..384).contains(&point)))).collect();
    let (mut image, mut known) = (vec![f32::NAN; SIDE * SIDE], vec![f32::NAN; SIDE * SIDE]);
    let unknown = [f32::NAN; 7];
    aspa.encode_observed(&record(&depths, &observed), &unknown, &mut image, &mut known).unwrap();
    let (sections, mut stretched) = (aspa.sections(), Vec::new());
    for pixel in 0..image.len() {
        let wanted = match aspa.owner(pixel) {
            Owner::Depth(point) => observed[point] == 1.0,
            Owner::Mean(section) | Owner::Greatest(section) | Owner::Least(section) => [7, 8].contains(&section),
            Owner::Parameter(_) | Owner::Nobody => false,
        };
        assert_eq!(known[pixel], f32::from(u8::from(wanted)), "{:?}", aspa.owner(pixel));
        assert!(wanted || image[pixel] == 0.0);
        if let Owner::Depth(point) = aspa.owner(pixel)
            && wanted
            && sections[7].contains(&point)
        {
            stretched.push(image[pixel]);
        }
    }
    stretched.sort_by(f32::total_cmp);
    assert_eq!((stretched[0], stretched[stretched.len() - 1]), (0.0, 1.0));
    let (again, _) = decoded(&aspa, &image);
    close(&again[340..384], &depths[340..384]);
}

#[test]
fn what_has_no_place_is_refused_in_words() {
    let aspa = aspa(&grid("exogan"));
    let good = [-3.0, -3.0, -4.0, -5.0, 1.0, 1.0, 1500.0];
    let mut image = vec![0.0; SIDE * SIDE];
    for (depth, told) in
        [(0.0, "0"), (-0.01, "-0.01"), (0.006, "0.006"), (0.04, "0.04"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")]
    {
        for (point, um) in [(0, "50."), (400, "0.93"), (514, "0.3015")] {
            let mut depths = vec![0.01; 515];
            depths[point] = depth;
            let message = aspa.encode(&depths, &good, &mut image).unwrap_err().to_string();
            let start = format!("depth {told} at point {point} ({um}");
            assert!(message.starts_with(&start) && message.contains("0.0065037"), "{message}");
        }
    }
    for (index, value, wanted) in [
        (0, -8.5, "log10_h2o is -8.5 dex, expected -8 to 0"),
        (3, 0.1, "log10_ch4 is 0.1 dex, expected -8 to 0"),
        (4, -1.0, "planet_mass is -1 M_Jup, expected 0 to 2"),
        (4, f32::NEG_INFINITY, "planet_mass is -inf M_Jup, expected 0 to 2"),
        (6, 2500.0, "temperature is 2500 K, expected 0 to 2000"),
    ] {
        let mut numbers = good;
        numbers[index] = value;
        assert_eq!(aspa.encode(&[0.01; 515], &numbers, &mut image).unwrap_err().to_string(), wanted);
    }
    let mut half = record(&[0.01; 515], &[1.0; 515]);
    half[3 * 515 + 7] = 0.5;
    let message = aspa.encode_observed(&half, &good, &mut image, &mut vec![0.0; SIDE * SIDE]).unwrap_err().to_string();
    assert!(
        message.starts_with("observed is 0.5 at point 7 (46.") && message.ends_with("expected 0 or 1"),
        "{message}"
    );
}

#[test]
fn the_ends_of_all_ranges_can_be_encoded() {
    let aspa = aspa(&grid("exogan"));
    let AspaSettings { depth_min, depth_max, .. } = *aspa.settings();
    for numbers in [[-8.0, -8.0, -8.0, -8.0, 2.0, 1.5, 2000.0], [0.0; 7]] {
        let depths: Vec<f32> = (0..515).map(|i| if i % 2 == 0 { depth_min as f32 } else { depth_max as f32 }).collect();
        let image = image(&aspa, &depths, &numbers);
        assert!(image.iter().all(|pixel| (0.0..=1.0).contains(pixel) && !pixel.is_sign_negative()));
        let (depths_again, again) = decoded(&aspa, &image);
        close(&depths_again, &depths);
        close(&again, &numbers);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refused = |settings: AspaSettings, wavelength_um: &[f64], wanted: &str| {
        assert_eq!(Aspa::new(settings, wavelength_um).unwrap_err(), wanted);
    };
    let (usual, points) = (AspaSettings::default(), grid("exogan"));
    refused(
        AspaSettings { version: 2, ..usual.clone() },
        &points,
        "`version` is 2, expected 1, the layout that this program knows",
    );
    refused(AspaSettings { side: 11, ..usual.clone() }, &points, "`side` is 11, expected 12 to 1024 pixels");
    refused(
        AspaSettings { side: 32, ..usual.clone() },
        &points,
        "`side` is 32, with room for 470 points beside the means of 14 sections, expected room for 515",
    );
    refused(
        AspaSettings { borders_um: (1..15).map(f64::from).collect(), ..usual.clone() },
        &points,
        "`borders_um` is 14 borders, expected at most 13 borders, for 14 sections",
    );
    refused(
        AspaSettings { borders_um: vec![1.0, 3.0, 2.0], ..usual.clone() },
        &points,
        "`borders_um` is 2 after 3, expected ascending wavelengths",
    );
    refused(
        AspaSettings { depth_min: 0.0, ..usual.clone() },
        &points,
        "`depth_min` is 0, expected more than 0 and less than 1",
    );
    let full_scale = FullScale { log10_co: 8.0, ..FullScale::default() };
    refused(
        AspaSettings { full_scale, ..usual.clone() },
        &points,
        "`full_scale.log10_co` is 8, expected a negative number",
    );
    refused(usual, &[1.0, 2.0, 1.5], "the axis has 1.5 after 2, expected ascending wavelengths");
    assert!(toml::from_str::<AspaSettings>("sides = 33").unwrap_err().to_string().contains("unknown field `sides`"));
    let half: AspaSettings = toml::from_str("depth_max = 0.05").unwrap();
    assert_eq!(half, AspaSettings { depth_max: 0.05, ..AspaSettings::default() });
    assert_eq!(toml::from_str::<AspaSettings>(&toml::to_string(&half).unwrap()).unwrap(), half);
}

/// Other sections on another axis: what has no points is nobody's, and the rest keeps its stripe.
#[test]
fn sections_without_points_are_nobodys() {
    let near: Vec<f64> = grid("exogan").into_iter().filter(|um| (1.0..5.0).contains(um)).collect();
    let aspa = aspa(&near);
    let sections = aspa.sections();
    for (section, points) in sections.iter().enumerate() {
        assert_eq!(points.is_empty(), !(3..=9).contains(&section), "section {section}: {points:?}");
    }
    let owners: std::collections::BTreeSet<Owner> = (0..SIDE * SIDE).map(|pixel| aspa.owner(pixel)).collect();
    assert!(owners.contains(&Owner::Greatest(3)) && !owners.contains(&Owner::Greatest(2)));
    assert!(owners.contains(&Owner::Mean(9)) && !owners.contains(&Owner::Mean(10)));
}

/// The example of ExoGAN's repository: its spectrum and `.par`.
#[test]
fn exogans_example_can_be_encoded() {
    let Some(folder) = std::env::var_os("SKYFORGE_TEST_DATA") else {
        eprintln!("skipped: set SKYFORGE_TEST_DATA to the folder that holds exoplanet/exogan_input_spectrum.dat");
        return;
    };
    let text =
        std::fs::read_to_string(std::path::Path::new(&folder).join("exoplanet/exogan_input_spectrum.dat")).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect()).collect();
    let wavelength_um: Vec<f64> = rows.iter().map(|row| row[0]).collect();
    let depths: Vec<f32> = rows.iter().map(|row| row[1] as f32).collect();
    let aspa = aspa(&wavelength_um);
    assert_eq!(aspa.sections(), self::aspa(&grid("exogan")).sections());
    let image = image(&aspa, &depths, &[-1.0, -4.889, -5.668, -2.553, 0.8, 0.88, 1117.0]);
    assert!(image.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    close(&decoded(&aspa, &image).0, &depths);
}
