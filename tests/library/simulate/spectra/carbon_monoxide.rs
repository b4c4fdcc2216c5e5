//! The lines of carbon monoxide, held against what is measured.

use skyforge::simulate::spectra::carbon_monoxide::{cross_sections, lines, partition_sum};

#[test]
fn lines_are_where_they_are_seen() {
    // R(0) and P(1) of the fundamental, R(0) of the overtone, in 1/cm (Guelachvili & Rao 1986).
    let lines = lines();
    for wanted in [2147.081, 2139.426, 4263.837] {
        let nearest = lines.iter().map(|line| (line.wavenumber_cm - wanted).abs()).fold(f64::INFINITY, f64::min);
        assert!(nearest < 0.005, "{wanted}: {nearest}");
    }
}

#[test]
fn the_partition_sum_is_the_published_one() {
    // TIPS (Gamache et al. 2021): 107.42 at 296 K for 12C16O.
    assert!((partition_sum(296.0) / 107.42 - 1.0).abs() < 1e-3);
}

#[test]
fn bands_are_as_strong_as_measured() {
    // Integrated absorption at 0 degrees Celsius and 1 atm: 264, 2.0 and 0.0128 per cm^2 and atm, known to some percent.
    let (sum, loschmidt) = (partition_sum(273.15), 2.686_780e19);
    for (band, wanted, tolerance) in [(2143.0, 264.0, 0.04), (4260.0, 2.03, 0.06), (6350.0, 0.0128, 0.06)] {
        let near = lines().into_iter().filter(|line| (line.wavenumber_cm - band).abs() < 300.0);
        let strength: f64 = near.map(|line| line.strength(273.15, sum)).sum::<f64>() * loschmidt;
        assert!((strength / wanted - 1.0).abs() < tolerance, "{band}: {strength}");
    }
}

#[test]
fn pressure_broadens_and_keeps_the_area() {
    let grid: Vec<f64> = (0..400_001).map(|i| 2100.0 + 2.5e-4 * f64::from(i)).collect();
    let table = cross_sections(&[500.0], &[1e3, 1e5], &grid);
    let area = |pressure: usize| table.node(0, pressure).iter().map(|barns| f64::from(*barns)).sum::<f64>() * 2.5e-4;
    let peak = |pressure: usize| table.node(0, pressure).iter().copied().fold(0.0, f32::max);
    assert!((area(0) / area(1) - 1.0).abs() < 0.02, "{} {}", area(0), area(1));
    assert!(peak(0) > 5.0 * peak(1));
}
