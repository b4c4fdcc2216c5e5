//! Bad pixels and moments.

use skyforge::data::Transform;
use skyforge::ingest::{Augment, Choice, Cut, Input, Moments, Survey, scan};

use crate::ingest::files::{float_npy, write};

#[test]
fn patches_with_bad_pixels_are_those_that_cover_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (h, w) = (30, 25);
    let mut values: Vec<f32> = (0..h * w).map(|x| (x as f32).sin()).collect();
    let bad = [(0, 0), (13, 7), (13, 8), (29, 24), (20, 11)];
    for (y, x) in bad {
        values[y * w + x] = if x % 2 == 0 { f32::NAN } else { f32::INFINITY };
    }
    let path = write(folder.path(), "a.npy", &float_npy("(30, 25)", &values));
    let input = Input::open(&path, &Choice::default()).unwrap();
    for (side, stride) in [(5, 5), (6, 2), (3, 7), (25, 1)] {
        let survey =
            Survey::new(Cut { side, stride, validation: 0.0, test: 0.0, augment: Augment::None }, &[[1, h, w]])
                .unwrap();
        let (found, _) = scan(&mut input.reader().unwrap(), &survey, 0).unwrap();
        assert_eq!(found.bad_pixels, 5);
        let columns = survey.grids[0].columns;
        let covers = |patch: usize, (y, x): (usize, usize)| {
            let (top, left) = (patch / columns * stride, patch % columns * stride);
            (top..top + side).contains(&y) && (left..left + side).contains(&x)
        };
        let all = survey.grids[0].rows * columns;
        let wanted: Vec<u32> =
            (0..all).filter(|&patch| bad.iter().any(|&at| covers(patch, at))).map(|p| p as u32).collect();
        assert_eq!(found.bad_patches, wanted, "side {side}, stride {stride}");
    }
}

#[test]
fn moments_are_those_of_the_good_pixels_that_train() {
    let folder = tempfile::tempdir().expect("a folder");
    let values: Vec<f32> = (0..40 * 20).map(|x| if x == 5 { f32::NAN } else { 1e4 + (x as f32 * 0.7).sin() }).collect();
    let path = write(folder.path(), "a.npy", &float_npy("(40, 20)", &values));
    let input = Input::open(&path, &Choice::default()).unwrap();
    let survey =
        Survey::new(Cut { side: 10, stride: 10, validation: 0.0, test: 0.25, augment: Augment::None }, &[[1, 40, 20]])
            .unwrap();
    let found = scan(&mut input.reader().unwrap(), &survey, 0).unwrap().0.moments.unwrap();
    let train: Vec<f64> = values[..30 * 20].iter().filter(|x| x.is_finite()).map(|x| f64::from(*x)).collect();
    let mean = train.iter().sum::<f64>() / train.len() as f64;
    let variance = train.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / train.len() as f64;
    assert_eq!(found.count as usize, train.len());
    assert!((found.mean - mean).abs() < 1e-9, "{} {mean}", found.mean);
    assert!((found.deviation().powi(2) / variance - 1.0).abs() < 1e-9, "{} {variance}", found.deviation());
    let least = values[..600].iter().copied().fold(f32::INFINITY, f32::min);
    assert_eq!(found.least, least, "a NaN is no least");
}

#[test]
fn default_transforms_put_the_mean_at_0_and_all_that_was_seen_inside_1() {
    let values: Vec<f32> = (0..1000).map(|x| 0.02 * (x as f32 * 0.37).sin().exp() - 0.01).collect();
    let moments = Moments::of(&values).unwrap();
    for transform in [moments.asinh(), moments.linear()] {
        transform.validate().unwrap();
        let mut seen = vec![moments.least, moments.greatest, moments.mean as f32];
        transform.forward(&mut seen).unwrap();
        assert!(seen[..2].iter().all(|y| y.abs() < 1.0) && seen[..2].iter().any(|y| y.abs() > 0.95), "{seen:?}");
        assert!(seen[2].abs() < 1e-6, "{seen:?}");
    }
    let same = Moments::of(&[3.0; 7]).unwrap();
    assert!(matches!(same.asinh(), Transform::Asinh { softening: 1.0, scale: 1.0, .. }), "{same:?}");
}
