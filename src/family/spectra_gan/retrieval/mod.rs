//! Parameters of atmospheres out of fitted latent numbers, and the tables that hold them.

mod adjustment;
mod calibration;
mod posterior;
pub mod table;
mod trial;

pub use adjustment::{Adjustment, Lesson, Member, Scales, shift};
pub use calibration::{Calibration, UNMEASURED, effective_points, model_variance, widen};
pub use posterior::{DRAWS, Posterior, Reading, SHARES, Widening};
pub use table::{Interval, RetrievalRow, SampleRow};
pub use trial::Trial;
