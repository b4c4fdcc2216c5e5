//! Whether a checkpoint belongs to a run: the settings that both are made with.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::one_line;

/// Arrays that are longer are told of by their lengths.
const LONGEST: usize = 8;

/// The settings of a run by which a checkpoint belongs to it, as a table.
#[derive(Clone, Debug)]
pub struct Identity {
    table: Table,
    complete: fn(&Table) -> Result<Table, String>,
}

impl Identity {
    /// Of settings of a type whose defaults stand in for keys that a checkpoint of an older program does not have.
    pub fn of<T: Serialize + DeserializeOwned>(settings: &T) -> Self {
        Self { table: table(settings), complete: complete::<T> }
    }

    /// As a checkpoint keeps it.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What is different between the settings that a checkpoint was `saved` with and these: a sentence about the first key, where
    /// there is any. Keys in `may_differ` may differ.
    pub fn difference(&self, saved: &Table, may_differ: &[String]) -> Option<String> {
        let saved = match (self.complete)(saved) {
            Ok(saved) => saved,
            Err(fault) => return Some(format!("was made with settings that this version does not have: {fault}")),
        };
        let mut found = Vec::new();
        differences("", &saved, &self.table, &mut found);
        found.retain(|(key, _)| !may_differ.contains(key));
        // Other data have another checksum too: what is different about them says more.
        let told = found.iter().find(|(key, _)| !key.ends_with("checksum")).or(found.first());
        told.map(|(_, sentence)| sentence.clone())
    }
}

fn table<T: Serialize>(settings: &T) -> Table {
    Table::try_from(settings).expect("settings are a table")
}

fn complete<T: Serialize + DeserializeOwned>(saved: &Table) -> Result<Table, String> {
    let settings: Result<T, _> = serde_path_to_error::deserialize(Value::Table(saved.clone()));
    let settings = settings.map_err(|error| format!("`{}`: {}", error.path(), one_line::message(error.inner())))?;
    Ok(table(&settings))
}

fn differences(path: &str, saved: &Table, now: &Table, found: &mut Vec<(String, String)>) {
    let mut keys: Vec<&String> = saved.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let key_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(&key_path, saved.get(key), now.get(key), found);
    }
}

fn compare(key: &str, saved: Option<&Value>, now: Option<&Value>, found: &mut Vec<(String, String)>) {
    match (saved, now) {
        (saved, now) if saved == now => {}
        (Some(Value::Table(saved)), Some(Value::Table(now))) => differences(key, saved, now, found),
        (Some(Value::Array(saved)), Some(Value::Array(now)))
            if saved.len() == now.len() && (saved.len() > LONGEST || saved.iter().any(Value::is_table)) =>
        {
            for (at, (saved, now)) in saved.iter().zip(now).enumerate() {
                compare(&format!("{key}[{at}]"), Some(saved), Some(now), found);
            }
        }
        (saved, now) => {
            let sentence = format!("made with {key} = {}, this run has {}", in_words(saved), in_words(now));
            found.push((key.to_owned(), sentence));
        }
    }
}

fn in_words(value: Option<&Value>) -> String {
    match value {
        None => "not set".to_owned(),
        Some(Value::Array(values)) if values.len() > LONGEST => {
            let [first, .., last] = &values[..] else { unreachable!("it is longer") };
            format!("[{first}, .., {last}] ({} values)", values.len())
        }
        Some(Value::Array(values)) if values.iter().any(Value::is_table) => format!("{} of them", values.len()),
        Some(value) => value.to_string(),
    }
}
