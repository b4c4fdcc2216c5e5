//! What other programs make of our files.

use std::process::Command;

use skyforge::data::atmosphere::{self, QUANTITIES};
use skyforge::data::spectral_axis::{OBSERVED, named_grid};
use skyforge::data::{
    Aspa, AspaSettings, Channel, DataError, DatasetWriter, Header, Label, Modality, SpectralAxis, Transform,
};
use skyforge::rng::{Draw, Stream};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, SIDE, fill, optional_cutouts, value, with_labels};

#[test]
fn h5py_and_pandas_see_what_was_written() {
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_shard");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {reader} fetch h5py");
        return;
    }
    let count = 2 * BLOCK + 3;
    let folder = TempDir::new().unwrap();
    let cutouts = optional_cutouts(4, Transform::Identity {});
    let mut header = with_labels(count);
    header.modalities.push(cutouts);
    header.labels.push(Label::class("morphology", ["spiral", "elliptical", "irregular"]));
    let block_rows = header.layout().block_rows;
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let entries = (0..writer.shards())
        .map(|index| {
            writer.write_blocks::<DataError>(index, |records, rows| {
                for (row, record) in records.enumerate() {
                    fill(record, &mut rows.values[0][row * SIDE * SIDE..(row + 1) * SIDE * SIDE]);
                    rows.labels[row * 3] = 0.5;
                    if record % 4 == 0 {
                        rows.present[row * 2 + 1] = 0;
                    } else {
                        rows.values[1][row * 32..(row + 1) * 32].fill(record as f32);
                        rows.labels[row * 3 + 2] = (record % 3) as f32;
                    }
                }
                Ok(())
            })
        })
        .collect::<Result<_, _>>()
        .unwrap();
    writer.finish(entries).unwrap();

    let done = Command::new(reader).arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let seen: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let (map, cutout) = (&seen["arrays"]["map"], &seen["arrays"]["cutout"]);
    assert_eq!(map["shape"], serde_json::json!([count, 1, SIDE, SIDE]));
    let sum: f64 = (0..count).flat_map(|r| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)))).sum();
    assert_eq!(map["sum"].as_f64().unwrap(), sum); // every partial sum is exact in f64
    let weighted = |r: u64| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)) * (p % 7 + 1) as f64);
    assert_eq!(map["weighted_sum"].as_f64().unwrap(), (0..count).flat_map(weighted).sum::<f64>());
    assert_eq!((&map["kind"], &map["unit"]), (&"map".into(), &"1".into()));
    assert_eq!(cutout["shape"], serde_json::json!([count, 2, 4, 4]));
    let present: Vec<u64> = (0..count).filter(|record| record % 4 != 0).collect();
    assert_eq!(cutout["sum"].as_f64().unwrap(), 32.0 * present.iter().sum::<u64>() as f64);
    assert_eq!((&cutout["kind"], &cutout["unit"]), (&"cutout".into(), &"nJy".into()));
    assert_eq!(seen["ids"], serde_json::json!((0..count).collect::<Vec<_>>()));
    let of = |class: u64| present.iter().filter(|record| **record % 3 == class).count();
    assert_eq!(
        seen["labels"],
        serde_json::json!({
            "omega_m": { "known": count, "sum_or_counts": 0.5 * count as f64 },
            "h0": { "known": 0, "sum_or_counts": 0.0 },
            "morphology": {
                "known": present.len(),
                "sum_or_counts": { "spiral": of(0), "elliptical": of(1), "irregular": of(2) },
            },
        })
    );
    assert_eq!(seen["units"], serde_json::json!({ "omega_m": "1", "h0": "km/s/Mpc", "morphology": "1" }));
    let mut attributes = seen["attributes"].clone();
    assert!(attributes.as_object_mut().expect("names and values").remove("recipe").is_some());
    assert_eq!(
        attributes,
        serde_json::json!({
            "format": 2, "block_rows": block_rows, "present": [count, present.len()],
            "datasets": ["block_checksums", "cutout", "id", "labels", "map", "present"],
        })
    );
}

#[test]
fn numpy_makes_the_same_images_of_spectra() {
    const COUNT: u64 = 40;
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/aspa");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {peer} fetch numpy");
        return;
    }
    for (name, is_observed) in [("exogan", false), ("exogan-362", false), ("exogan", true), ("exogan-362", true)] {
        let folder = TempDir::new().unwrap();
        let wavelength_um = named_grid(name).expect("a grid of that name");
        let aspa = Aspa::new(AspaSettings::default(), &wavelength_um).expect("it fits");
        let (points, pixels) = (aspa.points(), aspa.side().pow(2));
        let channels = if is_observed { OBSERVED.to_vec() } else { vec![Channel::Depth] };
        let header = Header {
            modalities: vec![Modality::spectra(SpectralAxis { channels, wavelength_um })],
            labels: atmosphere::labels(),
            ..with_labels(COUNT)
        };
        let writer = DatasetWriter::create(folder.path(), header).unwrap();
        let mut images = Vec::new();
        let entries = (0..writer.shards())
            .map(|index| {
                writer.write_blocks::<DataError>(index, |records, rows| {
                    let count = (records.end - records.start) as usize;
                    let record_len = rows.values[0].len() / count;
                    let values = rows.values[0].chunks_exact_mut(record_len).zip(rows.labels.chunks_exact_mut(7));
                    for (record, (values, parameters)) in records.zip(values) {
                        let mut chance = Draw::new(5).at(Stream::Simulation, record, 0);
                        let mut between = |ends: (f64, f64)| (ends.0 + (ends.1 - ends.0) * chance.uniform()) as f32;
                        let seen: Vec<f32> = (0..points)
                            .map(|_| f32::from(u8::from(!is_observed || between((0.0, 1.0)) < 0.1)))
                            .collect();
                        let depths = seen.iter().map(|seen| seen * between((0.007, 0.03)));
                        values[..points].copy_from_slice(&depths.collect::<Vec<_>>());
                        for (parameter, quantity) in parameters.iter_mut().zip(QUANTITIES) {
                            *parameter = between(quantity.range);
                        }
                        let (mut image, mut known) = (vec![0.0; pixels], vec![0.0; pixels]);
                        if is_observed {
                            values[points..3 * points].fill(1e-4);
                            values[3 * points..].copy_from_slice(&seen);
                            parameters[record as usize % 7] = f32::NAN;
                            aspa.encode_observed(values, parameters, &mut image, &mut known).expect("it is legal");
                            image.extend(known);
                        } else {
                            aspa.encode(values, parameters, &mut image).expect("it is legal");
                        }
                        images.extend(image);
                    }
                    Ok(())
                })
            })
            .collect::<Result<_, _>>()
            .unwrap();
        writer.finish(entries).unwrap();
        let (settings, bytes) = (folder.path().join("settings.json"), folder.path().join("images.f32"));
        std::fs::write(&settings, serde_json::to_string(aspa.settings()).unwrap()).unwrap();
        std::fs::write(&bytes, images.iter().flat_map(|pixel: &f32| pixel.to_le_bytes()).collect::<Vec<u8>>()).unwrap();

        let done = Command::new(peer).arg(folder.path()).arg(settings).arg(bytes).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let seen: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(seen["spectra"], COUNT, "{name}");
        assert!(seen["largest_difference"].as_f64().unwrap() < 1e-6, "{name}: {seen}");
        assert_eq!(seen["known_differs"].as_u64().unwrap_or(0), 0, "{name}: {seen}");
        assert!(seen["parameters"].as_f64().unwrap() < 1e-6, "{name}: {seen}");
    }
}
