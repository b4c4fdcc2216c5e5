use skyforge::statistics::Maps;
use skyforge::statistics::moments::{map_moments, pixel_moments};

use crate::statistics::fields::white_noise;

/// The variance of all pixels is the mean of the variance map and the variance of the mean map, and likewise over maps.
#[test]
fn total_variance_splits_both_ways() {
    let pixels: Vec<f32> =
        white_noise(20, 16, 4).iter().enumerate().map(|(i, x)| x + (i % 256) as f32 / 50.0).collect();
    let maps = Maps::new(&pixels, 16).expect("whole maps");
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let total = variance(&pixels.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());

    let by_pixel = pixel_moments(maps);
    assert!((mean(&by_pixel.variance) + variance(&by_pixel.mean) - total).abs() < 1e-9 * total);
    let by_map = map_moments(maps);
    let (means, variances): (Vec<f64>, Vec<f64>) = by_map.iter().map(|map| (map.mean, map.variance)).unzip();
    assert!((mean(&variances) + variance(&means) - total).abs() < 1e-9 * total);
}

#[test]
fn skewness_has_the_sign_of_the_longer_tail() {
    let pixels = white_noise(8, 32, 6);
    let skewness = |transform: &dyn Fn(f32) -> f32| {
        let changed: Vec<f32> = pixels.iter().map(|&x| transform(x)).collect();
        let moments = map_moments(Maps::new(&changed, 32).expect("whole maps"));
        moments.iter().map(|map| map.skewness).sum::<f64>() / 8.0
    };
    assert!(skewness(&|x| x).abs() < 0.15);
    // Lognormal with sigma = 0.5: (e^(s^2) + 2) sqrt(e^(s^2) - 1) = 1.75.
    assert!((skewness(&|x| (0.5 * x).exp()) - 1.75).abs() < 0.3);
    assert!((skewness(&|x| (0.5 * x).exp()) + skewness(&|x| -(0.5 * x).exp())).abs() < 1e-9);
}
