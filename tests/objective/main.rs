//! Laws of the objectives.

mod gan;
