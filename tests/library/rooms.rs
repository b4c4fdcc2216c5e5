//! Who may import whom (`docs/architecture.md`): the arrows between the rooms go one way.

mod circles;
mod source_code;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use source_code::{source_folder, sources, without_comments_and_strings, words};

/// Open to all, and importing nothing but what the table says.
const GROUND: &[&str] = &["device", "exit", "files", "kernels", "machine", "one_line", "pages", "rng"];

/// A room, or a file beside the rooms, and the rooms it may import.
const TABLE: &[(&str, &[&str])] = &[
    ("exit", &[]),
    ("fft", &[]), // a package of its own
    ("device", &["exit", "kernels"]),
    ("files", &[]),
    ("kernels", &[]), // a package of its own
    ("machine", &[]),
    ("one_line", &[]),
    ("pages", &[]),
    ("rng", &[]),
    ("data", &[]),
    ("nn", &[]),
    ("comm", &[]),
    ("statistics", &[]),
    ("optim", &[]),
    ("atmosphere", &["data"]),
    ("simulate", &["atmosphere", "data"]),
    ("ingest", &["atmosphere", "data"]),
    ("checkpoint", &["optim"]),
    ("ledger", &["comm"]),
    ("infer", &["data", "nn", "checkpoint", "comm", "ledger"]),
    ("objective", &["data", "nn", "infer"]),
    ("train", &["data", "nn", "objective", "infer", "comm", "optim", "checkpoint"]),
    ("catalog", &["comm"]),
    ("report", &["statistics"]),
    // What is true of one family alone; no family imports another.
    (
        "family",
        &[
            "atmosphere",
            "data",
            "nn",
            "objective",
            "train",
            "infer",
            "comm",
            "checkpoint",
            "statistics",
            "catalog",
            "report",
        ],
    ),
    // A run's configuration is made of the rooms' own sections, and the reference lists all settings.
    ("config", &["data", "nn", "family", "optim", "checkpoint", "train", "simulate", "infer"]),
    ("launch", &["config"]),
    ("app", &EVERY_ROOM),
    // Options hold plain types of these.
    ("cli", &["app", "ingest", "train"]),
    ("main", &["cli"]),
];

const EVERY_ROOM: [&str; 18] = [
    "atmosphere",
    "family",
    "data",
    "nn",
    "comm",
    "statistics",
    "optim",
    "simulate",
    "ingest",
    "objective",
    "checkpoint",
    "train",
    "infer",
    "ledger",
    "catalog",
    "report",
    "config",
    "launch",
];

fn may_import(room: &str) -> Option<&'static [&'static str]> {
    TABLE.iter().find(|(name, _)| *name == room).map(|(_, rooms)| *rooms)
}

/// What is wrong with the source `text` of a file of `room` that lies `depth` modules below the root of the crate.
fn complaints(room: &str, depth: usize, text: &str) -> Vec<String> {
    let Some(allowed) = may_import(room) else {
        return vec![format!("`{room}` is not in the table of tests/library/rooms.rs")];
    };
    let ground = if GROUND.contains(&room) { &[] } else { GROUND };
    let fine = |other: &str| other == room || allowed.contains(&other) || ground.contains(&other);
    let imported = imports(text, depth, room == "main");
    imported.iter().filter(|other| !fine(other)).map(|other| format!("`{room}` imports `{other}`")).collect()
}

/// The first names after `crate::`, after enough `super::` to leave the room and, in the binary, after `skyforge::`.
fn imports(text: &str, depth: usize, binary: bool) -> BTreeSet<String> {
    let code = without_comments_and_strings(text);
    let words: Vec<&str> = words(&code);
    let mut found = BTreeSet::new();
    for (at, pair) in words.windows(2).enumerate() {
        let [root, "::"] = pair else { continue };
        let after = names(&words[at + 2..]);
        match *root {
            "crate" => found.extend(after),
            "skyforge" if binary => found.extend(after),
            // Tests inside a file are one module deeper than it, so that only names of rooms count here.
            "super" if supers_before(&words, at) + 1 >= depth => {
                found.extend(after.into_iter().filter(|name| may_import(name).is_some()));
            }
            _ => {}
        }
    }
    found
}

/// How many `super::` stand directly before the word at `at`.
fn supers_before(words: &[&str], at: usize) -> usize {
    (1..=at / 2).take_while(|step| words[at - 2 * step] == "super" && words[at + 1 - 2 * step] == "::").count()
}

