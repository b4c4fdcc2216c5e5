//! What the codec does not take.

/// A number that has no place in the image.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AspaError {
    /// A depth.
    #[error("depth {value} at point {point} ({wavelength_um} um), expected {} to {} as the codec has them", range.0, range.1)]
    Depth {
        /// The depth.
        value: f32,
        /// Which of the axis, from 0.
        point: usize,
        /// Where that is.
        wavelength_um: f64,
        /// `depth_min` and `depth_max`.
        range: (f64, f64),
    },
    /// What is to say whether a depth was observed.
    #[error("observed is {value} at point {point} ({wavelength_um} um), expected 0 or 1")]
    Observed {
        /// What it says.
        value: f32,
        /// Which point of the axis, from 0.
        point: usize,
        /// Where that is.
        wavelength_um: f64,
    },
    /// A parameter.
    #[error("{name} is {value} {unit}, expected {} to {}", range.0, range.1)]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What it is.
        value: f32,
        /// Its unit.
        unit: &'static str,
        /// What can be encoded.
        range: (f64, f64),
    },
    /// A parameter of a record that a network is to learn from.
    #[error("{name} is unknown, expected a number")]
    Unknown {
        /// Its name.
        name: &'static str,
    },
}
