//! Where values lie.

use serde_json::{Value, json};

/// What is known of some values without keeping them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    values: u64,
    finite: u64,
    low: f64,
    high: f64,
    sum: f64,
    squares: f64,
}

impl Default for Range {
    fn default() -> Self {
        Self { values: 0, finite: 0, low: f64::INFINITY, high: f64::NEG_INFINITY, sum: 0.0, squares: 0.0 }
    }
}

impl<N: Into<f64>> Extend<N> for Range {
    fn extend<I: IntoIterator<Item = N>>(&mut self, values: I) {
        for value in values.into_iter().map(Into::into) {
            self.values += 1;
            if value.is_finite() {
                self.finite += 1;
                self.low = self.low.min(value);
                self.high = self.high.max(value);
                self.sum += value;
                self.squares += value * value;
            }
        }
    }
}

impl Range {
    /// Takes in other values.
    pub fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.finite += other.finite;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// How many there are.
    pub fn values(&self) -> u64 {
        self.values
    }

    /// How many are no finite numbers.
    pub fn not_finite(&self) -> u64 {
        self.values - self.finite
    }

    /// The root of the sum of squares.
    pub fn norm(&self) -> f64 {
        self.squares.sqrt()
    }

    /// Extremes and mean of the finite ones, null where there are none, and the share of the others.
    pub fn tell(&self) -> Value {
        let of_finite = |value: f64| (self.finite > 0).then_some(value);
        json!({
            "values": self.values, "min": of_finite(self.low), "max": of_finite(self.high),
            "mean": of_finite(self.sum / self.finite as f64),
            "not_finite_share": (self.values > 0).then(|| self.not_finite() as f64 / self.values as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn a_range_in_parts_is_the_range_of_all() {
        let values = [1.0, -3.0, f32::NAN, 8.0, f32::INFINITY, 0.5];
        let (mut whole, mut first, mut second) = (Range::default(), Range::default(), Range::default());
        whole.extend(values);
        first.extend(values[..2].iter().copied());
        second.extend(values[2..].iter().copied());
        first.add(&second);
        assert_eq!(first, whole);
        let told = whole.tell();
        assert_eq!((told["min"].as_f64(), told["max"].as_f64()), (Some(-3.0), Some(8.0)));
        assert_eq!((told["mean"].as_f64(), told["not_finite_share"].as_f64()), (Some(1.625), Some(1.0 / 3.0)));
        assert!(Range::default().tell()["mean"].is_null());
    }
}
