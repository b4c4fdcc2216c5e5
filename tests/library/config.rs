//! Configurations: what is read, what is refused and in which words.

use std::path::{Path, PathBuf};

use skyforge::config::{Override, RunConfig};

const TEXT: &str = r#"
seed = 7
[batch]
global = 64
microbatches = 4
[model]
kind = "dcgan"
side = 64
[objective]
kind = "gan"
loss = "hinge"
[trainer]
steps = 10
"#;

fn load(text: &str, sets: &[&str]) -> Result<RunConfig, String> {
    let sets: Result<Vec<Override>, _> = sets.iter().map(|set| set.parse()).collect();
    let sets = sets.map_err(|error| error.to_string())?;
    RunConfig::parse(Path::new("a.toml"), text, &sets).map_err(|error| error.to_string())
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
    let config = load(TEXT, &["trainer.update=simultaneous", "objective.ema=0.99"]).expect("it is right");
    assert_eq!(load(&config.to_toml(), &[]).expect("it is right"), config);
}

#[test]
fn the_command_line_wins_and_words_need_no_quotes() {
    let config = load(TEXT, &["batch.global=8", "trainer.noise=shared", "data.path=some/where"]).expect("it is right");
    assert_eq!(config.cut().global, 8);
    assert_eq!(config.sections().data.path, Some(PathBuf::from("some/where")));
}

#[test]
fn unknown_keys_and_words_are_refused_wherever_they_are_with_what_was_meant() {
    for (set, fault) in [
        ("sede=1", "unknown key `sede`, did you mean `seed`"),
        ("batch.globl=1", "unknown key `batch.globl`, did you mean `batch.global`"),
        ("model.widht=3", "unknown key `model.widht`, did you mean `model.width`"),
        ("objective.lose=3", "unknown key `objective.lose`, did you mean `objective.loss`"),
        (
            "optimiser.generator.lr=3",
            "unknown key `optimiser.generator.lr`, expected one of `learning_rate`, `beta1`, `beta2`, `epsilon`, `clip`, `half_life`",
        ),
        ("optimizer.generator.beta1=3", "unknown key `optimizer`, did you mean `optimiser`"),
        ("trainer.stps=3", "unknown key `trainer.stps`, did you mean `trainer.steps`"),
        ("data.paht=3", "unknown key `data.paht`, did you mean `data.path`"),
        (
            "objective.loss=hinje",
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
        (vec!["model.side=12"], "`model.side` is 12, expected 16 to 8192 pixels, for depth = 4 halvings"),
        (vec!["objective.label_flip=1.5"], "`objective.label_flip` is 1.5, expected a probability, 0 to 1"),
        (vec!["optimiser.generator.beta1=1.0"], "`optimiser.generator.beta1` is 1, expected at least 0 and below 1"),
        (
            vec!["trainer.update=simultaneous", "trainer.generator_moves=2"],
            "`trainer.generator_moves` is 2, expected 1 where moves are simultaneous or share their noise",
        ),
        (
            vec!["objective.loss=wasserstein"],
            "`objective.penalty` is 0, expected a positive weight for loss = \"wasserstein\", 10 in Gulrajani et al. 2017",
        ),
        (
            vec!["objective.loss=wasserstein", "objective.penalty=10.0"],
            "`model.norm` is batch, expected \"generator\" or \"none\", since objective.penalty is of each map alone",
        ),
        (vec!["objective.penalty=-1.0"], "`objective.penalty` is -1, expected a weight, or 0 for no gradient penalty"),
        (vec!["objective.penalty_every=0"], "`objective.penalty_every` is 0, expected 1 or more steps"),
        (vec!["trainer.checkpoint_every=0"], "`trainer.checkpoint_every` is 0, expected 1 or more steps"),
    ] {
        assert_eq!(refused(TEXT, &sets), message);
    }
}

#[test]
fn a_microbatch_of_one_record_is_refused_for_batch_norm_alone() {
    let config = load(TEXT, &["batch.global=4", "model.norm=none"]).expect("it is right");
    assert_eq!(config.cut().microbatch(), 1);
    assert!(load(TEXT, &[]).expect("it is right").to_toml().contains("norm = \"batch\""));
    assert!(refused(TEXT, &["model.norm=layer"]).contains("layer"));
}

#[test]
fn what_comes_after_a_bad_step_is_no_part_of_what_a_run_is() {
    let identity = |sets: &[&str]| load(TEXT, sets).expect("it is right").identity();
    for policy in ["stop", "skip", "rollback"] {
        assert_eq!(identity(&[&format!("trainer.not_finite={policy}")]), identity(&[]));
    }
    assert_ne!(identity(&["model.norm=none"]), identity(&[]));
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
    let identity = |sets: &[&str]| load(TEXT, sets).expect("it is right").identity();
    assert_eq!(
        identity(&[]),
        identity(&["trainer.steps=99", "trainer.log_every=3", "trainer.measure_every=2000", "data.path=x"])
    );
    for set in [
        "objective.penalty_every=2",
        "trainer.measure_maps=64",
        "seed=8",
        "batch.global=128",
        "model.width=8",
        "objective.loss=minimax",
        "trainer.noise=shared",
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
