//! Flux-conserving binning: each point of a table is the mean over a bin, and so is each point of the grid.
//!
//! A grid bin is the mean of what overlaps it, weighted by the overlap in wavelength: the integral over what was observed is kept,
//! whatever the errors (inverse variances would move the effective wavelength inside a bin). Errors are those of white noise: a
//! point of variance s^2 over a width W counts, where it overlaps by w, as an independent point of variance s^2 W / w. So
//! var = sum(w W s^2) / (sum w)^2: for whole points the usual formula; and a point that is coarser than the grid is repeated, with errors
//! larger by sqrt(W / w), that together say no more than the point did.

use crate::data::spectral_axis::edges;

/// A table whose points are this near to centres of the grid, in grid bins, is on the grid: printed with few digits. (ExoGAN's example has
/// 4 decimals, up to 0.017 bins at 0.3 um.)
const ON_GRID: f64 = 0.05;
/// A distance of neighbours that is so many times a distance beside it is a gap.
const GAP: f64 = 3.0;
/// A smaller share of a grid bin is rounding of borders.
const SLIVER: f64 = 1e-9;

/// What a point is the mean over, in micrometres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Its lower border.
    pub low: f64,
    /// Its upper border.
    pub high: f64,
}

impl Bin {
    /// Between two borders in any order.
    pub fn between(a: f64, b: f64) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }

    fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// The grid of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Centres in micrometres, as the dataset has them.
    pub wavelength_um: Vec<f64>,
    bins: Vec<Bin>,
}

impl Grid {
    /// The grid of these centres, which must have passed `check_wavelengths`.
    pub fn new(wavelength_um: Vec<f64>) -> Self {
        let bins = edges(&wavelength_um).windows(2).map(|pair| Bin::between(pair[0], pair[1])).collect();
        Self { wavelength_um, bins }
    }

    /// All that its bins cover.
    pub fn range(&self) -> Bin {
        let first = Bin { low: f64::INFINITY, high: f64::NEG_INFINITY };
        self.bins.iter().fold(first, |all, bin| Bin { low: all.low.min(bin.low), high: all.high.max(bin.high) })
    }

    /// The bins of a table that says no widths: those of the grid where it is on the grid, else up to half-way (in the logarithm) to each
    /// neighbour; beside a gap as far as on the other side. The error is the point that has neither.
    pub fn bins_of(&self, wavelength_um: &[f64]) -> Result<Vec<Bin>, usize> {
        if let Some(bins) = self.own_bins(wavelength_um) {
            return Ok(bins);
        }
        let n = wavelength_um.len();
        if n < 2 {
            return Err(0);
        }
        let borders = edges(wavelength_um);
        let apart: Vec<f64> = wavelength_um.windows(2).map(|pair| (pair[1] / pair[0]).ln().abs()).collect();
        let is_gap = |k: usize| {
            let beside = [k.checked_sub(1), Some(k + 1)].into_iter().flatten().filter_map(|beside| apart.get(beside));
            apart[k] > GAP * beside.copied().fold(f64::INFINITY, f64::min)
        };
        let gaps: Vec<bool> = (0..n - 1).map(is_gap).collect();
        (0..n)
            .map(|i| {
                let centre = wavelength_um[i];
                let before = (i > 0 && !gaps[i - 1]).then(|| borders[i]);
                let after = (i + 1 < n && !gaps[i]).then(|| borders[i + 1]);
                match (before, after) {
                    (Some(before), Some(after)) => Ok(Bin::between(before, after)),
                    (Some(border), None) | (None, Some(border)) => Ok(Bin::between(border, centre * centre / border)),
                    (None, None) => Err(i),
                }
            })
            .collect()
    }

    /// The grid's own bins, where the points are its points, most of them neighbours; empty bins for points beyond it.
    fn own_bins(&self, wavelength_um: &[f64]) -> Option<Vec<Bin>> {
        let range = self.range();
        let own = |um: f64| {
            let distance = |(centre, bin): (&f64, &Bin)| (um - centre).abs() / bin.width();
            let distances = self.wavelength_um.iter().zip(&self.bins).map(distance);
            let (place, distance) = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
            (distance <= ON_GRID).then_some(place)
        };
        let mut places = Vec::new();
        let mut bins = Vec::with_capacity(wavelength_um.len());
        for &um in wavelength_um {
            if um < range.low || um > range.high {
                bins.push(Bin { low: um, high: um });
                continue;
            }
            let place = own(um)?;
            places.push(place);
            bins.push(self.bins[place]);
        }
        let neighbours = places.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
        let twice = places.windows(2).any(|pair| pair[0] == pair[1]);
        (places.len() > 2 && !twice && 2 * neighbours >= places.len() - 1).then_some(bins)
    }
}

/// Part of a point that lies in a grid bin.
#[derive(Clone, Copy, Debug)]
struct Piece {
    point: usize,
    bin: Bin,
    /// Width of the whole point.
    whole: f64,
}

