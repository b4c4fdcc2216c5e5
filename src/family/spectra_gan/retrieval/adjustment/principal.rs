//! Along which directions rows of numbers differ.

use tch::{Kind, Tensor};

/// Principal components of rows.
pub struct Principal {
    /// Mean of each column.
    pub centre: Tensor,
    /// The rows without it.
    pub x: Tensor,
    /// Of the sum of products of columns, ascending.
    pub eigenvalues: Tensor,
    /// A column each.
    pub eigenvectors: Tensor,
}

impl Principal {
    /// Of so many `rows`, one after the other in `flat`.
    pub fn of(flat: &[f64], rows: usize) -> Self {
        let x = Tensor::from_slice(flat).view([rows as i64, -1]);
        let centre = x.mean_dim(0_i64, false, Kind::Double);
        let x = x - &centre;
        let (eigenvalues, eigenvectors) = x.transpose(0, 1).matmul(&x).linalg_eigh("L");
        Self { centre, x, eigenvalues, eigenvectors }
    }
}

/// Share of the largest eigenvalue below which rows do not differ but by rounding.
const ROUNDING: f64 = 1e-10;

/// The first `count` directions in which `rows`, `[n, w]`, differ most, `[count, w]`, orthonormal; fewer where they differ in fewer.
pub fn directions(rows: &[&[f64]], count: usize) -> Vec<Vec<f32>> {
    let count = count.min(rows.first().map_or(0, |row| row.len()));
    if count == 0 {
        return Vec::new();
    }
    let flat: Vec<f64> = rows.iter().flat_map(|row| row.iter().copied()).collect();
    let Principal { eigenvalues, eigenvectors, .. } = Principal::of(&flat, rows.len());
    let columns = eigenvectors.size()[1];
    let largest = eigenvalues.double_value(&[columns - 1]);
    (1..=count as i64)
        .take_while(|from_end| eigenvalues.double_value(&[columns - from_end]) > ROUNDING * largest)
        .map(|from_end| Vec::try_from(eigenvectors.select(1, columns - from_end).to_kind(Kind::Float)))
        .map(|direction| direction.expect("a vector of numbers"))
        .collect()
}

/// How far `row` goes along `direction`.
pub fn along(row: &[f64], direction: &[f32]) -> f64 {
    row.iter().zip(direction).map(|(value, along)| value * f64::from(*along)).sum()
}

/// Mean of each column of `rows`, and one over its standard deviation, 0 where it has none.
pub fn moments(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let columns = rows.first().map_or(0, Vec::len);
    let count = rows.len() as f64;
    let mean: Vec<f64> = (0..columns).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count).collect();
    let inverse_deviation = (0..columns).map(|at| {
        let variance = rows.iter().map(|row| (row[at] - mean[at]).powi(2)).sum::<f64>() / count;
        // What varies by rounding alone says nothing.
        if variance.sqrt() > 1e-9 * mean[at].abs() { variance.sqrt().recip() } else { 0.0 }
    });
    let inverse_deviation = inverse_deviation.collect();
    (mean, inverse_deviation)
}

/// `row` around its mean, in standard deviations.
pub fn standard(row: &[f64], mean: &[f64], inverse_deviation: &[f64]) -> Vec<f64> {
    row.iter().zip(mean).zip(inverse_deviation).map(|((value, mean), scale)| (value - mean) * scale).collect()
}
