//! Networks of a checkpoint that nobody has trained, but whose maps differ as much as those of trained ones.

use skyforge::checkpoint::{Checkpoint, NetworkRecord, State, save};
use skyforge::infer::Networks;
use skyforge::infer::latent_fit::{Fitted, Known, KnownPixels, LatentFit, Subject};
use skyforge::infer::map_records::{Engine, Pull};
use skyforge::infer::networks::Measurement;
use skyforge::nn::Precision;
use skyforge::nn::dcgan::{DcganSettings, Discriminator, Generator};
use skyforge::nn::embedder::{Embedder, EmbedderSize};
use skyforge::optim::{Adam, AdamSettings, FlatSpace, Home};
use skyforge::rng::Draw;
use tch::{Device, nn};

const SIZE: EmbedderSize = EmbedderSize { hidden: 16 };

/// Of maps, `model` large.
pub fn of_maps(model: &DcganSettings) -> Networks {
    networks(model, None, Precision::Fp32)
}

/// With what reads measured values out of their maps.
pub fn networks(model: &DcganSettings, measurement: Option<Box<dyn Measurement>>, precision: Precision) -> Networks {
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
    Networks::open(&checkpoint, false, model, Some(&SIZE), measurement, Device::Cpu, precision).expect("it is theirs")
}

/// Map number `record` that `networks` make, all of it known, or every other pixel.
pub fn map(networks: &Networks, record: u64, whole: bool) -> Subject {
    let pixels = pixels(networks, record);
    let known = (0..pixels.len()).map(|pixel| f32::from(u8::from(whole || pixel % 2 == 0))).collect();
    Subject { number: record, known: Box::new(KnownPixels { pixels, known }) }
}

/// Pixels of map number `record` that `networks` make.
pub fn pixels(networks: &Networks, record: u64) -> Vec<f32> {
    let map = networks.generator.make(Draw::new(5), record..record + 1);
    Vec::<f32>::try_from(map.flatten(0, -1)).expect("maps are numbers")
}

/// The next of what there is to fit.
pub fn pulled(subject: Option<Subject>) -> Pull<Box<dyn Known>> {
    subject.map_or(Pull::End, |Subject { number, known }| Pull::Record(number, known))
}

/// What becomes of `subjects`, in the order of their numbers.
pub fn fitted(fit: &LatentFit, subjects: Vec<Subject>) -> Vec<Fitted> {
    let mut waiting = subjects.into_iter();
    let mut done = Vec::new();
    let result: Result<(), ()> = fit.run(
        || false,
        || Ok(pulled(waiting.next())),
        |_, fitted| {
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
