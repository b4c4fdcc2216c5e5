use skyforge::statistics::Maps;
use skyforge::statistics::pixel_histogram::{PixelBins, pixel_counts, pixel_shares};

use crate::statistics::fields::white_noise;

#[test]
fn every_pixel_is_counted_once() {
    let pixels = white_noise(6, 40, 2);
    let maps = Maps::new(&pixels, 40).expect("whole maps");
    let counts = pixel_counts(maps, PixelBins { low: -1.0, high: 1.5, bins: 20 });
    for map in 0..6 {
        assert!((counts.of_map(map).iter().sum::<f32>() - 1600.0).abs() < f32::EPSILON);
    }
    assert!((pixel_shares(&counts).iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

/// Edges that single precision holds exactly: the fast count is the definition.
#[test]
fn a_bin_holds_its_lower_edge_and_not_its_upper() {
    let mut pixels: Vec<f32> = (0..64).map(|i| (i as f32 - 32.0) / 8.0).collect(); // -4 to 3.875
    pixels[0] = f32::MAX;
    pixels[1] = f32::MIN;
    let bins = PixelBins { low: -2.0, high: 2.0, bins: 16 };
    let counts = pixel_counts(Maps::new(&pixels, 8).expect("whole maps"), bins);
    let expected: Vec<f32> = (-1..=16)
        .map(|bin| {
            let edge = |i: i32| if i < 0 { f32::MIN } else { -2.0 + i as f32 / 4.0 };
            let upper = if bin == 16 { f32::INFINITY } else { edge(bin + 1) };
            pixels.iter().filter(|&&x| edge(bin) <= x && x < upper).count() as f32
        })
        .collect();
    assert_eq!(counts.of_map(0), expected);
}

#[test]
fn the_range_leaves_out_one_pixel_in_ten_thousand_at_each_end() {
    let pixels = white_noise(16, 64, 3);
    let maps = Maps::new(&pixels, 64).expect("whole maps");
    let bins = PixelBins::from_reference(maps, 50);
    let shares = pixel_shares(&pixel_counts(maps, bins));
    assert!((shares[0] - 1e-4).abs() < 3e-5 && (shares[51] - 1e-4).abs() < 3e-5, "{shares:?}");
    assert_eq!(bins.centres().len(), 50);
}

#[test]
fn equal_pixels_have_a_bin() {
    for value in [0.0, 3.5, -1e-20, 1e30] {
        let pixels = [value; 128];
        let maps = Maps::new(&pixels, 8).expect("whole maps");
        let bins = PixelBins::from_reference(maps, 50);
        let shares = pixel_shares(&pixel_counts(maps, bins));
        assert!(bins.high > bins.low && shares[1..51].contains(&1.0), "{value}: {bins:?} {shares:?}");
    }
}
