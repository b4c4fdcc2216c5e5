//! `--set a.b=c`, and which key of a configuration is wrong.

use std::str::FromStr;

use toml::{Table, Value};

use super::ConfigError;
use crate::one_line;

/// One value of a configuration, set from the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: Value,
    argument: String,
    option: &'static str,
}

impl Override {
    /// The full name of what it sets.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// The full name of each value that it sets: those of a table one by one.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        leaves(self.key(), &self.value, &mut keys);
        keys
    }

    /// Reads `a.b=c` as it was given with `option`, which errors name.
    pub fn given_with(option: &'static str, argument: &str) -> Result<Self, ConfigError> {
        let wrong = |fault: &str| ConfigError::Override { option, argument: argument.into(), fault: fault.into() };
        let (key, text) = argument.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE"))?;
        let path: Vec<String> = key.trim().split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong("expected a key before the equals sign"));
        }
        // What is no TOML value is a word: `--set family.update=simultaneous` needs no quotes.
        let value = format!("v = {}", text.trim()).parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        let value = value.unwrap_or_else(|| Value::String(text.trim().to_owned()));
        Ok(Self { path, value, argument: argument.to_owned(), option })
    }

    fn wrong(&self, fault: String) -> ConfigError {
        ConfigError::Override { option: self.option, argument: self.argument.clone(), fault }
    }
}

/// Adds the full names of all values in `value`, which is called `key`.
fn leaves(key: String, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(name, value)| leaves(format!("{key}.{name}"), value, keys)),
        _ => keys.push(key),
    }
}

impl FromStr for Override {
    type Err = ConfigError;

    fn from_str(argument: &str) -> Result<Self, ConfigError> {
        Self::given_with("--set", argument)
    }
}

/// Puts one value into `table`, making sections that are not there yet.
pub fn apply(table: &mut Table, set: &Override) -> Result<(), ConfigError> {
    let (name, sections) = set.path.split_last().expect("an override has a key");
    let mut place = table;
    for section in sections {
        let next = place.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        place = next.as_table_mut().ok_or_else(|| set.wrong(format!("{section} is a value, expected a section")))?;
    }
    place.insert(name.clone(), set.value.clone());
    Ok(())
}

/// Which key is not as wanted, and why.
pub(super) fn key_and_fault(error: &serde_path_to_error::Error<toml::de::Error>) -> String {
    let (fault, path) = (Fault::of(error), error.path().to_string());
    if fault.names_its_key || path == "." { fault.text } else { format!("`{path}`: {}", fault.text) }
}

/// The `--set` that is behind an error, if one is.
pub(super) fn blame(error: &serde_path_to_error::Error<toml::de::Error>, sets: &[Override]) -> Option<ConfigError> {
    let Fault { key, text, .. } = Fault::of(error);
    let guilty = sets.iter().rev().find(|set| {
        let made = set.key();
        let below = made.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.'));
        // Inside a section with a kind, errors say what the value is, but not where it stands.
        let value = set.value.as_str().map_or_else(|| set.value.to_string(), str::to_owned);
        made == key || below && (text.contains(&key) || quoted(&text).any(|word| word == value))
    })?;
    Some(guilty.wrong(text))
}

/// What is wrong, in words of a configuration.
struct Fault {
    /// The full name of what it is about, or of the section that holds it.
    key: String,
    text: String,
    names_its_key: bool,
}

impl Fault {
    fn of(error: &serde_path_to_error::Error<toml::de::Error>) -> Self {
        let (path, text) = (error.path().to_string(), one_line::message(error.inner()));
        let words: Vec<&str> = quoted(&text).collect();
        let section = match words.first().and_then(|key| path.strip_suffix(key)) {
            Some(section) => section.to_owned(), // an unknown key is part of the path, but not in a section with a kind
            None if path == "." => String::new(),
            None => format!("{path}."),
        };
        if let ([key, ..], true) = (words.as_slice(), text.starts_with("missing field")) {
            return Self { key: path, text: format!("`{section}{key}` is missing"), names_its_key: true };
        }
        if let ([key, known @ ..], true) = (words.as_slice(), text.starts_with("unknown field")) {
            let full = format!("{section}{key}");
            let wanted = moved(&full).or_else(|| Some(format!("did you mean `{section}{}`", nearest(key, known)?)));
            let wanted =
                wanted.unwrap_or_else(|| text.split_once(", ").map_or(String::new(), |(_, wanted)| wanted.to_owned()));
            let key = full;
            return Self { text: format!("unknown key `{key}`, {wanted}"), key, names_its_key: true };
        }
        if let ([value, known @ ..], true) = (words.as_slice(), text.starts_with("unknown variant")) {
            let meant = nearest(value, known).map_or(String::new(), |meant| format!(", did you mean `{meant}`"));
            let text = format!("{}{meant}", text.replacen("variant", "value", 1));
            return Self { key: path, text, names_its_key: false };
        }
        Self { key: path, text: plain(&text), names_its_key: false }
    }
}

/// Where keys of configurations from before `[family]` are now.
const MOVED: [(&str, &str); 15] = [
    ("model", "family"),
    ("objective", "family"),
    ("optimiser", "optimizer.network"),
    ("data.codec", "family.codec"),
    ("trainer.update", "family.update"),
    ("trainer.noise", "family.noise"),
    ("trainer.discriminator_moves", "family.discriminator_updates"),
    ("trainer.generator_moves", "family.generator_updates"),
    ("trainer.measure_every", "validation.every"),
    ("trainer.measure_maps", "validation.records"),
    ("family.embedder.restraint", "family.embedder.latent_l2"),
    ("family.embedder.veiled", "family.embedder.masked_fraction"),
    ("optimizer.discriminator", "optimizer.network.discriminator"),
    ("optimizer.generator", "optimizer.network.generator"),
    ("optimizer.embedder", "optimizer.network.embedder"),
];

/// Where the key `key`, or what the section of that name held, is now; nothing if it never was.
fn moved(key: &str) -> Option<String> {
    let (_, now) = MOVED.iter().find(|(before, _)| *before == key)?;
    Some(format!("which is now `{now}`"))
}

/// The words between backticks or double quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split(['`', '"']).skip(1).step_by(2)
}

/// The known word that was most likely meant: at most every third letter is wrong.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &&&str| strsim::damerau_levenshtein(word, known);
    known.iter().min_by_key(distance).filter(|known| 3 * distance(known) < word.chars().count()).copied()
}

/// Types as a user knows them.
fn plain(text: &str) -> String {
    let text = text.replace("expected a boolean", "expected true or false");
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let plain = match (words[at - 1].as_str(), words[at].as_str()) {
            ("expected", "u64" | "u32" | "usize") => "a whole number of at least 0",
            ("expected", "i64" | "i32") => "a whole number",
            ("expected", "f64") => "a number",
            ("expected", "struct" | "internally") => {
                words.truncate(at);
                words.push("a section".to_owned());
                break;
            }
            _ => continue,
        };
        plain.clone_into(&mut words[at]);
    }
    words.join(" ")
}
