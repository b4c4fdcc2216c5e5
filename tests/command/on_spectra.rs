//! Spectra through the program: trained on as images, sampled as spectra with parameters.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::data::{Dataset, Kind};
use tempfile::TempDir;

use crate::made_spectra;
use crate::program::{CONFIG, arg, must, refused, simulated, word};
use crate::trained::EXOGAN;

/// A folder with 256 spectra on ExoGAN's grid.
fn scene() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("spectra");
    made_spectra::write(&data, "exogan", 256, |_, _| ());
    (folder, data)
}

fn train<'a>(run: &'a Path, data: &'a Path, sets: &[&'a str]) -> Vec<&'a str> {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    ["train", EXOGAN, "--run", arg(run), "--data", arg(data)].into_iter().chain(sets).collect()
}

#[test]
fn every_debug_configuration_trains() {
    let (folder, data) = scene();
    let maps = folder.path().join("maps");
    simulated(&maps, 256);
    let configs = Path::new(CONFIG).parent().expect("a folder");
    let mut seen = 0;
    for entry in fs::read_dir(configs).expect("there are configs") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("debug_") {
            let run = folder.path().join(&name);
            let data = if name.contains("exogan") { &data } else { &maps };
            must(1, &["train", arg(&path), "--run", arg(&run), "--data", arg(data)]);
            assert_eq!(word(&run, "status"), "done", "{name}");
            seen += 1;
        }
    }
    assert!(seen > 1, "{seen} configurations");
}

#[test]
fn a_run_on_spectra_makes_the_same_spectra_with_parameters_on_any_ranks() {
    let (folder, data) = scene();
    let worlds = if cfg!(feature = "mpi") { vec![1, 2] } else { vec![1] };
    let mut first = None;
    for ranks in worlds {
        let run = folder.path().join(format!("run-{ranks}"));
        // Half, and then on from there.
        must(ranks, &train(&run, &data, &["trainer.steps=20"]));
        must(ranks, &train(&run, &data, &[]));
        let config = fs::read_to_string(run.join("config.toml")).expect("it is there");
        for line in ["[family.codec]", "kind = \"aspa\"", "version = 1", "side = 33", "log10_co2 = -8.0"] {
            assert!(config.contains(line), "{line} in {config}");
        }
        let out = folder.path().join("made");
        must(ranks, &["sample", arg(&run), "--count", "100", "--seed", "3", "--out", arg(&out)]);
        let made = Dataset::open(&out).expect("a dataset");
        made.verify().expect("it is whole");
        let (manifest, learned) = (made.manifest(), Dataset::open(&data).expect("a dataset"));
        assert_eq!((manifest.modality().kind, manifest.count), (Kind::Spectrum, 100));
        let learned = learned.manifest();
        assert_eq!((&manifest.modalities, &manifest.labels), (&learned.modalities, &learned.labels));
        let depths = made.read(0, 0..100).expect("spectra");
        assert_eq!(depths.len(), 100 * 515);
        assert!(depths.iter().all(|depth| (0.0..0.1).contains(depth)));
        let numbers = made.read_labels(0..100).expect("parameters");
        for record in numbers.chunks_exact(7) {
            let [gases @ .., mass, radius, temperature] = record else { unreachable!("seven parameters") };
            assert!(gases.iter().all(|log| (-8.0..=0.0).contains(log)), "{record:?}");
            assert!((0.0..=2.0).contains(mass) && (0.0..=1.5).contains(radius) && (0.0..=2000.0).contains(temperature));
        }
        assert_ne!(depths[..515], depths[515..1030]);
        let got = (word(&run, "checksum"), made.checksum().to_owned());
        assert_eq!(first.get_or_insert_with(|| got.clone()), &got, "{ranks} ranks");
        fs::remove_dir_all(&out).expect("it was made");
    }
}

#[test]
fn a_run_is_not_gone_on_with_on_another_grid_or_with_another_codec() {
    let (folder, data) = scene();
    let run = folder.path().join("run");
    must(1, &train(&run, &data, &["trainer.steps=2"]));
    let other = folder.path().join("other");
    made_spectra::write(&other, "exogan-362", 256, |_, _| ());
    let (code, line) = refused(&train(&run, &other, &[]));
    assert_eq!(code, 64, "{line}");
    assert!(line.contains("made with dataset.modalities[0].axis.wavelength_um = [50.17"), "{line}");
    assert!(line.contains("this run has [15.97"), "{line}");
    let (code, line) = refused(&train(&run, &data, &["family.codec.depth_max=0.05"]));
    assert_eq!(code, 64, "{line}");
    assert!(line.ends_with("made with family.codec.depth_max = 0.04, this run has 0.05"), "{line}");
}

#[test]
fn a_codec_is_for_spectra_and_written_out_where_it_was_not_set() {
    let (folder, data) = scene();
    let (run, maps) = (folder.path().join("run"), folder.path().join("maps"));
    simulated(&maps, 4);
    let wrong = |data: &Path, sets: &[&str], wanted: &str| {
        let (code, line) = refused(&train(&run, data, sets));
        assert!(line.ends_with(wanted), "{line}");
        assert_eq!(code, if line.contains("parameters are") { 65 } else { 64 }, "{line}");
        assert!(!run.exists(), "nothing is half made");
    };
    let (code, line) = refused(&train(&run, &maps, &[]));
    assert!(line.contains("`family.kind` is \"spectra_gan\", expected \"maps_gan\""), "{line}");
    assert!(code == 64 && line.ends_with(", since the dataset holds maps"), "{line}");
    let (code, line) = refused(&["train", CONFIG, "--run", arg(&run), "--data", arg(&data)]);
    assert_eq!(
        (code, &*line),
        (64, "error: `family.kind` is \"maps_gan\", expected \"spectra_gan\", since the dataset holds spectra")
    );
    wrong(
        &data,
        &["family.output=tanh"],
        "`family.output` is tanh, expected \"sigmoid\", since the pixels of a codec are in [0, 1]",
    );
    wrong(
        &data,
        &["family.codec.version=2"],
        "`family.codec.version` is 2, expected 1, the layout that this program knows",
    );
    wrong(
        &data,
        &["family.codec.side=32", "family.side=32"],
        "a codec for the wavelengths of the data: `side` is 32, with room for 470 points beside the means of 14 sections, expected room for 515",
    );
    let transform = "data.transform={kind = \"identity\"}";
    wrong(&data, &[transform], "`data.transform` is set, expected not set, since the dataset holds spectra");
    wrong(
        &data,
        &["validation.every=20"],
        "`validation.every` is 20, expected 0, since nothing is measured where `family.kind` is \"spectra_gan\"",
    );
    // Without a codec in the file it is that of ExoGAN, in full.
    let text = fs::read_to_string(EXOGAN).expect("it is there");
    let bare = folder.path().join("bare.toml");
    let (before, codec) = text.split_once("[family.codec]").expect("it has a codec");
    let (_, after) = codec.split_once("[trainer]").expect("a trainer comes next");
    fs::write(&bare, format!("{before}[trainer]{after}")).expect("the disk has room");
    must(1, &["train", arg(&bare), "--run", arg(&run), "--data", arg(&data), "--set", "trainer.steps=1"]);
    assert!(
        fs::read_to_string(run.join("config.toml")).expect("it is there").contains("[family.codec]\nkind = \"aspa\"")
    );
    let same = ["family.codec.depth_min=0.00650370296635", "family.codec.depth_max=0.0301803471629"];
    must(1, &train(&run, &data, &[same[0], same[1], "trainer.steps=2"]));
}
