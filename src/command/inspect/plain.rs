//! What was found, as lines: `name  value`, what belongs together indented, and tables of things that are alike.

use indicatif::HumanBytes;
use serde_json::{Map, Value};

/// All of it.
pub(super) fn lines(value: &Value) -> String {
    let mut out = Vec::new();
    if let Value::Object(fields) = value {
        object(fields, 0, &mut out);
    }
    out.join("\n")
}

fn object(fields: &Map<String, Value>, indent: usize, out: &mut Vec<String>) {
    for (name, value) in fields {
        match value {
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
    let columns: Vec<Vec<String>> = first
        .keys()
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
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
