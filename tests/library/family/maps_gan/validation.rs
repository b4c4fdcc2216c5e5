//! What is measured while networks learn.

use std::ops::Range;
use std::path::Path;

use skyforge::comm::{Communicator, Solo, Threads};
use skyforge::data::normalise::Transform;
use skyforge::data::{Dataset, DatasetWriter, Header, Modality, Split};
use skyforge::family::maps_gan::validation::{MapsValidator, SCORES};
use skyforge::infer::{Generate, TrainedModel};
use skyforge::objective::{Feed, Forward, Input, MomentsFrom, Network, Objective, Phase, StepContext};
use skyforge::optim::AdamSettings;
use skyforge::rng::{Draw, Stream};
use skyforge::train::{Cut, Measured, Stepper, Validator};
use tch::{Device, Tensor, nn};

const SIDE: usize = 16;
const TRANSFORM: Transform = Transform::Linear { scale: 2.0, offset: 0.1 };

/// Map `record` of a white sky, in physical units.
fn map(record: u64) -> Vec<f32> {
    Draw::new(5).at(Stream::Simulation, record, 0).normals(SIDE * SIDE)
}

/// Makes maps by a rule, in the network's range.
struct Maker {
    store: nn::VarStore,
    rule: fn(u64) -> Vec<f32>,
}

impl Maker {
    fn new(rule: fn(u64) -> Vec<f32>) -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let _ = store.root().var_copy("w", &Tensor::from_slice(&[1.0_f32]));
        Self { store, rule }
    }
}

impl Objective for Maker {
    fn networks(&self) -> Vec<Network<'_>> {
        vec![Network {
            name: "maker",
            store: &self.store,
            halves: Vec::new(),
            average: None,
            metrics: &[],
            norms: Vec::new(),
            norm_momentum: 0.1,
            spectral: Vec::new(),
            recalibrated_on: MomentsFrom::Noise,
        }]
    }

    fn phases(&self) -> Vec<Phase> {
        vec![Phase { networks: vec![0], turn: 0, turns: 1, feed: Feed::Fresh, reads: vec![0] }]
    }

    fn begin<'a>(&'a self, _: &Phase, _: &StepContext, _: Input) -> Box<dyn Forward + 'a> {
        unreachable!("nothing is trained here")
    }

    fn recalibrate(&self, _: usize, _: Draw, _: u64, _: Input) -> Vec<Tensor> {
        Vec::new()
    }

    fn model(&self) -> &dyn TrainedModel {
        self
    }

    fn flops_per_record(&self) -> f64 {
        0.0
    }
}

