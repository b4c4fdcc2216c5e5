//! An autoencoder through the trainer: the same bits on any ranks, moments of records for averaged weights, and a trained
//! model that reconstructs what it has not seen.

use std::path::Path;
use std::sync::Arc;

use skyforge::checkpoint::{Checkpoint, Identity};
use skyforge::comm::{Communicator, Courier, Solo, Threads};
use skyforge::config::RunConfig;
use skyforge::data::loader::LoaderSettings;
use skyforge::data::{Batch, Dataset, DatasetWriter, Encoding, Header, Modality, Split, Transform};
use skyforge::family::evaluation::{Records, Reference};
use skyforge::family::{Build, Family, FamilySettings, OfKind, Opening, Validation, galaxy_vae};
use skyforge::nn::Precision;
use skyforge::objective::Objective;
use skyforge::optim::AdamSettings;
use skyforge::rng::{Draw, Stream};
use skyforge::train::signals::StopFlag;
use skyforge::train::{Cut, Drills, Ended, NotFinite, Outcome, Run, Schedule, Stepper, Training};
use tch::{Device, Kind, Tensor};

const SIDE: usize = 16;
const ENCODINGS: [Encoding; 1] = [Encoding::Transform(Transform::Identity {})];

fn settings() -> galaxy_vae::Settings {
    galaxy_vae::Settings { side: SIDE as i64, width: 4, depth: 2, latent_dim: 4, ema: 0.8 }
}

fn objective(precision: Precision) -> Box<dyn Objective> {
    settings().build(Build { seed: 3, precision, device: Device::Cpu, encodings: &ENCODINGS })
}

/// A map that three numbers describe: two waves and a constant.
fn map(record: u64) -> Vec<f32> {
    let [a, b, c] = Draw::new(4).at(Stream::Simulation, record, 0).normals(3)[..] else { unreachable!() };
    let wave = |at: usize, times: f32| (std::f32::consts::TAU * times * at as f32 / SIDE as f32).sin();
    (0..SIDE * SIDE).map(|pixel| a * wave(pixel % SIDE, 1.0) + b * wave(pixel / SIDE, 2.0) + 0.5 * c).collect()
}

fn batch(records: std::ops::Range<u64>) -> Batch {
    let count = (records.end - records.start) as i64;
    let values: Vec<f32> = records.flat_map(map).collect();
    Batch::of(vec![Tensor::from_slice(&values).view([count, 1, SIDE as i64, SIDE as i64])])
}

/// Weights, state, average and moments of the average after three steps, as bits.
fn after_three_steps(comm: &dyn Communicator, precision: Precision) -> Vec<u32> {
    let objective = objective(precision);
    let cut = Cut { global: 16, microbatches: 4 };
    let mut stepper = Stepper::new(objective.as_ref(), comm, Draw::new(7), cut, |_| AdamSettings::default());
    stepper.recalibrate_on((0..4).map(|at| batch(16 * at..16 * (at + 1))).collect());
    let run = stepper.run_of_microbatches();
    let records = |step: u64| -> Vec<Batch> {
        run.clone().map(|m| 16 * step + 4 * m as u64).map(|first| batch(first..first + 4)).collect()
    };
    for step in 0..3 {
        let (ended, _) = stepper.step(step, Some(&records(step)), records(step + 1).first(), &|| false);
        assert!(matches!(ended, Ended::Accepted { .. }), "{ended:?}");
    }
    stepper.with_records(|networks| {
        let [network] = networks else { panic!("there is one network") };
        let (average, moments) = network.average.expect("an average is kept");
        let all = [network.space.parameters(), network.space.state(), average].map(|buffer| buffer.host().into_owned());
        all.iter().flatten().chain(moments).map(|value| value.to_bits()).collect()
    })
}

#[test]
fn any_number_of_ranks_trains_the_same_autoencoder() {
    tch::set_num_threads(1);
    for precision in [Precision::Fp32, Precision::Bf16] {
        let alone = after_three_steps(&Solo, precision);
        for ranks in 2..=4 {
            for got in Courier::run(ranks, |comm| after_three_steps(comm, precision)) {
                assert!(got == alone, "{ranks} ranks, {precision:?}");
            }
        }
    }
}

#[test]
fn moments_of_averaged_weights_are_those_of_the_records_they_are_computed_from() {
    let objective = objective(Precision::Fp32);
    let cut = Cut { global: 16, microbatches: 2 };
    let mut stepper = Stepper::new(objective.as_ref(), &Solo, Draw::new(7), cut, |_| AdamSettings::default());
    stepper.recalibrate_on((0..4).map(|at| batch(16 * at..16 * (at + 1))).collect());
    stepper.step(0, Some(&[batch(0..8), batch(8..16)]), None, &|| false);
    let variable = |name: &str| objective.networks()[0].store.variables()[name].detach().copy();
    let (mean, variance, x) = stepper.with_model(|_| {
        let (weight, bias) = (variable("encoder.down1.weight"), variable("encoder.down1.bias"));
        let x = batch(0..64).input().conv2d(&weight, Some(&bias), [2, 2], [2, 2], [1, 1], 1);
        (variable("encoder.norm1.running_mean"), variable("encoder.norm1.running_var"), x)
    });
    let dims: &[i64] = &[0, 2, 3];
    let off = |got: Tensor, expected: Tensor| (got - expected).abs().max().double_value(&[]);
    assert!(off(mean, x.mean_dim(dims, false, Kind::Float)) < 1e-5);
    assert!(off(variance, x.var_dim(dims, false, false)) < 1e-5);
}

