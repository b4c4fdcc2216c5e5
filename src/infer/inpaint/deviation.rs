//! Records that networks made anew, and how far their values are from those that the dataset has.

use serde::{Deserialize, Serialize};

use crate::data::{Header, Kind, Record};

/// A record as networks made it anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRecord {
    /// The record, with the id of the one that it was made of.
    pub record: Record,
    /// How far it is from that one, where that can be said.
    pub deviation: Deviation,
}

/// Sums over values that were made.
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

    /// Of `made` from all values that are `there`, beside their own mean.
    pub fn of_all(there: &[f32], made: &[f32]) -> Self {
        let mean = there.iter().map(|value| f64::from(*value)).sum::<f64>() / there.len() as f64;
        let squares = |term: &dyn Fn(f64, f64) -> f64| {
            there.iter().zip(made).map(|(there, made)| term(f64::from(*there), f64::from(*made)).powi(2)).sum()
        };
        Self {
            values: there.len() as u64,
            made: squares(&|there, made| made - there),
            mean: squares(&|there, _| mean - there),
        }
    }

    /// Of more.
    pub fn add(&mut self, other: Self) {
        self.values += other.values;
        self.made += other.made;
        self.mean += other.mean;
    }

    /// Says it of a dataset with this header, where there is anything to compare with.
    ///
    /// - `what`: how values were made, as in "filled in"; `beside`: where the mean is taken, as in "what is known"
    pub fn tell(self, header: &Header, what: &str, beside: &str) {
        let Self { values, made, mean } = self;
        if values == 0 {
            return;
        }
        let modality = header.modality();
        let (scale, unit) = match modality.kind {
            Kind::Map | Kind::Cutout if modality.unit == "1" => (1.0, String::new()),
            Kind::Map | Kind::Cutout => (1.0, format!("{} ", modality.unit)),
            Kind::Spectrum => (1e6, "ppm ".into()),
        };
        let root = |squares: f64| scale * (squares / values as f64).sqrt();
        log::info!(
            "{values} values {what}, off by {:.4} {unit}(root mean square) from those of the dataset; the mean of {beside} would be off by {:.4}",
            root(made),
            root(mean)
        );
    }
}
