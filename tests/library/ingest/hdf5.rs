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
    for (shape, maps) in
        [(&[4, 5, 6][..], [4, 5, 6]), (&[20, 6], [1, 20, 6]), (&[4, 1, 5, 6], [4, 5, 6]), (&[4, 5, 6, 1], [4, 5, 6])]
    {
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
        let choice = Choice { dataset: dataset.map(str::to_owned), ..Choice::default() };
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

fn attribute<T: ::hdf5::H5Type>(dataset: &::hdf5::Dataset, name: &str, value: &T) {
    dataset.new_attr::<T>().create(name).and_then(|attribute| attribute.write_scalar(value)).expect("it is written");
}

/// A netCDF file's counts were taken for its values.
#[test]
fn attributes_of_netcdf_files_are_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    {
        let file = make(&path);
        put(&file, "maps", &[2, 3], &[-32768_i16, -1, 0, 1, 2000, 32767], None);
        let dataset = file.dataset("maps").unwrap();
        attribute(&dataset, "scale_factor", &1e-4);
        attribute(&dataset, "add_offset", &0.5);
        attribute(&dataset, "_FillValue", &-32768_i16);
        attribute(&dataset, "missing_value", &2000_i16);
        attribute(&dataset, "valid_max", &30000_i16);
    }
    let read = || Input::open(&path, &Choice::default()).and_then(|input| pixels(&input));
    let found = read().unwrap();
    let wanted: Vec<f32> = [-1.0, 0.0, 1.0].map(|x: f64| (1e-4 * x + 0.5) as f32).into();
    assert_eq!(found.iter().map(|x| x.is_finite()).collect::<Vec<_>>(), [false, true, true, true, false, false]);
    assert_eq!(found[1..4], wanted);
    {
        let file = make(&path);
        put(&file, "maps", &[2, 2], &[1e20_f32, 1.0, -99.9, 2.0], None);
        let dataset = file.dataset("maps").unwrap();
        attribute(&dataset, "_FillValue", &1e20_f64);
        attribute(&dataset, "missing_value", &-99.9_f64);
    }
    let found = read().unwrap();
    assert_eq!(found.iter().map(|x| x.is_finite()).collect::<Vec<_>>(), [false, true, false, true]);
}

#[test]
fn attributes_that_are_not_understood_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    let fault = |put_attribute: &dyn Fn(&::hdf5::Dataset)| {
        {
            let file = make(&path);
            put(&file, "maps", &[2, 2], &[0_i16; 4], None);
            put_attribute(&file.dataset("maps").unwrap());
        }
        told(&Input::open(&path, &Choice::default()).unwrap_err(), &path)
    };
    let text = ::hdf5::types::FixedAscii::<8>::from_ascii("0.0001").unwrap();
    for (name, wanted) in [
        ("scale_factor", "attribute `scale_factor` is no number, expected one"),
        ("missing_value", "attribute `missing_value` is no number, expected one"),
        ("_Unsigned", "has the attribute `_Unsigned`, expected numbers of their own type"),
    ] {
        assert_eq!(fault(&|dataset| attribute(dataset, name, &text)), format!("dataset `/maps`: {wanted}"));
    }
    assert_eq!(
        fault(&|dataset| attribute(dataset, "scale_factor", &0.0)),
        "dataset `/maps`: attributes `scale_factor` and `add_offset` are 0 and 0, expected finite numbers and a scale other than 0"
    );
}
