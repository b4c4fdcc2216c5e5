//! Laws of what is true of one family alone, in folders that mirror `src/family`, and of all families.

mod galaxy_vae;
mod maps_gan;
mod spectra_gan;

use std::path::Path;

use skyforge::config::RunConfig;
use skyforge::family::{Build, FamilySettings};
use skyforge::objective::Feed;
use tch::Device;

/// The debug configuration of each kind.
fn debug_configurations() -> Vec<RunConfig> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let paths = std::fs::read_dir(folder).expect("there are configs").map(|entry| entry.expect("readable").path());
    let debug = paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("debug_")));
    debug.map(|path| RunConfig::load(&path, &[]).expect("our own configuration")).collect()
}

#[test]
fn each_kind_has_a_debug_configuration() {
    let configurations = debug_configurations();
    for kind in FamilySettings::KINDS {
        assert!(configurations.iter().any(|config| config.sections().family.kind() == *kind), "{kind}");
    }
}

#[test]
fn a_family_tells_of_itself_what_its_networks_are() {
    for config in debug_configurations() {
        let (sections, family) = (config.sections(), &config.sections().family);
        let encodings = family.benchmark_encodings(None).expect("the settings fit");
        let precision = sections.trainer.precision;
        let build = Build { seed: sections.seed, precision, device: Device::Cpu, encodings: &encodings };
        let objective = family.build(build);
        let names: Vec<&str> = objective.networks().iter().map(|network| network.name).collect();
        assert_eq!(names, family.networks(), "{}", family.kind());
        let batches = objective.phases().iter().filter(|phase| phase.feed == Feed::Fresh).count();
        assert_eq!(batches, family.batches_per_step() as usize, "{}", family.kind());
        assert!(objective.flops_per_record() > 0.0);
        let (_, networks, _) = FamilySettings::reference()
            .into_iter()
            .find(|(kind, ..)| *kind == family.kind())
            .expect("each kind is in the reference");
        assert!(names.iter().all(|name| networks.contains(name)), "{names:?} of {networks:?}");
    }
}
