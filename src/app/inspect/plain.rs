//! What was found, as lines: `name  value`, what belongs together indented, and tables of things that are alike.

use indicatif::HumanBytes;
use serde_json::{Map, Value};

/// Longer arrays of numbers are for `--json`.
const MOST: usize = 8;

/// All of it but some fields that are too long to be read.
pub(super) fn lines(value: &Value, but: &[&str]) -> String {
    let mut out = Vec::new();
    if let Value::Object(mut fields) = value.clone() {
        fields.retain(|name, _| !but.contains(&name.as_str()));
        object(&fields, 0, &mut out);
    }
    out.join("\n")
}

fn object(fields: &Map<String, Value>, indent: usize, out: &mut Vec<String>) {
    // What it is comes first, then single values, then what has lines of its own.
    let rank = |(name, value): &(&String, &Value)| match (name.as_str(), value) {
        ("what", _) => 0,
        ("whole", _) => 1,
        ("damaged", _) => 2,
        (_, Value::Object(_)) => 4,
        (_, Value::Array(rows)) if rows.first().is_some_and(Value::is_object) => 5,
        _ => 3,
    };
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(rank);
    for (name, value) in fields {
        match value {
            Value::Object(fields) if fields.is_empty() => {}
            Value::Object(fields) => {
                out.push(format!("{:indent$}{name}", ""));
                object(fields, indent + 2, out);
            }
            Value::Array(rows) if rows.first().is_some_and(Value::is_object) => {
                out.push(format!("{:indent$}{name}", ""));
                table(rows, indent + 2, out);
            }
            Value::Array(rows) if rows.iter().any(Value::is_string) => {
                out.push(format!("{:indent$}{name}", ""));
                out.extend(rows.iter().map(|row| format!("{:indent$}  {}", "", word(name, row))));
            }
            Value::Array(rows) if rows.is_empty() => {}
            other => out.push(format!("{:indent$}{name}  {}", "", word(name, other))),
        }
    }
}

/// Rows with the fields of the first, in columns: names to the left, numbers to the right.
fn table(rows: &[Value], indent: usize, out: &mut Vec<String>) {
    let Some(Value::Object(first)) = rows.first() else { return };
    let mut names: Vec<&String> = first.keys().collect();
    names.sort_by_key(|name| *name != "name");
    let columns: Vec<Vec<String>> = names
        .into_iter()
        .map(|key| std::iter::once(key.clone()).chain(rows.iter().map(|row| word(key, &row[key]))).collect())
        .collect();
    let widths: Vec<usize> =
        columns.iter().map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    for row in 0..=rows.len() {
        let cells = columns.iter().zip(&widths).enumerate().map(|(at, (column, &width))| {
            let is_text = rows[0][&column[0]].is_string();
            let cell = &column[row];
            let space = if at == 0 { "" } else { "  " };
            if is_text { format!("{space}{cell:<width$}") } else { format!("{space}{cell:>width$}") }
        });
        out.push(format!("{:indent$}{}", "", cells.collect::<String>()).trim_end().to_owned());
    }
}

/// One value: sizes as people say them, six figures of a number.
fn word(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if name == "bytes" => HumanBytes(number.as_u64().unwrap_or(0)).to_string(),
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().and_then(|x| format!("{x:.5e}").parse::<f64>().ok()).unwrap_or(f64::NAN);
            if rounded == 0.0 || (1e-4..1e7).contains(&rounded.abs()) {
                rounded.to_string()
            } else {
                format!("{rounded:e}")
            }
        }
        Value::Array(values) if values.len() > MOST => format!("{} numbers", values.len()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
