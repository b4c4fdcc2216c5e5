use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use skyforge::data::{
    Channel, DataError, Dataset, DatasetWriter, Header, Kind, Label, Layout, Manifest, Modality, Rows, SpectralAxis,
    Split, Transform, split,
};
use skyforge::exit::{Ends, Exit};
use tempfile::TempDir;

use crate::data::folder::{
    BLOCK, SIDE, dataset, fill, flip, header, line, maps_of, optional_cutouts, shard, sign, value, with_labels, write,
};

/// Names and bytes of everything in a folder.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn edit(folder: &TempDir, from: &str, to: &str) {
    let path = folder.path().join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    let folder = dataset(3 * BLOCK + 5);
    let dataset = Dataset::open(folder.path()).unwrap();
    let records = BLOCK - 2..3 * BLOCK + 3;
    let maps = dataset.read(0, records.clone()).unwrap();
    assert_eq!(maps.len() as u64, (records.end - records.start) * (SIDE * SIDE) as u64);
    for (record, map) in records.clone().zip(maps.chunks_exact(SIDE * SIDE)) {
        assert!(map.iter().enumerate().all(|(pixel, &x)| x == value(record, pixel)), "record {record}");
    }
    assert_eq!(dataset.read_ids(records.clone()).unwrap(), records.collect::<Vec<_>>());
    assert!(dataset.read(0, 5..5).unwrap().is_empty());
    dataset.verify().unwrap();
}

#[test]
fn labels_come_back_with_unknown_ones_unknown() {
    let folder = TempDir::new().unwrap();
    let writer = DatasetWriter::create(folder.path(), with_labels(BLOCK + 1)).unwrap();
    let entries = (0..writer.shards())
        .map(|index| {
            writer.write_blocks::<DataError>(index, |records, rows| {
                for (record, parameters) in records.zip(rows.labels.chunks_exact_mut(2)) {
                    parameters[0] = record as f32;
                }
                rows.ids.iter_mut().for_each(|id| *id += 1_000_000);
                Ok(())
            })
        })
        .collect::<Result<_, _>>()
        .unwrap();
    writer.finish(entries).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let parameters = dataset.read_labels(BLOCK - 1..BLOCK + 1).unwrap();
    assert_eq!([parameters[0], parameters[2]], [15.0, 16.0]);
    assert!(parameters[1].is_nan() && parameters[3].is_nan());
    assert_eq!(dataset.read_ids(BLOCK..BLOCK + 1).unwrap(), [1_000_016]);
}

#[test]
fn the_same_bytes_are_written_whenever_and_in_whichever_order() {
    let first = dataset(5 * BLOCK);
    std::thread::sleep(std::time::Duration::from_millis(1100)); // a time stamp counts seconds
    let second = TempDir::new().unwrap();
    let ranks: Vec<_> = (0..2).map(|_| DatasetWriter::create(second.path(), header(5 * BLOCK)).unwrap()).collect();
    let entries =
        [4, 1, 0, 3, 2].iter().map(|&index| ranks[index % 2].write_shard(index, fill).unwrap()).collect::<Vec<_>>();
    ranks.into_iter().next().unwrap().finish(entries).unwrap();
    assert_eq!(everything(first.path()).len(), 6);
    assert!(everything(first.path()) == everything(second.path()));
}

#[test]
fn a_new_file_can_be_read_by_the_group_as_the_umask_says() {
    let folder = dataset(1);
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&shard(&folder, 0)), mode(&plain));
    assert_eq!(mode(&folder.path().join("manifest.toml")), mode(&plain));
}

#[test]
fn maps_begin_at_a_multiple_of_4096() {
    let folder = dataset(BLOCK);
    let file = hdf5::File::open(shard(&folder, 0)).unwrap();
    assert_eq!(file.dataset("map").unwrap().offset().unwrap() % 4096, 0);
}

