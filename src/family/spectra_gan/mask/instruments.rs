//! What instruments see.

/// An instrument, and where it sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instrument {
    /// Its word.
    pub name: &'static str,
    /// Ends of its channels in micrometres.
    pub channels_um: &'static [(f64, f64)],
}

/// Those that have a word.
pub const INSTRUMENTS: [Instrument; 3] = [
    // The grism G141 as ExoGAN masks it: points 334 to 383 of its grid (ExoGAN_public, mask `wfc3`).
    Instrument { name: "hst-wfc3", channels_um: &[(1.11, 1.81)] },
    // PRISM/CLEAR (STScI, JWST User Documentation, NIRSpec Dispersers and Filters).
    Instrument { name: "jwst-nirspec-prism", channels_um: &[(0.6, 5.3)] },
    // VISPhot, FGS1, FGS2, NIRSpec, AIRS channels 0 and 1 (Ariel Definition Study Report, Tinetti et al. 2021, arXiv 2104.04824).
    Instrument {
        name: "ariel",
        channels_um: &[(0.5, 0.6), (0.6, 0.8), (0.8, 1.1), (1.1, 1.95), (1.95, 3.9), (3.9, 7.8)],
    },
];
