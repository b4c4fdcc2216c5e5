//! The Atmospheric Spectrum and Parameters Array of ExoGAN (Zingales & Waldmann 2018, section 3.2): a spectrum and the seven
//! parameters of its atmosphere as one square image with values in [0, 1], so that a network that fills holes in images retrieves
//! parameters.
//!
//! Letters: n = side of the image, c = n - 10 side of its first corner, w = points of the spectrum. ExoGAN's are 33, 23 and 515.
//!
//! Points are divided into sections by wavelength, longest first, and each section is stretched to [0, 1] on its own; what the
//! stretching takes away stands in stripes beside them. Rows and columns from 0, with n = 33:
//!
//! | rows | columns | value |
//! | --- | --- | --- |
//! | 0-22 | 0-22 | row by row, the stretched depths from the longest wavelength on, then the mean depth of each section over `depth_max` |
//! | 0-11 | 23 + s | greatest depth of section s = 0-6 over `depth_max` |
//! | 12-22 | 23 + s | `depth_min` over its least depth |
//! | 23 + s | 0-11 | the same of section 7 + s: greatest |
//! | 23 + s | 12-22 | and least |
//! | 0-22 | 30, 31, 32 | log10 of the mixing ratios of CO2, CO and CH4 over -8 |
//! | 30, 31, 32 | 0-22 | mass over 2 M_Jup, radius over 1.5 R_Jup, temperature over 2000 K |
//! | 23-32 | 23-32 | log10 of the mixing ratio of H2O over -8 |
//!
//! Unlike ExoGAN's code (its `ExoGAN_public` repository), all points belong to a section: that leaves the shortest wavelength as it
//! is and sets the four before it to 0. A gas of which there is nothing has the least mixing ratio, not the greatest; what was not
//! observed is masked, and takes no part in how its section is stretched.

mod codec;
mod fault;
mod layout;
mod record;
mod settings;
mod tensors;

pub use codec::Aspa;
pub use fault::AspaError;
pub use layout::{MOST_SECTIONS, Owner};
pub use settings::{AspaSettings, FullScale, VERSION};
pub use tensors::{AspaTensors, Observed};