/// The first names of a path or of a group of paths.
fn names(words: &[&str]) -> Vec<String> {
    if words.first() != Some(&"{") {
        return words.first().map(|name| (*name).to_owned()).into_iter().collect();
    }
    let (mut depth, mut fresh, mut found) = (0, false, Vec::new());
    for word in words {
        match *word {
            "{" => {
                depth += 1;
                fresh = depth == 1;
            }
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => fresh = depth == 1,
            name if fresh => {
                found.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn no_room_imports_what_it_may_not() {
    let root = source_folder();
    let files = sources(&root);
    assert!(files.len() > TABLE.len() / 2, "{} files are too few: src was not found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        // data/ingest/fits.rs: room data, modules data, ingest, fits.
        let path = file.strip_prefix(&root).expect("it lies in src").with_extension("");
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().expect("our names are text")).collect();
        let depth = parts.len() - usize::from(parts.ends_with(&["mod"]));
        if parts == ["lib"] {
            continue; // it names all rooms and imports none
        }
        let text = fs::read_to_string(&file).expect("sources are text");
        wrong.extend(
            complaints(parts[0], depth, &text).into_iter().map(|what| format!("src/{}.rs: {what}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    for entry in fs::read_dir(source_folder()).expect("src is there") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("our names are text");
        assert!(name == "lib" || may_import(name).is_some(), "`{name}` is not in the table of tests/library/rooms.rs");
    }
}

#[test]
fn the_table_has_no_circle_and_knows_all_its_names() {
    // Whoever imports only rooms that are settled is settled; a circle never is.
    let mut settled = BTreeSet::new();
    while settled.len() < TABLE.len() {
        let ready = |(name, rooms): &&(&str, &[&str])| {
            !settled.contains(name) && rooms.iter().all(|room| settled.contains(room))
        };
        let next = TABLE.iter().find(ready).map(|(name, _)| *name);
        settled.insert(next.expect("a room is left that imports neither itself nor an unknown one over others"));
    }
}

#[test]
fn nobody_but_the_command_line_imports_the_commands() {
    let importers: Vec<&str> = TABLE.iter().filter(|row| row.1.contains(&"app")).map(|row| row.0).collect();
    assert_eq!(importers, ["cli"]);
}

#[test]
fn nobody_but_the_command_line_names_clap() {
    let root = source_folder();
    let names_clap = |file: &PathBuf| {
        let code = without_comments_and_strings(&fs::read_to_string(file).expect("sources are text"));
        words(&code).iter().any(|word| *word == "clap" || word.starts_with("clap_"))
    };
    let named: Vec<String> = sources(&root)
        .into_iter()
        .filter(names_clap)
        .map(|file| file.strip_prefix(&root).expect("it lies in src").display().to_string())
        .collect();
    assert!(named.iter().any(|file| file == "cli/mod.rs"), "{named:?}");
    let outside: Vec<&String> = named.iter().filter(|file| !file.starts_with("cli/")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

/// Words that only one family of models knows.
const WORDS_OF_FAMILIES: &[&str] =
    &["aspa", "exogan", "atmosphere", "hst", "wfc3", "jwst", "nirspec", "ariel", "planet", "retrieval"];

#[test]
fn rooms_that_all_families_share_name_none() {
    let found: Vec<String> =
        ["data", "infer", "catalog", "objective", "report"].into_iter().flat_map(family_words).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(!family_words("family").is_empty(), "they are found where they are");
}

/// Where the code of a room has words of families.
fn family_words(room: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(&source_folder().join(room)) {
        let text = fs::read_to_string(&file).expect("sources are text");
        let code = without_comments(&text).to_lowercase();
        let here = WORDS_OF_FAMILIES.iter().filter(|word| words(&code).iter().any(|have| have.contains(*word)));
        found.extend(here.map(|word| format!("{}: {word}", file.display())));
    }
    found
}

/// Without lines that are comments, and what follows code on its line behind `//`.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("// ").next().unwrap_or_default());
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    for text in [
        "use crate::comm::Solo;",
        "use crate::{data::Dataset, comm};",
        "use crate::{\n    data::{Dataset, Manifest},\n    comm::{self, Solo},\n};",
        "fn f() { let c = crate::comm::Solo; }",
        "pub(crate) use crate :: comm as other;",
        "use super::super::comm::Solo;",
        "let quote = '\"'; use crate::comm; let other = '\"';",
        "let path = \"a // b\"; use crate::comm;",
        "let slash = \"\\\\\"; use crate::comm;",
    ] {
        assert_eq!(complaints("objective", 2, text), ["`objective` imports `comm`"], "{text}");
    }
    assert_eq!(complaints("exit", 1, "use crate::rng::Draw;"), ["`exit` imports `rng`"]);
    assert_eq!(complaints("main", 1, "use skyforge::{cli, train};"), ["`main` imports `train`"]);
    assert_eq!(complaints("report", 1, "use super::train::metrics;"), ["`report` imports `train`"]);
    assert_eq!(complaints("attic", 2, ""), ["`attic` is not in the table of tests/library/rooms.rs"]);
    assert_eq!(complaints("data", 2, "use crate::Anything;"), ["`data` imports `Anything`"]);
}

#[test]
fn what_is_allowed_and_what_is_only_said_is_no_complaint() {
    for text in [
        "use crate::{data, nn::dcgan, exit::Exit, rng::{Draw, Stream}, objective::loss};",
        "/// Like [`crate::comm::Solo`].\n// use crate::train;\n/* crate::comm */ fn f() {}",
        "const NAME: &str = \"crate::comm\";",
        "const NAME: &str = r#\"use \"crate::comm\" \"#;",
        "use super::loss::hinge; pub(crate) fn f() {}",
        "use self::comm::x; use other::crate_comm::comm;",
    ] {
        assert_eq!(complaints("objective", 2, text), [""; 0], "{text}");
    }
    assert_eq!(complaints("data", 3, "use super::super::shard::Shard;"), [""; 0]);
    assert_eq!(complaints("rng", 1, "mod tests { use super::*; use super::Draw; }"), [""; 0]);
    assert_eq!(complaints("main", 1, "use skyforge::exit::{Ends, Exit}; fn main() { skyforge::cli::run() }"), [""; 0]);
}

/// The folders of families.
fn families() -> Vec<String> {
    let folder = source_folder().join("family");
    let entries = fs::read_dir(folder).expect("the room is there").map(|entry| entry.expect("it can be read").path());
    let folders = entries.filter(|path| path.is_dir());
    folders.map(|path| path.file_name().expect("a name").to_str().expect("our names are text").to_owned()).collect()
}

/// What names one of `words`, case aside, in the code of `room`, a folder or a file: comments and strings do not count.
fn mentions(room: &str, words: &[&str]) -> Vec<String> {
    let (mut found, path) = (Vec::new(), source_folder().join(room));
    for file in if path.is_dir() { sources(&path) } else { vec![path] } {
        let code = without_comments_and_strings(&fs::read_to_string(&file).expect("sources are text")).to_lowercase();
        let named = words.iter().filter(|word| code.contains(*word));
        found.extend(named.map(|word| format!("{} names `{word}`", file.display())));
    }
    found
}

#[test]
fn no_family_imports_another() {
    let families = families();
    assert!(families.len() > 1, "{families:?}");
    for family in &families {
        let others: Vec<String> = families.iter().filter(|other| *other != family).cloned().collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_eq!(mentions(&format!("family/{family}"), &others), [""; 0]);
    }
}

#[test]
fn shared_rooms_name_no_family() {
    let families = families();
    let families: Vec<&str> = families.iter().map(String::as_str).collect();
    for room in ["data", "nn", "objective", "train", "infer", "optim", "checkpoint", "comm", "statistics", "report"] {
        assert_eq!(mentions(room, &families), [""; 0]);
    }
    // What is measured and shown of a run is the family's, by the list of families alone.
    for file in ["app/evaluate.rs", "app/report.rs", "family/evaluation.rs", "family/run_folder.rs"] {
        assert_eq!(mentions(file, &families), [""; 0]);
    }
    assert!(!mentions("app/retrieve/mod.rs", &families).is_empty(), "they are found where they are");
}

#[test]
fn the_trainer_names_no_score() {
    for kind in ["spectrum_error", "variance", "power_spectr", "statistics"] {
        let named = mentions("train", &[kind]);
        // The variance of batch norm is no score.
        let named = named.into_iter().filter(|named| !named.contains("replica.rs"));
        assert_eq!(named.collect::<Vec<_>>(), [""; 0]);
    }
}