impl TrainedModel for Maker {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

impl Generate for Maker {
    fn generate(&self, _: Draw, records: Range<u64>) -> Tensor {
        let count = records.end - records.start;
        // The transform by hand: it takes no value that is no number.
        let values: Vec<f32> = records.flat_map(self.rule).map(|x| 2.0 * x + 0.1).collect();
        Tensor::from_slice(&values).view([count as i64, 1, SIDE as i64, SIDE as i64])
    }
}

/// 256 maps of the white sky to be validated on, then 256 of another to be trained on.
fn sky(folder: &Path) -> Dataset {
    sky_with(folder, &[("validation", 0..256), ("train", 256..512)])
}

fn sky_with(folder: &Path, splits: &[(&str, Range<u64>)]) -> Dataset {
    let header = Header {
        count: 512,
        modalities: vec![Modality::maps([1, SIDE, SIDE], "1", TRANSFORM, None)],
        labels: Vec::new(),
        splits: splits.iter().map(|(name, records)| ((*name).to_owned(), Split::from(records.clone()))).collect(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let fill = |record: u64, pixels: &mut [f32]| {
        let brightness = if record < 256 { 1.0 } else { 3.0 };
        let map: Vec<f32> = map(record).iter().map(|x| brightness * x).collect();
        pixels.copy_from_slice(&map);
    };
    let shards = (0..writer.shards()).map(|shard| writer.write_shard(shard, fill).expect("the disk has room"));
    let shards = shards.collect();
    writer.finish(shards).expect("the disk has room");
    Dataset::open(folder).expect("it was just made")
}

fn measured(comm: &dyn Communicator, dataset: &Dataset, rule: fn(u64) -> Vec<f32>) -> Measured {
    let validator = MapsValidator::new(comm, dataset, 256, TRANSFORM, Draw::new(0)).expect("there are maps");
    let validator: &dyn Validator = &validator;
    let maker = Maker::new(rule);
    let cut = Cut { global: 16, microbatches: 8 };
    let mut stepper = Stepper::new(&maker, comm, Draw::new(0), cut, |_| AdamSettings::default());
    validator.measure(comm, &mut stepper).expect("it makes maps")
}

/// Error of the spectrum, of the variance, and the ratio of variances.
fn numbers(measured: &Measured) -> [f64; 3] {
    let names: Vec<&str> = measured.scores.iter().chain(&measured.beside).map(|(name, _)| *name).collect();
    assert_eq!(names[..2], SCORES.map(|score| score.name), "in the order in which they are declared");
    assert_eq!(names[2..], ["variance_ratio"]);
    [measured.scores[0].1, measured.scores[1].1, measured.beside[0].1]
}

#[test]
fn the_data_of_the_validation_split_have_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = sky(&folder.path().join("sky"));
    let measured = measured(&Solo, &dataset, map);
    let [spectrum_error, variance_error, variance_ratio] = numbers(&measured);
    assert!(spectrum_error < 1e-4 && variance_error < 1e-4, "{measured:?}");
    assert!((variance_ratio - 1.0).abs() < 1e-4 && measured.warning.is_none(), "{measured:?}");
}

#[test]
fn maps_twice_as_bright_have_four_times_the_power_and_one_map_again_and_again_has_collapsed() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = sky(&folder.path().join("sky"));
    let twice = measured(&Solo, &dataset, |record| map(record).iter().map(|x| 2.0 * x).collect());
    let [spectrum_error, variance_error, _] = numbers(&twice);
    assert!((spectrum_error - 3.0).abs() < 1e-3 && (variance_error - 3.0).abs() < 1e-3, "{twice:?}");
    let half = measured(&Solo, &dataset, |record| map(record).iter().map(|x| 0.5 * x).collect());
    assert!((numbers(&half)[1] - 0.75).abs() < 1e-3 && half.warning.is_none(), "{half:?}");
    let same = measured(&Solo, &dataset, |_| map(7));
    let warning = same.warning.as_deref().unwrap_or_default();
    assert!(numbers(&same)[2] < 1e-5 && warning.contains("hardly differ from one another"), "{same:?}");
    let none = measured(&Solo, &dataset, |record| vec![if record == 100 { f32::NAN } else { 1.0 }; SIDE * SIDE]);
    assert!(numbers(&none)[..2].iter().all(|score| score.is_nan()) && none.warning.is_none(), "{none:?}");
}

#[test]
fn a_dataset_without_a_validation_split_says_how_to_get_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let sky = folder.path().join("sky");
    let dataset = sky_with(&sky, &[("train", 0..256), ("test", 256..512)]);
    let error =
        MapsValidator::new(&Solo, &dataset, 256, TRANSFORM, Draw::new(0)).expect_err("there is none").to_string();
    let wanted = format!(
        "{} has no split `validation`, expected one since `validation.every` is not 0: \
         simulate or ingest the dataset with --validation SHARE",
        sky.display()
    );
    assert_eq!(error, wanted);
}

#[test]
fn any_number_of_ranks_measures_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = sky(&folder.path().join("sky"));
    let rule = |record| map(record + 1000);
    let alone = numbers(&measured(&Solo, &dataset, rule));
    for ranks in [2, 3, 5, 8] {
        for measured in Threads::run(ranks, |comm| measured(comm, &dataset, rule)) {
            assert_eq!(numbers(&measured), alone, "{ranks} ranks");
        }
    }
}
