//! `docs/configuration.md` says what the types say. `SKYFORGE_GOLDEN=write` writes it again:
//! `SKYFORGE_GOLDEN=write cargo test --test library config::reference`.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::config::RunConfig;
use skyforge::config::reference::{EXAMPLE, markdown};
use skyforge::family::maps_gan::validation::SCORES;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A row of the tables of keys.
struct Row {
    key: String,
    kind: String,
    unit: String,
    meaning: String,
}

fn rows(document: &str) -> Vec<Row> {
    let cells = |line: &str| {
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let [key, kind, unit, _, meaning] = cells.try_into().expect("a row has five cells");
        Row { key: key.trim_matches('`').to_owned(), kind, unit, meaning }
    };
    document.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// The full names of all keys below `table`; a network's section and a score's target are those of NAME.
fn keys(table: &toml::Table, above: &str) -> Vec<String> {
    let full = |key: &str| match above {
        "" => key.to_owned(),
        "optimizer.network" | "validation.targets" => format!("{above}.NAME"),
        _ => format!("{above}.{key}"),
    };
    let below = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => keys(table, &full(key)),
        _ => vec![full(key)],
    };
    table.iter().flat_map(below).collect()
}

#[test]
fn the_configuration_reference_is_fresh() {
    let path = Path::new(ROOT).join("docs/configuration.md");
    let wanted = markdown();
    if std::env::var("SKYFORGE_GOLDEN").is_ok_and(|word| word == "write") {
        fs::write(&path, &wanted).expect("the disk has room");
    }
    let committed = fs::read_to_string(&path).expect("docs/configuration.md is text");
    let old = committed.lines().zip(wanted.lines()).find(|(committed, wanted)| committed != wanted);
    assert!(
        committed == wanted,
        "docs/configuration.md is out of date, `SKYFORGE_GOLDEN=write cargo test --test library config::reference` \
         writes it again; the first line that differs, as it is and as it should be: {old:#?}"
    );
}

#[test]
fn the_example_of_the_reference_is_a_configuration() {
    assert!(markdown().contains(EXAMPLE));
    RunConfig::parse(Path::new("example.toml"), EXAMPLE, &[]).expect("the example is right");
}

#[test]
fn every_key_of_every_config_is_in_the_reference() {
    let documented: Vec<String> = rows(&markdown()).into_iter().map(|row| row.key).collect();
    let configs: Vec<PathBuf> = fs::read_dir(Path::new(ROOT).join("configs"))
        .expect("configs")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(!configs.is_empty());
    for path in configs {
        let config = RunConfig::load(&path, &[]).expect("the project's configs are right");
        let explicit: toml::Table = config.to_toml().parse().expect("TOML");
        for key in keys(&explicit, "") {
            assert!(documented.contains(&key), "`{key}` of {} is not in the reference", path.display());
        }
    }
}

#[test]
fn every_key_and_every_value_has_a_meaning() {
    let document = markdown();
    for Row { key, meaning, .. } in rows(&document) {
        assert!(meaning.len() > 1 && meaning.ends_with('.'), "`{key}`: expected a sentence, it is `{meaning}`");
    }
    let choices: Vec<&str> = document.lines().filter(|line| line.starts_with("- `\"")).collect();
    assert!(choices.len() > 20);
    for choice in choices {
        let (word, meaning) = choice.split_once("`: ").expect("a value and its meaning");
        assert!(!meaning.trim().is_empty(), "{word} has no meaning");
    }
}

#[test]
fn every_score_is_in_the_reference() {
    let document = markdown();
    for score in SCORES {
        assert!(document.contains(&format!("`{}`", score.name)), "the score {} is not in the reference", score.name);
    }
}

#[test]
fn every_quantity_has_its_unit() {
    let of_names = |name: &str| match name {
        "side" => Some("pixels"),
        "planet_mass" => Some("M_Jup"),
        "planet_radius" => Some("R_Jup"),
        "star_radius" => Some("R_Sun"),
        "temperature" => Some("K"),
        "steps" => Some("steps"),
        "epochs" => Some("epochs"),
        "depth_min" | "depth_max" => Some("fraction"),
        _ if name.starts_with("log10_") => Some("dex"),
        _ => None,
    };
    let of_endings = [
        ("_um", "um"),
        ("_ppm", "ppm"),
        ("_pa", "Pa"),
        ("_arcmin", "arcmin"),
        ("_deg", "degrees"),
        ("_seconds", "s"),
        ("_every", "steps"),
    ];
    let rows = rows(&markdown());
    let mut found = 0;
    for Row { key, kind, unit, .. } in &rows {
        let name = key.rsplit('.').next().expect("a key has a name");
        let of_ending = of_endings.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, unit)| *unit);
        if let Some(wanted) = of_names(name).or(of_ending) {
            assert!(kind.contains("number"), "`{key}` is {kind}");
            assert_eq!(unit, wanted, "`{key}`");
            found += 1;
        }
    }
    assert!(found > 30, "{found} of {} keys", rows.len());
}
