//! Onto the grid: laws of flux-conserving binning, and instruments that are put together.

use proptest::prelude::*;
use skyforge::atmosphere::named_grid;
use skyforge::data::spectral_axis::edges;
use skyforge::ingest::spectra::{Bin, Grid, Overlaps, Points, combine};

fn exogan() -> Grid {
    Grid::new(named_grid("exogan").expect("it has a name"))
}

/// Wavelengths that begin at `first` and go on by these steps, in the logarithm.
fn table(first: f64, steps: &[f64]) -> Vec<f64> {
    let logs = steps.iter().scan(first.ln(), |log, step| {
        *log += step;
        Some(log.exp())
    });
    std::iter::once(first).chain(logs).collect()
}

/// A table of uneven steps with one gap, and depths.
fn drawn() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let steps = (0.002..0.02_f64, prop::collection::vec(1.0..2.9_f64, 5..80), 0.0..1.0_f64);
    (0.25..20.0_f64, steps).prop_flat_map(|(first, (step, mut steps, gap))| {
        for here in &mut steps {
            *here *= step;
        }
        let gap = 1 + (gap * (steps.len() - 2) as f64) as usize;
        steps[gap] *= 30.0;
        let wavelength_um = table(first, &steps);
        let depths = prop::collection::vec(1e-3..0.5_f64, wavelength_um.len());
        (Just(wavelength_um), depths)
    })
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_constant_stays_constant((wavelength_um, _) in drawn(), coverage in 0.01..1.0_f64, descending: bool) {
        let mut wavelength_um = wavelength_um;
        if descending {
            wavelength_um.reverse();
        }
        let grid = exogan();
        let overlaps = Overlaps::new(&grid.bins_of(&wavelength_um).unwrap(), &grid);
        let n = wavelength_um.len();
        let found = overlaps.apply(&Points { depth: vec![0.0123; n], errors: vec![[1e-5, 2e-5]; n] }, coverage);
        for (depth, [below, above]) in found.depth.iter().zip(&found.errors).filter(|(depth, _)| !depth.is_nan()) {
            prop_assert!(close(*depth, 0.0123, 1e-12), "{depth}");
            prop_assert!(*below > 0.0 && close(2.0 * below, *above, 1e-12), "{below} {above}");
        }
    }

    #[test]
    fn the_integral_over_what_is_covered_is_kept((wavelength_um, depths) in drawn()) {
        let grid = exogan();
        let bins = grid.bins_of(&wavelength_um).unwrap();
        let found = Overlaps::new(&bins, &grid).apply(&Points { depth: depths.clone(), errors: Vec::new() }, 1e-9);
        let borders = edges(&grid.wavelength_um);
        let (mut before, mut after) = (0.0, 0.0);
        for (pair, depth) in borders.windows(2).zip(&found.depth) {
            let overlap = |bin: &Bin| (bin.high.min(pair[0]) - bin.low.max(pair[1])).max(0.0); // the grid descends
            let covered: f64 = bins.iter().map(overlap).sum();
            prop_assert_eq!(covered < 2e-9 * (pair[0] - pair[1]), depth.is_nan());
            before += bins.iter().zip(&depths).map(|(bin, depth)| overlap(bin) * depth).sum::<f64>();
            after += if depth.is_nan() { 0.0 } else { covered * depth };
        }
        prop_assert!(close(before, after, 1e-9), "{before} {after}");
    }

    #[test]
    fn what_is_refined_and_binned_again_is_as_before(
        depths in prop::collection::vec((1e-3..0.5_f64, 1e-6..1e-3_f64, 1e-6..1e-3_f64), 40), parts in 2_i32..7,
    ) {
        let coarse = Grid::new(table(1.0, &[0.01; 39]));
        let fine: Vec<f64> = (0..40 * parts)
            .map(|i| (0.01 * (f64::from(i / parts) + (f64::from(i % parts) - f64::from(parts - 1) / 2.0) / f64::from(parts))).exp())
            .collect();
        let fine = Grid::new(fine);
        let points = Points {
            depth: depths.iter().map(|row| row.0).collect(),
            errors: depths.iter().map(|row| [row.1, row.2]).collect(),
        };
        let to_fine = Overlaps::new(&coarse.bins_of(&coarse.wavelength_um).unwrap(), &fine);
        prop_assert_eq!(to_fine.repeated(), fine.wavelength_um.len());
        let refined = to_fine.apply(&points, 0.5);
        // Errors of what is repeated say together what the point said.
        let share = refined.errors[0][0] / points.errors[0][0];
        prop_assert!(close(share, f64::from(parts).sqrt(), 0.01), "{share}");
        let back = Overlaps::new(&fine.bins_of(&fine.wavelength_um).unwrap(), &coarse).apply(&refined, 0.5);
        for i in 0..40 {
            prop_assert!(close(back.depth[i], points.depth[i], 1e-9), "{} {}", back.depth[i], points.depth[i]);
            prop_assert!((0..2).all(|side| close(back.errors[i][side], points.errors[i][side], 1e-9)), "{i}");
        }
    }

    #[test]
    fn the_own_grid_changes_no_bit(
        depths in prop::collection::vec((1e-3..0.5_f64, 1e-6..1e-3_f64), 515), decimals in prop_oneof![Just(4), Just(12)], ascending: bool,
    ) {
        let grid = exogan();
        // As ExoGAN's example prints them.
        let mut wavelength_um: Vec<f64> =
            grid.wavelength_um.iter().map(|um| format!("{um:.decimals$}").parse().unwrap()).collect();
        let mut points = Points {
            depth: depths.iter().map(|row| row.0).collect(),
            errors: depths.iter().map(|row| [row.1, row.1]).collect(),
        };
        let wanted = points.clone();
        if ascending {
            wavelength_um.reverse();
            points.depth.reverse();
            points.errors.reverse();
        }
        let overlaps = Overlaps::new(&grid.bins_of(&wavelength_um).unwrap(), &grid);
        prop_assert_eq!(overlaps.apply(&points, 1.0), wanted);
        prop_assert_eq!(overlaps.repeated(), 0);
    }
}

