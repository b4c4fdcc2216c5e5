//! Small runs on spectra and maps, and data beside them, that fits are tried with.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::atmosphere;
use skyforge::atmosphere::named_grid;
use skyforge::data::spectral_axis::{OBSERVED, SpectralAxis};
use skyforge::data::{DataError, DatasetWriter, Header, Modality, Split};
use tempfile::TempDir;

use crate::fixtures;
use crate::made_spectra;
use crate::program::{CONFIG, arg, must, simulated};

/// The debug configuration of spectra.
pub const EXOGAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/debug_exogan.toml");

/// Fits that take no time.
pub const QUICK: [&str; 6] = ["--set", "restarts=4", "--set", "iterations=16", "--set", "slots=8"];

/// A folder with a run and what it has learned from.
pub struct Scene {
    _folder: TempDir,
    /// Where all of it lies.
    pub place: PathBuf,
    /// The run.
    pub run: PathBuf,
    /// 64 spectra or maps.
    pub data: PathBuf,
}

fn scene(name: &str, config: &str, make: impl FnOnce(&Path), sets: &[&str]) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("scene");
    fixtures::copy(name, &place, |place| {
        let (run, data) = (place.join("run"), place.join("data"));
        make(&data);
        let mut arguments = vec!["train", config, "--run", arg(&run), "--data", arg(&data), "--set", "trainer.steps=4"];
        arguments.extend(sets.iter().flat_map(|set| ["--set", *set]));
        must(1, &arguments);
    });
    let (run, data) = (place.join("run"), place.join("data"));
    Scene { _folder: folder, place, run, data }
}

/// A run on spectra of ExoGAN's grid, with an embedder.
pub fn on_spectra() -> Scene {
    scene(
        "on-spectra",
        EXOGAN,
        |data| made_spectra::write(data, "exogan", 64, |_, _| ()),
        &["family.embedder.hidden=32"],
    )
}

/// A run on maps of 64 px, without one.
pub fn on_maps() -> Scene {
    scene("on-maps", CONFIG, |data| simulated(data, 64), &[])
}

/// The same with one.
pub fn on_maps_with_embedder() -> Scene {
    scene("on-maps-with-embedder", CONFIG, |data| simulated(data, 64), &["family.embedder.hidden=32"])
}

/// A dataset of observed spectra of ExoGAN's grid, with ids that are not their numbers: those that `seen` gives for (record, point)
/// have errors of 50 ppm, and parameters are known but for the first.
pub fn observed(folder: &Path, count: u64, seen: impl Fn(u64, usize) -> bool) {
    let wavelength_um = named_grid("exogan").expect("a grid of that name");
    let points = wavelength_um.len();
    let header = Header {
        count,
        modalities: vec![Modality::spectra(SpectralAxis {
            channels: OBSERVED.to_vec(),
            wavelength_um: wavelength_um.clone(),
        })],
        labels: atmosphere::labels(),
        splits: [("test".to_owned(), Split::from(0..count))].into(),
        source: toml::Table::new(),
    };
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let shards = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            for (row, number) in records.enumerate() {
                let (depths, mut parameters) = made_spectra::record(&wavelength_um, 1000 + number);
                parameters[0] = f32::NAN;
                rows.ids[row] = 7000 + number;
                rows.labels[row * 7..(row + 1) * 7].copy_from_slice(&parameters);
                let record = &mut rows.values[0][row * 4 * points..(row + 1) * 4 * points];
                for point in (0..points).filter(|point| seen(number, *point)) {
                    for (channel, value) in [depths[point], 5e-5, 5e-5, 1.0].into_iter().enumerate() {
                        record[channel * points + point] = value;
                    }
                }
            }
            Ok::<(), DataError>(())
        })
    });
    let shards = shards.collect::<Result<_, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
}

/// How many ranks there may be in this build.
pub fn worlds() -> &'static [usize] {
    if cfg!(feature = "mpi") { &[1, 2] } else { &[1] }
}

/// The only file of a folder whose name begins like this, with its bytes.
pub fn only(folder: &Path, begins: &str) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable"));
    let found: Vec<_> = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(begins)).collect();
    assert_eq!(found.len(), 1, "{begins} in {}", folder.display());
    fs::read(found[0].path()).expect("a file")
}
