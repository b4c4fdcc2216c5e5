//! From files to records.

use std::collections::BTreeSet;

use skyforge::ingest::gather::Sources;
use skyforge::ingest::patches::{Part, copy_version};
use skyforge::ingest::{Augment, Choice, Cut, Gatherer, Input, MapScan, Order, Survey, scan};

use crate::ingest::files::{float_image, npy, pixels, write};

fn scans(inputs: &[Input], survey: &Survey) -> Vec<MapScan> {
    let one = |map| scan(&mut inputs[survey.place_of(map).0].reader().unwrap(), survey, map).unwrap().0;
    (0..survey.maps()).map(one).collect()
}

/// Holds all records against the files; gives their names in order.
fn check(inputs: &[Input], survey: &Survey, fill: Option<f32>) -> (Order, Vec<u64>) {
    let scans = scans(inputs, survey);
    let order = Order::new(survey, &scans, fill.is_none());
    let all: Vec<Vec<f32>> = inputs.iter().map(|input| pixels(input).unwrap()).collect();
    let Cut { side, stride, augment, .. } = survey.cut;
    let mut gatherer = Gatherer::new(Sources { inputs, survey, scans: &scans, order: &order, fill });
    let (mut found, mut wanted) = (vec![0.0; side * side], vec![0.0; side * side]);
    let mut ids = Vec::new();
    for record in 0..order.count() {
        let id = gatherer.record(record, &mut found).unwrap();
        let input = survey.grids.partition_point(|grid| grid.first_id <= id) - 1;
        let grid = survey.grids[input];
        let (patch, version) = ((id - grid.first_id) / augment.versions(), (id - grid.first_id) % augment.versions());
        let (line, column) = (patch as usize / grid.columns, patch as usize % grid.columns);
        let (map, row) = (line / grid.rows, line % grid.rows);
        let start = (map * grid.height + row * stride) * grid.width + column * stride;
        copy_version(version, &all[input][start..], grid.width, side, &mut wanted);
        wanted.iter_mut().filter(|x| !x.is_finite()).for_each(|x| *x = fill.expect("bad patches are left out"));
        assert!(found == wanted, "record {record} is patch {id}");
        let part =
            Part::ALL.into_iter().find(|part| order.records(*part).contains(&record)).expect("it is for something");
        assert!(survey.rows_for(part, grid.first_map + map as u64).contains(&row), "record {record} is for {part:?}");
        ids.push(id);
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once");
    (order, ids)
}

#[test]
fn every_good_patch_is_a_record_once_in_each_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stack: Vec<u8> = (0..5 * 40 * 48).map(|x: u32| (x.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    stack[7] = 1;
    let mut image: Vec<f32> = (0..50 * 30).map(|x| x as f32).collect();
    image[20 * 30 + 15] = f32::NAN;
    let paths = [
        write(folder.path(), "stack.npy", &npy("|u1", "False", "(5, 40, 48)", &stack)),
        write(folder.path(), "image.fits", &float_image(&[30, 50], &[], &image)),
    ];
    let inputs: Vec<Input> = paths.iter().map(|path| Input::open(path, &Choice::default()).unwrap()).collect();
    let shapes: Vec<[usize; 3]> = inputs.iter().map(Input::shape).collect();
    for (validation, test) in [(0.0, 0.0), (0.0, 0.1), (0.0, 0.4), (0.2, 0.0), (0.1, 0.3)] {
        for (augment, versions) in [(Augment::None, 1), (Augment::Flips, 4), (Augment::Dihedral, 8)] {
            let survey = Survey::new(Cut { side: 10, stride: 5, validation, test, augment }, &shapes).unwrap();
            let patches = |part| -> u64 {
                let rows = |map| survey.rows_for(part, map).len() * survey.grids[survey.place_of(map).0].columns;
                (0..6).map(rows).sum::<usize>() as u64
            };
            let (train, held) = (patches(Part::Train), patches(Part::Validation) + patches(Part::Test));
            let (order, _) = check(&inputs, &survey, Some(-1.0));
            assert_eq!(order.records(Part::Train), 0..train * versions, "test {test}");
            assert_eq!(order.count(), train * versions + held);
            // The NaN lies in 2 x 2 patches.
            let (skipped, _) = check(&inputs, &survey, None);
            let missing = order.count() - skipped.count();
            let held_back = validation + test > 0.0;
            assert!(missing == 4 * versions || (missing <= 4 && held_back), "{missing} left out of test {test}");
        }
    }
}

#[test]
fn blocks_are_fair_samples_of_a_sky_that_does_not_fit_into_memory_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = 40;
    let stack: Vec<u8> = (0..maps * 1024 * 1024_u32).map(|x| (x >> 20) as u8).collect();
    let path = write(folder.path(), "stack.npy", &npy("|u1", "False", &format!("({maps}, 1024, 1024)"), &stack));
    let inputs = [Input::open(&path, &Choice::default()).unwrap()];
    let survey = Survey::new(
        Cut { side: 64, stride: 64, validation: 0.0, test: 0.0, augment: Augment::None },
        &[inputs[0].shape()],
    )
    .unwrap();
    let (order, ids) = check(&inputs, &survey, None);
    assert!(order.groups.len() >= 2, "{} groups", order.groups.len());
    assert_eq!(ids.len(), 40 * 256);
    for (block, ids) in ids.chunks_exact(64).enumerate() {
        let maps: BTreeSet<u64> = ids.iter().map(|id| id / 256).collect();
        // The last group is of what is left, 8 maps: blocks 128 and on. 64 patches of 16 maps leave a map out with probability 0.016, so fewer than 11 are all but impossible.
        assert!(maps.len() > 10 || block >= 128, "block {block} is of {} maps", maps.len());
    }
}
