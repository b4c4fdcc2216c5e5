//! Which patches there are, and what they are for.

use proptest::prelude::*;
use skyforge::ingest::patches::{Part, Way, copy_version};
use skyforge::ingest::{Augment, Cut, Survey};

fn cut(side: usize, stride: usize, validation: f64, test: f64) -> Cut {
    Cut { side, stride, validation, test, augment: Augment::None }
}

/// Pixels of each map that patches of a part cover, `[maps][h * w]`.
fn covered(survey: &Survey, part: Part) -> Vec<Vec<bool>> {
    (0..survey.maps())
        .map(|map| {
            let grid = &survey.grids[survey.place_of(map).0];
            let mut seen = vec![false; grid.height * grid.width];
            for row in survey.rows_for(part, map) {
                for column in 0..grid.columns {
                    let Cut { side, stride, .. } = survey.cut;
                    for y in row * stride..row * stride + side {
                        seen[y * grid.width + column * stride..][..side].fill(true);
                    }
                }
            }
            seen
        })
        .collect()
}

proptest! {
    #[test]
    fn no_pixel_is_in_two_splits(
        side in 2_usize..9, stride in 1_usize..12,
        validation in prop_oneof![Just(0.0), 0.0_f64..0.4], test in prop_oneof![Just(0.0), 0.0_f64..0.6],
        shapes in prop::collection::vec((1_usize..6, 9_usize..40, 9_usize..30), 1..4),
    ) {
        let shapes: Vec<[usize; 3]> = shapes.into_iter().map(|(n, h, w)| [n, h, w]).collect();
        let maps: usize = shapes.iter().map(|shape| shape[0]).sum();
        if let Ok(survey) = Survey::new(cut(side, stride, validation, test), &shapes) {
            let seen = Part::ALL.map(|part| covered(&survey, part).concat());
            prop_assert!((0..seen[0].len()).all(|pixel| seen.iter().filter(|seen| seen[pixel]).count() <= 1));
            let any = seen.map(|seen| seen.contains(&true));
            prop_assert_eq!(any, [true, validation > 0.0, test > 0.0]);
            if let Way::Maps(parts) = &survey.way {
                for (part, share) in [(Part::Validation, validation), (Part::Test, test)] {
                    let count = parts.iter().filter(|found| **found == part).count();
                    prop_assert!((count as f64 - maps as f64 * share).abs() <= 0.5 || (count == 1 && share > 0.0));
                }
            }
        } else {
            prop_assert!(validation + test > 0.0, "without a border every map has patches");
        }
    }

    #[test]
    fn a_line_is_in_the_patches_that_hold_it(side in 2_usize..9, stride in 1_usize..12, length in 9_usize..60) {
        let survey = Survey::new(cut(side, stride, 0.0, 0.0), &[[1, length, length]]).unwrap();
        let lines = survey.grids[0].rows;
        for at in 0..length {
            let found: Vec<usize> = survey.lines_with(at, lines).collect();
            let wanted: Vec<usize> = (0..lines).filter(|line| (line * stride..line * stride + side).contains(&at)).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}

#[test]
fn many_maps_are_held_back_whole_and_few_by_their_last_rows() {
    let many = Survey::new(cut(8, 8, 0.05, 0.1), &[[12, 16, 16], [8, 16, 16]]).unwrap();
    let held = (0..20).filter(|&map| many.part_of(map) == Some(Part::Test)).count();
    assert_eq!(held, 2);
    let held = (0..20).filter(|&map| many.part_of(map) == Some(Part::Validation)).count();
    assert_eq!(held, 1);
    let few = Survey::new(cut(64, 16, 0.0, 0.1), &[[1, 512, 512]]).unwrap();
    let grid = few.grids[0];
    assert_eq!((grid.rows, grid.columns, grid.train_rows, grid.first_test_row), (29, 29, 25, 28));
    assert_eq!(few.pixel_rows(&few.rows_for(Part::Train, 0)), 0..448);
    assert_eq!(few.pixel_rows(&few.rows_for(Part::Test, 0)), 448..512);
    let three = Survey::new(cut(64, 16, 0.15, 0.1), &[[1, 512, 512]]).unwrap();
    let rows = Part::ALL.map(|part| three.pixel_rows(&three.rows_for(part, 0)));
    assert_eq!(rows, [0..384, 384..448, 448..512]);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    for (cut, shape, wanted) in [
        (cut(64, 64, 0.0, 0.1), [1, 63, 512], (Some(0), "has maps of 63 x 512 px, expected at least --side: 64")),
        (
            cut(64, 64, 0.0, 0.1),
            [1, 64, 512],
            (
                Some(0),
                "1 of 1 rows of patches are for validation and test, and none is left to train on: expected taller or more maps, a smaller --side, or --validation 0 or --test 0",
            ),
        ),
        (cut(1, 64, 0.0, 0.1), [1, 64, 512], (None, "--side is 1 and --stride 64, expected at least 2 and at least 1")),
        (cut(64, 0, 0.0, 0.1), [1, 64, 512], (None, "--side is 64 and --stride 0, expected at least 2 and at least 1")),
        (cut(64, 64, 0.0, 1.0), [1, 64, 512], (None, "--test is 1, expected a share of at least 0 and below 1")),
        (cut(64, 64, 0.5, 0.5), [1, 64, 512], (None, "--validation is 0.5 and --test 0.5, expected a sum below 1")),
        (cut(64, 64, 0.0, f64::NAN), [1, 64, 512], (None, "--test is NaN, expected a share of at least 0 and below 1")),
    ] {
        let (input, fault) = Survey::new(cut, &[shape]).unwrap_err();
        assert_eq!((input, fault.as_str()), wanted);
    }
}

#[test]
fn the_versions_of_a_patch_are_its_eight_symmetries() {
    let (side, width) = (3, 5);
    let from: Vec<f32> = (0..15).map(|x| x as f32).collect();
    let version = |version, from: &[f32], width| {
        let mut to = vec![0.0; side * side];
        copy_version(version, from, width, side, &mut to);
        to
    };
    let own = [0.0, 1.0, 2.0, 5.0, 6.0, 7.0, 10.0, 11.0, 12.0];
    assert_eq!(version(0, &from, width), own);
    assert_eq!(version(1, &from, width), [2.0, 1.0, 0.0, 7.0, 6.0, 5.0, 12.0, 11.0, 10.0]);
    assert_eq!(version(2, &from, width), [10.0, 11.0, 12.0, 5.0, 6.0, 7.0, 0.0, 1.0, 2.0]);
    assert_eq!(version(4, &from, width), [0.0, 5.0, 10.0, 1.0, 6.0, 11.0, 2.0, 7.0, 12.0]);
    let all: Vec<Vec<f32>> = (0..8).map(|number| version(number, &from, width)).collect();
    for (number, one) in all.iter().enumerate() {
        assert_eq!(all.iter().filter(|other| *other == one).count(), 1, "version {number} is its own");
        for then in 0..8 {
            assert!(all.contains(&version(then, one, side)), "{then} after {number} is one of the eight");
        }
    }
}
