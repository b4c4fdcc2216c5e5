//! What of real records an embedder in training may see, and how far records are from each other.

use tch::{Kind, Tensor};

use crate::rng::Chance;

/// How records are masked before an embedder sees them, and compared with what a generator makes of it.
pub trait Masking: Send {
    /// The images as they may be given, some as they are, of others a part; and which pixels are known: 1, else 0.
    ///
    /// - `images`: `[b, c, h, w]`, in the networks' range
    /// - returns: `[b, c, h, w]` and `[b, 1, h, w]`
    fn mask(&self, images: &Tensor, chance: &mut Chance) -> (Tensor, Tensor);

    /// How far images are from what was `made` of them, both `[b, c, h, w]`: one number, with its graph.
    fn distance(&self, images: &Tensor, made: &Tensor) -> Tensor {
        (images - made).abs().mean(Kind::Float)
    }
}

/// Of maps: all pixels inside or outside of a window may be missing.
#[derive(Clone, Copy, Debug)]
pub struct PixelMasking {
    masked_fraction: f64,
}

impl PixelMasking {
    /// Masks a map with probability `masked_fraction`, 0 to 1.
    pub fn new(masked_fraction: f64) -> Self {
        Self { masked_fraction }
    }
}

impl Masking for PixelMasking {
    fn mask(&self, maps: &Tensor, chance: &mut Chance) -> (Tensor, Tensor) {
        let (count, rows, columns) =
            maps.size4().map(|(b, _, h, w)| (b, h as usize, w as usize)).expect("maps are [b, c, h, w]");
        let mut known = Vec::with_capacity(count as usize * rows * columns);
        for _ in 0..count {
            let veiled = chance.uniform() < self.masked_fraction;
            let (down, across) = (Window::draw(chance), Window::draw(chance));
            for row in 0..rows {
                let shows = |column| down.shows(row, rows) || across.shows(column, columns);
                known.extend((0..columns).map(|column| f32::from(u8::from(!veiled || shows(column)))));
            }
        }
        let known = Tensor::from_slice(&known).to_device(maps.device()).view([count, 1, rows as i64, columns as i64]);
        (maps * &known, known)
    }
}

/// Part of the spectrum or map that a window spans at least.
const LEAST_WINDOW: f64 = 1.0 / 16.0;

/// Neighbours that are seen, or not seen; or everything.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    from: f64,
    to: f64,
    inside: bool,
    everything: bool,
}

impl Window {
    /// One that chance makes.
    pub fn draw(chance: &mut Chance) -> Self {
        let everything = chance.uniform() < 0.5;
        let inside = chance.uniform() < 0.5;
        let span = LEAST_WINDOW + (1.0 - LEAST_WINDOW) * chance.uniform();
        let from = (1.0 - span) * chance.uniform();
        Self { from, to: from + span, inside, everything }
    }

    /// Whether place `place` of `count` is seen.
    pub fn shows(&self, place: usize, count: usize) -> bool {
        let part = (place as f64 + 0.5) / count as f64;
        self.everything || (self.from..self.to).contains(&part) == self.inside
    }
}
