//! Filling in as users run it: what is known stays, the rest is made, the same bits on any ranks.

use std::fs;
use std::path::Path;

use skyforge::data::MapMask;
use skyforge::data::{Channel, Dataset};
use skyforge::rng::Draw;

use crate::made_spectra;
use crate::program::{arg, bytes, must, refused, run};
use crate::trained::{self, QUICK, Scene, worlds};

/// What of `data` is filled behind `mask`, the same on any ranks; and what was told.
fn inpainted(scene: &Scene, data: &Path, mask: &str) -> (Dataset, String) {
    let mut first = None;
    for (attempt, ranks) in worlds().iter().enumerate() {
        let out = scene.place.join(format!("{}-{attempt}", mask.replace([':', ','], "-")));
        let words = ["inpaint", arg(&scene.run), arg(data), "--mask", mask, "--out", arg(&out), "--seed", "5"];
        let output = run(*ranks, &[&words[..], &QUICK].concat());
        assert!(output.status.success(), "{mask} on {ranks} ranks: {output:?}");
        let files = bytes(&out);
        let (before, _) =
            first.get_or_insert_with(|| (files.clone(), (out, String::from_utf8_lossy(&output.stderr).into_owned())));
        assert!(*before == files, "{mask}, attempt {attempt}, {ranks} ranks");
    }
    let (_, (out, told)) = first.expect("it was made");
    let dataset = Dataset::open(&out).expect("a dataset");
    dataset.verify().expect("it is whole");
    (dataset, told)
}

fn equal_bits(got: &[f32], wanted: &[f32]) -> bool {
    got.iter().map(|value| value.to_bits()).eq(wanted.iter().map(|value| value.to_bits()))
}

#[test]
fn maps_keep_what_is_known_and_get_the_rest_from_the_generator() {
    let scene = trained::on_maps();
    let original = Dataset::open(&scene.data).expect("a dataset");
    let maps = original.read(0, 0..64).expect("maps");
    for word in ["center", "random:0.3", "not:rows:10-20,columns:5-30"] {
        let (filled, told) = inpainted(&scene, &scene.data, word);
        let (manifest, before) = (filled.manifest(), original.manifest());
        assert_eq!(manifest.count, 64);
        assert_eq!((&manifest.modalities, &manifest.splits), (&before.modalities, &before.splits));
        assert_eq!(manifest.source["mask"].as_str(), Some(word));
        assert_eq!((manifest.source["seed"].as_integer(), manifest.source["step"].as_integer()), (Some(5), Some(4)));
        assert!(manifest.source["checkpoint"].is_str() && manifest.source["fit"]["loss"].as_str() == Some("l2"));
        assert_eq!(filled.read_ids(0..64).expect("ids"), original.read_ids(0..64).expect("ids"));
        let made = filled.read(0, 0..64).expect("maps");
        let mask = MapMask::parse(word).expect("a mask");
        let (mut holes, mut off, mut off_by_mean) = (0, 0.0, 0.0);
        for (number, (map, made)) in maps.chunks(4096).zip(made.chunks(4096)).enumerate() {
            let known = mask.pixels(64, 64, Draw::new(5), number as u64).expect("a part");
            let of = |values: &[f32], which: bool| -> Vec<f32> {
                values.iter().zip(&known).filter(|(_, known)| **known == which).map(|(value, _)| *value).collect()
            };
            assert!(equal_bits(&of(made, true), &of(map, true)), "{word}, map {number}");
            let (hole, there, seen) = (of(made, false), of(map, false), of(map, true));
            assert!(hole.iter().zip(&there).all(|(made, map)| made != map && made.is_finite()), "{word}, map {number}");
            let mean = seen.iter().map(|value| f64::from(*value)).sum::<f64>() / seen.len() as f64;
            for (made, map) in hole.iter().zip(&there) {
                off += f64::from(made - map).powi(2);
                off_by_mean += (mean - f64::from(*map)).powi(2);
            }
            holes += hole.len();
        }
        let root = |squares: f64| format!("{:.4}", (squares / holes as f64).sqrt());
        assert!(told.contains(&format!("{holes} values filled in, off by {} ", root(off))), "{told}");
        assert!(told.contains(&format!("would be off by {}", root(off_by_mean))), "{told}");
    }
    // Maps can be compared with what they came from.
    let out = scene.place.join("center-0");
    let lines = must(1, &["evaluate", arg(&out), "--against", arg(&scene.data)]);
    assert!(lines.starts_with("64 maps against"), "{lines}");
}

