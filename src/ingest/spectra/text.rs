//! Tables of text: numbers between blanks, tabs, commas or semicolons, `#` before comments, with a line of names or without.
//!
//! Columns have roles by their names, where there are names, or by their position.

use std::borrow::Cow;
use std::path::Path;

use super::arrays;
use super::cells::{Cells, Head, split};
use super::column::Column;
use super::words::{self, number};
use super::{Columns, Known, Reading, Role, ipac, names, units};
use crate::ingest::{IngestError, Named};

/// A longer table is no table of wavelengths.
const LONGEST: u64 = 256 << 20;

/// The text of a file.
pub(super) fn load(path: &Path) -> Result<String, IngestError> {
    words::load(path, "a table", LONGEST, "is neither text nor HDF5 nor NPZ, expected a table of spectra")
}

/// Lines with their numbers.
pub(super) type Lines<'a> = [(usize, &'a str)];

/// The columns of a table.
pub(super) fn parse(text: &str, reading: &Reading) -> Result<Columns, String> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    if first.is_some_and(|line| line.starts_with(['|', '\\'])) {
        let mut table = ipac::table(text)?;
        return with_names(&mut table, reading);
    }
    let (mut rows, mut comments) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let bare = without_comment(line);
        if !bare.trim().is_empty() {
            rows.push((number, bare));
        } else if let (true, Some(comment)) = (rows.is_empty(), line.trim_start().strip_prefix('#')) {
            comments.push((number, comment.trim_start_matches('#')));
        }
    }
    let nothing = || "holds no numbers, expected lines of wavelength, depth, error".to_owned();
    let (_, first) = rows.first().ok_or_else(nothing)?;
    let separator = separator(&rows);
    let is_number = |cell: &Cow<str>| number(cell).is_some();
    let named = !split(first, separator).iter().any(is_number);
    let head = named.then(|| rows.remove(0));
    let (line, first) = *rows.first().ok_or_else(nothing)?;
    let columns = split(first, separator).len();
    if let Some((line_of_names, words)) = head {
        let columns = heads(words, separator);
        let mut table = cells(columns, &rows, separator, line_of_names)?;
        return with_names(&mut table, reading);
    }
    // A comment may be a line of names: the one whose names are understood, or else the last one of as many words.
    let fits = |comment: &(usize, &str)| {
        let found = [separator, None, Some(',')].into_iter().map(|separator| heads(comment.1, separator));
        let mut found =
            found.filter(|heads| heads.len() == columns && heads.iter().all(|head| number(&head.name).is_none()));
        found.next().map(|heads| (comment.0, heads))
    };
    let mut found: Vec<(usize, Vec<Head>)> = comments.iter().rev().filter_map(fits).collect();
    let understood = |heads: &[Head]| {
        let there: Vec<String> = heads.iter().map(|head| head.name.clone()).collect();
        names::roles(&there, &|name| there.iter().any(|there| there == name), "column", reading)
    };
    if reading.columns.is_none() {
        if let Some(place) = found.iter().position(|(_, heads)| understood(heads).is_ok()) {
            let (line, heads) = found.swap_remove(place);
            return by_name(&mut cells(heads, &rows, separator, line)?, reading);
        }
        if names_are_said(reading) {
            let fault = found.first().map(|(line, heads)| (line, understood(heads).map(drop)));
            return Err(match fault {
                Some((line, Err(fault))) => format!("line {line}: {fault}"),
                _ => format!("line {line}: has no names above it, expected --columns with the roles by position"),
            });
        }
    }
    let heads = found.into_iter().next();
    let roles = roles_of(columns, reading).map_err(|fault| format!("line {line}: {fault}"))?;
    if let (None, Some((line, heads))) = (&reading.columns, &heads) {
        agree(heads, &roles).map_err(|fault| format!("line {line}: {fault}"))?;
    }
    let (line, heads) = heads.unwrap_or_else(|| (line, vec![Head::default(); columns]));
    by_position(&mut cells(heads, &rows, separator, line)?, &roles, reading)
}