/// Which points of a table lie in which bins of a grid.
#[derive(Clone, Debug)]
pub struct Overlaps {
    /// Of each grid bin, ascending.
    pieces: Vec<Vec<Piece>>,
    widths: Vec<f64>,
}

/// Depths with errors, downwards and upwards, of the points of a table or a grid. No errors where there are none; NaN where nothing
/// was observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// (Rp/Rs)^2.
    pub depth: Vec<f64>,
    /// One standard deviation each, `[below, above]`.
    pub errors: Vec<[f64; 2]>,
}

impl Overlaps {
    /// Of points that are means over `bins`.
    pub fn new(bins: &[Bin], grid: &Grid) -> Self {
        let mut order: Vec<usize> = (0..bins.len()).collect();
        order.sort_by(|&a, &b| bins[a].low.total_cmp(&bins[b].low));
        let pieces = |of: &Bin| {
            let near = order.iter().take_while(|&&point| bins[point].low < of.high);
            near.filter_map(|&point| {
                let bin = Bin { low: bins[point].low.max(of.low), high: bins[point].high.min(of.high) };
                (bin.width() > SLIVER * of.width()).then_some(Piece { point, bin, whole: bins[point].width() })
            })
            .collect()
        };
        Self { pieces: grid.bins.iter().map(pieces).collect(), widths: grid.bins.iter().map(Bin::width).collect() }
    }

    /// Whether no point lies in any bin.
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(Vec::is_empty)
    }

    /// Bins of the grid that lie inside a single point: repeated.
    pub fn repeated(&self) -> usize {
        let inside = |piece: &Piece| piece.bin.width() < piece.whole * (1.0 - 1e-6);
        self.pieces.iter().filter(|pieces| pieces.len() == 1 && inside(&pieces[0])).count()
    }

    /// A spectrum on the grid: bins of which the observed points cover less than `coverage` are not observed.
    pub fn apply(&self, points: &Points, coverage: f64) -> Points {
        let mut found = Points::default();
        for (pieces, width) in self.pieces.iter().zip(&self.widths) {
            let observed = || pieces.iter().filter(|piece| !points.depth[piece.point].is_nan());
            // Given widths may overlap: what two points cover is covered once.
            let (mut covered, mut reach) = (0.0, f64::NEG_INFINITY);
            for Piece { bin, .. } in observed() {
                covered += (bin.high - bin.low.max(reach)).max(0.0);
                reach = reach.max(bin.high);
            }
            // Borders are rounded: full coverage should be had.
            let enough = covered > 0.0 && covered >= coverage * width * (1.0 - SLIVER);
            let sum: f64 = observed().map(|piece| piece.bin.width()).sum();
            let (mut depth, mut errors) = (f64::NAN, [f64::NAN; 2]);
            if let (true, [piece]) = (enough, pieces.as_slice()) {
                depth = points.depth[piece.point]; // no rounding on the own grid
                let share = (piece.whole / piece.bin.width()).sqrt();
                errors = points.errors.get(piece.point).map_or(errors, |errors| errors.map(|error| error * share));
            } else if enough {
                depth = observed().map(|piece| piece.bin.width() * points.depth[piece.point]).sum::<f64>() / sum;
                let of = |side: usize| {
                    let error = |piece: &Piece| points.errors.get(piece.point).map_or(f64::NAN, |errors| errors[side]);
                    let terms = observed().map(|piece| piece.bin.width() * piece.whole * error(piece).powi(2));
                    terms.sum::<f64>().sqrt() / sum
                };
                errors = [of(0), of(1)];
            }
            found.depth.push(depth);
            if !points.errors.is_empty() {
                found.errors.push(errors);
            }
        }
        found
    }
}

/// Several observations of one object on the same grid: weighted by inverse variance, the mean square of a point's two errors, each side's
/// error going with the same weights.
pub fn combine(parts: &[Points]) -> Points {
    if let [one] = parts {
        return one.clone();
    }
    let mut found = Points::default();
    for bin in 0..parts.first().map_or(0, |part| part.depth.len()) {
        let there: Vec<(f64, [f64; 2])> =
            parts.iter().map(|part| (part.depth[bin], part.errors[bin])).filter(|(depth, _)| !depth.is_nan()).collect();
        let (depth, errors) = match there.as_slice() {
            [] => (f64::NAN, [f64::NAN; 2]),
            [one] => *one,
            several => {
                let mut sums = [0.0; 4]; // weights, depths, squares below and above
                for (depth, [below, above]) in several {
                    let weight = 2.0 / (below * below + above * above);
                    let terms = [weight, weight * depth, (weight * below).powi(2), (weight * above).powi(2)];
                    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                }
                let [weights, depths, below, above] = sums;
                (depths / weights, [below.sqrt() / weights, above.sqrt() / weights])
            }
        };
        found.depth.push(depth);
        found.errors.push(errors);
    }
    found
}