#[test]
fn a_chunked_shard_is_read_as_well() {
    let folder = dataset(BLOCK + 3);
    let path = shard(&folder, 1);
    {
        let file = hdf5::File::open_rw(&path).unwrap();
        let values = file.dataset("map").unwrap().read_raw::<f32>().unwrap();
        file.unlink("map").unwrap();
        let x = file.new_dataset::<f32>().chunk((1, 1, SIDE, SIDE)).shape((3, 1, SIDE, SIDE)).create("map").unwrap();
        x.write_raw(&values).unwrap();
        assert_eq!(x.offset(), None);
    }
    let entry = Dataset::open(folder.path());
    let bytes = fs::metadata(&path).unwrap().len();
    let size = line(entry).split(" bytes").next().unwrap().rsplit(' ').next().unwrap().to_string();
    assert_eq!(size, bytes.to_string());
    let manifest = fs::read_to_string(folder.path().join("manifest.toml")).unwrap();
    let listed = manifest.rsplit("bytes = ").next().unwrap().lines().next().unwrap().to_string();
    let (head, tail) = manifest.rsplit_once(&format!("bytes = {listed}")).unwrap();
    fs::write(folder.path().join("manifest.toml"), format!("{head}bytes = {bytes}{tail}")).unwrap();
    sign(folder.path());
    let maps = Dataset::open(folder.path()).unwrap().read(0, BLOCK + 1..BLOCK + 2).unwrap();
    assert_eq!(maps[7], value(BLOCK + 1, 7));
}

#[test]
fn names_of_variable_length_are_refused_unread_where_no_seal_vouches_for_them() {
    // libhdf5 reads such text without end where the file is damaged: fuzzing found it.
    let folder = dataset(BLOCK);
    let path = shard(&folder, 0);
    {
        let file = hdf5::File::open_rw(&path).unwrap();
        file.delete_attr("modalities").unwrap();
        let name: hdf5::types::VarLenUnicode = "map".parse().unwrap();
        file.new_attr::<hdf5::types::VarLenUnicode>()
            .shape([1])
            .create("modalities")
            .unwrap()
            .write_raw(&[name])
            .unwrap();
    }
    let error = line(skyforge::data::shard::Shard::open(&path));
    assert!(error.contains("attribute `modalities` is"), "{error}");
    assert!(error.contains("expected ASCII text of a fixed length (S64)"), "{error}");
}

#[test]
fn names_that_are_no_text_are_refused() {
    // hdf5's fixed strings are not checked, and a slice of one that is no text panics: fuzzing found it.
    let folder = dataset(BLOCK);
    let path = shard(&folder, 0);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 1;
    bytes.truncate(end); // no seal: another program's file
    let name: Vec<u8> = b"map".iter().copied().chain([0; 61]).collect();
    let place = bytes.windows(64).position(|some| some == name).unwrap();
    bytes[place + 2] = 0xcf;
    fs::write(&path, bytes).unwrap();
    let error = line(skyforge::data::shard::Shard::open(&path));
    assert!(error.contains("attribute `modalities` has bytes that are no text, expected ASCII text"), "{error}");
}

#[test]
fn a_missing_shard_is_named() {
    let folder = dataset(2 * BLOCK);
    let bytes = fs::metadata(shard(&folder, 1)).unwrap().len();
    fs::remove_file(shard(&folder, 1)).unwrap();
    let error = Dataset::open(folder.path()).unwrap_err();
    assert_eq!(error.exit(), Exit::Data);
    assert_eq!(error.to_string(), format!("shard-00001.h5 is missing, expected {bytes} bytes from manifest.toml"));
}

#[test]
fn a_cut_off_shard_is_named_with_its_sizes() {
    let folder = dataset(2 * BLOCK);
    let bytes = fs::metadata(shard(&folder, 1)).unwrap().len();
    fs::File::options().write(true).open(shard(&folder, 1)).unwrap().set_len(1000).unwrap();
    let message = line(Dataset::open(folder.path()));
    assert_eq!(message, format!("shard-00001.h5 is 1000 bytes, expected {bytes} from manifest.toml"));
}

#[test]
fn a_flipped_bit_is_named_by_shard_and_rows_and_hurts_no_other_block() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), header(17 * BLOCK)).unwrap(); // the last shard has two blocks
    flip(&shard(&folder, 15), BLOCK + 1, 100);
    let dataset = Dataset::open(folder.path()).unwrap();
    let error = dataset.read(0, 16 * BLOCK..16 * BLOCK + 1).unwrap_err();
    assert!(error.is_damage());
    assert!(error.to_string().starts_with("shard-00015.h5: rows 16..32 are damaged: checksum "), "{error}");
    assert_eq!(line(dataset.verify()), error.to_string());
    dataset.read(0, 0..16 * BLOCK).unwrap();
}

#[test]
fn a_shard_of_another_dataset_is_refused() {
    let folder = dataset(2 * BLOCK);
    fs::copy(shard(&folder, 0), shard(&folder, 1)).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    dataset.read(0, 0..BLOCK).unwrap();
    let message = line(dataset.read(0, BLOCK..BLOCK + 1));
    assert!(message.starts_with("shard-00001.h5 has checksum "), "{message}");
}

