//! Networks and spectra for fits, and rows of tables that never were.

use skyforge::atmosphere::named_grid;
use skyforge::family::spectra_gan::fit::codec_of;
use skyforge::family::spectra_gan::retrieval::{Interval, RetrievalRow, SampleRow};
use skyforge::family::spectra_gan::{Aspa, AspaSettings, AspaTensors, Spectrum};
use skyforge::infer::Networks;
use skyforge::infer::latent_fit::Subject;
use skyforge::nn::Precision;
use skyforge::nn::dcgan::{DcganSettings, Latent, Norm, Output};
use skyforge::rng::{Draw, Stream};
use tch::Device;

use crate::infer::made::networks;
use crate::shared::spectra;

/// Of images of spectra, wide enough for our own kernels.
const OF_SPECTRA: DcganSettings = DcganSettings {
    side: 33,
    width: 16,
    depth: 2,
    latent_dim: 8,
    norm: Norm::Batch,
    latent: Latent::Uniform,
    output: Output::Sigmoid,
};

/// The wavelengths of its spectra.
pub const GRID: &str = "exogan-362";

/// Of spectra on `GRID`, fitted in `precision`.
pub fn of_spectra(precision: Precision) -> Networks {
    let aspa = Aspa::new(AspaSettings::default(), &named_grid(GRID).expect("a grid")).expect("it fits");
    networks(&OF_SPECTRA, Some(Box::new(AspaTensors::new(&aspa, Device::Cpu))), precision)
}

/// Spectrum number `record`, with errors of 30 ppm, and a hole.
pub fn spectrum(record: u64) -> Subject {
    Subject { number: record, known: Box::new(observed(record)) }
}

fn observed(record: u64) -> Spectrum {
    let grid = named_grid(GRID).expect("a grid");
    let (mut depths, _) = spectra::record(&grid, record);
    let observed: Vec<f32> = (0..grid.len()).map(|point| f32::from(u8::from(!(40..60).contains(&point)))).collect();
    depths.iter_mut().zip(&observed).for_each(|(depth, seen)| *depth *= seen);
    let error: Vec<f32> = observed.iter().map(|seen| 30e-6 * seen).collect();
    let parameters = vec![f32::NAN; 7];
    Spectrum { depths, error_below: error.clone(), error_above: error, observed, parameters }
}

/// Spectrum number `record` that `networks` make.
pub fn own_spectrum(networks: &Networks, record: u64) -> Subject {
    observed_own_spectrum(networks, record, |_| 0.0)
}

/// The same with an offset of its depths at each point.
pub fn observed_own_spectrum(networks: &Networks, record: u64, offset: impl Fn(usize) -> f32) -> Subject {
    let maps = networks.generator.make(Draw::new(5), record..record + 1);
    let depths = codec_of(networks).depths(&maps);
    let mut depths = Vec::<f32>::try_from(depths.flatten(0, -1)).expect("depths are numbers");
    depths.iter_mut().enumerate().for_each(|(point, depth)| *depth += offset(point));
    Subject { number: record, known: Box::new(Spectrum { depths, ..observed(record) }) }
}

pub fn rows(count: u64) -> Vec<RetrievalRow> {
    let row = |id: u64| {
        let mut chance = Draw::new(5).at(Stream::Simulation, id, 0);
        let mut number = move || chance.normal() as f32;
        RetrievalRow {
            id: 3 * id + 1,
            parameters: std::array::from_fn(|_| Interval {
                p2_5: number(),
                p16: number(),
                median: number(),
                p84: number(),
                p97_5: number(),
            }),
            offsets: Vec::new(),
            chi_square: number(),
            points: 100 + id,
            restarts: 64,
            restart_agreement: number(),
            effective_samples: number(),
            out_of_range: id.is_multiple_of(3),
            iterations: 1001 * 64,
        }
    };
    (0..count).map(row).collect()
}

pub fn samples(count: u64) -> Vec<SampleRow> {
    let row = |at: u64| {
        let mut chance = Draw::new(6).at(Stream::Simulation, at, 0);
        SampleRow {
            id: 3 * (at / 8) + 1,
            restart: at % 8,
            weight: chance.uniform() as f32,
            chi_square: chance.normal() as f32,
            parameters: std::array::from_fn(|_| chance.normal() as f32),
            offsets_ppm: Vec::new(),
        }
    };
    (0..count).map(row).collect()
}
