//! `skyforge ingest`: the same bytes on any ranks, and one line for what cannot be.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{arg, bytes, must, refused, run};

/// An NPY stack of maps of 40 x 40 px with a NaN in the first.
fn stack(folder: &Path, name: &str, maps: usize, seed: u32) -> PathBuf {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({maps}, 40, 40), }}");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{text:<117}\n").into_bytes());
    for pixel in 0..maps as u32 * 1600 {
        let value = (pixel + seed).wrapping_mul(2_654_435_761) as f32 / u32::MAX as f32 - 0.4;
        file.extend(if pixel == 90 { f32::NAN } else { value }.to_le_bytes());
    }
    let path = folder.join(name);
    fs::write(&path, file).expect("the disk has room");
    path
}

#[test]
fn ingested_maps_have_the_same_bytes_on_any_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (stack(folder.path(), "a.npy", 7, 1), stack(folder.path(), "b.npy", 4, 2));
    let ingested = |ranks: usize| {
        let out = folder.path().join(ranks.to_string());
        must(
            ranks,
            &[
                "ingest",
                "maps",
                arg(&a),
                arg(&b),
                "--out",
                arg(&out),
                "--side",
                "16",
                "--stride",
                "4",
                "--augment",
                "flips",
                "--validation",
                "0.1",
                "--test",
                "0.2",
                "--side-deg",
                "2",
            ],
        );
        bytes(&out)
    };
    let alone = ingested(1);
    assert!(alone.len() > 2, "several shards to share");
    for ranks in if cfg!(feature = "mpi") { vec![2, 3] } else { Vec::new() } {
        assert!(ingested(ranks) == alone, "{ranks} ranks");
    }
    let manifest: toml::Table = String::from_utf8(alone[0].1.clone()).expect("text").parse().expect("TOML");
    // 7 x 7 patches a map; the NaN in row 2, column 10 of the first map of each file is in one row of patches and three columns.
    for input in manifest["source"]["inputs"].as_array().expect("two files") {
        assert_eq!(input["skipped"].as_integer(), Some(3));
    }
    let records = |split: &str| {
        let range = &manifest["splits"][split][0];
        range[1].as_integer().expect("an end") - range[0].as_integer().expect("a start")
    };
    let validation = records("validation");
    assert_eq!(records("train") / 4 + validation + records("test"), 11 * 49 - 2 * 3);
    assert!((49 - 3..=49).contains(&validation), "one map is for validation: {validation}");
    assert!((2 * 49 - 6..=2 * 49).contains(&records("test")), "two maps are held back: {}", records("test"));
    assert_eq!(manifest["modalities"][0]["axis"]["pixel_arcmin"].as_float(), Some(3.0));
}

#[test]
fn what_cannot_be_ingested_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = stack(folder.path(), "a.npy", 2, 1);
    let copy = stack(folder.path(), "copy.npy", 2, 1);
    let missing = folder.path().join("none.fits");
    let out = folder.path().join("out");
    let with = |more: &[&str]| refused(&[&["ingest", "maps", arg(&a), "--out", arg(&out)], more].concat());
    let path = a.display();
    for (more, code, wanted) in [
        (&[][..], 65, format!("error: {path}: has maps of 40 x 40 px, expected at least --side: 64")),
        (&["--side", "16", "--test", "1"], 64, "error: --test is 1, expected a share of at least 0 and below 1".into()),
        (
            &["--side", "16", "--bad", "fill"],
            64,
            "error: invalid value 'fill' for '--bad <skip|fill=VALUE>': expected skip, or fill=VALUE as in fill=0".into(),
        ),
        (&["--side", "16", "--size", "8"], 64, "error: --size is 8, expected at least --side: 16, and at most 1048576".into()),
        (&["--side", "8", "--redshift", "-1"], 64, "error: --redshift is -1, expected a positive number".into()),
        (
            &["--side", "40", "--validation", "0", "--test", "0.1"],
            65,
            format!(
                "error: {path}: 1 of 1 rows of patches are for validation and test, and none is left to train on: expected taller or more maps, a smaller \
                 --side, or --validation 0 or --test 0"
            ),
        ),
        (
            &["--side", "16"],
            65,
            format!(
                "error: {path}: 2 of 2 rows of patches are for validation and test, and none is left to train on: expected taller or more maps, a smaller \
                 --side, or --validation 0 or --test 0"
            ),
        ),
        (
            &["--side", "8", arg(&copy)],
            65,
            format!("error: {}: holds the same bytes as {path}, expected each file once", copy.display()),
        ),
        (&["--side", "16", arg(&missing)], 74, format!("error: {}: is not there, expected a FITS, HDF5, NPY or NPZ file", missing.display())),
        (
            &["--side", "16", "--transform", "square"],
            64,
            "error: invalid value 'square' for '--transform <TRANSFORM>': expected asinh, linear, identity, or a table with `kind`".into(),
        ),
    ] {
        assert_eq!(with(more), (code, wanted));
        assert!(!out.join("manifest.toml").exists(), "nothing is half made");
    }
}