#[test]
fn a_value_that_is_no_number_is_found_when_read_and_when_written() {
    let folder = TempDir::new().unwrap();
    let poisoned = |record: u64, map: &mut [f32]| map[9] = if record == BLOCK + 2 { f32::NAN } else { 0.0 };
    let writer = DatasetWriter::create(folder.path(), header(2 * BLOCK)).unwrap();
    writer.write_shard(0, poisoned).unwrap();
    let message = line(writer.write_shard(1, poisoned));
    assert_eq!(message, "shard-00001.h5: row 2 of `map` holds NaN at value 9, expected finite numbers");
    assert_eq!(everything(folder.path()).len(), 1, "nothing is left of the shard");

    // A file with right checksums and an infinite value, as another program may write it.
    let folder = dataset(BLOCK);
    let place = (3 * SIDE * SIDE + 11) * 4;
    rewritten(&folder, &["map", "id"], "map", place, &f32::INFINITY.to_le_bytes());
    let message = line(Dataset::open(folder.path()).unwrap().read(0, 0..1));
    assert_eq!(message, "shard-00000.h5: row 3 of `map` holds inf at value 11, expected finite numbers");
}

/// Changes bytes of an array of a dataset's first shard, which holds one block, and all checksums with them, as another program would
/// that knows nothing of our seal.
///
/// - `arrays`: those with rows, in the order in which a block's checksum takes them
fn rewritten(folder: &TempDir, arrays: &[&str], array: &str, place: usize, value: &[u8]) {
    let path = shard(folder, 0);
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    let (places, sums) = {
        let file = hdf5::File::open(&path).unwrap();
        let place = |name: &&str| {
            let array = file.dataset(name).unwrap();
            let start = array.offset().unwrap() as usize;
            start..start + array.size() * array.dtype().unwrap().size()
        };
        (arrays.iter().map(place).collect::<Vec<_>>(), place(&"block_checksums").start)
    };
    let start = places[arrays.iter().position(|name| *name == array).unwrap()].start + place;
    bytes[start..start + value.len()].copy_from_slice(value);
    let block: Vec<u8> = places.iter().flat_map(|place| bytes[place.clone()].to_vec()).collect();
    let sum = xxhash_rust::xxh3::xxh3_64(&block);
    bytes[sums..sums + 8].copy_from_slice(&sum.to_le_bytes());
    bytes.truncate(length - 24 - 16 * arrays.len().max(3)); // labels have a place in the seal where there are none too
    let without = bytes.len();
    fs::write(&path, bytes).unwrap();
    edit(folder, &format!("bytes = {length}"), &format!("bytes = {without}"));
    let hex = |sum: u64| format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&sum.to_le_bytes()));
    let text = fs::read_to_string(folder.path().join("manifest.toml")).unwrap();
    let listed = |key: &str, from: &str| from.split(key).nth(1).unwrap().split('"').next().unwrap().to_string();
    let shard_sum = listed("checksum = \"", text.split("[[shards]]").nth(1).unwrap());
    let whole = listed("checksum = \"", &text);
    let shard_hex = hex(sum);
    let whole_hex = hex(u64::from_str_radix(&shard_hex, 16).unwrap());
    edit(folder, &shard_sum, &shard_hex);
    edit(folder, &whole, &whole_hex);
    sign(folder.path());
}

#[test]
fn what_another_program_wrote_wrong_is_named_with_its_array() {
    const ARRAYS: [&str; 5] = ["cutout", "spectrum", "present", "labels", "id"];
    for (array, place, value, wanted) in [
        (
            "labels",
            2 * 8 + 4,
            2_f32.to_le_bytes().to_vec(),
            "row 2 has 2 as label `morphology`, expected the number of a class, 0 to 1",
        ),
        (
            "labels",
            5 * 8,
            f32::NEG_INFINITY.to_le_bytes().to_vec(),
            "row 5 has -inf as label `redshift`, expected a finite number",
        ),
        ("present", 5, vec![0], "row 2 lacks `spectrum`, expected it in every record, since it is not optional"),
        ("present", 3, vec![7], "row 1 has 7 in `present`, expected 0 or 1"),
        ("spectrum", 4 * 12 + 8, f32::NAN.to_le_bytes().to_vec(), "row 4 of `spectrum` holds NaN at value 2"),
    ] {
        let folder = rich_dataset(16, |_, _, _| ());
        rewritten(&folder, &ARRAYS, array, place, &value);
        let dataset = Dataset::open(folder.path()).unwrap();
        let error = dataset.verify().unwrap_err();
        assert_eq!(error.exit(), Exit::Data);
        let message = line::<()>(Err(error));
        assert!(message.starts_with("shard-00000.h5") && message.contains(wanted), "{message}");
    }
}

