//! How far filled values are from those that the dataset has.

use serde::{Deserialize, Serialize};

use crate::data::{Header, Kind};

/// Sums over filled values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// How many they are.
    values: u64,
    /// Squares of what is wrong with those that were made.
    made: f64,
    /// The same of the mean of what is known of each record in their place.
    mean: f64,
}

impl Deviation {
    /// Of `made` from `there` where it is not `known`.
    pub fn of(there: &[f32], made: &[f32], known: &[bool]) -> Self {
        let all = || there.iter().zip(known).map(|(value, known)| (f64::from(*value), *known));
        let (sum, count) =
            all().filter(|(_, known)| *known).fold((0.0, 0.0), |(sum, count), (value, _)| (sum + value, count + 1.0));
        let mut found = Self::default();
        for ((there, _), made) in all().zip(made).filter(|((_, known), _)| !known) {
            found.made += (f64::from(*made) - there).powi(2);
            found.mean += (sum / count - there).powi(2);
            found.values += 1;
        }
        found
    }

    /// Of more.
    pub fn add(&mut self, other: Self) {
        self.values += other.values;
        self.made += other.made;
        self.mean += other.mean;
    }

    /// Says it of a dataset with this header, where there is anything to compare with.
    pub fn tell(self, header: &Header) {
        let Self { values, made, mean } = self;
        if values == 0 {
            return;
        }
        let modality = header.modality();
        let (scale, unit) = match modality.kind {
            Kind::Map | Kind::Cutout => (1.0, modality.unit.as_str()),
            Kind::Spectrum => (1e6, "ppm"),
        };
        let root = |squares: f64| scale * (squares / values as f64).sqrt();
        log::info!(
            "{values} values filled in, off by {:.4} {unit} (root mean square) from those of the dataset; the mean of what is known would be off by {:.4}",
            root(made),
            root(mean)
        );
    }
}