/// The columns of a table with names: by their positions where options say so, else by their names.
fn with_names(table: &mut Cells, reading: &Reading) -> Result<Columns, String> {
    match &reading.columns {
        Some(roles) => by_position(table, roles, reading),
        None => by_name(table, reading),
    }
}

/// Whether options name columns.
fn names_are_said(reading: &Reading) -> bool {
    let by_option = [&reading.wavelength, &reading.width, &reading.depth].iter().any(|name| name.is_some());
    by_option || !reading.error.is_empty() || !reading.named.is_empty()
}

/// A line up to a `#` that is in no quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let comment = line.find(|sign| {
        quoted ^= sign == '"';
        sign == '#' && !quoted
    });
    &line[..comment.unwrap_or(line.len())]
}

/// What is between the cells of a table: a semicolon or a comma where there is one, a tab where blanks would not give each row as many
/// cells as the first, else blanks and tabs.
fn separator(rows: &Lines) -> Option<char> {
    let first = rows[0].1;
    if let Some(separator) = [';', ','].into_iter().find(|separator| first.contains(*separator)) {
        return Some(separator);
    }
    let count = |row: &(usize, &str)| split(row.1, None).len();
    let is_even = || rows.iter().skip(1).all(|row| count(row) == count(&rows[0]));
    (first.contains('\t') && !is_even()).then_some('\t')
}

/// Names with units; in a line of words, a unit in brackets belongs to the word before it.
fn heads(line: &str, separator: Option<char>) -> Vec<Head> {
    let mut words: Vec<String> = Vec::new();
    for word in split(line, separator) {
        match words.last_mut() {
            Some(before) if separator.is_none() && word.starts_with(['(', '[']) => {
                before.push(' ');
                before.push_str(&word);
            }
            _ => words.push(word.into_owned()),
        }
    }
    words.iter().map(|words| Head::of(words)).collect()
}

/// The cells of all rows, which must be as many as the heads.
fn cells<'a>(
    heads: Vec<Head>,
    rows: &Lines<'a>,
    separator: Option<char>,
    line_of_names: usize,
) -> Result<Cells<'a>, String> {
    let mut table =
        Cells { texts: vec![Vec::new(); heads.len()], columns: heads, lines: Vec::new(), masked: Vec::new() };
    for (line, row) in rows {
        let row = split(row, separator);
        if row.len() != table.columns.len() {
            let (found, wanted) = (row.len(), table.columns.len());
            return Err(format!("line {line}: has {found} columns, expected {wanted} as line {line_of_names}"));
        }
        table.lines.push(*line);
        table.texts.iter_mut().zip(row).for_each(|(cells, cell)| cells.push(cell));
    }
    Ok(table)
}

/// The columns whose names have roles.
fn by_name(table: &mut Cells, reading: &Reading) -> Result<Columns, String> {
    let columns = arrays::open(table, reading)?;
    Ok(Columns { lines: Some(std::mem::take(&mut table.lines)), masked: table.masked_rows(), ..columns })
}

/// The columns whose positions have roles.
fn by_position(table: &mut Cells, roles: &[Role], reading: &Reading) -> Result<Columns, String> {
    if roles.len() != table.columns.len() {
        let (line, found, wanted) = (table.lines[0], table.columns.len(), roles.len());
        return Err(format!("line {line}: has {found} columns, expected {wanted} as --columns names"));
    }
    let mut take = |wanted: Role| -> Result<Option<Column>, String> {
        let Some(place) = roles.iter().position(|role| *role == wanted) else { return Ok(None) };
        let name = wanted.name();
        let mut column = table.column(place).map_err(|(line, cell)| {
            format!("line {line}: {name} is `{cell:.40}`, expected a number (and # before words)")
        })?;
        let named = std::mem::replace(&mut column.name, name.to_owned());
        column.unit = column.unit.or_else(|| names::unit_of(&named, wanted));
        Ok(Some(column))
    };
    let errors = if !reading.errors {
        Vec::new()
    } else if let Some(error) = take(Role::Error)? {
        vec![error]
    } else {
        [take(Role::ErrorBelow)?, take(Role::ErrorAbove)?].into_iter().flatten().collect()
    };
    let expected = |role: &str| format!("--columns names no {role}, expected one");
    let (wavelength, depth) = (take(Role::Wavelength)?, take(Role::Depth)?);
    let (full, half) = (take(Role::Width)?, take(Role::HalfWidth)?);
    Ok(Columns {
        wavelength: wavelength.ok_or_else(|| expected("wavelength"))?,
        width_scale: if full.is_some() { 1.0 } else { 2.0 },
        width: full.or(half),
        depth: depth.ok_or_else(|| expected("depth"))?,
        errors,
        lines: Some(table.lines.clone()),
        masked: table.masked_rows(),
        known: Known::default(),
    })
}