#[test]
fn a_manifest_that_is_not_understood_is_refused() {
    for (from, to, wanted) in [
        ("unit = \"1\"", "unit = \"1\"\ncolour = 3", "unknown field `colour`"),
        ("format = 2", "format = 3\ncolour = 3", "`format` is 3, expected 2"),
        ("format = 2", "", "`format` is missing, expected the number 2"),
        ("format = 2", "format = \"2\"", "`format` is \"2\", expected the number 2"),
        ("dtype = \"f32\"", "dtype = \"f16\"", "`dtype` is \"f16\""),
        ("kind = \"map\"", "kind = \"mop\"", "unknown variant `mop`"),
        ("count = 17", "count = 18", "`shards` hold 17 records, expected `count`: 18"),
        ("[[0, 17]]", "[[0, 18]]", "split `train` has records 0..18, expected some of 0..17"),
        ("[[0, 17]]", "[[0, 9], [8, 17]]", "split `train` has records 8..17 after 9"),
        ("kind = \"identity\"", "kind = \"ratio\"\nk = 0.0", "`k` is 0"),
        ("block_rows = 16", "block_rows = 0", "`block_rows` is 0, expected at least 1"),
        ("rows = 16", "rows = \"x\"", "invalid type"),
        ("\nrows = 16", "\nrows = 15", "`shards` hold 16 records"),
        ("shard-00000", "../shard-00000", "is a path"),
        ("made_by = \"a test\"", "made_by", "line "),
        ("checksum = \"", "checksum = \"0", "expected"),
    ] {
        let folder = dataset(BLOCK + 1);
        edit(&folder, from, to);
        let error = Dataset::open(folder.path()).unwrap_err();
        assert_eq!(error.exit(), Exit::Data);
        let message = line::<()>(Err(error));
        assert!(message.contains(wanted) && message.contains("manifest.toml: "), "{message}");
    }
}

/// Two modalities, one of which a record may lack, labels of both kinds, and all splits.
fn rich(count: u64) -> Header {
    let cutouts = optional_cutouts(8, Transform::Identity {});
    let wavelength_um = vec![1.0, 1.1, 1.2];
    let spectra = Modality::spectra(SpectralAxis { channels: vec![Channel::Depth], wavelength_um });
    Header {
        count,
        modalities: vec![cutouts, spectra],
        labels: vec![Label::real("redshift", "1"), Label::class("morphology", ["spiral", "elliptical"])],
        splits: split::by_shares(count, 0.25, 0.25),
        source: toml::Table::new(),
    }
}

fn rich_dataset(count: u64, fill: impl Fn(u64, usize, &mut Rows)) -> TempDir {
    let folder = TempDir::new().unwrap();
    let writer = DatasetWriter::create(folder.path(), rich(count)).unwrap();
    let shard = |index| {
        writer.write_blocks::<DataError>(index, |records, rows| {
            records.enumerate().for_each(|(row, record)| fill(record, row, rows));
            Ok(())
        })
    };
    let entries = (0..writer.shards()).map(shard).collect::<Result<_, _>>().unwrap();
    writer.finish(entries).unwrap();
    folder
}

#[test]
fn modalities_labels_and_absences_come_back() {
    let lacks = |record: u64| record % 3 == 1;
    let folder = rich_dataset(4000, |record, row, rows| {
        if lacks(record) {
            rows.present[row * 2] = 0;
        } else {
            rows.values[0][row * 128..(row + 1) * 128].fill(record as f32);
        }
        rows.values[1][row * 3..(row + 1) * 3].fill(-(record as f32));
        rows.labels[row * 2 + 1] = (record % 2) as f32;
    });
    let dataset = Dataset::open(folder.path()).unwrap();
    dataset.verify().unwrap();
    assert_eq!(dataset.manifest().header(), rich(4000));
    let records = 1990..2100;
    let (cutouts, spectra) = (dataset.read(0, records.clone()).unwrap(), dataset.read(1, records.clone()).unwrap());
    let labels = dataset.read_labels(records.clone()).unwrap();
    for (row, record) in records.enumerate() {
        let wanted = if lacks(record) { 0.0 } else { record as f32 };
        assert!(cutouts[row * 128..(row + 1) * 128].iter().all(|value| *value == wanted));
        assert!(spectra[row * 3..(row + 1) * 3].iter().all(|value| *value == -(record as f32)));
        assert!(labels[row * 2].is_nan() && labels[row * 2 + 1] == (record % 2) as f32);
        let block = dataset.read_block(dataset.blocks().holding(record)).unwrap();
        let row = (record - block.records().start) as usize;
        assert_eq!((block.is_present(0, row), block.is_present(1, row)), (!lacks(record), true));
    }
}

