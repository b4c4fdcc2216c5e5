//! The two-sample Kolmogorov-Smirnov test.
//!
//! p values are those of `scipy.stats.ks_2samp(.., mode="asymp")`: the distribution of the one-sample statistic at
//! n = `round(n_1 n_2 / (n_1 + n_2))`, with the pieces that Simard & L'Ecuyer (2011), "Computing the two-sided
//! Kolmogorov-Smirnov distribution", recommend. Agreement is to 1e-7 of p or better.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::profiles::Profiles;

/// The p values above which tests are counted: those of the `CosmoGAN` slides of 2017, and 0.05.
pub const THRESHOLDS: [f64; 7] = [0.999, 0.995, 0.97, 0.93, 0.6, 0.32, 0.05];

/// One test a bin, and how many of them give a p above each threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KsTests {
    /// Maps on each side.
    pub maps: usize,
    /// Largest difference of the cumulative distributions, `[b]`.
    pub statistic: Vec<f64>,
    /// Chance of a larger difference where both sets have one truth, `[b]`.
    pub p_value: Vec<f64>,
    /// Tests with p above each of [`THRESHOLDS`].
    pub above: [usize; 7],
}

/// Tests each bin over maps: `[n_1, b]` against `[n_2, b]`.
pub fn ks_tests(a: &Profiles, b: &Profiles) -> KsTests {
    assert_eq!(a.bins(), b.bins(), "profiles that are compared have the same bins");
    let statistic: Vec<f64> = (0..a.bins()).map(|bin| ks_statistic(&mut a.of_bin(bin), &mut b.of_bin(bin))).collect();
    let p_value: Vec<f64> = statistic.iter().map(|&d| ks_p_value(d, a.count(), b.count())).collect();
    let above = THRESHOLDS.map(|threshold| p_value.iter().filter(|&&p| p > threshold).count());
    KsTests { maps: a.count().min(b.count()), statistic, p_value, above }
}

/// Largest difference between the cumulative distributions of two samples. Sorts them; neither may be empty.
pub fn ks_statistic(a: &mut [f32], b: &mut [f32]) -> f64 {
    assert!(!a.is_empty() && !b.is_empty(), "samples that are compared are not empty");
    a.sort_unstable_by(f32::total_cmp);
    b.sort_unstable_by(f32::total_cmp);
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        // Past all that is equal to the smaller of the two, in both: the step is taken at once.
        let at = a[i].min(b[j]);
        i += a[i..].iter().take_while(|&&x| x <= at).count();
        j += b[j..].iter().take_while(|&&x| x <= at).count();
        largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    largest
}

/// Chance of a statistic above `d` for samples of `n_1` and `n_2` from one truth.
pub fn ks_p_value(d: f64, n_1: usize, n_2: usize) -> f64 {
    let n = (n_1 as f64 * n_2 as f64 / (n_1 + n_2) as f64).round_ties_even().max(1.0);
    survival(n, d).clamp(0.0, 1.0)
}

/// Chance of a one-sample statistic above `d` for `n` numbers from the distribution they are held against.
pub fn ks_p_value_of_one(d: f64, n: usize) -> f64 {
    survival(n as f64, d).clamp(0.0, 1.0)
}

/// `P(D_n > d)` of the one-sample statistic.
fn survival(n: f64, d: f64) -> f64 {
    let (t, n_d_squared) = (n * d, n * d * d);
    if t <= 0.5 {
        1.0
    } else if t <= 1.0 {
        1.0 - (ln_factorial(n) - n * n.ln() + n * (2.0 * t - 1.0).ln()).exp() // Ruben & Gambino 1982
    } else if d >= 1.0 {
        0.0
    } else if d >= 0.5 || n_d_squared >= if n > 140.0 { 2.2 } else { 4.0 } {
        2.0 * one_sided(n, d) // Miller 1956: exact from d = 0.5, to 1e-7 before
    } else if n <= 140.0 || n * d.powf(1.5) <= 1.4 {
        1.0 - durbin(n as usize, d)
    } else {
        1.0 - pelz_good(n, d)
    }
}

/// `P(D_n+ > d)`, a sum over where the first crossing lies (Smirnov 1944).
fn one_sided(n: f64, d: f64) -> f64 {
    let last = (n * (1.0 - d)).floor() as usize;
    let terms = (0..=last).map(|j| {
        let j = j as f64;
        let (up, down) = (d + j / n, 1.0 - d - j / n);
        let ways = ln_factorial(n) - ln_factorial(j) - ln_factorial(n - j);
        let rest = if n - j > 0.0 { (n - j) * down.max(0.0).ln() } else { 0.0 };
        (ways + (j - 1.0) * up.ln() + rest).exp()
    });
    d * terms.sum::<f64>()
}

