//! Small datasets to test with.

use std::path::{Path, PathBuf};

use skyforge::data::{Bands, DataError, DatasetWriter, Header, Label, Modality, Split, Transform};
use tempfile::TempDir;

/// Records of a block are 16 maps of 128 px.
pub const SIDE: usize = 128;
pub const BLOCK: u64 = 16;

pub fn header(count: u64) -> Header {
    Header {
        count,
        modalities: vec![Modality::maps([1, SIDE, SIDE], "1", Transform::Identity {}, None)],
        labels: Vec::new(),
        splits: [("train".to_string(), Split::from(0..count))].into(),
        source: toml::toml! { made_by = "a test" },
    }
}

pub fn with_labels(count: u64) -> Header {
    Header { labels: vec![Label::real("omega_m", "1"), Label::real("h0", "km/s/Mpc")], ..header(count) }
}

/// Square cutouts in two bands, which a record may lack.
pub fn optional_cutouts(side: usize, transform: Transform) -> Modality {
    let bands = Bands { names: vec!["g".into(), "r".into()], pixel_arcsec: 0.4 };
    Modality { optional: true, ..Modality::cutouts(bands, [side, side], "nJy", transform) }
}

/// Maps of another side.
pub fn maps_of(side: usize) -> Vec<Modality> {
    vec![Modality::maps([1, side, side], "1", Transform::Identity {}, None)]
}

/// Value of a map's pixel: different for each record and pixel, exact in f32.
pub fn value(record: u64, pixel: usize) -> f32 {
    record as f32 + pixel as f32 / (2 * SIDE * SIDE) as f32
}

pub fn fill(record: u64, map: &mut [f32]) {
    for (pixel, to) in map.iter_mut().enumerate() {
        *to = value(record, pixel);
    }
}

/// A dataset of `count` maps in its own folder.
pub fn dataset(count: u64) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), header(count)).unwrap();
    folder
}

pub fn write(folder: &Path, header: Header) -> Result<(), DataError> {
    let writer = DatasetWriter::create(folder, header)?;
    let entries = (0..writer.shards()).map(|index| writer.write_shard(index, fill)).collect::<Result<_, _>>()?;
    writer.finish(entries).map(drop)
}

pub fn shard(folder: &TempDir, index: usize) -> PathBuf {
    folder.path().join(format!("shard-{index:05}.h5"))
}

/// Writes a manifest's checksum of its own anew, as somebody does who has changed it and means it.
pub fn sign(folder: &Path) {
    let path = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = text.trim_end().rfind('\n').unwrap() + 1;
    let sum = xxhash_rust::xxh3::xxh3_64(&text.as_bytes()[..start]);
    std::fs::write(path, format!("{}# xxh3 of all lines above: {sum:016x}\n", &text[..start])).unwrap();
}

/// Turns one bit of one pixel of a shard on disk.
pub fn flip(path: &Path, row: u64, pixel: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let place = {
        let file = hdf5::File::open(path).unwrap();
        file.dataset("map").unwrap().offset().unwrap() as usize
    };
    bytes[place + 4 * (row as usize * SIDE * SIDE + pixel)] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// The message of an error, which must be one line.
pub fn line<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    let text = result.unwrap_err().to_string();
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    text
}
