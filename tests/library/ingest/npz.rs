//! NPZ archives of maps, as `numpy.savez` writes them.

use skyforge::ingest::Choice;
use zip::CompressionMethod;

use crate::ingest::files::{archive, float_npy, npy, read};

fn dataset(name: &str) -> Choice {
    Choice { dataset: Some(name.into()), ..Choice::default() }
}

#[test]
fn the_only_array_of_maps_is_read_stored_or_compressed() {
    let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
    let arrays = [("redshift", float_npy("(3,)", &[1.0; 3])), ("maps", float_npy("(3, 2, 2)", &values))];
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let bytes = archive(&arrays, method);
        for choice in [Choice::default(), dataset("maps")] {
            let (input, pixels) = read("a.npz", &bytes, &choice).unwrap();
            assert_eq!((input.shape(), &pixels), ([3, 2, 2], &values));
        }
    }
}

#[test]
fn an_archive_that_says_too_little_is_refused_with_its_arrays() {
    let maps = || float_npy("(1, 2, 2)", &[1.0; 4]);
    let stored = |arrays: &[(&str, Vec<u8>)]| archive(arrays, CompressionMethod::Stored);
    let one = [("redshift", float_npy("(3,)", &[1.0; 3]))];
    let two = [("kappa", maps()), ("noise", maps())];
    for (bytes, choice, wanted) in [
        (stored(&two), Choice::default(), "has arrays kappa, noise, expected --dataset to name one"),
        (stored(&two), dataset("gamma"), "has no array `gamma`, expected one of kappa, noise"),
        (stored(&one), Choice::default(), "array `redshift`: header: `shape` is [3], expected [h, w] or [n, h, w]"),
        (
            stored(&[("a", float_npy("(3,)", &[1.0; 3])), ("b", float_npy("(3,)", &[1.0; 3]))]),
            Choice::default(),
            "has no array of maps among a, b, expected --dataset to name one",
        ),
        (
            archive(&[("kappa", npy("<f4", "False", "(2, 2, 2)", &[0; 16]))], CompressionMethod::Deflated),
            Choice::default(),
            "has 16 bytes after byte 128, expected 32 for maps of 2 x 2 x 2",
        ),
        // The next array's bytes are not this one's pixels.
        (
            stored(&[("kappa", npy("<f4", "False", "(2, 2, 2)", &[0; 16])), ("noise", maps())]),
            dataset("kappa"),
            "has 16 bytes after byte 167, expected 32 for maps of 2 x 2 x 2",
        ),
        (stored(&[]), Choice::default(), "is a zip archive without arrays, expected an NPZ file"),
    ] {
        assert_eq!(read("a.npz", &bytes, &choice).unwrap_err(), wanted);
    }
}
