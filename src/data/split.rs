//! Splits: which records are for training, for validation and for the final test.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Records to train on.
pub const TRAIN: &str = "train";
/// Records on which checkpoints are compared with each other, and which nothing is trained on.
pub const VALIDATION: &str = "validation";
/// Records for the final figures; no checkpoint or setting is chosen with them.
pub const TEST: &str = "test";
/// All splits that a dataset may have.
pub const NAMES: [&str; 3] = [TRAIN, VALIDATION, TEST];

/// The records of one purpose: half-open ranges, ascending, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Split {
    ranges: Vec<[u64; 2]>,
}

/// The splits of a dataset by name; a dataset may have none.
pub type Splits = BTreeMap<String, Split>;

impl Split {
    /// The split that holds `ranges`, in their order.
    pub fn new(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        Self { ranges: ranges.into_iter().map(|range| [range.start, range.end]).collect() }
    }

    /// Its ranges of records.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|&[start, end]| start..end)
    }

    /// How many records it holds.
    pub fn records(&self) -> u64 {
        self.ranges().map(|range| range.end - range.start).sum()
    }

    fn validate(&self, name: &str, count: u64) -> Result<(), String> {
        if self.ranges.is_empty() {
            return Err(format!("split `{name}` is empty, expected ranges of records, or no such split"));
        }
        let mut last = 0;
        for [start, end] in &self.ranges {
            if start >= end || *end > count {
                return Err(format!("split `{name}` has records {start}..{end}, expected some of 0..{count}"));
            }
            if *start < last {
                return Err(format!(
                    "split `{name}` has records {start}..{end} after {last}, expected ascending ranges"
                ));
            }
            last = *end;
        }
        Ok(())
    }
}

impl From<Range<u64>> for Split {
    fn from(records: Range<u64>) -> Self {
        Self::new(std::iter::once(records))
    }
}

/// The splits `train`, `validation` and `test` of `count` records, in this order; the last two have the given shares, at least one
/// record each where the share is not 0 and there are enough records. A split without records is left out.
pub fn by_shares(count: u64, validation: f64, test: f64) -> Splits {
    let least = |share: f64| u64::from(share > 0.0);
    // Where not all records are held back, one is left to train on.
    let most = if validation + test < 1.0 { count.saturating_sub(1) } else { count };
    let held_back =
        ((count as f64 * (validation + test)).round() as u64).max(least(validation) + least(test)).min(most);
    let tests = ((count as f64 * test).round() as u64).max(least(test)).min(held_back);
    let tests = if tests == held_back && held_back > 1 { tests - least(validation) } else { tests };
    let (train, test) = (count - held_back, count - tests);
    let parts = [(TRAIN, 0..train), (VALIDATION, train..test), (TEST, test..count)];
    let full = parts.into_iter().filter(|(_, records)| !records.is_empty());
    full.map(|(name, records)| (name.to_owned(), records.into())).collect()
}

/// Checks the shares of records for validation and test, as the options `--validation` and `--test` give them; together they may
/// be all records only where `may_be_all`.
pub fn check_shares(validation: f64, test: f64, may_be_all: bool) -> Result<(), String> {
    let wanted = if may_be_all { "at most 1" } else { "below 1" };
    let legal = |share: f64| share >= 0.0 && (share < 1.0 || may_be_all && share == 1.0);
    for (option, share) in [("--validation", validation), ("--test", test)] {
        if !legal(share) {
            return Err(format!("{option} is {share}, expected a share of at least 0 and {wanted}"));
        }
    }
    if !legal(validation + test) {
        return Err(format!("--validation is {validation} and --test {test}, expected a sum {wanted}"));
    }
    Ok(())
}

/// Checks the splits of a dataset of `count` records; the error says what is wrong.
pub fn validate(splits: &Splits, count: u64) -> Result<(), String> {
    if let Some(name) = splits.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("split `{name}` is unknown, expected {}", NAMES.join(", ")));
    }
    splits.iter().try_for_each(|(name, split)| split.validate(name, count))?;
    let mut all: Vec<(u64, u64, &str)> = splits
        .iter()
        .flat_map(|(name, split)| split.ranges.iter().map(move |[start, end]| (*start, *end, name.as_str())))
        .collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(&[(_, end, one), (start, other_end, other)]) => {
            let shared = end.min(other_end);
            Err(format!("splits `{one}` and `{other}` share records {start}..{shared}, expected none in two splits"))
        }
        _ => Ok(()),
    }
}
