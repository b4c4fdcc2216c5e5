//! A retrieved object with all that its figures in a report need.

use super::{Posterior, Reading, SHARES};
use crate::family::spectra_gan::observation::Observation;
use crate::family::spectra_gan::report::examples::{ExampleObject, ExampleSample, LatentPath};
use crate::infer::latent_fit;
use crate::statistics::weighted;

/// Of each restart.
pub type Paths = Vec<latent_fit::Path>;

/// Restarts whose paths are shown.
const SHOWN: usize = 8;

/// One object.
pub fn object(
    wavelength_um: &[f64],
    observation: &Observation,
    posterior: &Posterior,
    reading: &Reading,
    paths: &Paths,
) -> ExampleObject {
    let spectrum = &observation.spectrum;
    let as_f64 = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
    let error = spectrum.error_below.iter().zip(&spectrum.error_above).map(|(a, b)| f64::from(f32::midpoint(*a, *b)));
    let mut bands: [Vec<f64>; SHARES.len()] = Default::default();
    for point in 0..wavelength_um.len() {
        let depths: Vec<f32> = posterior.depths.iter().map(|depths| depths[point]).collect();
        let here = weighted::percentiles(&depths, &reading.weights, SHARES);
        for (band, value) in bands.iter_mut().zip(here) {
            band.push(f64::from(value));
        }
    }
    let [p2_5, p16, _, p84, p97_5] = bands;
    let samples = (0..reading.samples[0].len()).map(|sample| ExampleSample {
        weight: f64::from(reading.sample_weights[sample]),
        parameters: reading.samples.iter().map(|values| f64::from(values[sample])).collect(),
    });
    ExampleObject {
        id: observation.id,
        title: String::new(),
        wavelength_um: wavelength_um.to_vec(),
        depth: as_f64(&spectrum.depths),
        error: error.collect(),
        observed: spectrum.observed.iter().map(|seen| *seen == 1.0).collect(),
        best_fit: as_f64(&posterior.best_depths),
        p2_5,
        p16,
        p84,
        p97_5,
        truth: as_f64(&observation.truth),
        samples: samples.collect(),
        paths: latent_paths(paths),
    }
}

/// The first restarts' paths along the two directions in which they moved most.
fn latent_paths(paths: &Paths) -> Vec<LatentPath> {
    let moves: Vec<Vec<f64>> = paths
        .iter()
        .filter_map(|path| Some((path.first()?, path.last()?)))
        .map(|((_, _, from), (_, _, to))| from.iter().zip(to).map(|(a, b)| f64::from(b - a)).collect())
        .collect();
    let across = main_direction(&moves);
    let rest: Vec<Vec<f64>> = moves
        .iter()
        .map(|one| {
            let along = dot(one, &across);
            one.iter().zip(&across).map(|(value, direction)| value - along * direction).collect()
        })
        .collect();
    let up = main_direction(&rest);
    let along = |path: &[(u32, f32, Vec<f32>)], direction: &[f64]| -> Vec<f64> {
        path.iter().map(|(_, _, z)| z.iter().zip(direction).map(|(z, d)| f64::from(*z) * d).sum()).collect()
    };
    let one = |(restart, path): (usize, &latent_fit::Path)| LatentPath {
        restart: restart as u64,
        iteration: path.iter().map(|(iteration, ..)| u64::from(*iteration)).collect(),
        chi_square: path.iter().map(|(_, loss, _)| 2.0 * f64::from(*loss)).collect(),
        across: along(path, &across),
        up: along(path, &up),
    };
    paths.iter().enumerate().take(SHOWN).map(one).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The direction of length 1 along which vectors are longest, by power iteration; an axis where all are 0.
fn main_direction(vectors: &[Vec<f64>]) -> Vec<f64> {
    let count = vectors.first().map_or(0, Vec::len);
    // Begun at the longest of them, which is never at a right angle to the answer but by chance.
    let longest = vectors.iter().max_by(|a, b| dot(a, a).total_cmp(&dot(b, b)));
    let mut direction = longest.cloned().unwrap_or_default();
    for _ in 0..50 {
        let length = dot(&direction, &direction).sqrt();
        if length < 1e-12 {
            let mut axis = vec![0.0; count];
            if let Some(first) = axis.first_mut() {
                *first = 1.0;
            }
            return axis;
        }
        for value in &mut direction {
            *value /= length;
        }
        let mut next = vec![0.0; count];
        for vector in vectors {
            let along = dot(vector, &direction);
            for (sum, value) in next.iter_mut().zip(vector) {
                *sum += along * value;
            }
        }
        if dot(&next, &next) < 1e-24 {
            break;
        }
        direction = next;
    }
    let length = dot(&direction, &direction).sqrt().max(1e-12);
    direction.iter().map(|value| value / length).collect()
}
