//! Sets of maps whose statistics are known.

use std::f64::consts::TAU;

use skyforge::rng::{Draw, Stream};

/// `count` maps of independent normal pixels, variance 1.
pub fn white_noise(count: usize, side: usize, seed: u64) -> Vec<f32> {
    let draw = Draw::new(seed);
    (0..count as u64).flat_map(|map| draw.at(Stream::Simulation, map, 0).normals(side * side)).collect()
}

/// `cos(2 pi (row, column) . (k_row, k_column) / side)`.
pub fn plane_wave(side: usize, k_row: i32, k_column: i32) -> Vec<f32> {
    let pixel = |row: usize, column: usize| {
        let phase = f64::from(k_row) * row as f64 + f64::from(k_column) * column as f64;
        (TAU * phase / side as f64).cos() as f32
    };
    (0..side * side).map(|at| pixel(at / side, at % side)).collect()
}

/// White noise averaged over squares of 3 x 3 pixels, periodic: correlated up to lag 2 and no farther.
pub fn smooth_noise(count: usize, side: usize, seed: u64) -> Vec<f32> {
    let noise = white_noise(count, side, seed);
    let mut smooth = Vec::with_capacity(noise.len());
    for map in noise.chunks_exact(side * side) {
        for at in 0..side * side {
            let near = (0..9).map(|i| map[(at / side + i / 3) % side * side + (at % side + i % 3) % side]);
            smooth.push(near.sum::<f32>() / 3.0);
        }
    }
    smooth
}
