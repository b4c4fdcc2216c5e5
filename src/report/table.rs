//! Tables: columns with heads, some under a common head, and rows of cells.

use maud::{Markup, Render, html};

use super::text::Text;

/// A table. A row has a cell for each column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows, from top to bottom.
    pub rows: Vec<Vec<Text>>,
    /// Whether it takes the whole width of the page.
    pub wide: bool,
}

/// A column of a table.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// A head over this column and its neighbours with the same one; empty for none. With such heads a table is set
    /// more closely, and all its columns but the first hold numbers.
    pub group: String,
    /// Its own head.
    pub head: Text,
    /// Whether its cells are set to the right, one below the other by their last digit.
    pub number: bool,
}

impl Column {
    /// A column of words.
    pub fn words(head: impl Into<Text>) -> Self {
        Self { head: head.into(), ..Self::default() }
    }

    /// A column of numbers.
    pub fn numbers(head: impl Into<Text>) -> Self {
        Self { head: head.into(), number: true, ..Self::default() }
    }

    /// The same below a head that neighbours share.
    #[must_use]
    pub fn under(self, group: impl Into<String>) -> Self {
        Self { group: group.into(), ..self }
    }
}

impl Render for Table {
    fn render(&self) -> Markup {
        let grouped = self.columns.iter().any(|column| !column.group.is_empty());
        let right = |at: usize| self.columns.get(at).filter(|column| column.number && !grouped).map(|_| "n");
        let look = match (grouped, self.wide) {
            (false, false) => None,
            (true, false) => Some("tests"),
            (false, true) => Some("wide"),
            (true, true) => Some("tests wide"),
        };
        html! {
            div.scroll {
                table class=[look] {
                    @if grouped { (self.two_heads()) } @else {
                        thead { tr {
                            @for (at, column) in self.columns.iter().enumerate() { th class=[right(at)] { (column.head) } }
                        } }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr { @for (at, cell) in row.iter().enumerate() { td class=[right(at)] { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

impl Table {
    /// Common heads above, and below them those of the columns that have one.
    fn two_heads(&self) -> Markup {
        let above = self.columns.chunk_by(|one, next| !one.group.is_empty() && one.group == next.group);
        html! {
            thead {
                tr {
                    @for columns in above {
                        @let Column { group, head, .. } = &columns[0];
                        @if group.is_empty() { th rowspan="2" { (head) } } @else {
                            th.group colspan=(columns.len()) { (group) }
                        }
                    }
                }
                tr { @for column in self.columns.iter().filter(|column| !column.group.is_empty()) { th { (column.head) } } }
            }
        }
    }
}
