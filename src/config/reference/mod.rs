//! The reference of all keys, `docs/configuration.md`, out of the types that read them: names, types and defaults are those
//! of the program, and the meaning of a key is the documentation of its field.

mod key_order;
mod tables;

use tables::{tables, wrapped};

use super::RunFile;
use crate::checkpoint::Direction;
use crate::family::FamilySettings;
use crate::family::spectra_gan::fit::exogan_settings;
use crate::infer::latent_fit::FitSettings;
use crate::simulate::MassMapSettings;
use crate::simulate::spectra::SpectrumSettings;

/// The shortest configuration of a training on maps.
pub const EXAMPLE: &str = r#"seed = 7

[batch]
global       = 64            # records a step, over all ranks
microbatches = 4             # ranks may be 1 to 4

[family]
kind = "maps_gan"
loss = "non_saturating"
side = 64                    # pixels

[trainer]
steps = 1000
"#;

/// The reference, in Markdown.
pub fn markdown() -> String {
    let mut text = introduction();
    text += &tables::<RunFile>("Keys outside of sections", "", 2);
    text += &families();
    let maps = "Settings of simulated convergence maps, each by `--set KEY=VALUE`.";
    text += &tables::<MassMapSettings>("Settings of `skyforge simulate maps`", maps, 3);
    let spectra = "Settings of simulated transmission spectra, each by `--set KEY=VALUE`.";
    text += &tables::<SpectrumSettings>("Settings of `skyforge simulate spectra`", spectra, 3);
    text += &tables::<FitSettings>("Settings of `skyforge retrieve` and `skyforge inpaint`", &latent_fit(), 3);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn introduction() -> String {
    let start = [
        "A training is described by one TOML file: `skyforge train CONFIG --run RUN --data DATASET`. This page lists every key \
         of it, and after them the settings of simulations and latent fits. The folder `configs/` has complete configurations to start from; \
         `debug_*.toml` train on a CPU in seconds.",
        "`--set SECTION.KEY=VALUE` changes one value on the command line and may be given more than once, for example \
         `--set trainer.steps=200 --set family.loss=hinge`. Words need no quotes there.",
        "A key that is not listed here is refused with the nearest one that is, and so is a value outside of the range given \
         under \"meaning\". The file `config.toml` in the folder of a run has the value of every key, defaults among them.",
    ];
    let start: Vec<String> = start.iter().map(|paragraph| wrapped(paragraph, "")).collect();
    format!(
        "# Configuration\n\n<!-- Generated from the types of the settings; tests/library/config/reference.rs says how. -->\n\n{}\n\n\
         The shortest configuration:\n\n```toml\n{EXAMPLE}```\n\n",
        start.join("\n\n")
    )
}

/// Networks and scores of each kind of model.
fn families() -> String {
    let mut text = "## Networks and scores of each kind\n\n".to_owned();
    for (kind, networks, scores) in FamilySettings::reference() {
        let networks: Vec<String> = networks.iter().map(|network| format!("`{network}`")).collect();
        let scores = scores.iter().map(|score| {
            let better = if score.direction == Direction::Min { "smaller" } else { "larger" };
            format!("`{}` is {} ({better} is better)", score.name, score.meaning)
        });
        let scores: Vec<String> = scores.collect();
        let scores = if scores.is_empty() { "none".to_owned() } else { scores.join("; ") };
        text += &wrapped(&format!("- `{kind}`: networks {}. Scores: {scores}.", networks.join(", ")), "  ");
        text.push('\n');
    }
    text.push('\n');
    text
}

/// The default of a latent fit depends on the run and on `--preset`.
fn latent_fit() -> String {
    format!(
        "Settings of the fit of latent vectors, each by `--set KEY=VALUE`. The defaults below are those for a run with an \
         embedder. For a run without one: {}. With `--preset exogan`: {}. `skyforge inpaint` without `--preset` sets \
         `noise = false`, and for maps `loss = \"l2\"` and `anchor = 0.0`.",
        differences(&FitSettings::from_noise()),
        differences(&exogan_settings())
    )
}

/// The values of `settings` that are not the default ones.
fn differences(settings: &FitSettings) -> String {
    let table = |settings: &FitSettings| toml::Table::try_from(settings).expect("settings are a table");
    let usual = table(&FitSettings::default());
    let mut own = table(settings);
    own.retain(|key, value| usual.get(key) != Some(value));
    own.iter().map(|(key, value)| format!("`{key} = {value}`")).collect::<Vec<_>>().join(", ")
}
