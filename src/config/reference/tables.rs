//! Tables of the keys of a settings type: full name, type, unit, default and meaning, out of its JSON schema.

use std::fmt::Write as _;
use std::marker::PhantomData;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key_order::{Step, keys_at};

/// Columns at which prose is wrapped.
const COLUMNS: usize = 120;

/// A table of the keys of `T` that stand outside of sections, then a part for each section, in the order of declaration.
///
/// - `title`: heading of the keys that stand outside of sections
/// - `introduction`: text below it
/// - `level`: of the headings of sections; a section inside another one is a level below
pub fn tables<T: JsonSchema + DeserializeOwned>(title: &str, introduction: &str, level: usize) -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut document = Document::<T> { text: format!("## {title}\n\n"), level, settings: PhantomData };
    document.prose(introduction);
    document.section(&[Step { name: String::new(), tag: None }], schema.as_value());
    document.text
}

/// A key with its schema, and whether it must be set.
struct Key<'a> {
    name: &'static str,
    schema: &'a Value,
    required: bool,
}

/// One of the forms that a section may have, by its tag; a section without a tag has one form.
struct Form<'a> {
    /// Key and value of the tag.
    tag: Option<(String, String)>,
    meaning: &'a str,
    keys: Vec<Key<'a>>,
}

/// The text so far.
struct Document<T> {
    text: String,
    level: usize,
    settings: PhantomData<T>,
}

impl<T: DeserializeOwned> Document<T> {
    fn prose(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.text, "{}\n", wrapped(text, ""));
        }
    }

    /// The keys of the section at `path`, its choices, and the sections in it.
    fn section(&mut self, path: &[Step], schema: &Value) {
        let forms = Self::forms(path, schema);
        let is_shared = |key: &Key| {
            forms.iter().all(|form| form.keys.iter().any(|other| other.name == key.name && other.schema == key.schema))
        };
        let tag_row = forms[0].tag.as_ref().map(|(tag, _)| {
            row(&full_name(path, tag), "one of the kinds below", "", "required", "Decides which keys the section has.")
        });
        let (shared, _): (Vec<&Key>, Vec<&Key>) = forms[0].keys.iter().partition(|key| is_shared(key));
        self.table(path, tag_row, &shared);
        if let Some((tag, _)) = &forms[0].tag {
            let kinds = forms.iter().map(|form| (form.tag.as_ref().expect("it has a tag").1.as_str(), form.meaning));
            self.choices(&full_name(path, tag), kinds);
        }
        self.choices_of(path, &shared);
        for (holders, own) in groups(&forms) {
            let (tag, _) = forms[0].tag.as_ref().expect("forms differ by their tag");
            let values = holders.iter().map(|&form| &forms[form].tag.as_ref().expect("it has a tag").1);
            let values: Vec<String> = values.map(|value| format!("\"{value}\"")).collect();
            self.prose(&format!("With `{} = {}` also:", full_name(path, tag), values.join("` or `")));
            self.table(path, None, &own);
            self.choices_of(path, &own);
        }
        let mut done = Vec::new();
        for form in &forms {
            let mut path = path.to_vec();
            path.last_mut().expect("it has a first step").tag.clone_from(&form.tag);
            for key in form.keys.iter().filter(|key| is_section(key.schema)) {
                if !done.contains(&key.name) {
                    done.push(key.name);
                    self.section_below(&path, key);
                }
            }
        }
    }

    /// The section that is the value of `key`, with its heading.
    fn section_below(&mut self, path: &[Step], key: &Key) {
        let step = |name: &str| Step { name: name.to_owned(), tag: None };
        let mut path = path.to_vec();
        path.push(step(key.name));
        let heading = "#".repeat(self.level + path.len() - 2);
        let mut schema = essence(key.schema);
        if let Some(each) = values_by_name(schema) {
            path.push(step("NAME"));
            schema = essence(each);
        }
        let names: Vec<&str> = path[1..].iter().map(|step| step.name.as_str()).collect();
        let _ = writeln!(self.text, "{heading} `[{}]`\n", names.join("."));
        let absent = match key.schema.get("unset").and_then(Value::as_str) {
            Some(unset) => format!(" Where the section is left out: {unset}."),
            None if key.required => " The section is required.".to_owned(),
            None => String::new(),
        };
        self.prose(&format!("{}{absent}", meaning(key.schema)));
        self.section(&path, schema);
    }

    /// The forms of a section.
    fn forms<'a>(path: &[Step], schema: &'a Value) -> Vec<Form<'a>> {
        let form = |schema: &'a Value| {
            let properties = schema["properties"].as_object().expect("a section has keys");
            let tag =
                properties.iter().find_map(|(key, schema)| Some((key.clone(), schema["const"].as_str()?.to_owned())));
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let mut path = path.to_vec();
            path.last_mut().expect("it has a first step").tag.clone_from(&tag);
            let named = if properties.len() > usize::from(tag.is_some()) { keys_at::<T>(&path) } else { &[] };
            let keys = named.iter().map(|name| Key {
                name,
                schema: &properties[*name],
                required: required.iter().any(|required| required == name),
            });
            Form { tag, meaning: meaning(schema), keys: keys.collect() }
        };
        match schema["oneOf"].as_array() {
            Some(kinds) => kinds.iter().map(form).collect(),
            None => vec![form(schema)],
        }
    }

    fn table(&mut self, path: &[Step], first: Option<String>, keys: &[&Key]) {
        let rows = keys.iter().filter(|key| !is_section(key.schema)).map(|key| {
            let unit = key.schema.get("unit").and_then(Value::as_str).unwrap_or_default();
            let name = full_name(path, key.name);
            let (name, schema) = match values_by_name(essence(key.schema)) {
                Some(each) => (format!("{name}.NAME"), each),
                None => (name, key.schema),
            };
            row(&name, &words_of_type(essence(schema)), unit, &default(key), meaning(key.schema))
        });
        let rows: String = first.into_iter().chain(rows).collect();
        if !rows.is_empty() {
            let _ = writeln!(
                self.text,
                "| key | type | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n{rows}"
            );
        }
    }

    /// The values of each of `keys` that has only some.
    fn choices_of(&mut self, path: &[Step], keys: &[&Key]) {
        for key in keys {
            if let Some(words) = words(essence(key.schema)) {
                self.choices(&full_name(path, key.name), words.into_iter());
            }
        }
    }

    fn choices<'a>(&mut self, key: &str, words: impl Iterator<Item = (&'a str, &'a str)>) {
        let _ = writeln!(self.text, "Values of `{key}`:\n");
        for (word, meaning) in words {
            let _ = writeln!(self.text, "{}", wrapped(&format!("- `\"{word}\"`: {meaning}"), "  "));
        }
        self.text.push('\n');
    }
}

