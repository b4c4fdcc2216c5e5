//! How the values of pixels are spread, for values that are far from all others: counts in bins of equal relative width, which add up
//! in any order.
//!
//! A value that stands for no value (-99, 1e20) is often the least or the greatest and lies thousands of median deviations away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Median absolute deviations from the median beyond which a value is told of.
const FAR: f64 = 1e3;

/// Counts of finite values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// By the upper 16 bits of a number, in an order in which they ascend with it.
    bins: BTreeMap<u16, u64>,
    /// The least value, and how many are equal to it.
    least: Option<(f32, u64)>,
    /// The greatest value, and how many are equal to it.
    greatest: Option<(f32, u64)>,
}

/// A value far from all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlier {
    /// The value.
    pub value: f32,
    /// Pixels that have it.
    pub count: u64,
    /// Its distance from the median, in median absolute deviations.
    pub deviations: f64,
    /// The median, good to a part in 200.
    pub median: f64,
}

/// Counts values for a `Spread`.
pub struct SpreadCounter {
    bins: Vec<u64>,
    extremes: Spread,
}

impl Default for SpreadCounter {
    fn default() -> Self {
        Self { bins: vec![0; 1 << 16], extremes: Spread::default() }
    }
}

impl SpreadCounter {
    /// Counts finite values.
    pub fn count(&mut self, values: &[f32]) {
        for value in values {
            self.bins[usize::from(bin(*value))] += 1;
        }
        let least = values.iter().copied().reduce(f32::min);
        let greatest = values.iter().copied().reduce(f32::max);
        let number = |of: f32| values.iter().filter(|value| **value == of).count() as u64;
        let Spread { least: least_so_far, greatest: greatest_so_far, .. } = &mut self.extremes;
        // Most rows hold neither.
        if let Some(least) = least.filter(|least| least_so_far.is_none_or(|(so_far, _)| *least <= so_far)) {
            farther(least_so_far, Some((least, number(least))), f32::lt);
        }
        if let Some(greatest) = greatest.filter(|value| greatest_so_far.is_none_or(|(so_far, _)| *value >= so_far)) {
            farther(greatest_so_far, Some((greatest, number(greatest))), f32::gt);
        }
    }

    /// What was counted.
    pub fn spread(self) -> Spread {
        let bins = (0..=u16::MAX).zip(&self.bins).filter(|(_, count)| **count > 0).map(|(bin, count)| (bin, *count));
        Spread { bins: bins.collect(), ..self.extremes }
    }
}

/// Keeps the value that is farther out, and adds the counts of equal ones.
fn farther(so_far: &mut Option<(f32, u64)>, more: Option<(f32, u64)>, is_farther: fn(&f32, &f32) -> bool) {
    *so_far = match (*so_far, more) {
        (Some((a, counted)), Some((b, count))) if a == b => Some((a, counted + count)),
        (Some((a, _)), Some((b, count))) if is_farther(&b, &a) => Some((b, count)),
        (None, more) => more,
        (so_far, _) => so_far,
    };
}

impl Spread {
    /// Adds counts; the order does not matter.
    pub fn add(&mut self, more: &Self) {
        for (bin, count) in &more.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
        farther(&mut self.least, more.least, f32::lt);
        farther(&mut self.greatest, more.greatest, f32::gt);
    }

    /// The least and the greatest value, where they are far from all others.
    pub fn outliers(&self) -> Vec<Outlier> {
        let all: Vec<(f64, u64)> = self.bins.iter().map(|(bin, count)| (centre(*bin), *count)).collect();
        let Some(median) = weighted_median(&all) else { return Vec::new() };
        let deviations = |values: &[(f64, u64)]| {
            let mut away: Vec<(f64, u64)> = values.iter().map(|(x, count)| ((x - median).abs(), *count)).collect();
            away.sort_by(|a, b| a.0.total_cmp(&b.0));
            weighted_median(&away)
        };
        // Where most pixels are alike, as in an empty sky, the others tell how far apart values are.
        let others: Vec<(f64, u64)> = all.iter().copied().filter(|(x, _)| *x != median).collect();
        let deviation = deviations(&all).filter(|deviation| *deviation > 0.0).or_else(|| deviations(&others));
        let Some(deviation) = deviation else { return Vec::new() };
        [self.least, self.greatest]
            .into_iter()
            .flatten()
            .map(|(value, count)| {
                let deviations = (f64::from(value) - median).abs() / deviation;
                Outlier { value, count, deviations, median }
            })
            .filter(|outlier| outlier.deviations > FAR)
            .collect()
    }
}

/// The upper 16 bits, those of negative numbers turned round.
fn bin(value: f32) -> u16 {
    let bits = (value + 0.0).to_bits(); // -0 is 0
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (ascending >> 16) as u16
}

/// The middle of a bin; 0 of the bin that holds it.
fn centre(bin: u16) -> f64 {
    let (bits, is_negative) = (u32::from(bin) << 16, bin < 1 << 15);
    let bits = if is_negative { !bits & 0xffff_0000 } else { bits & !(1 << 31) };
    let least = f64::from(f32::from_bits(bits));
    let next = f64::from(f32::from_bits((bits & !(1 << 31)) + 0x1_0000));
    match () {
        () if least == 0.0 => 0.0,
        () if !next.is_finite() => least,
        () if is_negative => f64::midpoint(least, -next),
        () => f64::midpoint(least, next),
    }
}

/// Of ascending values with their counts.
fn weighted_median(values: &[(f64, u64)]) -> Option<f64> {
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    values.iter().find_map(|(value, count)| {
        before += count;
        (2 * before >= all && all > 0).then_some(*value)
    })
}
