//! Cells of a table of text under names: what ECSV and other texts have in common.

use std::borrow::Cow;

use super::arrays::Archive;
use super::column::Column;
use super::words::number;

/// A table.
pub(super) struct Cells<'a> {
    pub columns: Vec<Head>,
    /// The line of each row.
    pub lines: Vec<usize>,
    /// Cells of each column.
    pub texts: Vec<Vec<Cow<'a, str>>>,
    /// Rows of which a cell that was used is masked: empty, or masked by a column `NAME.mask`.
    pub masked: Vec<usize>,
}

/// The head of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub name: String,
    pub unit: Option<String>,
}

impl Head {
    /// A head from the words above a column: `depth (ppm)` and `depth [ppm]` say a unit.
    pub(super) fn of(words: &str) -> Self {
        let words = words.trim();
        let unit = [('(', ')'), ('[', ']')].into_iter().find_map(|(open, close)| {
            let (name, unit) = words.strip_suffix(close)?.rsplit_once(open)?;
            (!name.trim().is_empty()).then(|| (name.trim().to_owned(), unit.trim().to_owned()))
        });
        match unit {
            Some((name, unit)) => Self { name, unit: Some(unit) },
            None => Self { name: words.to_owned(), unit: None },
        }
    }
}

impl Cells<'_> {
    /// The numbers of a column; the error is the line and the cell that is none.
    pub(super) fn column(&mut self, place: usize) -> Result<Column, (usize, String)> {
        let head = &self.columns[place];
        let mask = format!("{}.mask", head.name);
        let mask = self.columns.iter().position(|column| column.name == mask);
        let mut values = Vec::with_capacity(self.lines.len());
        for (row, (cell, line)) in self.texts[place].iter().zip(&self.lines).enumerate() {
            let is_masked = match mask.map(|mask| &*self.texts[mask][row]) {
                None | Some("False" | "false" | "0") => false,
                Some("True" | "true" | "1") => true,
                Some(other) => return Err((*line, other.to_owned())),
            };
            if is_masked || cell.is_empty() {
                self.masked.push(row);
                values.push(f64::NAN);
                continue;
            }
            values.push(number(cell).ok_or_else(|| (*line, cell.to_string()))?);
        }
        let mut column = Column::of(&head.name, values);
        column.unit.clone_from(&head.unit);
        Ok(column)
    }

    /// The masked rows, ascending.
    pub(super) fn masked_rows(&mut self) -> Vec<usize> {
        self.masked.sort_unstable();
        self.masked.dedup();
        std::mem::take(&mut self.masked)
    }
}

impl Archive for Cells<'_> {
    fn noun(&self) -> &'static str {
        "column"
    }

    fn names(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| column.name.clone());
        names.filter(|name| name.strip_suffix(".mask").is_none() && !name.is_empty()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    fn numbers(&mut self, name: &str) -> Result<Column, String> {
        let mut places = (0..self.columns.len()).filter(|place| self.columns[*place].name == name);
        let place = places.next().ok_or("is not there")?;
        if places.next().is_some() {
            return Err("is the name of several columns, expected each name once".into());
        }
        self.column(place).map_err(|(line, cell)| format!("line {line}: `{cell:.40}` is no number"))
    }

    fn words(&mut self, _: &str, _: &[&str]) -> Result<Option<Vec<String>>, String> {
        Ok(None)
    }
}

/// Cells of a line: a double quote holds what is between it and the next, two of them one. `None` stands for blanks and tabs, of which
/// several are one.
pub(super) fn split(line: &str, separator: Option<char>) -> Vec<Cow<'_, str>> {
    if !line.contains('"') {
        return match separator {
            None => line.split_whitespace().map(Cow::Borrowed).collect(),
            Some(separator) => line.split(separator).map(|cell| Cow::Borrowed(cell.trim())).collect(),
        };
    }
    let (mut cells, mut cell, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut held = false; // whether the cell had quotes: its blanks are its own
    let mut end = |cell: &mut String, held: &mut bool| {
        let text = std::mem::take(cell);
        cells.push(Cow::Owned(if *held { text } else { text.trim().to_owned() }));
        *held = false;
    };
    let mut signs = line.trim_end_matches('\r').chars().peekable();
    while let Some(sign) = signs.next() {
        let ends = separator.map_or_else(|| sign.is_whitespace(), |separator| sign == separator);
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                cell.push('"');
            }
            '"' => {
                quoted = !quoted;
                (begun, held) = (true, true);
                if quoted && cell.trim().is_empty() {
                    cell.clear();
                }
            }
            _ if quoted => cell.push(sign),
            _ if ends => {
                if begun || separator.is_some() {
                    end(&mut cell, &mut held);
                }
                begun = false;
            }
            _ if held && sign.is_whitespace() => {}
            _ => {
                cell.push(sign);
                begun = true;
            }
        }
    }
    if begun || separator.is_some() {
        end(&mut cell, &mut held);
    }
    cells
}
