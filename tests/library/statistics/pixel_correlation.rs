use skyforge::statistics::Maps;
use skyforge::statistics::pixel_correlation::pixel_correlation;

use crate::statistics::fields::{plane_wave, smooth_noise, white_noise};

fn correlation(pixels: &[f32], side: usize) -> Vec<f64> {
    let found = pixel_correlation(Maps::new(pixels, side).expect("whole maps"));
    found.covariance.band(1.0 / found.variance).mean
}

/// Straight from the definition, a pair at a time.
#[test]
fn pairs_are_averaged_as_defined() {
    let side = 9;
    let pixels = smooth_noise(1, side, 4);
    let mean = pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / 81.0;
    let at = |row: usize, column: usize| f64::from(pixels[row * side + column]) - mean;
    let variance: f64 = (0..81).map(|i| at(i / side, i % side).powi(2)).sum::<f64>() / 81.0;
    for (lag, found) in correlation(&pixels, side).into_iter().enumerate() {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for line in 0..side {
            for start in 0..side - lag {
                sum += at(line, start) * at(line, start + lag) + at(start, line) * at(start + lag, line);
                pairs += 2.0;
            }
        }
        assert!((found - sum / pairs / variance).abs() < 1e-5, "lag {lag}: {found}");
    }
}

#[test]
fn a_pixel_is_like_itself_and_white_noise_like_nothing_else() {
    let found = correlation(&white_noise(32, 32, 9), 32);
    assert_eq!(found.len(), 17);
    assert!((found[0] - 1.0).abs() < 1e-5);
    assert!(found[1..].iter().all(|x| x.abs() < 0.03), "{found:?}");
}

/// Averages over 3 x 3 pixels share 2/3 of them at lag 1, 1/3 at lag 2, none farther.
#[test]
fn averaging_over_neighbours_correlates_them() {
    let found = correlation(&smooth_noise(64, 32, 3), 32);
    for (lag, expected) in [(0, 1.0), (1, 2.0 / 3.0), (2, 1.0 / 3.0), (3, 0.0), (7, 0.0)] {
        assert!((found[lag] - expected).abs() < 0.04, "lag {lag}: {} {expected}", found[lag]);
    }
}

/// Ends are not joined: a wave of half a turn would close with a jump, and its ends are opposite.
#[test]
fn maps_are_not_periodic() {
    let side = 32;
    let ramp: Vec<f32> = (0..side * side).map(|at| (at / side + at % side) as f32).collect();
    let found = correlation(&ramp, side);
    assert!(found[16] < 0.3 && found.is_sorted_by(|a, b| a >= b), "{found:?}");
    let wave = correlation(&plane_wave(side, 2, 2), side);
    assert!((wave[16] - 1.0).abs() < 1e-5 && (wave[8] + 1.0).abs() < 1e-5, "{wave:?}");
}