#[test]
fn a_label_that_its_kind_does_not_take_is_not_written() {
    for (label, value, wanted) in [
        (0, f32::INFINITY, "row 3 has inf as label `redshift`, expected a finite number, or NaN where it is not known"),
        (
            1,
            2.0,
            "row 3 has 2 as label `morphology`, expected the number of a class, 0 to 1, or NaN where it is not known",
        ),
        (1, 0.5, "row 3 has 0.5 as label `morphology`, expected the number of a class"),
        (1, -1.0, "row 3 has -1 as label `morphology`"),
    ] {
        let folder = TempDir::new().unwrap();
        let writer = DatasetWriter::create(folder.path(), rich(8)).unwrap();
        let message = line(writer.write_blocks::<DataError>(0, |_, rows| {
            rows.labels[3 * 2 + label] = value;
            Ok(())
        }));
        assert!(message.starts_with("shard-00000.h5: ") && message.contains(wanted), "{message}");
        assert!(everything(folder.path()).is_empty(), "nothing is left");
    }
}

#[test]
fn each_field_of_modalities_labels_and_splits_is_checked() {
    for (from, to, wanted) in [
        // Splits.
        ("train = [[0, 8]]", "train = []", "split `train` is empty, expected ranges of records, or no such split"),
        ("train = [[0, 8]]", "train = 8", "invalid type"),
        ("train = [[0, 8]]", "training = [[0, 8]]", "split `training` is unknown, expected train, validation, test"),
        ("train = [[0, 8]]", "train = [[0, 9]]", "splits `train` and `validation` share records 8..9, expected none"),
        ("train = [[0, 8]]", "train = [[8, 0]]", "split `train` has records 8..0, expected some of 0..16"),
        // Modalities.
        ("name = \"cutout\"", "name = \"labels\"", "`name` is reserved, expected another than present, labels"),
        ("name = \"cutout\"", "name = \"a b\"", "modality name `a b` is not valid, expected at most 64 letters"),
        ("name = \"cutout\"", "name = \"spectrum\"", "modality `spectrum` is there twice"),
        ("name = \"cutout\"\n", "", "missing field `name`"),
        (
            "kind = \"cutout\"",
            "kind = \"picture\"",
            "unknown variant `picture`, expected one of `map`, `cutout`, `spectrum`",
        ),
        ("kind = \"cutout\"", "kind = \"map\"", "`axis.kind` is not that of maps, expected \"sky\" or no axis"),
        ("shape = [2, 8, 8]", "shape = [3, 8, 8]", "`shape` is [3, 8, 8], expected [2, h, w] from `axis.names`"),
        ("shape = [2, 8, 8]", "shape = [2, 0, 8]", "`shape` is [2, 0, 8], expected no 0"),
        ("shape = [2, 8, 8]", "shape = [2, 4294967296, 4294967296]", "expected records of less than 2^48 bytes"),
        ("shape = [2, 8, 8]", "shape = \"2 8 8\"", "invalid type"),
        ("shape = [2, 8, 8]\n", "", "missing field `shape`"),
        (
            "shape = [2, 8, 8]",
            "shape = [2, 16, 16]",
            "has modalities cutout [2, 8, 8], spectrum [1, 3], expected cutout [2, 16, 16]",
        ),
        (
            "dtype = \"f32\"",
            "dtype = \"f16\"",
            "modality `cutout`: `dtype` is \"f16\", which this version does not read",
        ),
        ("unit = \"nJy\"", "unit = 7", "invalid type"),
        ("unit = \"nJy\"\n", "", "missing field `unit`"),
        ("optional = true", "optional = \"yes\"", "invalid type"),
        ("optional = true\n", "", "has an array `present`, expected none, since no modality is optional"),
        (
            "kind = \"identity\"",
            "kind = \"ratio\"\nk = 0.0",
            "modality `cutout`: `transform`: `k` is 0, expected a positive",
        ),
        ("names = [\"g\", \"r\"]", "names = [\"g\", \"g\"]", "expected a name of its own for each band"),
        ("names = [\"g\", \"r\"]", "names = []", "`axis.names` is empty, expected the names of the bands"),
        ("pixel_arcsec = 0.4", "pixel_arcsec = -1.0", "`axis.pixel_arcsec` is -1, expected a positive number"),
        ("kind = \"bands\"", "kind = \"colours\"", "unknown variant `colours`"),
        ("kind = \"wavelength\"", "kind = \"sky\"", "unknown field"),
        ("wavelength_um = [1.0, 1.1, 1.2]", "wavelength_um = [1.0, 1.2, 1.1]", "has 1.1 after 1.2, expected ascending"),
        ("unit = \"nJy\"", "unit = \"\"", "modality `cutout`: `unit` has \"\", expected 1 to 64 printable characters"),
        ("unit = \"nJy\"", "unit = \"a\\nb\"", "modality `cutout`: `unit` has \"a\\nb\", expected 1 to 64 printable"),
        ("[source]", "source = 3", "expected"),
        // Labels.
        ("name = \"redshift\"", "name = \"\"", "label name `` is not valid, expected at most 64 letters"),
        ("name = \"redshift\"", "name = \"morphology\"", "label `morphology` is there twice"),
        ("kind = \"real\"", "kind = \"complex\"", "unknown variant `complex`, expected `real` or `class`"),
        ("kind = \"real\"\n", "", "missing field `kind`"),
        ("kind = \"real\"", "kind = \"class\"", "label `redshift`: `unit` is set, expected none for a class label"),
        ("kind = \"class\"", "kind = \"real\"", "label `morphology`: `classes` is set, expected none for a real label"),
        (
            "unit = \"1\"\n\n[[labels]]\nname = \"morph",
            "\n[[labels]]\nname = \"morph",
            "`unit` is missing, expected that of a real label",
        ),
        ("classes = [\"spiral\", \"elliptical\"]", "classes = []", "`classes` is missing or empty, expected the names"),
        (
            "classes = [\"spiral\", \"elliptical\"]\n",
            "",
            "`classes` is missing or empty, expected the names of its classes",
        ),
        ("classes = [\"spiral\", \"elliptical\"]", "classes = [\"spiral\", \"spiral\"]", "`classes` has a name twice"),
        ("classes = [\"spiral\", \"elliptical\"]", "classes = 2", "invalid type"),
    ] {
        let folder = rich_dataset(16, |_, _, _| ());
        edit(&folder, from, to);
        sign(folder.path());
        let read = || Dataset::open(folder.path()).and_then(|dataset| dataset.read(0, 0..1));
        let error = read().expect_err(wanted);
        assert_eq!(error.exit(), Exit::Data);
        let message = line::<()>(Err(error));
        assert!(message.contains(wanted), "{message}, for {to}");
    }
}

