//! The report: one file, whole, honest about what is missing, safe with hostile names.

pub mod made;
pub mod page;