#[test]
fn a_part_of_the_own_grid_is_that_part_and_the_rest_is_masked() {
    let grid = exogan();
    let part: Vec<usize> = (100..140).chain(300..320).collect();
    let wavelength_um: Vec<f64> = part.iter().map(|&i| grid.wavelength_um[i]).collect();
    let depth: Vec<f64> = part.iter().map(|&i| 1e-3 * i as f64).collect();
    let overlaps = Overlaps::new(&grid.bins_of(&wavelength_um).unwrap(), &grid);
    let found = overlaps.apply(&Points { depth, errors: Vec::new() }, 0.5);
    for (i, depth) in found.depth.iter().enumerate() {
        let wanted = if part.contains(&i) { 1e-3 * i as f64 } else { f64::NAN };
        assert_eq!(depth.to_bits(), wanted.to_bits(), "{i}");
    }
}

#[test]
fn every_second_point_of_the_grid_is_a_coarser_table_without_holes() {
    let grid = exogan();
    let wavelength_um: Vec<f64> = grid.wavelength_um.iter().copied().step_by(2).collect();
    let n = wavelength_um.len();
    let overlaps = Overlaps::new(&grid.bins_of(&wavelength_um).unwrap(), &grid);
    let found = overlaps.apply(&Points { depth: vec![0.01; n], errors: Vec::new() }, 0.9);
    assert!(found.depth.iter().all(|depth| close(*depth, 0.01, 1e-12)));
}

