//! Configurations: what is read, what is refused and in which words.

mod reference;

use std::path::{Path, PathBuf};

use skyforge::config::{DatasetDescription, DeviceKind, Override, RunConfig, RunDescription};
use skyforge::data::{Channel, Modality, SpectralAxis, Split, Transform};

const TEXT: &str = r#"
seed = 7
[batch]
global = 64
microbatches = 4
[family]
kind = "maps_gan"
loss = "hinge"
side = 64
[trainer]
steps = 10
"#;

/// The same for spectra, with every key that may be left out set to another value than its default.
const SPECTRA: &str = r#"
seed = 8
[data]
path = "some/spectra"
split = "other"
window_blocks = 3
damaged = "skip"
[batch]
global = 32
microbatches = 2
[family]
kind = "spectra_gan"
loss = "wasserstein"
penalty = 10.0
penalty_every = 2
label_flip = 0.1
instance_noise = 0.2
ema = 0.9
side = 34
width = 8
depth = 3
latent_dim = 16
latent = "uniform"
output = "sigmoid"
norm = "generator"
update = "simultaneous"
noise = "shared"
[family.embedder]
hidden = 32
latent = 2.0
reconstruction = 3.0
latent_l2 = 4.0
noise_ppm = [5.0, 6.0]
masked_fraction = 0.7
[family.codec]
kind = "aspa"
side = 34
depth_max = 0.04
[optimizer]
learning_rate = 1e-3
beta1 = 0.1
beta2 = 0.9
epsilon = 1e-7
clip = 2.0
half_life = 100
[optimizer.network.embedder]
learning_rate = 1e-4
beta1 = 0.2
beta2 = 0.8
epsilon = 1e-6
clip = 3.0
half_life = 50
[trainer]
epochs = 2.0
precision = "bf16"
device = "cpu"
share_gpu = true
deterministic = false
threads_per_rank = 2
overlap = false
checkpoint_every = 5
keep_checkpoints = 6
keep_every = 7
log_every = 8
compare_every = 9
hang_seconds = 10.0
not_finite = "skip"
[validation]
records = 64
"#;

fn load(text: &str, sets: &[&str]) -> Result<RunConfig, String> {
    let sets: Result<Vec<Override>, _> = sets.iter().map(|set| set.parse()).collect();
    let sets = sets.map_err(|error| error.to_string())?;
    RunConfig::parse(Path::new("a.toml"), text, &sets).map_err(|error| error.to_string())
}

/// The description of a run with `TEXT` on some dataset.
fn description(sets: &[&str]) -> RunDescription {
    let dataset = DatasetDescription {
        checksum: "0123456789abcdef".into(),
        training_records: Split::from(0..100),
        modalities: vec![Modality::maps([1, 64, 64], "1", Transform::Identity {}, None)],
        labels: Vec::new(),
    };
    RunDescription::new(&load(TEXT, sets).expect("it is right"), dataset, DeviceKind::Cpu)
}

