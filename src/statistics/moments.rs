//! Means and variances, over the maps of a set and over the pixels of a map.
//!
//! Shapes: n = maps, s = side.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::maps::Maps;
use super::number;

/// What a pixel does over the maps of a set, `[s, s]` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelMoments {
    /// Mean map, in u.
    #[serde(with = "number::many")]
    pub mean: Vec<f64>,
    /// Variance map (divided by n), in u^2.
    #[serde(with = "number::many")]
    pub variance: Vec<f64>,
}

/// What the pixels of one map do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapMoments {
    /// Mean, in u.
    pub mean: f64,
    /// Variance (divided by s^2), in u^2.
    pub variance: f64,
    /// Third central moment over variance^(3/2); NaN for a constant map.
    pub skewness: f64,
}

/// Mean and variance of every pixel over the maps.
pub fn pixel_moments(maps: Maps) -> PixelMoments {
    let (side, pixels) = (maps.side(), maps.side() * maps.side());
    // A thread has a row of pixels and goes through the maps in order.
    let over_maps = |term: &(dyn Fn(usize, f64) -> f64 + Sync)| -> Vec<f64> {
        let mut total = vec![0.0; pixels];
        total.par_chunks_exact_mut(side).enumerate().for_each(|(row, sums)| {
            for map in maps.pixels().chunks_exact(pixels) {
                for (column, (sum, &x)) in sums.iter_mut().zip(&map[row * side..][..side]).enumerate() {
                    *sum += term(row * side + column, f64::from(x));
                }
            }
        });
        total.iter().map(|sum| sum / maps.count() as f64).collect()
    };
    let mean = over_maps(&|_, x| x);
    let variance = over_maps(&|pixel, x| (x - mean[pixel]).powi(2));
    PixelMoments { mean, variance }
}

/// Mean, variance and skewness of each map, `[n]`.
pub fn map_moments(maps: Maps) -> Vec<MapMoments> {
    maps.par_iter().map(moments).collect()
}

fn moments(map: &[f32]) -> MapMoments {
    let average = |term: &dyn Fn(f64) -> f64| map.iter().map(|&x| term(f64::from(x))).sum::<f64>() / map.len() as f64;
    let mean = average(&|x| x);
    let variance = average(&|x| (x - mean).powi(2));
    let skewness = average(&|x| (x - mean).powi(3)) / variance.powf(1.5);
    MapMoments { mean, variance, skewness }
}
