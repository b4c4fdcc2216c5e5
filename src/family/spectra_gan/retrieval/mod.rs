//! Parameters of atmospheres out of fitted latent numbers, and the tables that hold them.

mod adjustment;
mod calibration;
pub mod calibration_file;
mod errors;
mod example;
mod measure;
mod posterior;
mod reader;
mod retrieve;
pub mod table;
mod trial;

pub use adjustment::{Adjustment, Lesson, Member, Scales, shift};
pub use calibration::{Calibration, UNMEASURED, effective_points, model_variance, widen};
pub use calibration_file::CalibrationError;
pub use errors::{ERRORS_OF, Errors};
pub use measure::Measure;
pub use posterior::{DRAWS, Posterior, Reading, SHARES, Widening};
pub use reader::{Reader, Retrieved};
pub use retrieve::{Extras, Retrieve, RetrieveRows, RetrievedObject};
pub use table::{Interval, OffsetValue, RetrievalRow, SampleRow};
pub use trial::Trial;