#[test]
fn a_dataset_of_format_1_is_refused_with_what_to_do() {
    let folder = dataset(BLOCK);
    edit(&folder, "format = 2", "format = 1");
    let message = line(Dataset::open(folder.path()));
    let wanted = "manifest.toml: `format` is 1, expected 2: this version does not read it, make the dataset again by the command and \
                  with the settings in its [source]";
    assert!(message.ends_with(wanted), "{message}");
}

#[test]
fn more_modalities_labels_or_classes_than_a_shard_has_room_for_are_refused() {
    let folder = TempDir::new().unwrap();
    let refused = |header: Header| line(DatasetWriter::create(folder.path(), header));
    let classes = Label::class("class", (0..5000).map(|class| class.to_string()));
    let message = refused(Header { labels: vec![classes], ..header(1) });
    assert_eq!(message, "label `class`: `classes` has 5000 names, expected at most 4000");
    let labels = (0..1001).map(|label| Label::real(&format!("label{label}"), "1")).collect();
    assert_eq!(refused(Header { labels, ..header(1) }), "`labels` has 1001 entries, expected 0 to 1000");
    let modality = |number| Modality { name: format!("map{number}"), ..maps_of(8).remove(0) };
    let modalities = (0..101).map(modality).collect();
    assert_eq!(refused(Header { modalities, ..header(1) }), "`modalities` has 101 entries, expected 1 to 100");
    // As many as there may be can be written, and read.
    let classes = Label::class("class", (0..4000).map(|class| class.to_string()));
    let labels = (0..999).map(|label| Label::real(&format!("label{label}"), "1")).chain([classes]).collect();
    let header = Header { modalities: (0..100).map(modality).collect(), labels, ..header(2) };
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let entry = writer.write_blocks::<DataError>(0, |_, _| Ok(())).unwrap();
    writer.finish(vec![entry]).unwrap();
    Dataset::open(folder.path()).unwrap().verify().unwrap();
}

