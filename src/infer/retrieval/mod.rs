//! Parameters of atmospheres out of fitted latent numbers.

mod adjustment;
mod calibration;
mod posterior;

pub use adjustment::{Adjustment, Lesson, Member, Scales, shift};
pub use calibration::{Calibration, Trial, UNMEASURED, effective_points, model_variance, widen};
pub use posterior::{DRAWS, Posterior, Reading, SHARES, Widening};
