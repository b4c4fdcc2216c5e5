//! One set of maps against another, beside the floor: what a second set of the same truth would give.
//!
//! The reference is held in two disjoint sets. Generated maps are compared with the first; the second, the floor, is
//! compared with the first in just the same way. A generator is as good as the simulation where its distances are
//! no larger than the floor's.
//!
//! Shapes: s = side, b = s/2 wavenumbers, h = bins of pixel value, lags = s/2 + 1.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::ks::{KsTests, ks_tests};
use super::maps::{Maps, StatisticsError};
use super::moments::{PixelMoments, map_moments, pixel_moments};
use super::number;
use super::pixel_correlation::{PixelCorrelation, pixel_correlation};
use super::pixel_histogram::{PixelBins, pixel_counts, pixel_shares};
use super::power_spectrum::{multipole, power_spectra};
use super::profiles::{Band, Profiles, Scatter};

/// How sets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComparisonSettings {
    /// Bins of pixel value between the outermost 1 in 10,000 pixels of the reference.
    pub histogram_bins: usize,
    /// The most maps of a set that a Kolmogorov-Smirnov test uses: p values mean nothing without their n.
    pub most_maps_for_ks: usize,
    /// Width of a map in degrees, where it is known: multipoles stand beside wavenumbers.
    pub side_deg: Option<f64>,
}

impl Default for ComparisonSettings {
    fn default() -> Self {
        Self { histogram_bins: 50, most_maps_for_ks: 1024, side_deg: None }
    }
}

/// Everything measured, with the arrays that figures need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// s, in pixels.
    pub side: usize,
    /// How the sets were compared.
    pub settings: ComparisonSettings,
    /// k in units of the fundamental: bin k averages k <= |k| < k+1, `[b]`.
    pub wavenumber: Vec<f64>,
    /// l = 360 k / side in degrees, `[b]`.
    pub multipole: Option<Vec<f64>>,
    /// The k over which `spectrum_worst` is taken: [s/8, 3s/8).
    pub judged_wavenumbers: Range<usize>,
    /// Bins of pixel value, the same for all sets.
    pub pixel_bins: PixelBins,
    /// The generated set.
    pub generated: Summary,
    /// What it is compared with.
    pub reference: Summary,
    /// A second set of the reference's truth.
    pub floor: Summary,
    /// Generated against reference.
    pub generated_distance: Distance,
    /// Floor against reference.
    pub floor_distance: Distance,
}

/// One set on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// n.
    pub maps: usize,
    /// Power spectrum over maps, `[b]`, in u^2 px^2.
    pub spectrum: Band,
    /// Share of pixels below the range, in each bin, and above it, `[h+2]`: adds up to 1.
    pub pixel_shares: Vec<f64>,
    /// Share of pixels in each bin over maps, `[h+2]`.
    pub pixel_share_band: Band,
    /// Correlation of pixel pairs against lag, 1 at lag 0, `[lags]`.
    pub correlation: Band,
    /// Mean and variance of each pixel over maps, `[s, s]`.
    pub pixels: PixelMoments,
    /// The mean of each map, over maps, in u.
    pub map_mean: Scatter,
    /// The variance of each map, over maps, in u^2.
    pub map_variance: Scatter,
    /// The skewness of each map, over maps that are not constant.
    pub map_skewness: Scatter,
}

