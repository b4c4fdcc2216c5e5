use skyforge::statistics::Maps;
use skyforge::statistics::power_spectrum::{bins, modes_per_bin, multipole, pixel_area_sr, power_spectra};

use crate::statistics::fields::{plane_wave, white_noise};

fn spectrum(map: &[f32], side: usize) -> Vec<f64> {
    power_spectra(Maps::new(map, side).expect("whole maps")).of_map(0).iter().map(|&x| f64::from(x)).collect()
}

/// The sum of P over all modes is s^2 times the mean square. Here all modes lie in the bins.
#[test]
fn parseval_holds() {
    for side in [15, 16, 48, 64] {
        let mut map = vec![0.0; side * side];
        let reach = (side / 2 - 1) as i32;
        for (at, (row, column)) in [(1, 0), (0, -2), (3, 4), (-5, 1), (reach, 0), (2, reach)].into_iter().enumerate() {
            let wave = plane_wave(side, row, column);
            map.iter_mut().zip(wave).for_each(|(sum, x)| *sum += (at + 1) as f32 * x);
        }
        let total: f64 =
            spectrum(&map, side).iter().zip(modes_per_bin(side)).map(|(p, modes)| p * f64::from(modes)).sum();
        let squares: f64 = map.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!((total / squares - 1.0).abs() < 1e-5, "side {side}: {total} {squares}");
    }
}

#[test]
fn a_plane_wave_lands_in_one_bin() {
    for (row, column, bin) in
        [(0, 5, 5), (5, 0, 5), (3, 4, 5), (-3, 4, 5), (16, 0, 16), (0, 16, 16), (5, 5, 7), (1, 1, 1)]
    {
        let power = spectrum(&plane_wave(32, row, column), 32);
        let total: f64 = power.iter().sum();
        assert_eq!(power.len(), 16);
        assert!(power[bin - 1] > 0.999_999 * total, "({row}, {column}): {power:?}");
    }
}

#[test]
fn white_noise_is_flat_at_its_variance() {
    let side = 64;
    let pixels = white_noise(64, side, 5);
    let spectra = power_spectra(Maps::new(&pixels, side).expect("whole maps"));
    let band = spectra.band(1.0);
    for ((mean, spread), modes) in band.mean.iter().zip(&band.spread).zip(modes_per_bin(side)) {
        // A mode and its conjugate are one draw: P of a bin has a spread of sqrt(2 / modes).
        let expected = (2.0 / f64::from(modes)).sqrt();
        assert!((mean - 1.0).abs() < 5.0 * expected / 8.0, "mean {mean} of {modes} modes");
        assert!((spread / expected - 1.0).abs() < 0.5, "spread {spread} of {modes} modes");
    }
}

#[test]
fn turning_shifting_and_raising_a_map_changes_nothing() {
    let side = 32;
    let map = white_noise(1, side, 1);
    let turned: Vec<f32> = (0..side * side).map(|at| map[at % side * side + at / side]).collect();
    let shifted: Vec<f32> = (0..side * side).map(|at| map[(at / side + 7) % side * side + (at + 3) % side]).collect();
    let raised: Vec<f32> = map.iter().map(|x| x + 100.0).collect();
    let expected = spectrum(&map, side);
    for (other, tolerance) in [(turned, 1e-5), (shifted, 1e-5), (raised, 1e-3)] {
        for (a, b) in spectrum(&other, side).iter().zip(&expected) {
            assert!((a / b - 1.0).abs() < tolerance, "{a} {b}");
        }
    }
}

#[test]
fn bins_hold_every_mode_up_to_their_edge_once() {
    assert_eq!(modes_per_bin(8), [8, 16, 20, 14]);
    let side = 64;
    let inside: u32 = modes_per_bin(side).iter().sum();
    let edge = (bins(side) + 1) as i32;
    let all = (-32..32).flat_map(|row| (-32..32).map(move |column| row * row + column * column));
    assert_eq!(inside as usize, all.filter(|&k2: &i32| k2 > 0 && k2 < edge * edge).count());
}

/// White noise of variance v in pixels of area a has `C_l = v a`, however fine the pixels are.
#[test]
fn wavenumbers_become_multipoles() {
    assert!((multipole(1.0, 5.0) - 72.0).abs() < 1e-12);
    let whole = pixel_area_sr(1, 5.0);
    assert!((pixel_area_sr(64, 5.0) * 4096.0 / whole - 1.0).abs() < 1e-12);
    assert!((whole - 0.007_615_435).abs() < 1e-8); // (5 degrees)^2
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    let pixels = white_noise(9, 64, 8);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| power_spectra(Maps::new(&pixels, 64).expect("whole maps")))
    };
    assert_eq!(run(1), run(4));
}
