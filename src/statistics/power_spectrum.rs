//! Azimuthally averaged power spectra of square maps.
//!
//! P(k) = |FFT2(map)|^2 / side^2, in u^2 px^2 for maps in unit u, so that white noise of variance v has P = v and the
//! sum of P over all modes is side^2 times the mean square. Bin k averages the modes with k <= |k| < k+1, in units of
//! the fundamental; k = 0 is left out, and so are the corners beyond |k| = side/2 + 1.
//!
//! On the sky: `C_l = P x` pixel area in steradian, at `l = 360 k / side_deg`.
//!
//! Shapes: n = maps, s = side, b = s/2 bins, k = 1..=b.

use std::sync::Arc;

use rayon::prelude::*;
use skyforge_fft::{Complex, Fft, RealToComplex};

use super::maps::Maps;
use super::profiles::Profiles;
use super::transpose::transpose;

/// The power spectrum of each map, taken as periodic.
///
/// - returns: `[n, s/2]` in u^2 px^2; column k-1 averages the modes with k <= |k| < k+1
pub fn power_spectra(maps: Maps) -> Profiles {
    let plan = Plan::new(maps.side());
    let bins = bins(maps.side());
    let mut spectra = vec![0.0; maps.count() * bins];
    spectra
        .par_chunks_exact_mut(bins)
        .zip(maps.par_iter())
        .for_each_init(|| Workspace::new(&plan), |workspace, (spectrum, map)| workspace.spectrum(&plan, map, spectrum));
    Profiles::new(spectra, bins)
}

/// b: the bins of maps of this side.
pub fn bins(side: usize) -> usize {
    side / 2
}

/// How many modes each bin averages, `[b]`. Modes and their conjugates both count.
pub fn modes_per_bin(side: usize) -> Vec<u32> {
    let mut modes = vec![0; bins(side)];
    for row in 0..side {
        for column in 0..side {
            let bin = radius(row.min(side - row), column.min(side - column));
            if (1..=modes.len()).contains(&bin) {
                modes[bin - 1] += 1;
            }
        }
    }
    modes
}

/// Multipole of wavenumber `k` on a field `side_deg` degrees wide.
pub fn multipole(k: f64, side_deg: f64) -> f64 {
    360.0 * k / side_deg
}

/// What turns P in u^2 px^2 into `C_l` in u^2 sr: the area of a pixel in steradian.
pub fn pixel_area_sr(side: usize, side_deg: f64) -> f64 {
    (side_deg.to_radians() / side as f64).powi(2)
}

/// The bin a mode falls in: the whole part of its distance from k = 0.
fn radius(row: usize, column: usize) -> usize {
    (row * row + column * column).isqrt()
}

/// What all threads share: the transforms and where each mode goes.
struct Plan {
    side: usize,
    along_rows: Arc<dyn RealToComplex<f32>>,
    along_columns: Arc<dyn Fft<f32>>,
    /// For each column wavenumber 0..=s/2: where row wavenumbers 0, 1, .. stop being in the bins, and the bin of each.
    bin_of_mode: Vec<Vec<u32>>,
    /// 1 / (modes in the bin x s^2), `[b]`.
    weight: Vec<f64>,
}

impl Plan {
    fn new(side: usize) -> Self {
        let bin_of_mode = (0..=side / 2)
            .map(|column| {
                let inside = (0..=side / 2).take_while(|&row| radius(row, column) <= bins(side));
                inside.map(|row| radius(row, column) as u32).collect()
            })
            .collect();
        let pixels = (side * side) as f64;
        Self {
            side,
            along_rows: skyforge_fft::real_forward_f32(side),
            along_columns: skyforge_fft::forward_f32(side),
            bin_of_mode,
            weight: modes_per_bin(side).iter().map(|&modes| 1.0 / (f64::from(modes) * pixels)).collect(),
        }
    }
}

/// What one thread writes in, small enough to stay in its second-level cache.
struct Workspace {
    row: Vec<f32>,
    rows: Vec<Complex<f32>>,
    columns: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    squares: Vec<f32>,
    /// Of `ABREAST` columns.
    power: [Vec<f32>; ABREAST],
    sums: [Vec<f64>; ABREAST],
}

/// Columns that are summed together, each into sums of its own: neighbours in a column go to the same bin, and would wait for
/// each other.
const ABREAST: usize = 4;