/// How far one set is from the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Mean power over the reference's mean power, `[b]`.
    #[serde(with = "number::many")]
    pub spectrum_ratio: Vec<f64>,
    /// max |ratio - 1| over the judged k; NaN where a ratio is.
    #[serde(with = "number::one")]
    pub spectrum_worst: f64,
    /// The k of that maximum.
    pub spectrum_worst_k: usize,
    /// Total variation of the pixel histograms: half the sum of |share - share|, the share of pixels that would have to
    /// move, 0 to 1.
    pub histogram_total_variation: f64,
    /// Root mean square over the inner bins of ln(share / reference share), where both are above 0.
    #[serde(with = "number::one")]
    pub histogram_log_rms: f64,
    /// Largest difference of the correlations at any lag.
    #[serde(with = "number::one")]
    pub correlation_worst: f64,
    /// Root mean square difference of the mean maps, in standard deviations of the reference's pixels.
    #[serde(with = "number::one")]
    pub mean_map_rms: f64,
    /// Root mean square difference of the variance maps, over the reference's mean variance.
    #[serde(with = "number::one")]
    pub variance_map_rms: f64,
    /// Tests of the power in each k over maps.
    pub spectrum_ks: KsTests,
    /// Tests of the pixels in each bin of pixel value over maps, below and above the range included.
    pub histogram_ks: KsTests,
}

impl Comparison {
    /// Whether all arrays have the lengths they should, which a file read back need not.
    pub fn fits(&self) -> bool {
        let (bins, pixels) = (self.wavenumber.len(), self.side.saturating_mul(self.side));
        let columns = self.pixel_bins.bins.saturating_add(2);
        let band = |band: &Band, length| band.mean.len() == length && band.spread.len() == length;
        let set = |set: &Summary| {
            band(&set.spectrum, bins)
                && band(&set.pixel_share_band, columns)
                && set.pixel_shares.len() == columns
                && band(&set.correlation, self.side / 2 + 1)
                && set.pixels.mean.len() == pixels
                && set.pixels.variance.len() == pixels
        };
        let tests = |tests: &KsTests, length| tests.statistic.len() == length && tests.p_value.len() == length;
        let distance = |distance: &Distance| {
            distance.spectrum_ratio.len() == bins
                && tests(&distance.spectrum_ks, bins)
                && tests(&distance.histogram_ks, columns)
        };
        bins > 0
            && [&self.generated, &self.reference, &self.floor].into_iter().all(set)
            && [&self.generated_distance, &self.floor_distance].into_iter().all(distance)
    }
}

/// Compares generated maps, and the floor, with a reference. All three have the same side and unit; the floor is the
/// other half of the reference set ([`Maps::halves`]).
pub fn compare(
    generated: Maps,
    reference: Maps,
    floor: Maps,
    settings: &ComparisonSettings,
) -> Result<Comparison, StatisticsError> {
    let side = reference.side();
    for (what, maps) in [("generated", generated), ("reference", reference), ("floor", floor)] {
        if maps.side() != side {
            return Err(StatisticsError::Side { what, found: maps.side(), expected: side });
        }
        if maps.count() < 2 {
            return Err(StatisticsError::Few { what, found: maps.count(), expected: 2 });
        }
    }
    let pixel_bins = PixelBins::from_reference(reference, settings.histogram_bins);
    let measured = |maps| Measured::new(maps, pixel_bins);
    let (generated, reference, floor) = (measured(generated), measured(reference), measured(floor));
    // The same n for all, so that the two count tables say the same thing.
    let smallest = generated.summary.maps.min(reference.summary.maps).min(floor.summary.maps);
    let maps_for_ks = smallest.min(settings.most_maps_for_ks.max(2));
    let judged = judged(side);
    let wavenumber: Vec<f64> = (1..=generated.spectra.bins()).map(|k| k as f64).collect();
    Ok(Comparison {
        side,
        settings: *settings,
        multipole: settings.side_deg.map(|width| wavenumber.iter().map(|&k| multipole(k, width)).collect()),
        wavenumber,
        pixel_bins,
        generated_distance: generated.distance(&reference, judged.clone(), maps_for_ks),
        floor_distance: floor.distance(&reference, judged.clone(), maps_for_ks),
        judged_wavenumbers: judged,
        generated: generated.summary,
        reference: reference.summary,
        floor: floor.summary,
    })
}

/// The k on which the spectrum of maps of this side is judged.
fn judged(side: usize) -> Range<usize> {
    side / 8..side * 3 / 8
}

