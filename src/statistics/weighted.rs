//! Samples with weights: percentiles, and how many equal samples would say as much.
//!
//! Shapes: n = samples, p = percentiles.

/// Values below which a share of the weight lies, `[p]` for `shares` in 0..=1; NaN where there is no weight.
///
/// Each sample's weight lies half on each side of its value, and between two values the share runs evenly (Hazen's
/// percentiles, where all weights are equal); beyond the outermost values there is nothing. Samples without weight count
/// for nothing. `values` and `weights` are `[n]`, finite, and weights are not negative.
pub fn percentiles<const P: usize>(values: &[f32], weights: &[f32], shares: [f64; P]) -> [f32; P] {
    assert_eq!(values.len(), weights.len(), "every sample has a weight");
    let mut order: Vec<usize> = (0..values.len()).filter(|&at| weights[at] > 0.0).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let total: f64 = order.iter().map(|&at| f64::from(weights[at])).sum();
    let mut below = 0.0;
    let middles: Vec<f64> = order
        .iter()
        .map(|&at| {
            let weight = f64::from(weights[at]);
            below += weight;
            (below - weight / 2.0) / total
        })
        .collect();
    shares.map(|share| {
        let Some(&last) = order.last() else { return f32::NAN };
        match middles.partition_point(|middle| *middle <= share) {
            0 => values[order[0]],
            after if after == order.len() => values[last],
            after => {
                let (low, high) = (f64::from(values[order[after - 1]]), f64::from(values[order[after]]));
                let way = (share - middles[after - 1]) / (middles[after] - middles[after - 1]);
                (high - low).mul_add(way, low) as f32
            }
        }
    })
}

/// (sum of weights)^2 over the sum of their squares (Kish 1965): n where all are equal, 1 where one has it all; 0 of none.
pub fn effective_samples(weights: &[f32]) -> f64 {
    let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let squares: f64 = weights.iter().map(|&weight| f64::from(weight).powi(2)).sum();
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}