/// 192 maps to train on, then 64 to be validated on and 64 that nothing has seen.
fn dataset(folder: &Path) -> Arc<Dataset> {
    let header = Header {
        count: 320,
        modalities: vec![Modality::maps([1, SIDE, SIDE], "1", Transform::Identity {}, None)],
        labels: Vec::new(),
        splits: [("train", 0..192), ("validation", 192..256), ("test", 256..320)]
            .map(|(name, records)| (name.to_owned(), Split::from(records)))
            .into(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let fill = |record: u64, pixels: &mut [f32]| pixels.copy_from_slice(&map(record));
    let shards = (0..writer.shards()).map(|shard| writer.write_shard(shard, fill).expect("the disk has room"));
    let shards = shards.collect();
    writer.finish(shards).expect("the disk has room");
    Arc::new(Dataset::open(folder).expect("it was just made"))
}

/// Trains for 120 steps in `folder`.
fn train(comm: &dyn Communicator, dataset: &Arc<Dataset>, folder: &Path) -> Outcome {
    let family = FamilySettings::Autoencoder(settings());
    let objective = objective(Precision::Fp32);
    let (draw, device) = (Draw::new(7), Device::Cpu);
    let validator = || family.validator(Validation { comm, dataset, records: 64, encodings: &ENCODINGS, draw, device });
    let training = Training {
        comm,
        seed: 7,
        cut: Cut { global: 32, microbatches: 4 },
        device,
        device_sum: None,
        overlap: true,
        schedule: Schedule {
            steps: 120,
            checkpoint_every: 60,
            keep_checkpoints: 0,
            keep_every: 0,
            validate_every: 60,
            validation_records: 64,
            best: Some(family.scores()[0]),
            log_every: 60,
            compare_every: 60,
        },
        dataset: Arc::clone(dataset),
        loader: LoaderSettings { split: "train".into(), ..LoaderSettings::default() },
        folder,
        identity: Identity::of(&toml::Table::new()),
        changed_by_hand: Vec::new(),
        stop: StopFlag::new(),
        max_wall: None,
        drills: Drills::default(),
        not_finite: NotFinite::Stop,
        validator: &validator,
    };
    let adam = AdamSettings { learning_rate: 3e-3, ..AdamSettings::default() };
    Run::start(&training, objective.as_ref(), |_| adam).expect("it starts").train().expect("it ends well")
}

#[test]
fn a_trained_model_reconstructs_maps_that_it_has_not_seen() {
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder.path().join("maps"));
    let run = |name: &str| {
        let run = folder.path().join(name);
        std::fs::create_dir(&run).expect("the disk has room");
        run
    };
    let alone = run("alone");
    let outcome = train(&Solo, &dataset, &alone);
    let together = run("together");
    for other in Courier::run(2, |comm| train(comm, &dataset, &together)) {
        assert_eq!((&other.checkpoint, &other.checksum), (&outcome.checkpoint, &outcome.checksum));
    }
    let checkpoint = Checkpoint::open(&alone.join("checkpoints").join(&outcome.checkpoint)).expect("it is whole");
    let opening = |averaged| Opening {
        checkpoint: &checkpoint,
        averaged,
        precision: Precision::Fp32,
        device: Device::Cpu,
        encodings: &ENCODINGS,
    };
    let unseen = Batch::read(&dataset, &(256..320).collect::<Vec<u64>>(), &ENCODINGS, Device::Cpu).expect("records");
    for averaged in [false, true] {
        let model = settings().open(opening(averaged)).expect("it has these weights");
        assert!(model.generator().is_none() && model.latent_networks().is_none());
        let made = model.reconstructor().expect("it reconstructs").reconstruct(&unseen);
        let error = (made - unseen.input()).square().mean(Kind::Float).double_value(&[]);
        let variance = unseen.input().var(false).double_value(&[]);
        assert!(error < 0.2 * variance, "averaged {averaged}: {error} of {variance}");
    }
    let score = checkpoint.state.scores["reconstruction_error"];
    assert!(score < 0.2, "{score}");
    assert_eq!(checkpoint.state.best.expect("it is chosen by a score").score, "reconstruction_error");
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_was_wanted() {
    let text = "seed = 1\n[batch]\nglobal = 8\nmicrobatches = 2\n[family]\nkind = \"autoencoder\"\nside = 64\n[trainer]\nsteps = 1\n";
    for (set, message) in [
        ("family.side=60", "`family.side` is 60, expected a multiple of 8 up to 8192 pixels, for depth = 3"),
        ("family.depth=0", "`family.depth` is 0, expected 1 to 12 halvings"),
        ("family.width=0", "`family.width` is 0, expected 1 to 4096 channels"),
        ("family.latent_dim=0", "`family.latent_dim` is 0, expected 1 to 65536"),
        ("family.ema=1.0", "`family.ema` is 1, expected a decay of at least 0 (none is kept) and below 1"),
        ("batch.global=2", "`batch.global` is 2, expected 2 or more records in each microbatch, for batch norm"),
    ] {
        let error = RunConfig::parse(Path::new("a.toml"), text, &[set.parse().expect("a value")]);
        assert_eq!(error.expect_err("it is wrong").to_string(), message);
    }
}

/// Ranks that are threads without overlap see what a rank alone sees, the recalibration among it.
#[test]
fn ranks_without_overlap_train_the_same_autoencoder() {
    tch::set_num_threads(1);
    let alone = after_three_steps(&Solo, Precision::Fp32);
    for got in Threads::run(3, |comm| after_three_steps(comm, Precision::Fp32)) {
        assert!(got == alone);
    }
}

/// A dataset of maps whose pixels are `pixels` of their numbers, with ids from 100 up.
fn maps(folder: &Path, count: u64, unit: &str, pixels: impl Fn(u64) -> Vec<f32>) -> Dataset {
    let header = Header {
        count,
        modalities: vec![Modality::maps([1, SIDE, SIDE], unit, Transform::Identity {}, None)],
        labels: Vec::new(),
        splits: [("test".to_owned(), Split::from(0..count - 10))].into(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("a folder");
    let shards = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            rows.ids = records.clone().map(|record| 100 + record).collect();
            rows.values[0] = records.flat_map(&pixels).collect();
            Ok::<(), skyforge::data::DataError>(())
        })
    });
    let shards = shards.collect::<Result<Vec<_>, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
    Dataset::open(folder).expect("a dataset")
}

