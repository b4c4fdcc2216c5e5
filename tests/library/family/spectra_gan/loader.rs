//! Spectra through the loader: they come as the images of the codec.

use std::sync::Arc;

use skyforge::atmosphere::named_grid;
use skyforge::data::{Dataset, Encoding, Loader, LoaderSettings};
use skyforge::exit::{Ends, Exit};
use skyforge::family::spectra_gan::{Aspa, AspaSettings};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, line};
use crate::data::loader::{load, plan, settings};
use crate::shared::spectra;

fn aspa(grid: &str) -> Arc<Aspa> {
    Arc::new(Aspa::new(AspaSettings::default(), &named_grid(grid).unwrap()).unwrap())
}

#[test]
fn spectra_come_as_images_with_their_labels_beside_them() {
    for grid in ["exogan", "exogan-362"] {
        let folder = TempDir::new().unwrap();
        spectra::write(folder.path(), grid, 1200, |_, _| ()); // three blocks
        let (aspa, wavelength_um) = (aspa(grid), named_grid(grid).unwrap());
        let settings = LoaderSettings { encodings: vec![Encoding::Codec(aspa.clone())], ..settings() };
        let got = load(&folder, &settings, plan(0..4), 0, 404); // an epoch and more
        let mut image = vec![0.0; 33 * 33];
        for microbatch in &got {
            assert_eq!((microbatch.values[0].len(), microbatch.labels.len()), (3 * 33 * 33, 3 * 7));
            for (row, id) in microbatch.ids.iter().enumerate() {
                let (depths, parameters) = spectra::record(&wavelength_um, *id);
                aspa.encode(&depths, &parameters, &mut image).unwrap();
                assert_eq!(microbatch.values[0][row * 33 * 33..][..33 * 33], image);
                assert_eq!(microbatch.labels[row * 7..][..7], parameters);
            }
        }
        // A cursor in the middle, and one worker of several.
        assert_eq!(load(&folder, &settings, plan(1..2), 36, 2), [got[13].clone(), got[17].clone()]);
    }
}

#[test]
fn a_spectrum_that_has_no_image_is_named() {
    let folder = TempDir::new().unwrap();
    spectra::write(folder.path(), "exogan", 40, |record, depths| {
        if record == 17 {
            depths[200] = 0.05;
        }
    });
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let load = |grid: &str| {
        let settings = LoaderSettings { encodings: vec![Encoding::Codec(aspa(grid))], ..settings() };
        Loader::new(Arc::clone(&dataset), &settings, plan(0..4), 0)
    };
    let mut loader = load("exogan").unwrap();
    let error = (0..16).find_map(|_| loader.next().err()).unwrap();
    assert_eq!(error.exit(), Exit::Data);
    let message = error.to_string();
    assert!(message.starts_with("record 17: depth 0.05 at point 200 (6.858"), "{message}");
    assert!(message.ends_with("expected 0.00650370296635 to 0.0301803471629 as the codec has them"), "{message}");

    let message = line(load("exogan-362"));
    assert_eq!(message, "its wavelengths are not those of the codec");
    let maps = crate::data::folder::dataset(BLOCK);
    let settings = LoaderSettings { encodings: vec![Encoding::Codec(aspa("exogan"))], ..settings() };
    let message = line(Loader::new(Arc::new(Dataset::open(maps.path()).unwrap()), &settings, plan(0..4), 0));
    assert_eq!(message, "holds maps, expected spectra for the codec aspa");
}
