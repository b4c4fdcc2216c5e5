use skyforge::exit::{Ends, Exit};
use skyforge::statistics::{Maps, StatisticsError};

use crate::statistics::fields::white_noise;

#[test]
fn a_pixel_that_is_no_number_is_named() {
    let mut pixels = white_noise(3, 8, 0);
    pixels[64 * 2 + 8 * 5 + 3] = f32::NAN;
    let error = Maps::new(&pixels, 8).expect_err("a NaN is refused");
    assert!(matches!(error, StatisticsError::NotFinite { map: 2, row: 5, column: 3, .. }), "{error}");
    assert_eq!(error.to_string(), "map 2, row 5, column 3 is NaN, expected a finite number");
    assert_eq!(error.exit(), Exit::Data);
}

#[test]
fn pieces_of_maps_are_refused() {
    assert!(matches!(Maps::new(&[0.0; 100], 8), Err(StatisticsError::Shape { values: 100, side: 8 })));
    assert!(matches!(Maps::new(&[], 8), Err(StatisticsError::Shape { .. })));
    assert!(matches!(Maps::new(&[0.0; 16], 4), Err(StatisticsError::Small { side: 4 })));
}

#[test]
fn halves_share_no_map_and_lose_none() {
    let pixels = white_noise(5, 8, 0);
    let maps = Maps::new(&pixels, 8).expect("whole maps");
    let (first, second) = maps.halves().expect("five maps have halves");
    assert_eq!((first.count(), second.count()), (2, 3));
    assert_eq!([first.pixels(), second.pixels()].concat(), pixels);
    assert!(maps.first(1).halves().is_err());
}
