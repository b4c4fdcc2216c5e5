//! How alike pixels are that lie a lag apart, along rows and columns: maps are not taken as periodic.
//!
//! Shapes: n = maps, s = side, lags = s/2 + 1, from 0 to s/2 pixels.

use std::sync::Arc;

use rayon::prelude::*;
use skyforge_fft::{Complex, ComplexToReal, RealToComplex};

use super::maps::Maps;
use super::profiles::Profiles;
use super::transpose::transpose;

/// Products of pixel pairs about the mean of the set, averaged over the pairs of a map.
#[derive(Clone, Debug)]
pub struct PixelCorrelation {
    /// Covariance at lag 0, 1, .. s/2 of each map, `[n, lags]`, in u^2.
    pub covariance: Profiles,
    /// Variance of the set about its mean, in u^2: dividing by it gives a correlation, 1 at lag 0.
    pub variance: f64,
}

/// Two-point correlation against lag.
///
/// For each map, the average over all pairs (x, y) a lag apart in a row or in a column of (x - m)(y - m), where m is the
/// mean of all pixels of the set: the mean of a map carries its longest waves and is not taken out.
pub fn pixel_correlation(maps: Maps) -> PixelCorrelation {
    let side = maps.side();
    let mean = average(maps, &|x| x);
    let variance = average(maps, &|x| (x - mean).powi(2));
    let plan = Plan::new(side, mean as f32);
    let lags = side / 2 + 1;
    let mut covariance = vec![0.0; maps.count() * lags];
    covariance
        .par_chunks_exact_mut(lags)
        .zip(maps.par_iter())
        .for_each_init(|| Workspace::new(&plan), |workspace, (row, map)| workspace.covariance(&plan, map, row));
    PixelCorrelation { covariance: Profiles::new(covariance, lags), variance }
}

/// Average over all pixels: each map on its own, then maps in order.
fn average(maps: Maps, term: &(dyn Fn(f64) -> f64 + Sync)) -> f64 {
    let sums: Vec<f64> = maps.par_iter().map(|map| map.iter().map(|&x| term(f64::from(x))).sum()).collect();
    sums.iter().sum::<f64>() / maps.pixels().len() as f64
}

/// Sums over pairs come from the power of lines padded with as many zeros as they have pixels (Wiener and Khinchin).
struct Plan {
    side: usize,
    mean: f32,
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
}

impl Plan {
    fn new(side: usize, mean: f32) -> Self {
        let (forward, backward) = (skyforge_fft::real_forward_f32(2 * side), skyforge_fft::real_inverse_f32(2 * side));
        Self { side, mean, forward, backward }
    }
}

struct Workspace {
    turned: Vec<f32>,
    line: Vec<f32>,
    modes: Vec<Complex<f32>>,
    power: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl Workspace {
    fn new(plan: &Plan) -> Self {
        let scratch = plan.forward.get_scratch_len().max(plan.backward.get_scratch_len());
        let zero = Complex::new(0.0, 0.0);
        Self {
            turned: vec![0.0; plan.side * plan.side],
            line: vec![0.0; 2 * plan.side],
            modes: vec![zero; plan.side + 1],
            power: vec![0.0; plan.side + 1],
            scratch: vec![zero; scratch],
        }
    }

    fn covariance(&mut self, plan: &Plan, map: &[f32], covariance: &mut [f32]) {
        const TRUTH: &str = "line, modes and scratch have the planned lengths";
        let side = plan.side;
        transpose(map, side, side, &mut self.turned);
        self.power.fill(0.0);
        for pixels in map.chunks_exact(side).chain(self.turned.chunks_exact(side)) {
            for (out, x) in self.line.iter_mut().zip(pixels) {
                *out = x - plan.mean;
            }
            self.line[side..].fill(0.0);
            plan.forward.process_with_scratch(&mut self.line, &mut self.modes, &mut self.scratch).expect(TRUTH);
            for (sum, mode) in self.power.iter_mut().zip(&self.modes) {
                *sum += mode.norm_sqr();
            }
        }
        for (mode, &power) in self.modes.iter_mut().zip(&self.power) {
            *mode = Complex::new(power, 0.0);
        }
        plan.backward.process_with_scratch(&mut self.modes, &mut self.line, &mut self.scratch).expect(TRUTH);
        for (lag, (out, sum)) in covariance.iter_mut().zip(&self.line).enumerate() {
            let pairs = 2 * side * (side - lag);
            *out = sum / (2 * side * pairs) as f32; // the transform and back multiply by 2s
        }
    }
}