/// What each of so many columns without names is.
fn roles_of(columns: usize, reading: &Reading) -> Result<Vec<Role>, String> {
    if let Some(roles) = &reading.columns {
        if roles.len() == columns {
            return Ok(roles.clone());
        }
        return Err(format!("has {columns} columns, expected {} as --columns names", roles.len()));
    }
    match columns {
        2 if !reading.errors => Ok(vec![Role::Wavelength, Role::Depth]),
        2 => Err("has 2 columns, expected 3 (wavelength, depth, error), or --no-errors".into()),
        3 => Ok(vec![Role::Wavelength, Role::Depth, Role::Error]),
        1 => Err("has 1 column, expected 3 (wavelength, depth, error)".into()),
        _ => Err(format!(
            "has {columns} columns without names, expected --columns with the role of each (e.g. \
             wavelength,half-width,depth,error or wavelength,depth,error-below,error-above)"
        )),
    }
}

/// Whether names in a comment, of which not all are understood, contradict the roles that the columns would have by position.
fn agree(heads: &[Head], roles: &[Role]) -> Result<(), String> {
    for (head, role) in heads.iter().zip(roles) {
        if names::is_full_or_half(&head.name) || names::certain(&head.name).is_some_and(|certain| certain != *role) {
            let (name, role) = (&head.name, role.name());
            return Err(format!("names `{name}` where {role} is, expected --columns with the role of each"));
        }
    }
    Ok(())
}

/// Whether columns by position are named so that there is one spectrum in them.
pub fn check_roles(roles: &[Role], errors: bool) -> Result<(), String> {
    let mut roles = roles.to_vec();
    roles.iter_mut().filter(|role| **role == Role::HalfWidth).for_each(|role| *role = Role::Width);
    let count = |wanted: Role| roles.iter().filter(|role| **role == wanted).count();
    for role in [Role::Wavelength, Role::Depth] {
        if count(role) != 1 {
            return Err(format!("--columns names {} columns {}, expected 1", count(role), role.name()));
        }
    }
    for role in [Role::Width, Role::Error, Role::ErrorBelow, Role::ErrorAbove] {
        if count(role) > 1 {
            return Err(format!("--columns names {} columns {}, expected at most 1", count(role), role.name()));
        }
    }
    let [both, below, above] = [Role::Error, Role::ErrorBelow, Role::ErrorAbove].map(count);
    if errors && !matches!([both, below, above], [1, 0, 0] | [0, 1, 1]) {
        return Err("--columns names no errors, expected error, or error-below and error-above, or --no-errors".into());
    }
    Ok(())
}

/// Whether columns are named once, each with a role of its own.
pub fn check_names(named: &[(String, Role)]) -> Result<(), String> {
    for (at, (name, role)) in named.iter().enumerate() {
        if named[..at].iter().any(|(before, _)| before == name) {
            return Err(format!("--columns names `{name}` twice, expected it once"));
        }
        if let Some((before, _)) = named[..at].iter().find(|(_, before)| before == role && *role != Role::Skip) {
            return Err(format!("--columns has `{before}` and `{name}` as {}, expected one", role.name()));
        }
    }
    Ok(())
}

/// What is wanted where a file says no unit, for messages.
pub(super) fn unit_wanted(option: &str) -> String {
    let names = if option == "--wavelength-unit" { units::WavelengthUnit::NAMES } else { units::DepthUnit::NAMES };
    format!("expected {option} with one of {names}")
}
