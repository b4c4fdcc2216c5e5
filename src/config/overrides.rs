//! `--set a.b=c`, and errors of TOML in one line.

use std::str::FromStr;

use toml::{Table, Value};

use super::ConfigError;

/// One value of a configuration, set from the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: Value,
    argument: String,
}

impl Override {
    /// The full name of what it sets.
    pub fn key(&self) -> String {
        self.path.join(".")
    }
}

impl FromStr for Override {
    type Err = ConfigError;

    fn from_str(argument: &str) -> Result<Self, ConfigError> {
        let wrong = |fault: &str| ConfigError::Override { argument: argument.into(), fault: fault.into() };
        let (key, text) = argument.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE, as in batch.global=64"))?;
        let path: Vec<String> = key.trim().split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong("expected a key such as batch.global before the equals sign"));
        }
        // What is no TOML value is a word: `--set trainer.update=simultaneous` needs no quotes.
        let value = format!("v = {}", text.trim()).parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        let value = value.unwrap_or_else(|| Value::String(text.trim().to_owned()));
        Ok(Self { path, value, argument: argument.to_owned() })
    }
}

/// Puts one value into `table`, making sections that are not there yet.
pub fn apply(table: &mut Table, set: &Override) -> Result<(), ConfigError> {
    let (name, sections) = set.path.split_last().expect("an override has a key");
    let mut place = table;
    for section in sections {
        let next = place.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        place = next.as_table_mut().ok_or_else(|| ConfigError::Override {
            argument: set.argument.clone(),
            fault: format!("{section} is a value, expected a section"),
        })?;
    }
    place.insert(name.clone(), set.value.clone());
    Ok(())
}

/// Where a text is no TOML, and why.
pub(super) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    format!("{place}{}", error.message().replace('\n', ", "))
}

/// Which key is not as wanted, and why.
pub(super) fn key_and_fault(error: &serde_path_to_error::Error<toml::de::Error>) -> String {
    let path = error.path().to_string();
    let fault = fault(error);
    if path == "." { fault } else { format!("`{path}`: {fault}") }
}

/// The `--set` that is behind an error, if one is.
pub(super) fn blame(error: &serde_path_to_error::Error<toml::de::Error>, sets: &[Override]) -> Option<ConfigError> {
    let (path, fault) = (error.path().to_string(), fault(error));
    let guilty = sets.iter().rev().find(|set| {
        let name = set.path.last().expect("an override has a key");
        // An unknown key is reported where it stands: its section.
        set.key() == path || (fault.contains(&format!("`{name}`")) && (path == "." || set.key().starts_with(&path)))
    })?;
    Some(ConfigError::Override { argument: guilty.argument.clone(), fault })
}

/// In one line, in words of a configuration.
fn fault(error: &serde_path_to_error::Error<toml::de::Error>) -> String {
    let text = error.inner().message().replace('\n', ", ");
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let plain = match (words[at - 1].as_str(), words[at].as_str()) {
            ("expected", "u64" | "u32" | "usize") => "a whole number of at least 0",
            ("expected", "i64" | "i32") => "a whole number",
            ("expected", "f64") => "a number",
            ("expected", "struct") => "a section",
            _ => continue,
        };
        let is_section = words[at] == "struct";
        plain.clone_into(&mut words[at]);
        if is_section && at + 1 < words.len() {
            words[at + 1].clear();
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