#[test]
fn the_only_modality_is_of_the_kind_that_is_asked_for_and_in_every_record() {
    let only = |modalities: Vec<Modality>, kind: Kind| {
        let manifest = Manifest::new(Header { modalities, ..header(1) }, Vec::new());
        manifest.only(kind).map(|modality| modality.name.clone())
    };
    let (maps, cutouts) = (maps_of(8).remove(0), optional_cutouts(8, Transform::Identity {}));
    assert_eq!(only(vec![maps.clone()], Kind::Map), Ok("map".into()));
    assert_eq!(only(vec![maps.clone()], Kind::Spectrum), Err("holds maps, expected spectra".into()));
    let message = "holds maps and cutouts, expected maps alone";
    assert_eq!(only(vec![maps, cutouts.clone()], Kind::Map), Err(message.into()));
    let message = "modality `cutout` is optional, expected one that every record has";
    assert_eq!(only(vec![cutouts], Kind::Cutout), Err(message.into()));
}

#[test]
fn shares_become_splits_in_order() {
    let of = |count, validation, test| {
        let splits = split::by_shares(count, validation, test);
        split::NAMES.map(|name| splits.get(name).map(|split| split.ranges().next().unwrap()))
    };
    assert_eq!(of(8192, 0.05, 0.2), [Some(0..6144), Some(6144..6554), Some(6554..8192)]);
    assert_eq!(of(10, 0.0, 0.0), [Some(0..10), None, None]);
    assert_eq!(of(10, 0.0, 1.0), [None, None, Some(0..10)]);
    assert_eq!(of(3, 0.05, 0.05), [Some(0..1), Some(1..2), Some(2..3)]);
    assert_eq!(of(2, 0.05, 0.05), [Some(0..1), None, Some(1..2)]);
    assert_eq!(of(10, 0.5, 0.49), [Some(0..1), Some(1..5), Some(5..10)]);
    assert_eq!(of(1, 0.05, 0.2), [Some(0..1), None, None]);
}

#[test]
fn a_manifest_that_was_changed_by_hand_says_what_to_do() {
    let folder = dataset(BLOCK + 1);
    let path = folder.path().join("manifest.toml");
    edit(&folder, "unit = \"1\"", "unit = \"Jy\"");
    let message = line(Dataset::open(folder.path()));
    assert!(message.contains("manifest.toml: was changed after it was written"), "{message}");
    let sum = message.rsplit("write ").next().unwrap().split(' ').next().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let said = text.trim_end().rsplit(' ').next().unwrap();
    assert!(sum.len() == 16 && message.contains(said), "both checksums are told: {message}");
    fs::write(&path, text.replace(said, sum)).unwrap();
    assert_eq!(Dataset::open(folder.path()).unwrap().manifest().modality().unit, "Jy");
    // Without the line, or from a program that knows nothing of it: the line that is missing is told.
    let lines = text.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&path, format!("{lines}\n")).unwrap();
    let message = line(Dataset::open(folder.path()));
    let (_, last) = message.split_once("expected a last line: ").expect("it is told");
    fs::write(&path, format!("{lines}\n{last}\n")).unwrap();
    assert_eq!(Dataset::open(folder.path()).unwrap().manifest().modality().unit, "Jy");
}

#[test]
fn a_folder_without_a_manifest_is_no_dataset() {
    let folder = TempDir::new().unwrap();
    assert!(line(Dataset::open(folder.path())).contains("manifest.toml: is missing"));
    let error = Dataset::open(&folder.path().join("nowhere")).unwrap_err();
    assert_eq!(error.exit(), Exit::FileSystem);
    assert!(line::<()>(Err(error)).ends_with("nowhere: is not there, expected the folder of a dataset"));
    fs::write(folder.path().join("file"), "").unwrap();
    let message = line(Dataset::open(&folder.path().join("file")));
    assert!(message.ends_with("file: is a file, expected the folder of a dataset"), "{message}");
    let writer = DatasetWriter::create(&folder.path().join("gone"), header(1)).unwrap();
    fs::remove_dir(folder.path().join("gone")).unwrap();
    assert_eq!(writer.write_shard(0, fill).unwrap_err().exit(), Exit::FileSystem);
}

