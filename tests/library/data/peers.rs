//! What other programs make of our files.

use std::process::Command;

use skyforge::data::atmosphere::{self, QUANTITIES};
use skyforge::data::spectral_axis::{OBSERVED, named_grid};
use skyforge::data::{Aspa, AspaSettings, Channel, DataError, DatasetWriter, Header, Kind, SpectralAxis};
use skyforge::rng::{Draw, Stream};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, SIDE, fill, value, with_parameters};

#[test]
fn h5py_sees_what_was_written() {
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_shard");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {reader} fetch h5py");
        return;
    }
    let count = 2 * BLOCK + 3;
    let folder = TempDir::new().unwrap();
    let writer = DatasetWriter::create(folder.path(), with_parameters(count)).unwrap();
    let entries = (0..writer.shards())
        .map(|index| {
            writer.write_blocks::<DataError>(index, |records, rows| {
                rows.parameters.fill(0.5);
                for (record, map) in records.zip(rows.values.chunks_exact_mut(SIDE * SIDE)) {
                    fill(record, map);
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
    assert_eq!(seen["shape"], serde_json::json!([count, 1, SIDE, SIDE]));
    let sum: f64 = (0..count).flat_map(|r| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)))).sum();
    assert_eq!(seen["sum"].as_f64().unwrap(), sum); // every partial sum is exact in f64
    let weighted = |r: u64| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)) * (p % 7 + 1) as f64);
    assert_eq!(seen["weighted_sum"].as_f64().unwrap(), (0..count).flat_map(weighted).sum::<f64>());
    assert_eq!(seen["ids"], serde_json::json!((0..count).collect::<Vec<_>>()));
    assert_eq!(seen["parameter_names"], serde_json::json!(["omega_m", "h0"]));
    assert_eq!(seen["parameter_units"], serde_json::json!(["1", "km/s/Mpc"]));
    assert_eq!(seen["parameter_sum"].as_f64().unwrap(), count as f64);
    let mut attributes = seen["attributes"].clone();
    assert!(attributes.as_object_mut().expect("names and values").remove("recipe").is_some());
    assert_eq!(attributes, serde_json::json!({"format": 1, "kind": "maps", "unit": "1", "block_rows": BLOCK}));
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
            kind: Kind::Spectra,
            shape: vec![channels.len(), points],
            parameters: atmosphere::parameters(),
            axis: Some(SpectralAxis { channels, wavelength_um }),
            ..with_parameters(COUNT)
        };
        let writer = DatasetWriter::create(folder.path(), header).unwrap();
        let mut images = Vec::new();
        let entries = (0..writer.shards())
            .map(|index| {
                writer.write_blocks::<DataError>(index, |records, rows| {
                    let count = (records.end - records.start) as usize;
                    let record_len = rows.values.len() / count;
                    let values = rows.values.chunks_exact_mut(record_len).zip(rows.parameters.chunks_exact_mut(7));
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
