//! From work grids to bins.

use skyforge::atmosphere::named_grid;
use skyforge::data::spectral_axis::edges;
use skyforge::simulate::spectra::sampling::{Binning, interpolate, work_grid};

#[test]
fn bins_keep_a_constant_and_the_area() {
    for name in ["exogan", "exogan-362"] {
        let mut axis = named_grid(name).expect("it is named");
        for _ in 0..2 {
            let grid = work_grid(None, &axis);
            let binning = Binning::new(&grid, &axis);
            let mut binned = vec![0.0; axis.len()];
            binning.apply(&vec![2.5; grid.len()], &mut binned);
            assert!(binned.iter().all(|mean| (mean - 2.5).abs() < 1e-6), "{name}");

            // Integrals over wavelength, between the outer borders of the bins.
            let wave: Vec<f32> = grid.iter().map(|nu| 1.0 + (1e4 / nu).sin() as f32 * 0.3).collect();
            binning.apply(&wave, &mut binned);
            let borders = edges(&axis);
            let area: f64 =
                binned.iter().zip(borders.windows(2)).map(|(y, b)| f64::from(*y) * (b[1] - b[0]).abs()).sum();
            let (low, high) = (borders[0].min(borders[axis.len()]), borders[0].max(borders[axis.len()]));
            let exact = high - low + 0.3 * (low.cos() - high.cos());
            assert!((area / exact - 1.0).abs() < 1e-4, "{name}: {area} {exact}");
            axis.reverse();
        }
    }
}

#[test]
fn a_bin_of_one_cell_is_that_cell() {
    let axis: Vec<f64> = (0..50_i32).map(|i| 10.0 * 0.99_f64.powi(i)).collect();
    let grid: Vec<f64> = axis.iter().map(|um| 1e4 / um).collect();
    let values: Vec<f32> = (0..50).map(|i| (i * i) as f32).collect();
    let mut binned = vec![0.0; 50];
    Binning::new(&grid, &axis).apply(&values, &mut binned);
    for (a, b) in values.iter().zip(&binned) {
        assert!((a - b).abs() <= 1e-4 * a.max(1.0), "{a} {b}");
    }
}

#[test]
fn the_work_grid_covers_the_bins_and_keeps_the_table() {
    let axis = named_grid("exogan").expect("it is named");
    let table: Vec<f64> = (0..2000_i32).map(|i| 400.0 * 1.0015_f64.powi(i)).collect();
    for grid in [work_grid(Some(&table), &axis), work_grid(None, &axis), work_grid(Some(&[1e6, 2e6]), &axis)] {
        assert!(grid.windows(2).all(|pair| pair[1] > pair[0]));
        assert!(grid[0] <= 1e4 / axis[0] && grid[grid.len() - 1] >= 1e4 / axis[514]);
    }
    let grid = work_grid(Some(&table), &axis);
    assert!(table.iter().filter(|nu| **nu < 1e4 / axis[514]).all(|nu| grid.contains(nu)));
}

#[test]
fn between_points_is_a_line_and_beyond_them_nothing() {
    let mut to = [9.0; 6];
    interpolate(&[1.0, 2.0, 4.0], &[10.0, 20.0, 0.0], &[0.5, 1.0, 1.5, 3.0, 4.0, 4.5], &mut to);
    assert_eq!(to, [0.0, 10.0, 15.0, 10.0, 0.0, 0.0]);
}