#[test]
fn spectra_become_whole_and_parameters_that_are_given_stay() {
    let scene = trained::on_spectra();
    let original = Dataset::open(&scene.data).expect("a dataset");
    let (filled, told) = inpainted(&scene, &scene.data, "planet_radius,not:1.3-5um");
    let manifest = filled.manifest();
    assert_eq!((&manifest.modality().shape, &manifest.splits), (&vec![1, 515], &original.manifest().splits));
    assert_eq!(manifest.source["mask"].as_str(), Some("planet_radius,not:1.3-5um"));
    let axis = manifest.modality().spectral_axis().expect("an axis");
    let (before, made) = (original.read(0, 0..64).expect("spectra"), filled.read(0, 0..64).expect("spectra"));
    for (depths, made) in before.chunks(515).zip(made.chunks(515)) {
        for ((um, depth), made) in axis.wavelength_um.iter().zip(depths).zip(made) {
            assert_eq!(depth.to_bits() == made.to_bits(), !(1.3..=5.0).contains(um), "{um} um: {depth}, {made}");
        }
    }
    let numbers = |dataset: &Dataset| dataset.read_labels(0..64).expect("parameters");
    for (before, made) in numbers(&original).chunks(7).zip(numbers(&filled).chunks(7)) {
        for at in 0..7 {
            assert_eq!(before[at].to_bits() == made[at].to_bits(), at == 5, "{before:?}, {made:?}");
        }
    }
    assert!(told.contains(" values filled in, off by ") && told.contains(" ppm (root mean square)"), "{told}");
}

#[test]
fn observed_spectra_are_filled_where_nothing_was_observed() {
    let scene = trained::on_spectra();
    let data = scene.place.join("observed");
    let seen = |number: u64, point: usize| !(point as u64 + number).is_multiple_of(4);
    trained::observed(&data, 5, seen);
    let (filled, told) = inpainted(&scene, &data, "log10_h2o");
    assert!(!told.contains("values filled in"), "nobody knows the truth: {told}");
    let manifest = filled.manifest();
    let axis = manifest.modality().spectral_axis().expect("an axis");
    assert_eq!((&axis.channels, &manifest.modality().shape), (&vec![Channel::Depth], &vec![1, 515]));
    assert_eq!(filled.read_ids(0..5).expect("ids"), (7000..7005).collect::<Vec<_>>());
    let before = Dataset::open(&data).expect("a dataset").read(0, 0..5).expect("spectra");
    let made = filled.read(0, 0..5).expect("spectra");
    for (number, (record, made)) in before.chunks(4 * 515).zip(made.chunks(515)).enumerate() {
        for point in 0..515 {
            assert_eq!(record[point].to_bits() == made[point].to_bits(), seen(number as u64, point), "point {point}");
            assert!(made[point] > 0.0);
        }
    }
    // What was to be given was not known, so it is found.
    assert!(filled.read_labels(0..5).expect("parameters").iter().all(|value| value.is_finite()));
}

