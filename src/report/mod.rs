//! The report: one HTML file that says what a run made and how good it is, with everything it needs inside.
//!
//! Every number and curve is computed from the inputs; what is missing is said in a line. No script, nothing from outside.

pub mod examples;
pub mod inputs;
pub mod page;

// The sections, in the order of the page.
mod agreement;
mod gallery;
mod headline;
mod pixels;
mod record;
mod retrieval;
mod tests_table;
mod training;

// What they are drawn with.
mod colour;
mod figure;
mod picture;
mod words;

pub use examples::RetrievalExamples;
pub use inputs::{ExampleMaps, ReportInputs};
pub use page::render;
pub use picture::grid_png;
