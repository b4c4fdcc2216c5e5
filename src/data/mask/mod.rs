//! What is known of a map: which of its pixels.
//!
//! A mask is a word of the command line: it says the hole that is to be filled, and `not:` turns it over.
//!
//! | word | what is missing |
//! | --- | --- |
//! | `center` | the middle half of the rows and columns |
//! | `left` | the left half |
//! | `random:0.2` | each pixel with this chance, in each map others |
//! | `grid:4` | all but each fourth pixel of each fourth row |
//! | `rows:10-20,columns:5-30` | a rectangle, from 0, both ends included; or whole rows, or whole columns |
//!
//! All but the last are the holes of ExoGAN's ancestor (dcgan-completion; Amos 2016).

mod fault;
mod map;
mod words;

pub use fault::MaskError;
pub use map::{Hole, MapMask};