#[test]
fn a_dataset_is_never_written_over_but_leftovers_are() {
    let folder = dataset(BLOCK);
    let before = everything(folder.path());
    let error = DatasetWriter::create(folder.path(), header(3)).unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(everything(folder.path()) == before);

    let crashed = TempDir::new().unwrap();
    fs::write(crashed.path().join("shard-00000.h5.part"), "half").unwrap();
    fs::write(crashed.path().join("manifest.toml.part"), "half").unwrap();
    write(crashed.path(), header(BLOCK)).unwrap();
    assert!(everything(crashed.path()) == before);
}

#[test]
fn an_error_in_the_middle_leaves_nothing_half_written() {
    let folder = TempDir::new().unwrap();
    let writer = DatasetWriter::create(folder.path(), header(40 * BLOCK)).unwrap();
    let mut blocks = 0;
    let result = writer.write_blocks(0, |_, _| {
        blocks += 1;
        if blocks == 2 { Err(DataError::Usage("the simulator stopped".into())) } else { Ok(()) }
    });
    assert_eq!(line(result), "the simulator stopped");
    assert!(everything(folder.path()).is_empty());
    let entry = writer.write_shard(1, fill).unwrap();
    let message = line(writer.finish(vec![entry]));
    assert_eq!(message, "1 shards with 48 records are written, expected 16 with 640");
    assert!(!folder.path().join("manifest.toml").exists());
}

#[test]
fn asking_for_what_is_not_there_is_wrong_use() {
    let folder = dataset(3);
    let dataset = Dataset::open(folder.path()).unwrap();
    for error in [
        dataset.read(0, 2..4).unwrap_err(),
        dataset.read_block(1).unwrap_err(),
        dataset.split("test").unwrap_err(),
        DatasetWriter::create(folder.path(), header(0)).unwrap_err(),
    ] {
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }
}

proptest! {
    #[test]
    fn a_layout_holds_every_record_once_in_whole_blocks(total in 1_u64..1 << 38, record_bytes in 1_u64..600_000_000) {
        let count = total.div_ceil(record_bytes);
        let layout = Layout::new(count, record_bytes);
        let mut next = 0;
        for records in &layout.shard_rows {
            prop_assert_eq!(records.start, next);
            prop_assert!(records.end > next);
            prop_assert!(records.end == count || records.end % layout.block_rows == 0);
            let bytes = (records.end - records.start) * record_bytes;
            prop_assert!(bytes <= 256 << 20 || records.end - records.start == 1);
            next = records.end;
        }
        prop_assert_eq!(next, count);
        let blocks = count.div_ceil(layout.block_rows);
        prop_assert!(layout.shard_rows.len() as u64 >= blocks.min(16));
    }
}

#[test]
fn splits_follow_the_records_that_are_left() {
    let gone = [0, 3, 4, 9];
    let splits = [("train", [0..3, 5..8]), ("test", [3..4, 4..5]), ("validation", [8..9, 9..12])];
    let named = |splits: Vec<(&str, Split)>| splits.into_iter().map(|(name, split)| (name.to_owned(), split)).collect();
    let full = splits.clone().map(|(name, ranges)| (name, Split::new(ranges)));
    let header = Header { splits: named(full.into()), ..header(12) }.without(&gone);
    // By hand: the places among those that are left.
    let left: Vec<u64> = (0..12).filter(|record| !gone.contains(record)).collect();
    let members = |ranges: &[std::ops::Range<u64>]| -> Vec<u64> {
        let inside = |record: &u64| ranges.iter().any(|range| range.contains(record));
        (0..).zip(&left).filter(|(_, record)| inside(record)).map(|(place, _)| place).collect()
    };
    assert_eq!((header.count, header.splits.len()), (8, 2), "a split of which nothing is left is none");
    for (name, ranges) in &splits {
        let got: Vec<u64> = header.splits.get(*name).into_iter().flat_map(Split::ranges).flatten().collect();
        assert_eq!(got, members(ranges), "{name}");
    }
    header.validate().expect("it can be written");
}
