//! A retrieval that never was: spectra with bands of water and carbon dioxide, and fits to them.

use skyforge::catalog::Metadata;
use skyforge::family::spectra_gan::evaluate::Compared;
use skyforge::family::spectra_gan::report::Findings;
use skyforge::family::spectra_gan::report::examples::{
    ExampleObject, ExampleParameter, ExampleSample, LatentPath, RetrievalExamples,
};
use skyforge::rng::{Chance, Draw, Stream};
use skyforge::statistics::coverage::rank;
use skyforge::statistics::retrieval::Fits;
use skyforge::statistics::retrieval_accuracy::Retrieved;
use skyforge::statistics::weighted::percentiles;
use skyforge::statistics::{ParameterStatistics, RetrievalStatistics};

/// Name, unit, range, and how far a retrieval is from the truth.
const PARAMETERS: [(&str, &str, (f64, f64), f64); 7] = [
    ("log10_h2o", "dex", (-8.0, -1.0), 0.35),
    ("log10_co2", "dex", (-8.0, -1.0), 0.3),
    ("log10_co", "dex", (-8.0, -1.0), 1.2),
    ("log10_ch4", "dex", (-8.0, -1.0), 0.5),
    ("planet_mass", "M_Jup", (0.8, 2.0), 0.18),
    ("planet_radius", "R_Jup", (0.8, 1.5), 0.01),
    ("temperature", "K", (1000.0, 2000.0), 110.0),
];

const SAMPLES: usize = 64;

/// Centre and weighted samples of one parameter.
fn posterior(truth: f64, error: f64, chance: &mut Chance) -> (Vec<f32>, Vec<f32>) {
    let centre = error.mul_add(chance.normal(), truth);
    let away: Vec<f64> = (0..SAMPLES).map(|_| chance.normal()).collect();
    let values = away.iter().map(|x| (1.3 * error).mul_add(*x, centre) as f32).collect();
    let weights = away.iter().map(|x| (-0.5 * x * x * 0.69).exp() as f32).collect();
    (values, weights)
}

/// Statistics of `objects` retrievals.
pub fn statistics(objects: u64) -> RetrievalStatistics {
    let parameters = PARAMETERS.iter().zip(0..).map(|(&(name, unit, (low, high), error), at)| {
        let (mut retrieved, mut ranks) = (Vec::new(), Vec::new());
        for object in 0..objects {
            let mut chance = Draw::new(4).at(Stream::Simulation, object, at);
            let truth = (high - low).mul_add(chance.uniform(), low);
            let (values, weights) = posterior(truth, error, &mut chance);
            let [p2_5, p16, median, p84, p97_5] =
                percentiles(&values, &weights, [0.025, 0.16, 0.5, 0.84, 0.975]).map(f64::from);
            retrieved.push(Retrieved { truth, p2_5, p16, median, p84, p97_5 });
            ranks.extend(rank(truth, values.into_iter().zip(weights), chance.uniform()));
        }
        ParameterStatistics::of(name, unit, &retrieved, true, Some(ranks))
    });
    let parameters = parameters.collect();
    let fits = Fits {
        chi_square_per_point: 1.04,
        restart_agreement: 0.61,
        effective_samples: 23.7,
        out_of_range: 0.012,
        iterations: 64_000.0,
    };
    RetrievalStatistics { objects, parameters, fits }
}

fn bump(um: f64, centre: f64, width: f64) -> f64 {
    (-0.5 * ((um / centre).ln() / width).powi(2)).exp()
}

fn depth(um: f64, numbers: &[f64]) -> f64 {
    let water: f64 = [0.94, 1.15, 1.4, 1.9, 2.7, 6.3].iter().map(|&centre| bump(um, centre, 0.06)).sum();
    let dioxide = bump(um, 4.3, 0.05) + bump(um, 15.0, 0.09);
    let haze = (0.45 / um).powi(2).min(1.5);
    let scale = numbers[6] / 1500.0 / numbers[4];
    0.0115 * numbers[5].powi(2)
        + scale * 1.2e-4 * ((numbers[0] + 9.0) / 6.0 * water + (numbers[1] + 9.0) / 6.0 * dioxide + 0.6 * haze)
}

