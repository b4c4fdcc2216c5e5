//! Laws of the flat parameter space and of Adam.

mod adam;
mod flat;
