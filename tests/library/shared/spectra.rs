//! Datasets of made-up spectra: smooth, in the range of ExoGAN's, with parameters that they follow from.

use std::path::Path;

use skyforge::atmosphere;
use skyforge::atmosphere::named_grid;
use skyforge::data::{Channel, DatasetWriter, Header, Modality, SpectralAxis, Split};
use skyforge::rng::{Draw, Stream};

/// Spectrum and parameters of a record, on a grid that has a name.
pub fn record(grid: &[f64], record: u64) -> (Vec<f32>, Vec<f32>) {
    let mut chance = Draw::new(11).at(Stream::Simulation, record, 0);
    let shares: Vec<f64> = atmosphere::QUANTITIES.iter().map(|_| chance.uniform()).collect();
    let ranges = atmosphere::QUANTITIES.iter().map(|quantity| quantity.range);
    let parameters = ranges.zip(&shares).map(|((low, high), share)| (low + (high - low) * share) as f32).collect();
    // A radius for the level, and for each gas a wave whose height it is.
    let depth = |um: &f64| {
        let waves = (1..).zip(&shares[..4]).map(|(number, share)| share * (f64::from(number) * um.ln()).sin());
        (0.010 + 0.008 * shares[5] + 0.0005 * (1.0 + shares[6]) * waves.sum::<f64>()) as f32
    };
    (grid.iter().map(depth).collect(), parameters)
}

/// A dataset of `count` of them, all to train on; `spoil` may change a spectrum.
pub fn write(folder: &Path, grid: &str, count: u64, spoil: impl Fn(u64, &mut [f32])) {
    let wavelength_um = named_grid(grid).expect("a grid of that name");
    let header = Header {
        count,
        modalities: vec![Modality::spectra(SpectralAxis {
            channels: vec![Channel::Depth],
            wavelength_um: wavelength_um.clone(),
        })],
        labels: atmosphere::labels(),
        splits: [("train".to_owned(), Split::from(0..count))].into(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let points = wavelength_um.len();
    let shards = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            let numbers = rows.labels.chunks_exact_mut(7);
            for ((index, depths), numbers) in records.zip(rows.values[0].chunks_exact_mut(points)).zip(numbers) {
                let (made, parameters) = record(&wavelength_um, index);
                depths.copy_from_slice(&made);
                numbers.copy_from_slice(&parameters);
                spoil(index, depths);
            }
            Ok::<(), skyforge::data::DataError>(())
        })
    });
    let shards = shards.collect::<Result<_, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
}
