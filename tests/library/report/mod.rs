//! The report: one file, whole, honest about what is missing, safe with hostile names.

mod page;
mod retrieval;
mod synthetic;
mod synthetic_retrieval;
