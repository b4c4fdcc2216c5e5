use std::sync::Arc;

use skyforge::data::{
    BatchPlan, Channel, Codec, CodecFault, Damaged, DataError, Dataset, DatasetWriter, Encoding, Label, Loader,
    LoaderSettings, Microbatch, Modality, Sampler, SpectralAxis, Split, Transform,
};
use skyforge::exit::{Ends, Exit};
use tempfile::TempDir;

use crate::data::folder::{
    BLOCK, SIDE, dataset, flip, header, line, optional_cutouts, shard, value, with_labels, write,
};

pub fn settings() -> LoaderSettings {
    LoaderSettings { window_blocks: 2, ..LoaderSettings::default() }
}

pub fn plan(mine: std::ops::Range<usize>) -> BatchPlan {
    BatchPlan { global: 12, microbatches: 4, mine, seed: 7 }
}

pub fn load(
    folder: &TempDir,
    settings: &LoaderSettings,
    plan: BatchPlan,
    start: u64,
    number: usize,
) -> Vec<Microbatch> {
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let mut loader = Loader::new(dataset, settings, plan, start).unwrap();
    (0..number).map(|_| loader.next().unwrap()).collect()
}

fn ids(microbatches: &[Microbatch]) -> Vec<u64> {
    microbatches.iter().flat_map(|microbatch| microbatch.ids.clone()).collect()
}

#[test]
fn records_come_in_the_samplers_order_with_their_own_values() {
    let folder = dataset(5 * BLOCK + 3);
    let got = load(&folder, &settings(), plan(0..4), 0, 60); // two epochs and more
    let opened = Dataset::open(folder.path()).unwrap();
    let mut sampler = Sampler::new(opened.split("train").unwrap(), opened.blocks(), 2, 7).unwrap();
    for (index, microbatch) in got.iter().enumerate() {
        assert_eq!(microbatch.position, 3 * index as u64);
        for (row, (&id, map)) in microbatch.ids.iter().zip(microbatch.values[0].chunks_exact(SIDE * SIDE)).enumerate() {
            assert_eq!(id, sampler.record(microbatch.position + row as u64));
            assert!(map.iter().enumerate().step_by(77).all(|(pixel, &x)| x == value(id, pixel)));
        }
    }
}

#[test]
fn a_cursor_in_the_middle_of_an_epoch_continues_exactly() {
    let folder = dataset(3 * BLOCK + 1);
    let whole = load(&folder, &settings(), plan(0..4), 0, 40);
    for steps in [1, 3, 5] {
        assert_eq!(load(&folder, &settings(), plan(0..4), 12 * steps, 8), whole[4 * steps as usize..][..8]);
    }
}

#[test]
fn microbatches_of_two_workers_interleave_to_those_of_one() {
    let folder = dataset(3 * BLOCK + 1);
    let one = load(&folder, &settings(), plan(0..4), 0, 40);
    let left = load(&folder, &settings(), plan(0..1), 0, 10);
    let right = load(&folder, &settings(), plan(1..4), 0, 30);
    let both: Vec<_> = left.chunks(1).zip(right.chunks(3)).flat_map(|(l, r)| [l, r].concat()).collect();
    assert_eq!(both, one);
}

#[test]
fn a_worker_may_pass_over_whole_windows() {
    let folder = dataset(8 * BLOCK);
    let wide = |mine| BatchPlan { global: 96, microbatches: 8, mine, seed: 1 };
    let one = load(&folder, &LoaderSettings { window_blocks: 1, ..settings() }, wide(0..8), 0, 32);
    let last = load(&folder, &LoaderSettings { window_blocks: 1, ..settings() }, wide(7..8), 0, 4);
    assert_eq!(last, [7, 15, 23, 31].map(|index| one[index].clone()));
}

#[test]
fn large_microbatches_are_the_small_ones_in_a_row() {
    // Large ones are shared out over threads.
    let folder = dataset(4 * BLOCK);
    let small = load(&folder, &settings(), BatchPlan { global: 48, microbatches: 16, mine: 0..16, seed: 7 }, 0, 16);
    let large = load(&folder, &settings(), BatchPlan { global: 48, microbatches: 1, mine: 0..1, seed: 7 }, 0, 1);
    assert_eq!(ids(&large), ids(&small));
    assert_eq!(
        large[0].values[0],
        small.iter().flat_map(|microbatch| microbatch.values[0].clone()).collect::<Vec<_>>()
    );
}