fn refused(text: &str, sets: &[&str]) -> String {
    let message = load(text, sets).expect_err("it is wrong");
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

#[test]
fn what_is_not_said_has_cosmogans_value() {
    let config = load(TEXT, &[]).expect("it is right");
    let text = config.to_toml();
    for line in
        ["width = 64", "depth = 4", "latent_dim = 64", "learning_rate = 0.0002", "beta1 = 0.5", "precision = \"fp32\""]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_explicit_form_reads_back_as_the_same() {
    let config = load(TEXT, &["family.update=simultaneous", "family.ema=0.99"]).expect("it is right");
    assert_eq!(load(&config.to_toml(), &[]).expect("it is right"), config);
}

#[test]
fn every_key_survives_the_explicit_form() {
    let (given, told): (toml::Table, toml::Table) =
        (SPECTRA.parse().expect("TOML"), load(SPECTRA, &[]).expect("it is right").to_toml().parse().expect("TOML"));
    contains("", &told, &given);
    assert_eq!(load(&toml::to_string(&told).expect("TOML"), &[]), load(SPECTRA, &[]));
}

fn contains(name: &str, told: &toml::Table, given: &toml::Table) {
    for (key, value) in given {
        let name = format!("{name}.{key}");
        match (told.get(key), value) {
            (Some(toml::Value::Table(told)), toml::Value::Table(given)) => contains(&name, told, given),
            (told, value) => assert_eq!(told, Some(value), "{name}"),
        }
    }
}

#[test]
fn a_network_has_the_optimizer_of_all_but_for_what_is_set_for_it() {
    let config = load(SPECTRA, &["optimizer.network.generator.clip=7.0"]).expect("it is right");
    let [discriminator, generator, embedder] = ["discriminator", "generator", "embedder"].map(|name| config.adam(name));
    assert_eq!((discriminator.learning_rate, discriminator.beta1, discriminator.half_life), (1e-3, 0.1, 100));
    assert_eq!((generator.learning_rate, generator.clip), (1e-3, 7.0));
    assert_eq!((embedder.learning_rate, embedder.beta1, embedder.clip, embedder.half_life), (1e-4, 0.2, 3.0, 50));
    let untouched = load(TEXT, &[]).expect("it is right").adam("generator");
    assert_eq!(untouched, skyforge::optim::AdamSettings::default());
}

#[test]
fn networks_that_the_family_has_not_are_refused() {
    for (network, networks) in [("critic", "discriminator, generator"), ("embedder", "discriminator, generator")] {
        let message = refused(TEXT, &[&format!("optimizer.network.{network}.beta1=0.1")]);
        let wanted = format!("`optimizer.network.{network}` is set, expected a network of maps_gan: {networks}");
        assert_eq!(message, wanted);
    }
    let message = refused(SPECTRA, &["optimizer.network.critic.beta1=0.1"]);
    assert!(message.ends_with("a network of spectra_gan: discriminator, generator, embedder"), "{message}");
    let config = load(TEXT, &[]).expect("it is right");
    for network in ["critic", "embedder"] {
        std::panic::catch_unwind(|| config.adam(network)).expect_err("there is no such network");
    }
}

#[test]
fn the_optimizer_is_part_of_what_a_run_is_wherever_it_is_said() {
    let identity = |sets: &[&str]| description(sets);
    let both = ["optimizer.network.discriminator.beta1=0.25", "optimizer.network.generator.beta1=0.25"];
    assert_eq!(identity(&["optimizer.beta1=0.25"]), identity(&both));
    assert_ne!(identity(&["optimizer.beta1=0.25"]), identity(&[]));
    assert_ne!(identity(&both[..1]), identity(&both));
}

#[test]
fn the_best_is_chosen_by_the_error_of_the_spectrum_unless_another_score_is_named() {
    let best = |sets: &[&str]| load(TEXT, sets).expect("it is right").best().expect("maps are measured");
    let [spectrum, variance] = skyforge::family::maps_gan::validation::SCORES;
    assert_eq!((best(&[]), best(&["validation.best=variance_error"])), (spectrum, variance));
    assert!(load(TEXT, &[]).expect("it is right").to_toml().contains("best = \"spectrum_error\""));
    assert_eq!(load(SPECTRA, &[]).expect("it is right").best(), None);
    assert_eq!(
        refused(SPECTRA, &["validation.best=spectrum_error"]),
        "`validation.best` is \"spectrum_error\", expected not set, since `family.kind` is \"spectra_gan\""
    );
    assert_eq!(
        refused(SPECTRA, &["validation.targets.fid=3"]),
        "`validation.targets.fid` is 3, expected not set, since `family.kind` is \"spectra_gan\""
    );
    assert_eq!(
        refused(SPECTRA, &["validation.every=5"]),
        "`validation.every` is 5, expected 0, since nothing is measured where `family.kind` is \"spectra_gan\""
    );
}

#[test]
fn a_family_is_of_one_kind_of_records() {
    let check = |text, modality| {
        let config = load(text, &[]).expect("it is right");
        let checked = config.sections().family.check_kind(&[modality]);
        checked.map_err(|fault| skyforge::config::ConfigError::from(fault).to_string())
    };
    let maps = || Modality::maps([1, 64, 64], "1", Transform::Identity {}, None);
    let axis = SpectralAxis { channels: vec![Channel::Depth], wavelength_um: vec![1.0, 1.1] };
    let spectra = || Modality::spectra(axis.clone());
    let spectra_for_maps = check(TEXT, spectra()).expect_err("it is of another kind");
    assert_eq!(
        spectra_for_maps,
        "`family.kind` is \"maps_gan\", expected \"spectra_gan\", since the dataset holds spectra"
    );
    let maps_for_spectra = check(SPECTRA, maps()).expect_err("it is of another kind");
    assert!(maps_for_spectra.starts_with("`family.kind` is \"spectra_gan\", expected \"maps_gan\""));
    assert!(maps_for_spectra.ends_with(", since the dataset holds maps"));
    assert_eq!((check(TEXT, maps()), check(SPECTRA, spectra())), (Ok(()), Ok(())));
    let kinds: Vec<String> = skyforge::family::FamilySettings::KINDS.iter().map(|kind| format!("\"{kind}\"")).collect();
    let kinds = format!("one of {}", kinds.join(", "));
    assert_eq!(refused(TEXT, &["family.kind=dcgan"]), format!("`family.kind` is \"dcgan\", expected {kinds}"));
    let without = TEXT.replace("kind = \"maps_gan\"", "");
    assert_eq!(refused(&without, &[]), format!("`family.kind` is not set, expected {kinds}"));
    let codec_of_maps = refused(TEXT, &["family.codec.kind=aspa"]);
    assert!(codec_of_maps.contains("unknown key `family.codec`, expected one of `loss`"), "{codec_of_maps}");
}

#[test]
fn keys_of_older_configurations_are_refused_with_where_they_are_now() {
    for (set, before, now) in [
        ("model.width=8", "model", "family"),
        ("objective.loss=hinge", "objective", "family"),
        ("optimiser.generator.beta1=0.0", "optimiser", "optimizer.network"),
        ("optimizer.generator.beta1=0.0", "optimizer.generator", "optimizer.network.generator"),
        ("data.codec.kind=aspa", "data.codec", "family.codec"),
        ("trainer.update=simultaneous", "trainer.update", "family.update"),
        ("trainer.noise=shared", "trainer.noise", "family.noise"),
        ("trainer.discriminator_moves=2", "trainer.discriminator_moves", "family.discriminator_updates"),
        ("trainer.measure_every=200", "trainer.measure_every", "validation.every"),
        ("trainer.measure_maps=64", "trainer.measure_maps", "validation.records"),
        ("trainer.generator_moves=2", "trainer.generator_moves", "family.generator_updates"),
        ("family.embedder.restraint=1.0", "family.embedder.restraint", "family.embedder.latent_l2"),
        ("family.embedder.veiled=0.5", "family.embedder.veiled", "family.embedder.masked_fraction"),
    ] {
        assert_eq!(refused(TEXT, &[set]), format!("--set {set}: unknown key `{before}`, which is now `{now}`"));
    }
    let file = "seed = 1\n[batch]\nglobal = 8\nmicrobatches = 1\n[model]\nkind = \"dcgan\"\nside = 64\n[objective]\n";
    assert_eq!(refused(file, &[]), "a.toml: unknown key `model`, which is now `family`");
}

#[test]
fn the_command_line_wins_and_words_need_no_quotes() {
    let config = load(TEXT, &["batch.global=8", "family.noise=shared", "data.path=some/where"]).expect("it is right");
    assert_eq!(config.cut().global, 8);
    assert_eq!(config.sections().data.path, Some(PathBuf::from("some/where")));
}

#[test]
fn unknown_keys_and_words_are_refused_wherever_they_are_with_what_was_meant() {
    for (set, fault) in [
        ("sede=1", "unknown key `sede`, did you mean `seed`"),
        ("batch.globl=1", "unknown key `batch.globl`, did you mean `batch.global`"),
        ("family.widht=3", "unknown key `family.widht`, did you mean `family.width`"),
        ("family.lose=3", "unknown key `family.lose`, did you mean `family.loss`"),
        (
            "optimizer.network.generator.lr=3",
            "unknown key `optimizer.network.generator.lr`, expected one of `learning_rate`, `beta1`, `beta2`, `epsilon`, `clip`, `half_life`",
        ),
        ("optimizer.bata1=3", "unknown key `optimizer.bata1`, did you mean `optimizer.beta1`"),
        ("family.embedder.hiden=3", "unknown key `family.embedder.hiden`, did you mean `family.embedder.hidden`"),
        ("trainer.stps=3", "unknown key `trainer.stps`, did you mean `trainer.steps`"),
        ("data.paht=3", "unknown key `data.paht`, did you mean `data.path`"),
        (
            "family.loss=hinje",
            "unknown value `hinje`, expected one of `non_saturating`, `minimax`, `least_squares`, `hinge`, `wasserstein`, did you mean `hinge`",
        ),
        ("trainer.device=gpu", "unknown value `gpu`, expected one of `auto`, `cpu`, `cuda`"),
    ] {
        assert_eq!(refused(TEXT, &[set]), format!("--set {set}: {fault}"));
    }
    let file = TEXT.replace("steps =", "stepz =");
    assert_eq!(refused(&file, &[]), "a.toml: unknown key `trainer.stepz`, did you mean `trainer.steps`");
    let file = TEXT.replace("[batch]", "[bach]");
    assert_eq!(refused(&file, &["seed=3"]), "a.toml: unknown key `bach`, did you mean `batch`");
}

#[test]
fn a_missing_key_is_named_in_full() {
    assert_eq!(refused(&TEXT.replace("global = 64", ""), &[]), "a.toml: `batch.global` is missing");
    assert_eq!(refused("seed = 1", &[]), "a.toml: `batch` is missing");
}

#[test]
fn wrong_types_are_refused_with_their_key() {
    for (set, key) in
        [("batch.global=many", "batch.global"), ("seed=-1", "seed"), ("trainer.steps=1.5", "trainer.steps")]
    {
        let message = refused(TEXT, &[set]);
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_what_was_wanted() {
    for (sets, message) in [
        (vec!["batch.global=30"], "`batch.global` is 30, expected a positive multiple of `batch.microbatches`: 4"),
        (vec!["batch.microbatches=3"], "`batch.microbatches` is 3, expected a power of two"),
        (vec!["batch.global=4"], "`batch.global` is 4, expected 2 or more records in each microbatch, for batch norm"),
        (vec!["family.side=12"], "`family.side` is 12, expected 16 to 8192 pixels, for depth = 4 halvings"),
        (vec!["family.label_flip=1.5"], "`family.label_flip` is 1.5, expected a probability, 0 to 1"),
        (vec!["optimizer.beta1=1.0"], "`optimizer.beta1` is 1, expected at least 0 and below 1"),
        (
            vec!["optimizer.network.generator.beta1=1.0"],
            "`optimizer.network.generator.beta1` is 1, expected at least 0 and below 1",
        ),
        (
            vec!["family.update=simultaneous", "family.generator_updates=2"],
            "`family.generator_updates` is 2, expected 1 where updates are simultaneous or share their noise",
        ),
        (
            vec!["family.loss=wasserstein"],
            "`family.penalty` is 0, expected a positive weight for loss = \"wasserstein\", 10 in Gulrajani et al. 2017",
        ),
        (
            vec!["family.loss=wasserstein", "family.penalty=10.0"],
            "`family.norm` is batch, expected \"generator\" or \"none\", since family.penalty is of each map alone",
        ),
        (vec!["family.penalty=-1.0"], "`family.penalty` is -1, expected a weight, or 0 for no gradient penalty"),
        (vec!["family.penalty_every=0"], "`family.penalty_every` is 0, expected 1 or more steps"),
        (
            vec!["validation.every=7"],
            "`validation.every` is 7, expected a multiple of `trainer.checkpoint_every`: 1000",
        ),
        (vec!["validation.records=1"], "`validation.records` is 1, expected 2 to 1048576 records"),
        (
            vec!["validation.best=fid"],
            "`validation.best` is \"fid\", expected one of \"spectrum_error\", \"variance_error\"",
        ),
        (
            vec!["validation.targets.spectrum_eror=0.2"],
            "`validation.targets.spectrum_eror` is 0.2, expected `validation.targets.spectrum_error`",
        ),
        (
            vec!["validation.targets.fid=3"],
            "`validation.targets.fid` is 3, expected a target of \"spectrum_error\" or \"variance_error\"",
        ),
        (
            vec!["validation.targets.variance_error=0"],
            "`validation.targets.variance_error` is 0, expected a finite number more than 0",
        ),
        (
            vec!["validation.targets.variance_error=inf"],
            "`validation.targets.variance_error` is inf, expected a finite number more than 0",
        ),
        (
            vec!["validation.every=1000", "data.split=validation"],
            "`data.split` is \"validation\", expected another split, since `validation.every` is not 0",
        ),
        (vec!["trainer.checkpoint_every=0"], "`trainer.checkpoint_every` is 0, expected 1 or more steps"),
    ] {
        assert_eq!(refused(TEXT, &sets), message);
    }
}

#[test]
fn a_microbatch_of_one_record_is_refused_for_batch_norm_alone() {
    let config = load(TEXT, &["batch.global=4", "family.norm=none"]).expect("it is right");
    assert_eq!(config.cut().microbatch(), 1);
    assert!(load(TEXT, &[]).expect("it is right").to_toml().contains("norm = \"batch\""));
    assert!(refused(TEXT, &["family.norm=layer"]).contains("layer"));
}

#[test]
fn what_comes_after_a_bad_step_is_no_part_of_what_a_run_is() {
    let identity = |sets: &[&str]| description(sets);
    for policy in ["stop", "skip", "rollback"] {
        assert_eq!(identity(&[&format!("trainer.not_finite={policy}")]), identity(&[]));
    }
    assert_ne!(identity(&["family.norm=none"]), identity(&[]));
    assert!(refused(TEXT, &["trainer.not_finite=ignore"]).contains("ignore"));
}

#[test]
fn a_run_has_one_length_and_the_command_line_wins() {
    let both = TEXT.replace("steps = 10", "steps = 10\nepochs = 2.0");
    assert_eq!(refused(&both, &[]), "`trainer.epochs` is 2, expected not set, since trainer.steps is");
    let config = load(TEXT, &["trainer.epochs=2.0"]).expect("it is right");
    assert_eq!((config.sections().trainer.steps, config.sections().trainer.epochs), (None, Some(2.0)));
    let config = load(&config.to_toml(), &["trainer.steps=5"]).expect("it is right");
    assert_eq!((config.sections().trainer.steps, config.sections().trainer.epochs), (Some(5), None));
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let message = refused("seed = 1\nbatch = [\n", &[]);
    assert!(message.starts_with("a.toml: line "), "{message}");
}

#[test]
fn an_override_without_a_value_is_refused() {
    assert_eq!(refused(TEXT, &["seed"]), "--set seed: expected KEY=VALUE");
    assert_eq!(refused(TEXT, &["seed.x=1"]), "--set seed.x=1: seed is a value, expected a section");
}

#[test]
fn length_and_reports_are_no_part_of_what_a_run_is() {
    let identity = |sets: &[&str]| description(sets);
    assert_eq!(
        identity(&[]),
        identity(&[
            "trainer.steps=99",
            "trainer.log_every=3",
            "validation.every=2000",
            "validation.best=variance_error",
            "validation.records=64",
            "validation.targets.spectrum_error=0.1",
            "data.path=x"
        ])
    );
    for set in [
        "family.penalty_every=2",
        "seed=8",
        "batch.global=128",
        "family.width=8",
        "family.loss=minimax",
        "family.noise=shared",
        "trainer.precision=bf16",
        "trainer.deterministic=false",
    ] {
        assert_ne!(identity(&[]), identity(&[set]), "{set}");
    }
}

#[test]
fn every_config_of_the_project_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("there are configs") {
        let path = entry.expect("readable").path();
        RunConfig::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        seen += 1;
    }
    assert!(seen >= 2);
}