/// -99 in a few pixels made every real pixel the same to the default transform.
#[test]
fn a_value_far_from_all_others_is_told_of_until_it_is_called_bad() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = stack(folder.path(), "a.npy", 4, 1);
    let mut file = fs::read(&a).expect("it is there");
    for pixel in [5, 6, 1700] {
        file[128 + 4 * pixel..][..4].copy_from_slice(&(-9999.0_f32).to_le_bytes());
        file[128 + 4 * (pixel + 800)..][..4].copy_from_slice(&(-1.6375e30_f32).to_le_bytes());
    }
    fs::write(&a, file).expect("the disk has room");
    let told = |ranks: usize, name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let arguments = ["ingest", "maps", arg(&a), "--side", "8", "--out", arg(&out)];
        let output = run(ranks, &[&arguments, more].concat());
        assert!(output.status.success(), "{output:?}");
        let manifest = fs::read_to_string(out.join("manifest.toml")).expect("it is there");
        let manifest: toml::Table = manifest.parse().expect("TOML");
        let bad = manifest["source"]["inputs"][0]["bad_pixels"].as_integer().expect("a count");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        let warnings: Vec<String> =
            text.lines().filter(|line| line.contains("deviations from the median")).map(str::to_owned).collect();
        (bad, warnings)
    };
    let (bad, warnings) = told(1, "alone", &[]);
    assert_eq!(bad, 4, "the NaN and three pixels that HEALPix did not see");
    let wanted = ["3 pixels are -9999, ", "if this stands for no value, give --bad-value -9999"];
    assert!(warnings.len() == 1 && wanted.iter().all(|part| warnings[0].contains(part)), "{warnings:?}");
    if cfg!(feature = "mpi") {
        let ranks = told(3, "ranks", &[]);
        let text = |line: &str| line[line.find("3 pixels").expect("the count")..].to_owned();
        assert_eq!((ranks.0, text(&ranks.1[0])), (4, text(&warnings[0])));
    }
    assert_eq!(told(1, "bad", &["--bad-value", "-9999"]), (7, Vec::new()));
}

/// libhdf5 trusts the size of a chunk: a damaged one makes it write beyond its memory. A process of its own finds out.
#[test]
fn a_file_that_libhdf5_dies_of_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (folder.path().join("maps.h5"), folder.path().join("out"));
    let values: Vec<f32> = (0..4 * 24 * 24).map(|x| x as f32).collect();
    {
        let file = hdf5::File::create(&path).expect("the disk has room");
        let dataset = file.new_dataset::<f32>().shape([4, 24, 24]).chunk([1, 24, 24]).shuffle().create("kappa");
        dataset.and_then(|dataset| dataset.write_raw(&values)).expect("the disk has room");
    }
    let mut bytes = fs::read(&path).expect("it is there");
    let chunk: Vec<u8> = [1_u32, 24, 24, 4].into_iter().flat_map(u32::to_le_bytes).collect();
    let place = bytes.windows(chunk.len()).position(|window| *window == *chunk).expect("the layout is in the file");
    bytes[place + 9] ^= 0xff; // chunks of 65,304 columns
    fs::write(&path, &bytes).expect("the disk has room");
    let (code, line) = refused(&["ingest", "maps", arg(&path), "--out", arg(&out), "--side", "8"]);
    assert!(code == 65 && line.starts_with(&format!("error: {}: ", path.display())), "{code}: {line}");
    assert!(!out.exists(), "nothing is half made");
}