#[test]
fn a_recycled_microbatch_changes_nothing() {
    let folder = dataset(3 * BLOCK);
    let fresh = load(&folder, &settings(), plan(1..3), 0, 30);
    let mut loader = Loader::new(Arc::new(Dataset::open(folder.path()).unwrap()), &settings(), plan(1..3), 0).unwrap();
    for wanted in fresh {
        let got = loader.next().unwrap();
        assert_eq!(got, wanted);
        loader.recycle(got);
    }
    assert!(loader.waited_seconds() > 0.0);
}

#[test]
fn values_are_transformed_by_the_settings_or_else_by_the_manifest() {
    let folder = TempDir::new().unwrap();
    let modalities = vec![Modality::maps([1, SIDE, SIDE], "1", Transform::Ratio { k: 5.0 }, None)];
    write(folder.path(), skyforge::data::Header { modalities, ..header(BLOCK) }).unwrap();
    let got = &load(&folder, &settings(), plan(0..4), 0, 1)[0];
    let mut wanted = vec![value(got.ids[0], 50)];
    Transform::Ratio { k: 5.0 }.forward(&mut wanted).unwrap();
    assert_eq!(got.values[0][50], wanted[0]);
    let linear = Transform::Linear { scale: 2.0, offset: -1.0 };
    let got = &load(
        &folder,
        &LoaderSettings { encodings: vec![Encoding::Transform(linear)], ..settings() },
        plan(0..4),
        0,
        1,
    )[0];
    assert_eq!(got.values[0][50], 2.0 * value(got.ids[0], 50) - 1.0);
}

#[test]
fn a_value_outside_the_transforms_domain_is_named_with_its_record() {
    let folder = dataset(BLOCK);
    let log = Transform::Log { shift: -3.0, scale: 1.0, offset: 0.0 }; // records 0, 1, 2 are all below 3
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let mut loader = Loader::new(
        dataset,
        &LoaderSettings { encodings: vec![Encoding::Transform(log)], ..settings() },
        plan(0..4),
        0,
    )
    .unwrap();
    let error = (0..8).find_map(|_| loader.next().err()).unwrap();
    assert_eq!(error.exit(), Exit::Data);
    let message = error.to_string();
    assert!(message.starts_with("record ") && message.contains("expected more than 3"), "{message}");
    assert_eq!(line(loader.next()), "the loader has ended after an earlier error");
}

#[test]
fn a_split_keeps_the_others_out() {
    let folder = TempDir::new().unwrap();
    let splits = [("train".into(), Split::new([5..40, 50..60])), ("test".into(), Split::from(0..5))];
    write(folder.path(), skyforge::data::Header { splits: splits.into(), ..header(4 * BLOCK) }).unwrap();
    let mut seen =
        ids(&load(&folder, &settings(), BatchPlan { global: 9, microbatches: 1, mine: 0..1, seed: 7 }, 0, 5));
    seen.sort_unstable();
    assert_eq!(seen, (5..40).chain(50..60).collect::<Vec<_>>());
}

#[test]
fn a_damaged_block_stops_a_strict_run_by_name() {
    let folder = dataset(4 * BLOCK);
    flip(&shard(&folder, 2), 3, 0);
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let mut loader = Loader::new(dataset, &settings(), plan(0..4), 0).unwrap();
    let error = (0..40).find_map(|_| loader.next().err()).unwrap();
    assert!(error.to_string().starts_with("shard-00002.h5: rows 0..16 are damaged"), "{error}");
}

