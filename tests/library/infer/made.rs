//! Networks of a checkpoint that nobody has trained, but whose maps differ as much as those of trained ones.

use std::sync::Arc;

use skyforge::checkpoint::{Checkpoint, NetworkRecord, State, save};
use skyforge::data::spectral_axis::named_grid;
use skyforge::data::{Aspa, AspaSettings, Encoding, Transform};
use skyforge::infer::Networks;
use skyforge::infer::latent_fit::{Fitted, Known, LatentFit, Pull, Spectrum, Subject};
use skyforge::nn::Precision;
use skyforge::nn::dcgan::{DcganSettings, Discriminator, Generator, Latent, Norm, Output};
use skyforge::nn::embedder::{Embedder, EmbedderSize};
use skyforge::optim::{Adam, AdamSettings, FlatSpace, Home};
use skyforge::rng::Draw;
use tch::{Device, nn};

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

pub const GRID: &str = "exogan-362";

const SIZE: EmbedderSize = EmbedderSize { hidden: 16 };

/// Of maps, `model` large.
pub fn of_maps(model: &DcganSettings) -> Networks {
    networks(model, &Encoding::Transform(Transform::Identity {}), Precision::Fp32)
}

/// Of spectra on `GRID`, fitted in `precision`.
pub fn of_spectra(precision: Precision) -> Networks {
    let aspa = Aspa::new(AspaSettings::default(), &named_grid(GRID).expect("a grid")).expect("it fits");
    networks(&OF_SPECTRA, &Encoding::Aspa(Arc::new(aspa)), precision)
}

fn networks(model: &DcganSettings, encoding: &Encoding, precision: Precision) -> Networks {
    let folder = tempfile::tempdir().expect("a folder");
    let player = |make: &dyn Fn(&nn::Path), times: f64| {
        let store = nn::VarStore::new(Device::Cpu);
        make(&store.root());
        for (name, mut tensor) in store.variables() {
            if name.ends_with("weight") && !name.contains("norm") {
                tch::no_grad(|| tensor *= times);
            }
        }
        let space = FlatSpace::bind_at(Home::Host, &store, 0);
        let adam = Adam::new(AdamSettings::default(), space.len(), Home::Host);
        (store, space, adam)
    };
    let players = [
        ("generator", player(&|path| drop(Generator::new(path, model, 1)), 8.0)),
        ("discriminator", player(&|path| drop(Discriminator::new(path, model, 1)), 8.0)),
        ("embedder", player(&|path| drop(Embedder::new(path, model, &SIZE, 1)), 1.0)),
    ];
    let records: Vec<NetworkRecord> =
        players.iter().map(|(name, (_, space, adam))| NetworkRecord { name, space, adam, average: None }).collect();
    let saved = save(folder.path(), State::new(1, 0, toml::Table::new()), &records).expect("the disk has room");
    let checkpoint = Checkpoint::open(&saved.folder).expect("it is whole");
    Networks::open(&checkpoint, false, model, Some(&SIZE), encoding, Device::Cpu, precision).expect("it is theirs")
}

/// Map number `record` that `networks` make, all of it known, or every other pixel.
pub fn map(networks: &Networks, record: u64, whole: bool) -> Subject {
    let map = networks.generator.make(Draw::new(5), record..record + 1);
    let pixels = Vec::<f32>::try_from(map.flatten(0, -1)).expect("maps are numbers");
    let known = (0..pixels.len()).map(|pixel| f32::from(u8::from(whole || pixel % 2 == 0))).collect();
    Subject { number: record, known: Known::Map { pixels, known } }
}

/// Spectrum number `record`, with errors of 30 ppm, and a hole.
pub fn spectrum(record: u64) -> Subject {
    let grid = named_grid(GRID).expect("a grid");
    let (mut depths, _) = spectra::record(&grid, record);
    let observed: Vec<f32> = (0..grid.len()).map(|point| f32::from(u8::from(!(40..60).contains(&point)))).collect();
    depths.iter_mut().zip(&observed).for_each(|(depth, seen)| *depth *= seen);
    let error: Vec<f32> = observed.iter().map(|seen| 30e-6 * seen).collect();
    let parameters = vec![f32::NAN; 7];
    let spectrum = Spectrum { depths, error_below: error.clone(), error_above: error, observed, parameters };
    Subject { number: record, known: Known::Spectrum(spectrum) }
}

/// Spectrum number `record` that `networks` make.
pub fn own_spectrum(networks: &Networks, record: u64) -> Subject {
    let maps = networks.generator.make(Draw::new(5), record..record + 1);
    let depths = networks.codec.as_ref().expect("of spectra").depths(&maps);
    let Known::Spectrum(like) = spectrum(record).known else { unreachable!("a spectrum") };
    let depths = Vec::<f32>::try_from(depths.flatten(0, -1)).expect("depths are numbers");
    Subject { number: record, known: Known::Spectrum(Spectrum { depths, ..like }) }
}

/// The next of what there is to fit.
pub fn pulled(subject: Option<Subject>) -> Pull {
    subject.map_or(Pull::End, |subject| Pull::Subject(Box::new(subject)))
}

/// What becomes of `subjects`, in the order of their numbers.
pub fn fitted(fit: &LatentFit, subjects: Vec<Subject>) -> Vec<Fitted> {
    let mut waiting = subjects.into_iter();
    let mut done = Vec::new();
    let result: Result<(), ()> = fit.run(
        || Ok(pulled(waiting.next())),
        |_| false,
        |fitted| {
            done.push(fitted);
            Ok(())
        },
    );
    result.expect("nothing fails");
    done.sort_by_key(|fitted| fitted.number);
    done
}

/// The latent numbers of each restart.
pub fn latents(fitted: &Fitted) -> Vec<Vec<f32>> {
    let rows = Vec::<f32>::try_from(fitted.latents.flatten(0, -1)).expect("numbers");
    rows.chunks(rows.len() / fitted.misfit.len()).map(<[f32]>::to_vec).collect()
}
