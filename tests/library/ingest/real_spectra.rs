//! ExoGAN's example and 300 spectra of its training set.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use skyforge::atmosphere::named_grid;
use skyforge::data::{Channel, Dataset};

/// Where the shared data are, if anywhere.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SKYFORGE_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: set SKYFORGE_TEST_DATA to the folder that holds exoplanet/exogan_training_300.npz");
    }
    folder.map(|folder| folder.join("exoplanet"))
}

fn ingested(input: &Path, out: &Path, options: &[&str]) -> Dataset {
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyforge"));
        command.args(["ingest", "spectra"]).arg(input).arg("--out").arg(out);
        command
    };
    let done = command().args(["--depth-unit", "fraction"]).args(options).output().expect("the binary can be started");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let dataset = Dataset::open(out).unwrap();
    dataset.verify().unwrap();
    dataset
}

#[test]
fn exogans_example_is_placed_on_its_own_grid_as_it_is() {
    let Some(data) = data() else { return };
    let input = data.join("exogan_input_spectrum.dat");
    let out = tempfile::tempdir().expect("a folder");
    let dataset = ingested(&input, out.path(), &["--grid", "exogan", "--wavelength-unit", "um"]);
    let text = std::fs::read_to_string(&input).unwrap();
    let column = |at: usize| -> Vec<f32> {
        let numbers = text.lines().map(|line| line.split_whitespace().nth(at).unwrap().parse::<f64>().unwrap() as f32);
        numbers.collect()
    };
    let values = dataset.read(0, 0..1).unwrap();
    let channels: Vec<&[f32]> = values.chunks_exact(515).collect();
    assert_eq!(channels, [&column(1)[..], &column(2), &column(2), &[1.0; 515]], "{:?}", dataset.manifest().modalities);
    let truth = dataset.read_labels(0..1).unwrap();
    let wanted = [1e-1, 1.29e-5, 2.15e-6, 0.0028].map(|ratio: f64| ratio.log10() as f32);
    assert_eq!((&truth[..4], &truth[4..]), (&wanted[..], &[0.8, 0.88, 1117.0][..]));
    assert_eq!(dataset.split("test").unwrap().records(), 1);
}

#[test]
fn exogans_training_spectra_keep_their_bits_and_parameters() {
    let Some(data) = data() else { return };
    let out = tempfile::tempdir().expect("a folder");
    let options = ["--grid", "exogan-362", "--no-errors", "--test", "0.1"];
    let dataset = ingested(&data.join("exogan_training_300.npz"), out.path(), &options);
    let manifest = dataset.manifest();
    let axis = manifest.modality().spectral_axis().expect("spectra have wavelengths");
    assert_eq!((manifest.count, axis.channels.as_slice()), (300, &[Channel::Depth][..]));
    assert_eq!(axis.wavelength_um, named_grid("exogan-362").expect("it has a name"));
    assert_eq!((dataset.split("train").unwrap().records(), dataset.split("test").unwrap().records()), (270, 30));
    let values = dataset.read(0, 0..300).unwrap();
    let archive = std::fs::File::open(data.join("exogan_training_300.npz")).unwrap();
    let mut depths = Vec::new();
    zip::ZipArchive::new(archive).unwrap().by_name("depth.npy").unwrap().read_to_end(&mut depths).unwrap();
    let (_, depths) = depths.split_at(depths.len() - 4 * 300 * 362);
    assert!(values.iter().flat_map(|depth| depth.to_le_bytes()).eq(depths.iter().copied()), "the same bits");
    assert_eq!(&values[..2], &[0.012_677_508, 0.012_677_101], "numpy's depth[0, :2]");
    let truth = dataset.read_labels(0..300).unwrap();
    let rows: Vec<&[f32]> = truth.chunks_exact(7).collect();
    for (column, (low, high)) in
        [(-8.0, -1.0); 4].into_iter().chain([(0.8, 2.0), (0.8, 1.5), (1000.0, 2000.0)]).enumerate()
    {
        // Ten levels.
        let level = |row: &&[f32]| (row[column] - low) / (high - low) * 9.0;
        assert!(rows.iter().all(|row| (level(row) - level(row).round()).abs() < 1e-4), "{column}");
    }
}
