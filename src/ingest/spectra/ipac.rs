//! IPAC tables, as the NASA Exoplanet Archive gives them: lines of names, types, units and of what stands for nothing, between bars that
//! say where columns begin and end.

use std::borrow::Cow;

use super::cells::{Cells, Head};

/// Lines of bars: names, types, units, nulls.
const MOST_LINES: usize = 4;

/// The cells of a table.
pub(super) fn table(text: &str) -> Result<Cells<'_>, String> {
    let is_comment = |line: &str| line.starts_with('\\') || line.starts_with('#') || line.trim().is_empty();
    let mut rows = (1..).zip(text.lines()).filter(|(_, line)| !is_comment(line)).peekable();
    let (mut bars, mut heads): (Vec<usize>, Vec<Vec<&str>>) = Default::default();
    while let Some((line, row)) = rows.next_if(|(_, row)| row.starts_with('|')) {
        let row = row.trim_end();
        let here: Vec<usize> = row.chars().enumerate().filter(|(_, sign)| *sign == '|').map(|(at, _)| at).collect();
        if heads.is_empty() {
            bars = here;
        } else if bars != here {
            return Err(format!("line {line}: has bars in other places, expected them as in the first line of names"));
        }
        heads.push(row.split('|').map(str::trim).collect());
        if heads.len() > MOST_LINES {
            return Err(format!("line {line}: is a fifth line of bars, expected an IPAC table: at most four"));
        }
    }
    if bars.len() < 2 {
        return Err("has no columns, expected an IPAC table with names between bars".into());
    }
    let columns = bars.len() - 1;
    let said = |line: usize, column: usize| -> Option<&str> {
        let word = heads.get(line)?.get(column + 1)?;
        (!word.is_empty()).then_some(*word)
    };
    let named = |column: usize| Head {
        name: said(0, column).unwrap_or_default().to_owned(),
        unit: said(2, column).map(str::to_owned),
    };
    let mut table = Cells {
        columns: (0..columns).map(named).collect(),
        lines: Vec::new(),
        texts: vec![Vec::new(); columns],
        masked: Vec::new(),
    };
    for (line, row) in rows {
        // Where each sign begins: bars count signs, not bytes.
        let places: Vec<usize> = row.char_indices().map(|(place, _)| place).chain([row.len()]).collect();
        let between =
            |from: usize, to: usize| &row[places[from.min(places.len() - 1)]..places[to.min(places.len() - 1)]];
        let outside = bars.iter().map(|bar| (*bar, bar + 1)).chain([(bars[columns], places.len())]);
        if let Some(text) = outside.map(|(from, to)| between(from, to).trim()).find(|text| !text.is_empty()) {
            return Err(format!("line {line}: has `{text:.20}` below a bar, expected numbers between the bars"));
        }
        table.lines.push(line);
        for (column, cells) in table.texts.iter_mut().enumerate() {
            let cell = between(bars[column] + 1, bars[column + 1]).trim();
            cells.push(Cow::Borrowed(if said(3, column) == Some(cell) { "" } else { cell }));
        }
    }
    if table.lines.is_empty() {
        return Err("has no rows, expected a spectrum".into());
    }
    Ok(table)
}
