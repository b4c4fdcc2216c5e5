//! ECSV (astropy's): a table of text under a header of YAML that says names and units.

use yaml_rust2::parser::{Event, Parser};

use super::arrays;
use super::cells::{Cells, Head, split};
use super::{Columns, Reading};

/// How ECSV files begin.
pub(super) const MAGIC: &str = "# %ECSV ";

/// A longer header is none.
const LONGEST_HEADER: usize = 1 << 20;

/// The spectra of a table.
pub(super) fn parse(text: &str, reading: &Reading) -> Result<Columns, String> {
    let mut table = table(text)?;
    let columns = arrays::open(&mut table, reading)?;
    let masked = table.masked_rows();
    Ok(Columns { lines: Some(table.lines), masked, ..columns })
}

fn table(text: &str) -> Result<Cells<'_>, String> {
    let comments: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
    // The first line is the name of the format.
    let yaml: Vec<&str> =
        comments.iter().skip(1).map(|line| line[1..].strip_prefix(' ').unwrap_or(&line[1..])).collect();
    let yaml = yaml.join("\n");
    if yaml.len() > LONGEST_HEADER {
        return Err(format!("has a header of {} bytes, expected at most {LONGEST_HEADER}", yaml.len()));
    }
    let (columns, delimiter) = header(&yaml).map_err(|fault| format!("header: {fault}"))?;
    if columns.is_empty() {
        return Err("header: has no `datatype`, expected names and types of columns".into());
    }
    let mut rows = text.lines().zip(1..).skip(comments.len()).filter(|(line, _)| !line.trim().is_empty());
    let (names, line) = rows.next().ok_or("has no table, expected a line of names and rows")?;
    let separator = (delimiter != ' ').then_some(delimiter);
    let names = split(names, separator);
    if names.len() != columns.len() || names.iter().zip(&columns).any(|(name, column)| *name != column.name) {
        return Err(format!("line {line}: the names of the columns are not those of the header"));
    }
    let (mut lines, mut cells) = (Vec::new(), vec![Vec::new(); columns.len()]);
    for (row, line) in rows.filter(|(row, _)| !row.starts_with('#')) {
        let row = split(row, separator);
        if row.len() != columns.len() {
            return Err(format!("line {line}: has {} columns, expected {} as the header", row.len(), columns.len()));
        }
        lines.push(line);
        cells.iter_mut().zip(row).for_each(|(cells, cell)| cells.push(cell));
    }
    if lines.is_empty() {
        return Err("has no rows, expected a spectrum".into());
    }
    Ok(Cells { columns, lines, texts: cells, masked: Vec::new() })
}

/// Names and units of the columns, and what is between cells: the events of the header, in which only `datatype` and `delimiter`
/// mean something here.
fn header(yaml: &str) -> Result<(Vec<Head>, char), String> {
    let mut parser = Parser::new_from_str(yaml);
    let mut columns: Vec<Head> = Vec::new();
    let mut delimiter = ' ';
    // The keys, or none in sequences, of what is open.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut key: Option<String> = None;
    loop {
        let (event, _) = parser.next_token().map_err(|error| {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
        })?;
        let in_sequence = open.last().is_some_and(Option::is_none);
        match event {
            Event::StreamEnd => return Ok((columns, delimiter)),
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                let is_map = matches!(event, Event::MappingStart(..));
                // A key that is a mapping itself is passed over as one without a name.
                let name = key.take().unwrap_or_default();
                if is_map && path(&open) == ["datatype"] && in_sequence {
                    columns.push(Head::default());
                }
                open.push(is_map.then_some(String::new()));
                if let Some(above) = open.len().checked_sub(2).and_then(|above| open[above].as_mut()) {
                    *above = name;
                }
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                key = None;
                if let Some(Some(name)) = open.last_mut() {
                    name.clear();
                }
            }
            Event::Alias(_) if !in_sequence => key = if key.is_some() { None } else { Some(String::new()) },
            Event::Scalar(value, ..) if !in_sequence && !open.is_empty() => match key.take() {
                None => key = Some(value),
                Some(name) => match (path(&open).as_slice(), name.as_str()) {
                    ([], "delimiter") if open.len() == 1 => {
                        delimiter = match value.as_str() {
                            " " => ' ',
                            "," => ',',
                            _ => return Err(format!("`delimiter` is `{value:.10}`, expected a blank or a comma")),
                        };
                    }
                    (["datatype"], "name") if open.len() == 3 => {
                        columns.last_mut().ok_or("`datatype` is no list")?.name = value;
                    }
                    (["datatype"], "unit") if open.len() == 3 => {
                        columns.last_mut().ok_or("`datatype` is no list")?.unit = Some(value);
                    }
                    _ => {}
                },
            },
            _ => {}
        }
    }
}

/// The keys that lead to what is open, the innermost mapping's own left out.
fn path(open: &[Option<String>]) -> Vec<&str> {
    let names = open.iter().flatten().map(String::as_str);
    names.filter(|name| !name.is_empty()).collect()
}
