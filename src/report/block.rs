//! What a report is built of: blocks of plain data, put together in sections.
//!
//! A family fills them with numbers and words from the files of a run; how they look is decided here alone.

use maud::{Markup, Render, html};

use super::corner::Corner;
use super::figure::Figure;
use super::image_grid::ImageGrid;
use super::rank_histograms::RankHistograms;
use super::table::Table;
use super::text::Text;
use super::words::missing;

/// A piece of a section.
#[derive(Clone, Debug)]
pub enum Block {
    /// A paragraph.
    Text(Text),
    /// A paragraph of explanation, in small letters.
    Note(Text),
    /// A line that stands for what is not in the run.
    Missing(String),
    /// Rows of cells.
    Table(Table),
    /// Curves over one axis.
    Figure(Figure),
    /// Maps side by side on one colour scale.
    Images(ImageGrid),
    /// Weighted samples of several quantities, each against each.
    Corner(Corner),
    /// Histograms of ranks, which are uniform where a promise is kept.
    Ranks(RankHistograms),
    /// Two columns.
    Pair(Pair),
}

/// Blocks side by side; one below the other on narrow screens.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// What stands on the left.
    pub left: Vec<Block>,
    /// What stands on the right.
    pub right: Vec<Block>,
    /// Whether the left column is a little wider, as for a table of many columns.
    pub wide_left: bool,
}

/// A section with its heading.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Anchor in the page, a word of small letters.
    pub id: String,
    /// Heading.
    pub title: String,
    /// Whether half of the page's width is enough: two of these that follow one another stand side by side.
    pub half: bool,
    /// What is in it, in order.
    pub blocks: Vec<Block>,
}

/// A measured figure at the top of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub figure: String,
    /// Its unit; empty for none.
    pub unit: String,
    /// What it is to be read beside, in a line.
    pub beside: String,
}

/// What a family says of a run: the part of a report that depends on what was trained.
#[derive(Clone, Debug, Default)]
pub struct FamilyReport {
    /// What the measurements say, in a sentence.
    pub verdict: String,
    /// What was compared with what, in a line; empty where nothing was.
    pub compared: String,
    /// The figures behind the verdict.
    pub cards: Vec<Card>,
    /// Its sections, above those of every run.
    pub sections: Vec<Section>,
    /// What is wrong with the files of the run, a line each.
    pub notices: Vec<String>,
}

impl Section {
    /// A section over the whole width.
    pub fn new(id: &str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id: id.into(), title: title.into(), half: false, blocks }
    }

    /// A section over half of the width.
    pub fn half(id: &str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { half: true, ..Self::new(id, title, blocks) }
    }
}

impl FamilyReport {
    /// That of a run of which nothing was measured.
    pub fn unmeasured() -> Self {
        let verdict = "Nothing was measured on what this run made, so nothing is said of how good it is.".into();
        Self { verdict, ..Self::default() }
    }
}

impl Block {
    /// A line that stands for what is not in the run.
    pub fn missing(line: impl Into<String>) -> Self {
        Self::Missing(line.into())
    }

    /// Two blocks side by side.
    pub fn pair(left: Self, right: Self) -> Self {
        Self::Pair(Pair { left: vec![left], right: vec![right], wide_left: false })
    }
}

impl Render for Block {
    fn render(&self) -> Markup {
        match self {
            Self::Text(text) => html! { p { (text) } },
            Self::Note(text) => html! { p.note { (text) } },
            Self::Missing(line) => missing(line),
            Self::Table(table) => table.render(),
            Self::Figure(figure) => figure.render(),
            Self::Images(images) => images.render(),
            Self::Corner(corner) => corner.render(),
            Self::Ranks(ranks) => ranks.render(),
            Self::Pair(Pair { left, right, wide_left }) => html! {
                div.pair.wider[*wide_left] {
                    @for column in [left, right] { div { @for block in column { (block) } } }
                }
            },
        }
    }
}

impl Render for Section {
    fn render(&self) -> Markup {
        html! { section id=(self.id) { h2 { (self.title) } @for block in &self.blocks { (block) } } }
    }
}

impl Render for Card {
    fn render(&self) -> Markup {
        html! {
            div.card {
                div.name { (self.name) }
                div.figure { (self.figure) @if !self.unit.is_empty() { " " span.unit { (self.unit) } } }
                div.beside { (self.beside) }
            }
        }
    }
}

/// Sections in their order, two halves that follow one another side by side.
pub(super) fn sections(sections: &[Section]) -> Markup {
    let rows = sections.chunk_by(|one, next| one.half && next.half).flat_map(|run| {
        let across = if run[0].half { 2 } else { 1 };
        run.chunks(across)
    });
    html! {
        @for row in rows {
            @if let [left, right] = row { div.pair { (left) (right) } } @else { @for section in row { (section) } }
        }
    }
}
