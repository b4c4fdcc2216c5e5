//! Laws of mapping records: every record once and in order, the same bits whoever computes it, and what a fault costs.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use skyforge::comm::{Solo, Threads};
use skyforge::data::{Dataset, DatasetWriter, Header, Modality, Record, Splits, Transform};
use skyforge::infer::columns::{BatchOutput, ColumnMap, OutputColumn, OutputRow};
use skyforge::infer::map_records::{BATCH, BatchModel, Engine, LedgerRun, Pull, RankRun, map_and_gather, run_of_rank};
use skyforge::infer::{MapError, RecordMap, map_records};
use skyforge::ledger::{End, Hand, Lease, Ledger, Work, merge};
use skyforge::nn::{Activation, Conv2d, ConvOptions, Linear, Pass, Weights};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Tensor, nn};

const SIDE: usize = 8;

/// Maps of noise with ids from 500 down.
fn dataset(folder: &Path, count: u64) -> Arc<Dataset> {
    let header = Header {
        count,
        modalities: vec![Modality::maps([1, SIDE, SIDE], "1", Transform::Identity {}, None)],
        labels: Vec::new(),
        splits: Splits::new(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("a folder");
    let shards = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            rows.ids = records.clone().map(|record| 500 - record).collect();
            let noise = records.flat_map(|record| Draw::new(3).at(Stream::Simulation, record, 0).normals(SIDE * SIDE));
            rows.values[0] = noise.collect();
            Ok::<(), skyforge::data::DataError>(())
        })
    });
    let shards = shards.collect::<Result<Vec<_>, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
    Arc::new(Dataset::open(folder).expect("a dataset"))
}

/// Computes three records at a time, and gives back the last one first.
struct Backwards;

impl Engine for Backwards {
    type Prepared = f32;
    type Made = f32;

    fn run<E>(
        &self,
        stop: impl Fn() -> bool,
        mut next: impl FnMut() -> Result<Pull<f32>, E>,
        mut done: impl FnMut(u64, f32) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut held, mut more) = (Vec::new(), true);
        while !stop() && (more || !held.is_empty()) {
            while more && held.len() < 3 {
                match next()? {
                    Pull::Record(number, value) => held.push((number, value)),
                    Pull::Later => break,
                    Pull::End => more = false,
                }
            }
            if let Some((number, value)) = held.pop() {
                done(number, 2.0 * value)?;
            }
        }
        Ok(())
    }
}

/// Twice the first pixel; a record whose number is one of these cannot be prepared.
struct Twice {
    folder: std::path::PathBuf,
    bad: Vec<u64>,
}

impl RecordMap for Twice {
    type Engine = Backwards;
    type Output = (u64, f32);

    fn engine(&self) -> &Backwards {
        &Backwards
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<f32, MapError> {
        if self.bad.contains(&number) {
            let fault = "is odd, expected an even one".into();
            return Err(MapError::Record { dataset: self.folder.clone(), id: record.id, fault });
        }
        Ok(record.values[0])
    }

    fn output(&self, _: u64, record: Record, made: f32) -> Result<(u64, f32), MapError> {
        Ok((record.id, made))
    }
}

/// Outputs of some records on one rank.
fn on_a_rank<M: RecordMap>(map: &M, dataset: &Dataset, run: Range<u64>) -> Result<Vec<M::Output>, MapError> {
    let mut all = Vec::new();
    let take = |output| {
        all.push(output);
        Ok::<(), MapError>(())
    };
    map_records(map, &mut RankRun::new(dataset, run, take))?;
    Ok(all)
}

fn expected(dataset: &Dataset, records: Range<u64>) -> Vec<(u64, f32)> {
    let values = dataset.read(0, records.clone()).expect("maps");
    records.zip(values.chunks(SIDE * SIDE)).map(|(record, map)| (500 - record, 2.0 * map[0])).collect()
}

#[test]
fn outputs_leave_once_and_in_order_though_an_engine_is_done_in_another() {
    let place = tempfile::tempdir().expect("a folder");
    let dataset = dataset(place.path(), 20);
    let map = Twice { folder: place.path().to_owned(), bad: Vec::new() };
    for run in [0..20, 3..11, 7..7] {
        assert_eq!(on_a_rank(&map, &dataset, run.clone()).expect("maps"), expected(&dataset, run));
    }
}

#[test]
fn ranks_share_records_out_and_gather_what_one_rank_makes() {
    let place = tempfile::tempdir().expect("a folder");
    let dataset = dataset(place.path(), 11);
    let map = Twice { folder: place.path().to_owned(), bad: Vec::new() };
    let records = 2..11;
    for ranks in 1..=4 {
        let runs: Vec<u64> = (0..ranks).flat_map(|rank| run_of_rank(&records, rank, ranks)).collect();
        assert_eq!(runs, records.clone().collect::<Vec<u64>>());
        for all in Threads::run(ranks, |comm| map_and_gather(comm, &map, &dataset, &records, || ())) {
            assert_eq!(all.expect("maps"), expected(&dataset, records.clone()), "{ranks} ranks");
        }
    }
}

#[test]
fn a_fault_ends_all_ranks_with_its_record() {
    let place = tempfile::tempdir().expect("a folder");
    let dataset = dataset(place.path(), 9);
    let map = Twice { folder: place.path().to_owned(), bad: vec![7] };
    let wanted = format!("{}: object 493: is odd, expected an even one", place.path().display());
    let error = on_a_rank(&map, &dataset, 0..9).expect_err("one is bad");
    assert_eq!(error.to_string(), wanted);
    for result in Threads::run(3, |comm| map_and_gather(comm, &map, &dataset, &(0..9), || ())) {
        assert!(result.expect_err("one is bad").to_string().ends_with(&wanted));
    }
}

fn ledger(folder: &Path, objects: u64) -> Ledger {
    let work = Work {
        command: "twice".into(),
        first_object: 0,
        end_object: objects,
        objects_per_block: 3,
        description: toml::Table::new(),
    };
    Ledger::join(folder, work, Lease::default()).expect("a ledger")
}

#[test]
fn a_ledger_has_what_a_rank_makes_and_puts_a_fault_into_quarantine() {
    let place = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&place.path().join("data"), 10);
    let map = Twice { folder: "data".into(), bad: vec![4] };
    let ledger = ledger(&place.path().join("ledger"), 10);
    let mut told = 0;
    let mut run = LedgerRun::start(&ledger, Hand::default(), Arc::clone(&dataset), |_: &_| {
        told += 1;
        Ok::<(), MapError>(())
    });
    map_records(&map, &mut run).expect("a worker");
    assert_eq!(run.end().expect("a worker"), End::AllDone);
    assert_eq!(told, 10);
    let (mut made, mut bad) = (Vec::new(), Vec::new());
    let merged = merge::merge::<skyforge::ledger::LedgerError>(&ledger, |object, outcome| {
        match outcome {
            Ok(payload) => made.push(postcard::from_bytes::<(u64, f32)>(&payload).expect("a pair")),
            Err(reason) => bad.push((object, reason)),
        }
        Ok(())
    });
    assert_eq!(merged.expect("it is finished").quarantined, 1);
    assert_eq!(bad, [(4, "data: object 496: is odd, expected an even one".to_owned())]);
    let mut all = expected(&dataset, 0..10);
    all.remove(4);
    assert_eq!(made, all);
}

