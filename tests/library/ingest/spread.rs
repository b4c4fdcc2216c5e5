//! Values far from all others.

use skyforge::ingest::spread::SpreadCounter;
use skyforge::ingest::{Outlier, Spread};

fn spread(values: &[f32]) -> Spread {
    let mut counter = SpreadCounter::default();
    values.chunks(7).for_each(|values| counter.count(values));
    counter.spread()
}

/// A noise that needs no generator.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|x| 0.01 * ((x as f32 * 12.9898).sin() * 43758.547).fract()).collect()
}

#[test]
fn a_value_that_stands_for_none_is_told_with_its_count() {
    for (bad, offset) in [(-99.0, 0.0), (1e20, 0.0), (-9999.0, 2.7)] {
        let mut values: Vec<f32> = noise(5000).iter().map(|x| x + offset).collect();
        assert_eq!(spread(&values).outliers(), []);
        values.extend([bad; 4]);
        let outliers = spread(&values).outliers();
        assert!(matches!(outliers[..], [Outlier { value, count: 4, .. }] if value == bad), "{outliers:?}");
        assert!((outliers[0].median - f64::from(offset)).abs() < 0.02, "{outliers:?}");
    }
}

#[test]
fn an_empty_sky_with_some_sources_has_no_outliers() {
    let mut values = vec![0.0; 5000];
    values.extend((1..50).map(|x| x as f32));
    assert_eq!(spread(&values).outliers(), []);
    assert_eq!(spread(&[1.0; 10]).outliers(), []);
    assert_eq!(Spread::default().outliers(), []);
}

#[test]
fn parts_add_up_to_the_whole_in_any_order() {
    let mut values = noise(3000);
    values.extend([-99.0, 50.0, -99.0, 1e30, -0.0, 0.0]);
    let whole = spread(&values);
    for (parts, reverse) in [(2, false), (3, true), (7, true)] {
        let mut parts: Vec<Spread> = (0..parts)
            .map(|part| spread(&values.iter().skip(part).step_by(parts).copied().collect::<Vec<_>>()))
            .collect();
        if reverse {
            parts.reverse();
        }
        let mut sum = Spread::default();
        for part in &parts {
            sum.add(part);
        }
        assert_eq!(sum, whole);
    }
}