/// `P(D_n <= d)` as an entry of a matrix to the power n (Durbin 1968; Marsaglia, Tsang & Wang 2003). Exact; for small n d.
fn durbin(n: usize, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = t.ceil() as usize;
    let (size, h) = (2 * k - 1, k as f64 - t);
    let factorial = |j: usize| ln_factorial(j as f64).exp();
    let mut step = vec![0.0; size * size];
    for row in 0..size {
        for column in 1..=(row + 1).min(size - 1) {
            step[row * size + column] = 1.0 / factorial(row + 1 - column);
        }
    }
    for row in 0..size {
        let edge = (1.0 - h.powi(row as i32 + 1)) / factorial(row + 1);
        step[row * size] = edge;
        step[(size - 1) * size + size - 1 - row] = edge;
    }
    let corner = 1.0 - 2.0 * h.powi(size as i32) + (2.0 * h - 1.0).max(0.0).powi(size as i32);
    step[(size - 1) * size] = corner / factorial(size);

    // Powers are kept near 1; what was taken out is added to the logarithm at the end.
    let (mut power, mut ln_power, mut ln_step, mut left) = (None::<Vec<f64>>, 0.0, 0.0, n);
    loop {
        if left % 2 == 1 {
            power = Some(power.map_or_else(|| step.clone(), |power| product(&power, &step, size)));
            ln_power += ln_step;
        }
        left /= 2;
        if left == 0 {
            break;
        }
        step = product(&step, &step, size);
        let scale = step[(k - 1) * size + k - 1];
        for x in &mut step {
            *x /= scale;
        }
        ln_step = 2.0 * ln_step + scale.ln();
    }
    let entry = power.expect("n is at least 1")[(k - 1) * size + k - 1];
    (entry.ln() + ln_power + ln_factorial(n as f64) - n as f64 * (n as f64).ln()).exp()
}

fn product(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let mut out = vec![0.0; size * size];
    for (row, line) in out.chunks_exact_mut(size).enumerate() {
        for (&x, terms) in a[row * size..][..size].iter().zip(b.chunks_exact(size)) {
            for (sum, y) in line.iter_mut().zip(terms) {
                *sum += x * y;
            }
        }
    }
    out
}

/// `P(D_n <= d)` to order n^(-3/2) (Pelz & Good 1976, as in Simard & L'Ecuyer 2011).
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let z2 = z * z;
    let (z4, z6, z8) = (z2 * z2, z2 * z2 * z2, z2 * z2 * z2 * z2);
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let [mut k0, mut k1, mut k2, mut k3, mut whole2, mut whole3] = [0.0; 6];
    // Terms fall like exp(-k^2 pi^2 / 2 z^2), z < 1.5.
    for k in (1..=20).rev() {
        let odd2 = f64::from(2 * k - 1).powi(2); // 4 (k - 1/2)^2
        let fall = (-pi2 * odd2 / (8.0 * z2)).exp();
        k0 += fall;
        k1 += (pi2 * odd2 / 4.0 - z2) * fall;
        let (second, fourth, sixth) = (pi2 * odd2 / 4.0, pi4 * odd2 * odd2 / 16.0, pi6 * odd2.powi(3) / 64.0);
        k2 += (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * second + (1.0 - 2.0 * z2) * fourth) * fall;
        k3 += (-30.0 * z6 - 90.0 * z8
            + (135.0 * z4 - 96.0 * z6) * second
            + (212.0 * z4 - 60.0 * z2) * fourth
            + (5.0 - 30.0 * z2) * sixth)
            * fall;
        let k_squared = f64::from(k * k);
        let fall = (-pi2 * k_squared / (2.0 * z2)).exp();
        whole2 += k_squared * fall;
        whole3 += (3.0 * z2 - pi2 * k_squared) * k_squared * fall;
    }
    let root = (2.0 * PI).sqrt();
    k0 *= root / z;
    k1 *= root / (6.0 * z4);
    k2 = root * (k2 / (72.0 * z6 * z) - pi2 * whole2 / (36.0 * z2 * z));
    k3 = root * (k3 / (6480.0 * z8 * z2) + pi2 * whole3 / (216.0 * z6));
    k0 + k1 / n.sqrt() + k2 / n + k3 / n.powf(1.5)
}

/// ln n!, n a whole number: a product for small n, Stirling's series after.
fn ln_factorial(n: f64) -> f64 {
    if n < 20.0 {
        (2..=n as u32).map(f64::from).product::<f64>().ln()
    } else {
        let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * n * n)) / (n * n)) / (n * n)) / n;
        (n + 0.5) * n.ln() - n + (2.0 * PI).ln() / 2.0 + series
    }
}