#[test]
fn a_damaged_block_is_passed_over_where_that_is_asked_for() {
    let folder = dataset(4 * BLOCK);
    let sound = load(&folder, &settings(), plan(0..4), 0, 64); // three epochs
    flip(&shard(&folder, 2), 3, 0);
    let skip = LoaderSettings { damaged: Damaged::Skip, ..settings() };
    let got = load(&folder, &skip, plan(0..4), 0, 64);
    let damaged = 2 * BLOCK..3 * BLOCK;
    for (before, after) in ids(&sound).into_iter().zip(ids(&got)) {
        assert!(!damaged.contains(&after));
        assert!(before == after || damaged.contains(&before), "only damaged places are filled anew");
    }
    // Workers and cursors see the same.
    assert_eq!(
        load(&folder, &skip, plan(1..2), 24, 3).iter().map(|m| &m.ids).collect::<Vec<_>>(),
        [&got[9].ids, &got[13].ids, &got[17].ids]
    );

    let mut loader = Loader::new(Arc::new(Dataset::open(folder.path()).unwrap()), &skip, plan(0..4), 0).unwrap();
    for _ in 0..64 {
        loader.next().unwrap();
    }
    assert_eq!(loader.skipped_rows(), 3 * BLOCK);
}

#[test]
fn a_window_without_a_sound_record_stops_even_so() {
    let folder = dataset(BLOCK);
    flip(&shard(&folder, 0), 3, 0);
    let skip = LoaderSettings { damaged: Damaged::Skip, ..settings() };
    let mut loader = Loader::new(Arc::new(Dataset::open(folder.path()).unwrap()), &skip, plan(0..4), 0).unwrap();
    assert!(loader.next().unwrap_err().is_damage());
}

#[test]
fn a_plan_that_cannot_be_is_wrong_use() {
    let folder = dataset(BLOCK);
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let refused = |settings: &LoaderSettings, plan: BatchPlan| {
        let error = Loader::new(Arc::clone(&dataset), settings, plan, 0).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        line::<()>(Err(error))
    };
    let good = plan(0..4);
    assert_eq!(
        refused(&settings(), BatchPlan { global: 30, ..good.clone() }),
        "`batch.global` is 30, expected a positive multiple of `batch.microbatches`: 4"
    );
    refused(&settings(), BatchPlan { mine: 2..5, ..good.clone() });
    refused(&settings(), BatchPlan { mine: 2..2, ..good.clone() });
    refused(&LoaderSettings { window_blocks: 0, ..settings() }, good.clone());
    refused(&LoaderSettings { split: "nothing".into(), ..settings() }, good.clone());
    refused(&LoaderSettings { encodings: vec![Encoding::Transform(Transform::Ratio { k: 0.0 })], ..settings() }, good);
}

#[test]
fn a_loader_that_is_dropped_leaves_no_thread_behind() {
    let folder = dataset(4 * BLOCK);
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    for taken in 0..3 {
        let mut loader = Loader::new(Arc::clone(&dataset), &settings(), plan(0..4), 0).unwrap();
        for _ in 0..taken {
            loader.next().unwrap();
        }
        drop(loader);
        assert_eq!(Arc::strong_count(&dataset), 1); // each thread holds one
    }
}

/// Puts the first pixel of a map and the number of its labels behind the map itself, and takes no map above `most`.
#[derive(Debug)]
struct Framed {
    most: f32,
}

impl Codec for Framed {
    fn check(&self, _: &Modality, labels: &[Label]) -> Result<(), String> {
        if labels.is_empty() { Ok(()) } else { Err(format!("has {} labels, expected none", labels.len())) }
    }

    fn shape(&self) -> Vec<usize> {
        vec![SIDE * SIDE + 2]
    }

    fn encode(&self, values: &[f32], labels: &[f32], image: &mut [f32]) -> Result<(), CodecFault> {
        if values[0] > self.most {
            return Err(format!("begins with {}, expected at most {}", values[0], self.most).into());
        }
        let (map, frame) = image.split_at_mut(values.len());
        map.copy_from_slice(values);
        frame.copy_from_slice(&[values[0], labels.len() as f32]);
        Ok(())
    }

    fn decode(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let maps = images.chunks_exact(SIDE * SIDE + 2).flat_map(|image| &image[..SIDE * SIDE]);
        (maps.copied().collect(), Vec::new())
    }
}

