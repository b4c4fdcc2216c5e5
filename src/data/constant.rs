//! Whether the records of a split hold anything to learn: values that differ.

use super::split::Split;
use super::{DataError, Dataset};

/// Records that are looked at, spread evenly over the split.
const SAMPLE: u64 = 16;
/// Records that are read together where all have to be looked at.
const AT_ONCE: u64 = 16;

/// What was seen of one modality.
#[derive(Clone, Debug, Default)]
struct Seen {
    value: Option<f32>,
    varied: bool,
    records: u64,
    constant_records: u64,
}

impl Seen {
    fn add(&mut self, values: &[f32]) {
        let differ = |a: f32, b: f32| a != b && !(a.is_nan() && b.is_nan());
        let Some(&first) = values.first() else { return };
        let constant = !values.iter().any(|&value| differ(value, first));
        self.records += 1;
        self.constant_records += u64::from(constant);
        self.varied |= !constant || self.value.is_some_and(|known| differ(known, first));
        self.value.get_or_insert(first);
    }
}

/// What is wrong with the values of a split.
#[derive(Clone, Debug, PartialEq)]
pub enum Sameness {
    /// All values of all records are this one.
    Total(f32),
    /// In words, what was seen in the records that were looked at.
    Partial(String),
}

impl Dataset {
    /// Looks at a few records of `split`, and at all of them where those hold one value only; nothing where values differ.
    ///
    /// # Errors
    /// Where records cannot be read.
    pub fn sameness(&self, split: &Split) -> Result<Option<Sameness>, DataError> {
        let mut seen = vec![Seen::default(); self.manifest().modalities.len()];
        let records = split.records();
        let sample: Vec<u64> = (0..SAMPLE.min(records)).map(|at| at * records / SAMPLE.min(records)).collect();
        let mut passed = 0;
        for range in split.ranges() {
            let length = range.end - range.start;
            for at in sample.iter().filter(|at| (passed..passed + length).contains(*at)) {
                self.look(&[range.start + at - passed], &mut seen)?;
            }
            passed += length;
        }
        let is_same = |seen: &[Seen]| !seen.iter().any(|seen| seen.varied);
        if is_same(&seen) {
            let mut all = seen.clone();
            let parts = split.ranges().flat_map(|range| {
                range.clone().step_by(AT_ONCE as usize).map(move |start| start..range.end.min(start + AT_ONCE))
            });
            for part in parts {
                self.look(&part.collect::<Vec<u64>>(), &mut all)?;
                if !is_same(&all) {
                    break;
                }
            }
            if let (true, Some(value)) = (is_same(&all), all.iter().find_map(|seen| seen.value)) {
                return Ok(Some(Sameness::Total(value)));
            }
        }
        let told = self.manifest().modalities.iter().zip(&seen).filter_map(|(modality, seen)| {
            let Seen { value, records, constant_records, .. } = seen;
            (2 * constant_records >= *records && *records > 0).then(|| {
                let value =
                    value.filter(|_| !seen.varied).map_or(String::new(), |value| format!(" ({value} in all of them)"));
                let name = &modality.name;
                format!("`{name}` has one value throughout in {constant_records} of {records} records looked at{value}")
            })
        });
        let told: Vec<String> = told.collect();
        Ok((!told.is_empty()).then(|| Sameness::Partial(told.join(", "))))
    }

    fn look(&self, records: &[u64], seen: &mut [Seen]) -> Result<(), DataError> {
        let rows = self.read_rows(records)?;
        let modalities = &self.manifest().modalities;
        for (number, (modality, seen)) in modalities.iter().zip(seen).enumerate() {
            for (row, values) in rows.values[number].chunks_exact(modality.len()).enumerate() {
                if rows.present[row * modalities.len() + number] != 0 {
                    seen.add(values);
                }
            }
        }
        Ok(())
    }
}