/// A small convolutional encoder, whose rows are computed by the kernels that all networks have.
struct Encoder {
    store: nn::VarStore,
    down: Conv2d,
    to_code: Linear,
    /// Adds this to all records but number 70.
    beside: f32,
}

impl Encoder {
    fn new(beside: f32) -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let weights = Weights::he("encoder", 1, Activation::Relu);
        let options = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };
        let down = Conv2d::new(&(store.root() / "down"), &weights, 1, 8, options);
        let to_code = Linear::new(&(store.root() / "code"), &weights, 8 * 16, 5);
        Self { store, down, to_code, beside }
    }
}

impl BatchModel for Encoder {
    fn shape(&self) -> Vec<i64> {
        vec![1, SIDE as i64, SIDE as i64]
    }

    fn device(&self) -> Device {
        self.store.device()
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        let beside = if number == 70 { 0.0 } else { self.beside };
        Ok(record.values.iter().map(|value| value + beside).collect())
    }

    fn forward(&self, records: &Tensor) -> Tensor {
        assert_eq!(records.size(), [BATCH as i64, 1, SIDE as i64, SIDE as i64], "batches have one size");
        let x = Activation::Relu.forward(self.down.forward(records, Pass::Inference));
        self.to_code.forward(&x.flatten(1, -1), Pass::Inference)
    }
}

fn bits(rows: &[OutputRow]) -> Vec<(u64, Vec<u32>)> {
    rows.iter().map(|row| (row.id, row.values.iter().map(|value| value.to_bits()).collect())).collect()
}

#[test]
fn what_a_batch_makes_of_a_record_hangs_on_the_record_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let dataset = dataset(place.path(), 200);
    let outputs = |beside: f32, run: Range<u64>| {
        let columns = OutputColumn::features(5, "code");
        let output = BatchOutput { columns, model: Box::new(Encoder::new(beside)) };
        bits(&on_a_rank(&ColumnMap::new(&output), &dataset, run).expect("rows"))
    };
    let all = outputs(0.0, 0..200);
    assert_eq!(all.iter().map(|(id, _)| *id).collect::<Vec<u64>>(), (301..=500).rev().collect::<Vec<u64>>());
    assert_ne!(all[0].1, all[64].1, "records differ");
    for run in [0..1, 70..71, 60..130, 129..200] {
        let some = run.start as usize..run.end as usize;
        assert!(outputs(0.0, run.clone()) == all[some], "{run:?}");
    }
    assert!(outputs(1.0, 0..200)[70] == all[70], "among other neighbours");
    assert!(outputs(1.0, 0..200)[71] != all[71], "which are others");
    // Ranks share batches.
    let output = BatchOutput { columns: Vec::new(), model: Box::new(Encoder::new(0.0)) };
    let alone = map_and_gather(&Solo, &ColumnMap::new(&output), &dataset, &(0..200), || ()).expect("rows");
    assert!(bits(&alone) == all);
}
