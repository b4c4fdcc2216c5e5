//! The report: one HTML file that says what a run made and how good it is, with everything it needs inside.
//!
//! A family gives its part as blocks of plain data ([`FamilyReport`]); the sections of every run are made here. What is
//! missing is said in a line. No script, nothing from outside.

pub mod inputs;
pub mod page;

// What the part of a family is built of.
pub mod block;
pub mod corner;
pub mod figure;
pub mod image_grid;
pub mod rank_histograms;
pub mod table;
pub mod text;
pub mod words;

// The sections of every run.
mod headline;
mod record;
mod training;

// What they are drawn with.
mod colour;
mod contour;
mod picture;

pub use block::{Block, Card, FamilyReport, Pair, Section};
pub use corner::Corner;
pub use figure::{Axis, Figure, Mark, Panel, Scale, Tint};
pub use image_grid::{ImageGrid, ImagePanel};
pub use inputs::ReportInputs;
pub use page::render;
pub use picture::{ExampleMaps, grid_png};
pub use rank_histograms::{RankHistogram, RankHistograms};
pub use table::{Column, Table};
pub use text::Text;