#[test]
fn what_a_calibration_knows_of_the_generator_is_used_where_there_is_one() {
    let scene = trained::on_spectra();
    let data = scene.place.join("observed");
    trained::observed(&data, 5, |number, point| !(point as u64 + number).is_multiple_of(4));
    let filled = |name: &str, mask: &str, more: &[&str]| {
        let out = scene.place.join(name);
        let words = ["inpaint", arg(&scene.run), arg(&data), "--mask", mask, "--out", arg(&out)];
        let output = run(1, &[&words[..], more, &QUICK].concat());
        assert!(output.status.success(), "{output:?}");
        (Dataset::open(&out).expect("a dataset"), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (before, told) = filled("before", "not:5-60um", &[]);
    assert!(told.contains(": 50 ppm are assumed; "), "{told}");
    assert!(before.manifest().source.get("calibration").is_none());
    let words = ["retrieve", arg(&scene.run), arg(&data), "--calibrate", arg(&scene.data), "--calibration-count", "16"];
    must(1, &[&words[..], &["--mask", "not:5-60um"], &QUICK].concat());
    let (after, told) = filled("after", "not:5-60um", &[]);
    assert!(told.contains("the generator's own variance is that of 16 spectra"), "{told}");
    assert_eq!(after.manifest().source["calibration"]["spectra"].as_integer(), Some(16));
    assert_ne!(before.read(0, 0..5).expect("spectra"), after.read(0, 0..5).expect("spectra"), "it weighs otherwise");
    // It is of that mask, and of no use where nothing is weighed by errors.
    assert!(filled("elsewhere", "not:6-60um", &[]).1.contains("50 ppm are assumed"));
    assert!(!filled("pixels", "not:6-60um", &["--set", "loss=l2"]).1.contains("ppm are assumed"));
}

#[test]
fn maps_have_no_anchor_unless_it_is_asked_for() {
    let scene = trained::on_maps_with_embedder();
    let filled = |name: &str, sets: &[&str]| {
        let out = scene.place.join(name);
        let words = ["inpaint", arg(&scene.run), arg(&scene.data), "--mask", "center", "--out", arg(&out)];
        must(1, &[&words[..], sets, &QUICK].concat());
        Dataset::open(&out).expect("a dataset")
    };
    let fit = |dataset: &Dataset| dataset.manifest().source["fit"].clone();
    let (usual, without) = (filled("usual", &[]), filled("without", &["--set", "anchor=0"]));
    assert_eq!((fit(&usual)["start"].as_str(), fit(&usual)["anchor"].as_float()), (Some("embedder"), Some(0.0)));
    assert_eq!(usual.checksum(), without.checksum());
    let asked = filled("asked", &["--set", "anchor=0.03"]);
    assert_eq!(fit(&asked)["anchor"].as_float(), Some(0.03));
    assert_ne!(usual.checksum(), asked.checksum(), "it would hold fits back");
}

#[test]
fn what_cannot_be_filled_is_refused_in_a_line() {
    let (spectra, maps) = (trained::on_spectra(), trained::on_maps());
    let check = |scene: &Scene, data: &Path, words: &[&str], code: i32, wanted: &str| {
        let out = scene.place.join("refused");
        let arguments = [&["inpaint", arg(&scene.run), arg(data), "--out", arg(&out)], words].concat();
        let (got, line) = refused(&arguments);
        assert!(got == code && line.contains(wanted), "{got}: {line}, expected {code}: {wanted}");
        assert!(!out.exists(), "nothing is half made");
    };
    let observed = spectra.place.join("whole");
    trained::observed(&observed, 3, |_, _| true);
    for (data, mask) in [(&spectra.data, "parameters"), (&spectra.data, "planet_radius"), (&observed, "parameters")] {
        let wanted = format!("mask `{mask}` leaves nothing to fill in spectra that are observed as a whole");
        check(&spectra, data, &["--mask", mask], 64, &wanted);
        check(&spectra, data, &["--mask", mask], 64, "`skyforge retrieve`");
    }
    check(&spectra, &spectra.data, &[], 64, "--mask");
    check(&spectra, &spectra.data, &["--mask", "center"], 64, "mask `center` is of maps, expected a mask of spectra");
    check(&maps, &maps.data, &["--mask", "hst-wfc3"], 64, "is of spectra, expected a mask of maps");
    check(&maps, &maps.data, &["--mask", "rows:70-80"], 64, "leaves nothing to fill in a map of 64 x 64 pixels");
    // Some of 64 maps have no pixel that is one in ten thousand, which is known before any is fitted.
    let tiny = "leaves nothing to fill in a map of 64 x 64 pixels, number ";
    check(&maps, &maps.data, &["--mask", "random:0.0001", "--set", "iterations=1000000"], 64, tiny);
    check(
        &maps,
        &maps.data,
        &["--mask", "left", "--set", "loss=chi_square"],
        64,
        "`loss` is chi_square, expected l1 or l2",
    );
    check(&maps, &maps.data, &["--mask", "left", "--set", "start=embedder"], 64, "has no embedder");
    check(&maps, &spectra.data, &["--mask", "left"], 65, "holds spectra, expected maps");
    check(&spectra, &maps.data, &["--mask", "hst-wfc3"], 65, "holds maps, expected spectra");
    let other = spectra.place.join("other");
    made_spectra::write(&other, "exogan-362", 4, |_, _| ());
    check(&spectra, &other, &["--mask", "hst-wfc3"], 65, "has 362 points");
    let small = maps.place.join("small");
    must(1, &["simulate", "maps", "--out", arg(&small), "--count", "2", "--set", "side=32"]);
    check(&maps, &small, &["--mask", "left"], 65, "has maps of shape [1, 32, 32], expected the run's [1, 64, 64]");
    let words = ["inpaint", arg(&maps.run), arg(&maps.data), "--mask", "left", "--out", arg(&maps.data)];
    let (code, line) = refused(&words);
    assert!(code == 64 && line.contains("already holds a dataset"), "{line}");
    let kept = fs::read_dir(&maps.data).expect("a folder").count();
    assert!(kept >= 2, "it is as it was");
}