/// Keys that some forms have and others have not, sections aside, by the forms that have them.
fn groups<'a>(forms: &'a [Form]) -> Vec<(Vec<usize>, Vec<&'a Key<'a>>)> {
    let mut groups: Vec<(Vec<usize>, Vec<&Key>)> = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        for key in form.keys.iter().filter(|key| !is_section(key.schema)) {
            let has = |other: &Form| other.keys.iter().any(|own| own.name == key.name && own.schema == key.schema);
            let holders: Vec<usize> = (0..forms.len()).filter(|&other| has(&forms[other])).collect();
            if holders.len() == forms.len() || holders[0] != number {
                continue; // it is in the table of all forms, or of an earlier one
            }
            match groups.iter_mut().find(|(of, _)| *of == holders) {
                Some((_, keys)) => keys.push(key),
                None => groups.push((holders, vec![key])),
            }
        }
    }
    groups
}

/// A row of a table.
fn row(key: &str, words_of_type: &str, unit: &str, default: &str, meaning: &str) -> String {
    let cells =
        [&format!("`{key}`"), words_of_type, unit, default, &one_line(meaning)].map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// `section.subsection.key`.
fn full_name(path: &[Step], key: &str) -> String {
    let names = path[1..].iter().map(|step| step.name.as_str()).chain([key]);
    names.collect::<Vec<_>>().join(".")
}

/// A schema without the possibility that the key is not set.
fn essence(schema: &Value) -> &Value {
    let either = schema["anyOf"].as_array().map_or(&[][..], Vec::as_slice);
    either.iter().find(|one| one["type"] != "null").map_or(schema, essence)
}

/// What the documentation of the type says.
fn meaning(schema: &Value) -> &str {
    let own = schema["description"].as_str();
    own.or_else(|| essence(schema)["description"].as_str()).unwrap_or_default()
}

fn is_section(schema: &Value) -> bool {
    let schema = essence(schema);
    let kinds = schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    schema["properties"].is_object()
        || values_by_name(schema).is_some_and(is_section)
        || kinds.iter().any(|kind| kind["properties"].is_object())
}

/// The schema of each value of a table whose keys are names.
fn values_by_name(schema: &Value) -> Option<&Value> {
    Some(&schema["additionalProperties"]).filter(|each| each.is_object())
}

/// The words that a value may be, with their meanings.
fn words(schema: &Value) -> Option<Vec<(&str, &str)>> {
    schema["oneOf"].as_array()?.iter().map(|word| Some((word["const"].as_str()?, meaning(word)))).collect()
}

/// The type as a user knows it.
fn words_of_type(schema: &Value) -> String {
    if let Some(words) = words(schema) {
        return words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
    }
    let name = match &schema["type"] {
        Value::Array(either) => either.iter().find(|name| *name != "null").unwrap_or(&Value::Null),
        name => name,
    };
    match name.as_str() {
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        Some("array") => {
            let count = schema["minItems"].as_u64().filter(|least| schema["maxItems"] == *least);
            format!(
                "list of {}{}s",
                count.map_or(String::new(), |count| format!("{count} ")),
                words_of_type(&schema["items"])
            )
        }
        _ => unreachable!("settings have no value of type {schema}"),
    }
}

/// What holds where a key is not set.
fn default(key: &Key) -> String {
    match (key.schema.get("unset").and_then(Value::as_str), key.schema.get("default")) {
        (Some(unset), _) => unset.to_owned(),
        (None, Some(default)) if !default.is_null() => format!("`{}`", toml(default)),
        _ if key.required => "required".to_owned(),
        _ => "not set".to_owned(),
    }
}

/// A value as a configuration has it.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Number(number) if number.is_f64() => match number.as_f64().expect("it is one") {
            number if number != 0.0 && !(1e-3..1e5).contains(&number.abs()) => format!("{number:e}"),
            number => format!("{number:?}"),
        },
        _ => value.to_string(), // as JSON has whole numbers, text and booleans
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` in lines of at most `COLUMNS`, those after the first behind `indent`.
pub fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in unbroken(text) {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(&word);
        } else if line.chars().count() + 1 + word.chars().count() <= COLUMNS {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines.join("\n")
}

/// The words of `text`. Code between backticks is one word, and a sign that Markdown would take for a list or a heading, if a line
/// began with it, belongs to the word before it.
fn unbroken(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if !last.matches('`').count().is_multiple_of(2) || ["-", "+", "*", "=", "#"].contains(&word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}