#[test]
fn a_codec_makes_the_image_of_each_record_or_says_which_it_does_not_take() {
    let folder = dataset(2 * BLOCK);
    let with = |most| LoaderSettings { encodings: vec![Encoding::Codec(Arc::new(Framed { most }))], ..settings() };
    for microbatch in load(&folder, &with(f32::INFINITY), plan(0..4), 0, 20) {
        for (id, image) in microbatch.ids.iter().zip(microbatch.values[0].chunks_exact(SIDE * SIDE + 2)) {
            assert!((0..SIDE * SIDE).all(|pixel| image[pixel] == value(*id, pixel)));
            assert_eq!(image[SIDE * SIDE..], [value(*id, 0), 0.0]);
        }
    }
    let opened = Arc::new(Dataset::open(folder.path()).unwrap());
    let last = opened.manifest().count - 1;
    let mut loader = Loader::new(Arc::clone(&opened), &with(last as f32 - 1.0), plan(0..4), 0).unwrap();
    let error = (0..last).find_map(|_| loader.next().err()).unwrap();
    assert_eq!(error.exit(), Exit::Data);
    assert_eq!(error.to_string(), format!("record {last}: begins with {last}, expected at most {}", last - 1));
    // What the codec refuses of a dataset, the loader refuses.
    let labelled = TempDir::new().unwrap();
    write(labelled.path(), with_labels(BLOCK)).unwrap();
    let message = line(Loader::new(Arc::new(Dataset::open(labelled.path()).unwrap()), &with(1.0), plan(0..4), 0));
    assert_eq!(message, "has 2 labels, expected none");
}

#[test]
fn a_codec_is_known_by_its_type() {
    let framed = Encoding::Codec(Arc::new(Framed { most: 2.5 }));
    assert_eq!(framed.codec::<Framed>().map(|codec| codec.most), Some(2.5));
    assert!(Encoding::Transform(Transform::default()).codec::<Framed>().is_none());
    let image = [vec![1.5; SIDE * SIDE], vec![1.5, 0.0]].concat();
    assert_eq!(framed.decode(image).unwrap(), (vec![1.5; SIDE * SIDE], Vec::new()));
}

#[test]
fn modalities_come_together_and_what_a_record_lacks_is_zero() {
    let folder = TempDir::new().unwrap();
    let linear = Transform::Linear { scale: 2.0, offset: 1.0 };
    let cutouts = optional_cutouts(8, linear);
    let wavelength_um = vec![1.0, 1.1, 1.2];
    let spectra = Modality::spectra(SpectralAxis { channels: vec![Channel::Depth], wavelength_um });
    let count = 5000; // three blocks
    let modalities = vec![spectra, cutouts];
    let labels = vec![Label::class("morphology", ["spiral", "elliptical"])];
    let header = skyforge::data::Header { modalities, labels, ..header(count) };
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let shard = |index| {
        writer.write_blocks::<DataError>(index, |records, rows| {
            for (row, record) in records.enumerate() {
                rows.values[0][row * 3..(row + 1) * 3].fill(record as f32);
                rows.labels[row] = (record % 2) as f32;
                if record % 5 == 0 {
                    rows.present[row * 2 + 1] = 0;
                } else {
                    rows.values[1][row * 128..(row + 1) * 128].fill(-(record as f32));
                }
            }
            Ok(())
        })
    };
    let entries = (0..writer.shards()).map(shard).collect::<Result<_, _>>().unwrap();
    writer.finish(entries).unwrap();
    for microbatch in load(&folder, &settings(), plan(0..4), 0, 300) {
        for (row, id) in microbatch.ids.iter().enumerate() {
            let lacks = id % 5 == 0;
            let spectrum = &microbatch.values[0][row * 3..(row + 1) * 3];
            let cutout = &microbatch.values[1][row * 128..(row + 1) * 128];
            assert!(spectrum.iter().all(|value| *value == *id as f32), "as it is on disk");
            let wanted = if lacks { 0.0 } else { 1.0 - 2.0 * *id as f32 };
            assert!(cutout.iter().all(|value| *value == wanted), "transformed, or absent: {id}");
            assert_eq!(microbatch.present[row * 2..(row + 1) * 2], [1, u8::from(!lacks)]);
            assert_eq!(microbatch.labels[row], (id % 2) as f32);
        }
    }
    let encodings = vec![Encoding::Transform(linear)];
    let message = line(Loader::new(
        Arc::new(Dataset::open(folder.path()).unwrap()),
        &LoaderSettings { encodings, ..settings() },
        plan(0..4),
        0,
    ));
    assert!(message.ends_with("has 2 modalities, expected 1"), "{message}");
}