/// max |ratio - 1| of a mean spectrum `ours` to another, `theirs`, both `[side/2]`, over the judged k; NaN where a ratio is.
pub fn spectrum_departure(ours: &[f64], theirs: &[f64], side: usize) -> f64 {
    let ratio: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    worst(&ratio, judged(side)).1
}

/// A set's summary, with the profiles that tests over maps need.
struct Measured {
    spectra: Profiles,
    counts: Profiles,
    summary: Summary,
}

impl Measured {
    fn new(maps: Maps, pixel_bins: PixelBins) -> Self {
        let spectra = power_spectra(maps);
        let counts = pixel_counts(maps, pixel_bins);
        let PixelCorrelation { covariance, variance } = pixel_correlation(maps);
        let moments = map_moments(maps);
        let summary = Summary {
            maps: maps.count(),
            spectrum: spectra.band(1.0),
            pixel_shares: pixel_shares(&counts),
            pixel_share_band: counts.band(1.0 / (maps.side() * maps.side()) as f64),
            correlation: covariance.band(1.0 / variance),
            pixels: pixel_moments(maps),
            map_mean: Scatter::of(moments.iter().map(|map| map.mean)),
            map_variance: Scatter::of(moments.iter().map(|map| map.variance)),
            map_skewness: Scatter::of(moments.iter().map(|map| map.skewness)),
        };
        Self { spectra, counts, summary }
    }

    fn distance(&self, reference: &Self, judged: Range<usize>, maps_for_ks: usize) -> Distance {
        let (ours, theirs) = (&self.summary, &reference.summary);
        let spectrum_ratio: Vec<f64> =
            ours.spectrum.mean.iter().zip(&theirs.spectrum.mean).map(|(a, b)| a / b).collect();
        let (spectrum_worst_k, spectrum_worst) = worst(&spectrum_ratio, judged);
        let shares = || ours.pixel_shares.iter().zip(&theirs.pixel_shares);
        let inner = 1..ours.pixel_shares.len() - 1;
        let logs: Vec<f64> = shares().map(|(a, b)| (a / b).ln()).collect();
        let logs: Vec<f64> = logs[inner].iter().copied().filter(|x| x.is_finite()).collect();
        let theirs_variance = mean(&theirs.pixels.variance);
        Distance {
            spectrum_ratio,
            spectrum_worst,
            spectrum_worst_k,
            histogram_total_variation: shares().map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0,
            histogram_log_rms: mean_of(&logs, |x| x * x).sqrt(),
            correlation_worst: largest_difference(&ours.correlation.mean, &theirs.correlation.mean),
            mean_map_rms: rms_difference(&ours.pixels.mean, &theirs.pixels.mean) / theirs_variance.sqrt(),
            variance_map_rms: rms_difference(&ours.pixels.variance, &theirs.pixels.variance) / theirs_variance,
            spectrum_ks: ks_tests(&self.spectra.first(maps_for_ks), &reference.spectra.first(maps_for_ks)),
            histogram_ks: ks_tests(&self.counts.first(maps_for_ks), &reference.counts.first(maps_for_ks)),
        }
    }
}

/// The judged k whose ratio is farthest from 1, and how far. A ratio that is no number is farthest of all.
fn worst(ratio: &[f64], judged: Range<usize>) -> (usize, f64) {
    let far = |k: &usize| (ratio[k - 1] - 1.0).abs();
    let k = judged.max_by(|a, b| far(a).total_cmp(&far(b))).expect("maps are large enough to be judged");
    (k, far(&k))
}

fn mean(values: &[f64]) -> f64 {
    mean_of(values, |x| x)
}

/// NaN for no values.
fn mean_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&x| term(x)).sum::<f64>() / values.len() as f64
}

fn rms_difference(a: &[f64], b: &[f64]) -> f64 {
    (a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).max_by(f64::total_cmp).unwrap_or(f64::NAN)
}
