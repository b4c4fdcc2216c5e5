//! HDF5 stacks.

use std::path::Path;

use skyforge::ingest::{Choice, Input};

use crate::ingest::files::{pixels, told};

fn make(path: &Path) -> ::hdf5::File {
    ::hdf5::File::create(path).expect("the disk has room")
}

fn put<T: ::hdf5::H5Type>(file: &::hdf5::File, name: &str, shape: &[usize], values: &[T], chunk: Option<&[usize]>) {
    let builder = file.new_dataset::<T>().shape(shape.to_vec());
    let dataset = match chunk {
        None => builder.create(name),
        Some(chunk) => builder.chunk(chunk.to_vec()).shuffle().create(name),
    };
    dataset.expect("it can be made").write_raw(values).expect("it can be written");
}

#[test]
fn stacks_of_any_kind_and_layout_are_read_as_the_numbers_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    let doubles: Vec<f64> = (0..120).map(|x| f64::from(x) / 7.0 - 3.0).collect();
    let wanted: Vec<f32> = doubles.iter().map(|x| *x as f32).collect();
    for (shape, maps) in [(&[4, 5, 6][..], [4, 5, 6]), (&[20, 6], [1, 20, 6]), (&[4, 1, 5, 6], [4, 5, 6])] {
        for chunk in
            [None, Some(vec![3; shape.len()].iter().zip(shape).map(|(a, b)| *a.min(b)).collect::<Vec<usize>>())]
        {
            put(&make(&path), "maps", shape, &doubles, chunk.as_deref());
            let input = Input::open(&path, &Choice::default()).unwrap();
            assert_eq!((input.shape(), pixels(&input).unwrap()), (maps, wanted.clone()), "{shape:?} {chunk:?}");
        }
    }
    let shorts: Vec<i16> = (0..24).map(|x| 1000 * x - 7).collect();
    let longs: Vec<u64> = (0..24).map(|x| u64::MAX - (x << 38)).collect();
    {
        let file = make(&path);
        put(&file, "shorts", &[2, 3, 4], &shorts, None);
        file.create_group("deep").unwrap();
        put(&file, "deep/longs", &[2, 3, 4], &longs, None);
        put(&file, "ids", &[24], &longs, None);
    }
    let read = |dataset: Option<&str>| {
        let choice = Choice { hdu: None, dataset: dataset.map(str::to_owned) };
        Input::open(&path, &choice).and_then(|input| pixels(&input))
    };
    assert_eq!(read(None).unwrap(), shorts.iter().map(|&x| f32::from(x)).collect::<Vec<_>>(), "the only one with maps");
    assert_eq!(read(Some("deep/longs")).unwrap(), longs.iter().map(|&x| x as f32).collect::<Vec<_>>());
    let fault = |dataset| told(&read(Some(dataset)).unwrap_err(), &path);
    assert_eq!(fault("kappa"), "has no dataset `kappa`, expected one of deep, ids, shorts");
    assert_eq!(fault("ids"), "dataset `ids`: has shape [24], expected [h, w] or [n, h, w]");
}

#[test]
fn several_datasets_of_maps_ask_for_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    {
        let file = make(&path);
        put(&file, "kappa", &[2, 2], &[0_f32; 4], None);
        put(&file, "shear", &[2, 2], &[0_f32; 4], None);
    }
    let fault = told(&Input::open(&path, &Choice::default()).unwrap_err(), &path);
    assert_eq!(fault, "has datasets /kappa, /shear, expected --dataset to name one");
}