/// Hubble's near infrared and two of Spitzer's bands in one table: what lies between was not observed.
#[test]
fn gaps_between_instruments_are_not_bridged() {
    let grid = exogan();
    let mut wavelength_um = table(1.12, &[0.02; 20]);
    wavelength_um.extend([3.6, 4.5]);
    let bins = grid.bins_of(&wavelength_um).unwrap();
    assert!(
        bins[20].high < 1.70 && (3.1..3.3).contains(&bins[21].low) && (4.9..5.1).contains(&bins[22].high),
        "{bins:?}"
    );
    let n = wavelength_um.len();
    let found = Overlaps::new(&bins, &grid).apply(&Points { depth: vec![0.01; n], errors: vec![[1e-4; 2]; n] }, 0.5);
    let observed = |um: f64| {
        let near = grid.wavelength_um.iter().enumerate().min_by(|a, b| (a.1 - um).abs().total_cmp(&(b.1 - um).abs()));
        !found.depth[near.expect("the grid has points").0].is_nan()
    };
    for (um, wanted) in
        [(1.05, false), (1.2, true), (1.6, true), (2.0, false), (3.0, false), (3.4, true), (4.8, true), (6.0, false)]
    {
        assert_eq!(observed(um), wanted, "{um} um");
    }
    wavelength_um.pop();
    assert_eq!(grid.bins_of(&wavelength_um), Err(21), "nothing says how wide a point alone is");
    assert_eq!(grid.bins_of(&[1.4]), Err(0));
}

#[test]
fn bins_that_are_covered_too_little_are_masked() {
    let grid = Grid::new(vec![1.0, 1.1, 1.21]);
    let borders = edges(&grid.wavelength_um);
    let half = Bin { low: borders[1], high: borders[1] + 0.4 * (borders[2] - borders[1]) };
    let points = Points { depth: vec![0.02], errors: vec![[1e-4, 3e-4]] };
    let overlaps = Overlaps::new(&[half], &grid);
    assert!(overlaps.apply(&points, 0.41).depth.iter().all(|depth| depth.is_nan()));
    let found = overlaps.apply(&points, 0.39);
    assert_eq!((found.depth[1], found.errors[1]), (0.02, [1e-4, 3e-4]));
    assert!(found.depth[0].is_nan() && found.depth[2].is_nan() && found.errors[0][0].is_nan());
    // Twice the same width covers it once.
    let twice = Points { depth: vec![0.02; 2], errors: vec![[1e-4; 2]; 2] };
    assert!(Overlaps::new(&[half; 2], &grid).apply(&twice, 0.41).depth[1].is_nan());
    let both = Overlaps::new(&[half; 2], &grid).apply(&twice, 0.39);
    assert!(close(both.errors[1][0], 1e-4 / 2.0_f64.sqrt(), 1e-12), "two observations are better than one");
    // A masked point covers nothing.
    let masked = Points { depth: vec![0.02, f64::NAN], errors: vec![[1e-4; 2]; 2] };
    assert!(close(Overlaps::new(&[half; 2], &grid).apply(&masked, 0.39).errors[1][0], 1e-4, 1e-12));
}

#[test]
fn instruments_are_weighted_by_inverse_variance_and_keep_both_errors() {
    let nan = f64::NAN;
    let first =
        Points { depth: vec![0.010, 0.010, nan, nan], errors: vec![[1e-4; 2], [1e-4, 2e-4], [nan; 2], [nan; 2]] };
    let second =
        Points { depth: vec![0.013, nan, 0.02, nan], errors: vec![[2e-4; 2], [nan; 2], [3e-4, 1e-4], [nan; 2]] };
    let both = combine(&[first.clone(), second.clone()]);
    assert!(close(both.depth[0], (0.010 * 4.0 + 0.013) / 5.0, 1e-12), "{both:?}");
    assert!(close(both.errors[0][0], 1e-4 / 1.25_f64.sqrt(), 1e-12), "{both:?}");
    assert_eq!((both.depth[1], both.errors[1]), (0.010, [1e-4, 2e-4]), "alone it is as it was");
    assert_eq!((both.depth[2], both.errors[2]), (0.02, [3e-4, 1e-4]));
    assert!(both.depth[3].is_nan() && both.errors[3].iter().all(|error| error.is_nan()));
    let twice = combine(&[first.clone(), first.clone()]);
    assert!(close(twice.depth[1], 0.010, 1e-12));
    assert!(
        (0..2).all(|side| close(twice.errors[1][side], first.errors[1][side] / 2.0_f64.sqrt(), 1e-12)),
        "{twice:?}"
    );
    assert_eq!(combine(std::slice::from_ref(&second)).depth[0], 0.013);
}