fn object(id: u64, points: std::ops::Range<f64>) -> ExampleObject {
    let mut chance = Draw::new(9).at(Stream::Simulation, id, 0);
    let truth: Vec<f64> = PARAMETERS
        .iter()
        .map(|&(_, _, (low, high), _)| (high - low).mul_add(0.2 + 0.6 * chance.uniform(), low))
        .collect();
    let wavelength_um: Vec<f64> = (0..515).map(|i| 0.3015 * 1.01_f64.powi(514 - i)).collect();
    let error: Vec<f64> = wavelength_um.iter().map(|um| 3e-5 * (1.0 + um / 4.0)).collect();
    let depths: Vec<f64> = wavelength_um
        .iter()
        .zip(&error)
        .map(|(&um, error)| error.mul_add(chance.normal(), depth(um, &truth)))
        .collect();
    let observed: Vec<bool> = wavelength_um.iter().map(|um| points.contains(um)).collect();
    let samples: Vec<ExampleSample> = (0..SAMPLES)
        .map(|_| {
            let shared = chance.normal();
            let parameters = PARAMETERS
                .iter()
                .zip(&truth)
                .zip(0..)
                .map(|((&(_, _, _, error), truth), at)| {
                    let own = if at % 2 == 0 { 0.6 * shared + 0.8 * chance.normal() } else { chance.normal() };
                    // Of one spectrum the radius is known best.
                    let error = if at == 5 { error / 20.0 } else { error };
                    error.mul_add(own, *truth)
                })
                .collect();
            ExampleSample { weight: (-0.5 * chance.normal().powi(2)).exp(), parameters }
        })
        .collect();
    let best: Vec<f64> = truth.iter().map(|truth| 0.9999 * truth).collect();
    let best_fit: Vec<f64> = wavelength_um.iter().map(|&um| depth(um, &best)).collect();
    let weights: Vec<f32> = samples.iter().map(|sample| sample.weight as f32).collect();
    let bands: Vec<[f32; 4]> = wavelength_um
        .iter()
        .map(|&um| {
            let values: Vec<f32> = samples.iter().map(|sample| depth(um, &sample.parameters) as f32).collect();
            percentiles(&values, &weights, [0.025, 0.16, 0.84, 0.975])
        })
        .collect();
    let band = |at: usize| bands.iter().map(|band| f64::from(band[at])).collect::<Vec<_>>();
    ExampleObject {
        id,
        title: String::new(),
        p2_5: band(0),
        p16: band(1),
        p84: band(2),
        p97_5: band(3),
        wavelength_um,
        depth: depths,
        error,
        observed,
        best_fit,
        truth: truth.iter().enumerate().map(|(at, &x)| if at == 4 && id > 1 { f64::NAN } else { x }).collect(),
        samples,
        paths: (0..5).map(|restart| walk(restart, &mut chance)).collect(),
    }
}

fn walk(restart: u64, chance: &mut Chance) -> LatentPath {
    let (mut across, mut up) = (3.0 * chance.normal(), 3.0 * chance.normal());
    let mut path = LatentPath { restart, ..LatentPath::default() };
    for iteration in (0..=200).step_by(4) {
        let calm = (-f64::from(iteration) / 40.0).exp();
        across += 0.12 * (1.0 - across) + 0.2 * calm * chance.normal();
        up += 0.09 * (-0.5 - up) + 0.2 * calm * chance.normal();
        path.iteration.push(iteration as u64);
        path.chi_square
            .push((5e4 * calm * calm + 300.0 + 20.0 * restart as f64) * (0.05 * calm * chance.normal()).exp());
        path.across.push(across);
        path.up.push(up);
    }
    path
}

/// A few objects: all of the grid, and a part of it.
pub fn examples() -> RetrievalExamples {
    let parameters =
        PARAMETERS.iter().map(|&(name, unit, ..)| ExampleParameter { name: name.into(), unit: unit.into() }).collect();
    RetrievalExamples { parameters, objects: vec![object(1, 0.3..20.0), object(2, 1.1..1.7)] }
}

/// What the folder of a run with a retrieval holds.
pub fn retrieved() -> Findings {
    let compared = Compared {
        metadata: Metadata::new(),
        rows_not_in_split: 0,
        reference: "xxh3:77aa".into(),
        split: "test".into(),
        records: "spectra".into(),
        unit: "1".into(),
    };
    Findings { statistics: Some(statistics(1000)), compared: Some(compared), examples: Some(examples()) }
}
