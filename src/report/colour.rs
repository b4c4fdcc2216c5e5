//! One colour map for all maps: dark for low, bright for high, even to the eye.

/// 17 even steps of "magma" (van der Walt & Smith 2015, released into the public domain).
const MAGMA: [[u8; 3]; 17] = [
    [0, 0, 4],
    [10, 8, 34],
    [29, 17, 71],
    [54, 16, 107],
    [81, 18, 124],
    [106, 28, 129],
    [131, 38, 129],
    [156, 46, 127],
    [183, 55, 121],
    [208, 65, 111],
    [231, 82, 99],
    [245, 107, 92],
    [252, 137, 97],
    [254, 167, 114],
    [254, 196, 136],
    [253, 226, 163],
    [252, 253, 191],
];

/// Colours in use; one more index of a picture is kept for what is blank.
pub const COLOURS: usize = 255;

/// Red, green and blue of all colours, low to high.
pub fn palette() -> Vec<u8> {
    (0..COLOURS).flat_map(|i| colour(i as f64 / (COLOURS - 1) as f64)).collect()
}

/// The colour at `x` from 0 to 1.
pub fn colour(x: f64) -> [u8; 3] {
    let place = x.clamp(0.0, 1.0) * (MAGMA.len() - 1) as f64;
    let below = (place as usize).min(MAGMA.len() - 2);
    let share = place - below as f64;
    std::array::from_fn(|i| {
        let (low, high) = (f64::from(MAGMA[below][i]), f64::from(MAGMA[below + 1][i]));
        (high - low).mul_add(share, low).round() as u8
    })
}

/// The range of a colour scale.
#[derive(Clone, Copy, Debug)]
pub struct ColourScale {
    pub low: f64,
    pub high: f64,
}

impl ColourScale {
    /// All but the outermost `tail` of the finite values at each end; 0 to 1 where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>, tail: f64) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
        if values.is_empty() {
            return Self { low: 0.0, high: 1.0 };
        }
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len() - 1;
        let below = (tail * last as f64) as usize;
        let (low, high) = (values[below], values[last - below]);
        if high > low { Self { low, high } } else { Self { low: low - 0.5, high: high + 0.5 } }
    }

    /// The index of a value's colour; the blank one where it is no number.
    pub fn index(&self, value: f64) -> u8 {
        if !value.is_finite() {
            return COLOURS as u8;
        }
        let place = (value - self.low) / (self.high - self.low);
        (place.clamp(0.0, 1.0) * (COLOURS - 1) as f64).round() as u8
    }
}