impl Workspace {
    fn new(plan: &Plan) -> Self {
        let (side, half) = (plan.side, plan.side / 2 + 1);
        let zero = Complex::new(0.0, 0.0);
        let scratch = plan.along_columns.get_inplace_scratch_len().max(plan.along_rows.get_scratch_len());
        Self {
            row: vec![0.0; side],
            rows: vec![zero; side * half],
            columns: vec![zero; side * half],
            scratch: vec![zero; scratch],
            squares: vec![0.0; side],
            power: std::array::from_fn(|_| vec![0.0; half]),
            sums: std::array::from_fn(|_| vec![0.0; bins(side) + 1]),
        }
    }

    fn spectrum(&mut self, plan: &Plan, map: &[f32], spectrum: &mut [f32]) {
        let (side, half) = (plan.side, plan.side / 2 + 1);
        // Without its mean a map loses k = 0 alone, and a large mean cannot drown small modes in rounding.
        let mean = mean(map);
        for (pixels, modes) in map.chunks_exact(side).zip(self.rows.chunks_exact_mut(half)) {
            for (out, x) in self.row.iter_mut().zip(pixels) {
                *out = x - mean;
            }
            plan.along_rows
                .process_with_scratch(&mut self.row, modes, &mut self.scratch)
                .expect("row, modes and scratch have the planned lengths");
        }
        transpose(&self.rows, side, half, &mut self.columns); // [s/2+1, s]
        plan.along_columns.process_with_scratch(&mut self.columns, &mut self.scratch);

        self.sums.iter_mut().for_each(|sums| sums.fill(0.0));
        for (group, columns) in self.columns.chunks(ABREAST * side).enumerate() {
            let bin_of_mode = &plan.bin_of_mode[group * ABREAST..];
            let columns = columns.chunks_exact(side);
            let here = columns.len();
            for ((column, modes), power) in (group * ABREAST..).zip(columns).zip(&mut self.power) {
                // The other half of the plane is this one's conjugate, but for the columns that are their own.
                let copies = if column == 0 || 2 * column == side { 1.0 } else { 2.0 };
                fold(modes, copies, &mut self.squares, power);
            }
            // Bins grow with the column, so that the last one is the first to leave them.
            let together = if here == ABREAST { bin_of_mode[ABREAST - 1].len() } else { 0 };
            let ([a, b, c, d], [p, q, r, s]) = (&mut self.sums, &self.power);
            if let [i, j, k, l, ..] = bin_of_mode {
                for row in 0..together {
                    a[i[row] as usize] += f64::from(p[row]);
                    b[j[row] as usize] += f64::from(q[row]);
                    c[k[row] as usize] += f64::from(r[row]);
                    d[l[row] as usize] += f64::from(s[row]);
                }
            }
            for ((bins, power), sums) in bin_of_mode[..here].iter().zip(&self.power).zip(&mut self.sums) {
                for (&bin, &power) in bins.iter().zip(power).skip(together) {
                    sums[bin as usize] += f64::from(power);
                }
            }
        }
        for (bin, (out, weight)) in spectrum.iter_mut().zip(&plan.weight).enumerate() {
            *out = (self.sums.iter().map(|sums| sums[bin + 1]).sum::<f64>() * weight) as f32;
        }
    }
}

/// Power at row wavenumbers 0..=s/2, both signs together, times `copies`.
fn fold(modes: &[Complex<f32>], copies: f32, squares: &mut [f32], power: &mut [f32]) {
    let side = modes.len();
    for (square, mode) in squares.iter_mut().zip(modes) {
        *square = mode.norm_sqr();
    }
    power[0] = squares[0] * copies;
    for ((out, up), down) in power[1..].iter_mut().zip(&squares[1..]).zip(squares.iter().rev()) {
        *out = (up + down) * copies;
    }
    if side.is_multiple_of(2) {
        power[side / 2] = squares[side / 2] * copies;
    }
}

/// Mean of a map: single precision within runs of 64 pixels, eight sums in each, double across them.
fn mean(map: &[f32]) -> f32 {
    let run = |run: &[f32]| {
        let (eights, rest) = run.as_chunks::<8>();
        let mut sums = [0.0_f32; 8];
        for eight in eights {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += x;
            }
        }
        f64::from(sums.iter().chain(rest).sum::<f32>())
    };
    let total: f64 = map.chunks(64).map(run).sum();
    (total / map.len() as f64) as f32
}