/// What is measured of restored maps, as `evaluate` writes it.
fn evaluated(restored: &Path, originals: &Path, split: Option<&str>) -> Result<serde_json::Value, String> {
    let (ours, theirs) = (Dataset::open(restored).expect("maps"), Dataset::open(originals).expect("maps"));
    let records = galaxy_vae::Settings::EVALUATORS.records.expect("it measures records");
    (records.takes)(&ours.manifest().modalities)?;
    let reference = Reference { folder: originals, dataset: &theirs, split };
    let measured = (records.measure)(&Records { folder: restored, dataset: &ours }, &reference);
    measured.map(|evaluation| evaluation.statistics).map_err(|error| error.to_string())
}

#[test]
fn a_restoration_is_judged_by_what_is_lost_of_each_map() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    let mean_of = |pixels: &[f32]| pixels.iter().sum::<f32>() / pixels.len() as f32;
    maps(&at("original"), 90, "mK", map);
    maps(&at("same"), 90, "mK", map);
    maps(&at("mean"), 90, "mK", |record| vec![mean_of(&map(record)); SIDE * SIDE]);
    maps(&at("half"), 90, "mK", |record| map(record).iter().map(|pixel| pixel / 2.0).collect());
    let number = |found: &serde_json::Value, key: &str| found[key].as_f64().expect("a number");
    let lost = |found: &serde_json::Value| -> Vec<f64> {
        found["lost_power"].as_array().expect("a list").iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let same = evaluated(&at("same"), &at("original"), None).expect("maps");
    assert_eq!((number(&same, "relative_error"), number(&same, "bias"), same["maps"].as_u64()), (0.0, 0.0, Some(80)));
    assert_eq!((same["sets"]["unit"].as_str(), same["sets"]["not_in_split"].as_u64()), (Some("mK"), Some(10)));
    let mean = evaluated(&at("mean"), &at("original"), None).expect("maps");
    assert!((number(&mean, "relative_error") / number(&mean, "relative_error_of_means") - 1.0).abs() < 1e-5, "{mean}");
    // The two waves have wavenumbers 1 and 2, of which the mean keeps nothing.
    assert!(lost(&mean)[..2].iter().all(|lost| (lost - 1.0).abs() < 1e-4), "{mean}");
    let half = evaluated(&at("half"), &at("original"), Some("test")).expect("maps");
    assert!(lost(&half)[..2].iter().all(|lost| (lost - 0.25).abs() < 1e-4), "{half}");
    // Half of each pixel leaves a quarter of its square.
    let (error, deviation) = (number(&half, "rms_error"), number(&half, "deviation"));
    let bias = number(&half, "bias");
    assert!((error.powi(2) - (deviation / 2.0).powi(2) - bias.powi(2)).abs() < 1e-6 * error, "{half}");

    maps(&at("other"), 12, "K", map);
    let refused = evaluated(&at("other"), &at("original"), None).expect_err("another unit");
    assert!(refused.contains("in unit K, expected [1, 16, 16] in unit mK"), "{refused}");
    let few = evaluated(&at("same"), &at("original"), Some("validation")).expect_err("no such split");
    assert!(few.contains("validation"), "{few}");
}
