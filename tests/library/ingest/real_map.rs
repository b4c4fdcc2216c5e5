//! A ray-traced N-body map: 512 px, 3.5 degrees.

use std::path::Path;
use std::process::Command;

use skyforge::data::{Dataset, Transform};

#[test]
fn a_ray_traced_map_becomes_a_dataset_to_train_on() {
    let Some(folder) = std::env::var_os("SKYFORGE_TEST_DATA") else {
        eprintln!("skipped: set SKYFORGE_TEST_DATA to the folder that holds kappa/nbody_convergence_z99.fit");
        return;
    };
    let map = Path::new(&folder).join("kappa/nbody_convergence_z99.fit");
    let out = tempfile::tempdir().expect("a folder");
    let done = Command::new(env!("CARGO_BIN_EXE_skyforge"))
        .args(["ingest", "maps"])
        .arg(&map)
        .args(["--stride", "32", "--augment", "dihedral", "--redshift", "1", "--cosmology", "omega_m=0.26", "--out"])
        .arg(out.path())
        .output()
        .expect("the binary can be started");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let dataset = Dataset::open(out.path()).unwrap();
    dataset.verify().unwrap();
    let manifest = dataset.manifest();
    // 15 x 15 patches: the last row is for the test, another for validation, and the two rows across the borders are in no split.
    assert_eq!(manifest.count, 11 * 15 * 8 + 2 * 15);
    assert_eq!(dataset.split("train").unwrap().records(), 11 * 15 * 8);
    assert_eq!(dataset.split("validation").unwrap().records(), 15);
    assert_eq!(dataset.split("test").unwrap().records(), 15);
    let field = manifest.modality().field().expect("the map says its side");
    assert_eq!((field.pixel_arcmin, field.side_deg), (3.5 * 60.0 / 512.0, 3.5 / 8.0));
    assert_eq!(manifest.source["cosmology"]["omega_m"].as_float(), Some(0.26));
    assert_eq!(manifest.source["source_redshift"].as_float(), Some(1.0));
    let input = &manifest.source["inputs"][0];
    assert_eq!(input["file"].as_str(), Some("nbody_convergence_z99.fit"));
    assert_eq!(input["across_the_border"].as_integer(), Some(30));
    assert!(
        matches!(manifest.modality().transform, Transform::Asinh { softening, .. } if (0.005..0.05).contains(&softening))
    );
    let mut values = dataset.read(0, 0..manifest.count).unwrap();
    manifest.modality().transform.forward(&mut values).unwrap();
    assert!(values.iter().all(|y| y.abs() < 1.0), "what was seen in training is inside the range of tanh");
}
