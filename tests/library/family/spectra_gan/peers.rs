//! What other programs make of our images of spectra, and of retrievals.

use std::process::Command;

use serde_json::{Value, json};
use skyforge::atmosphere::{self, QUANTITIES, named_grid};
use skyforge::catalog::parquet_file;
use skyforge::data::spectral_axis::OBSERVED;
use skyforge::data::{Channel, DataError, DatasetWriter, Header, Modality, SpectralAxis};
use skyforge::family::spectra_gan::retrieval::table;
use skyforge::family::spectra_gan::{Aspa, AspaSettings};
use skyforge::rng::{Draw, Stream};
use tempfile::TempDir;

use crate::catalog::made::metadata;
use crate::catalog::peers::peer;
use crate::data::folder::with_labels;
use crate::family::spectra_gan::made::rows;

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

#[test]
fn pandas_and_astropy_see_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let names = ["0.6-5.3um".to_owned(), "hst-wfc3".to_owned()];
    let with_offsets = || {
        let mut rows = rows(50);
        for row in &mut rows {
            let offset = table::OffsetValue { mean_ppm: row.chi_square, error_ppm: 30.0 };
            row.offsets = vec![offset; 2];
        }
        rows
    };
    parquet_file::write(&path, &table::to_table(&with_offsets(), &names, metadata())).unwrap();
    let Some(seen) = peer(&[&path]) else { return };
    assert_eq!((&seen["rows"], &seen["metadata"]), (&json!(50), &Value::Object(metadata())));
    let whole = table::to_table(&with_offsets(), &names, metadata());
    let units: Vec<[&str; 2]> = whole.columns().iter().map(|column| [&*column.name, &*column.unit]).collect();
    assert_eq!(seen["units"], json!(units));
    let astropy = &seen["astropy"];
    assert_eq!((&astropy["rows"], &astropy["metadata"]), (&json!(50), &Value::Object(metadata())));
    let descriptions: Vec<&str> = whole.columns().iter().map(|column| column.description.as_str()).collect();
    assert_eq!(astropy["descriptions"], json!(descriptions));
    let mass = format!("{:e} kg", atmosphere::JUPITER_MASS_KG).replace('e', "e+");
    let radius = format!("{:e} m", atmosphere::JUPITER_RADIUS_M).replace('e', "e+0");
    let names_of_astropy = |unit| match unit {
        "M_Jup" => mass.as_str(),
        "R_Jup" => radius.as_str(),
        "ppm" => "1e-06",
        "1" => "",
        unit => unit,
    };
    let units: Vec<[&str; 2]> = units.iter().map(|[name, unit]| [name, names_of_astropy(unit)]).collect();
    assert_eq!(astropy["units"], json!(units));
    let made = with_offsets();
    assert_eq!(seen["columns"]["id"], json!(made.iter().map(|row| row.id).collect::<Vec<_>>()));
    assert_eq!(seen["columns"]["out_of_range"], json!(made.iter().map(|row| row.out_of_range).collect::<Vec<_>>()));
    let medians: Vec<f64> = made.iter().map(|row| row.parameters[3].median.into()).collect();
    assert_eq!(seen["columns"]["log10_ch4_median"], json!(medians));
    let offsets: Vec<f64> = made.iter().map(|row| row.offsets[0].mean_ppm.into()).collect();
    assert_eq!(seen["columns"]["offset_0.6-5.3um"], json!(offsets));
    let types = ["id", "log10_ch4_median", "out_of_range"].map(|name| &seen["types"][name]);
    assert_eq!(types, ["uint64", "float32", "bool"]);
}
