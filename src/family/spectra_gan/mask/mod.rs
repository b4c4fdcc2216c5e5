//! What is known of a spectrum and its atmosphere: which points, which parameters.
//!
//! A mask is a word of the command line: it says what is known, and after `not:` what of that is left out.
//!
//! | word | what is known |
//! | --- | --- |
//! | `parameters` | all wavelengths; no parameter, as with all words below |
//! | `0.6-5.3um` | what lies between, both ends included |
//! | `1.4um` | the point whose bin holds it |
//! | `hst-wfc3`, `jwst-nirspec-prism`, `ariel` | what the instrument sees (`INSTRUMENTS`) |
//! | `planet_radius`, or another of the seven | this parameter, beside the wavelengths; beside all where none are named |
//! | `list.txt` | a file with a range or a wavelength a line, in um |
//! | `1-2um,3-4um,planet_radius` | all of these together |
//! | `0.6-5.3um,not:1.3-1.5um,2-2.1um` | what comes before `not:`, or all, without what comes after |

mod instruments;
mod spectrum;
mod words;

pub use instruments::{INSTRUMENTS, Instrument};
pub use spectrum::{AxisMask, SpectrumMask, Wavelengths};
