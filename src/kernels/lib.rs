//! Our own kernels of the strided convolutions that GANs here are made of, for CPUs with AVX-512 or AVX2.
//!
//! A 5x5 convolution of stride 2 goes from a *wide* side of h x w pixels to a *narrow* one of ceil(h/2) x ceil(w/2); its
//! transpose goes back. Forward and backward of both are three products, `to_narrow`, `to_wide` and `to_taps`, which
//! `layer` offers to libtorch's autograd. Tensors lie channels last: `[b, h, w, c]` in memory.
//!
//! `tiles` makes them by Toom and Cook's algorithm with a third to a half of the multiplications, `thin` plainly where
//! the wide side has one channel. All arithmetic is single precision; results are those of the plain sum but for rounding
//! (about five times that of a plain sum, `tests/library/kernels`), and the same bits with either kind of `vector`. Whatever does not
//! fit stays with libtorch.
//!
//! A package of its own: it is compiled once, at full speed in every profile, and its C++ with it.

#![expect(unsafe_code, reason = "vectors, and memory that libtorch owns")]

mod cudnn;
mod layer;
mod lines;
mod product;
mod thin;
mod tiles;
mod toom_cook;
mod vector;

pub use cudnn::{is_deterministic, set_deterministic};
pub use layer::{Layer, changed, leaky_relu};
pub use vector::Vectors;

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Rows of the wide side.
    pub height: usize,
    /// Columns of the wide side.
    pub width: usize,
    /// Channels of the wide side.
    pub wide: usize,
    /// Channels of the narrow side.
    pub narrow: usize,
}

impl Shape {
    /// Rows of the narrow side.
    pub fn rows(&self) -> usize {
        self.height.div_ceil(2)
    }

    /// Columns of the narrow side.
    pub fn columns(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// Whether there is a kernel of these vectors for it, and the processor has them.
    pub fn fits(&self, vectors: Vectors) -> bool {
        let lanes = vector::LANES;
        self.narrow.is_multiple_of(lanes)
            && (self.wide == 1 || self.wide.is_multiple_of(lanes))
            && self.batch * self.rows() * self.columns() > 0
            && Vectors::of_this_processor().any(|ours| ours == vectors)
    }

    /// Numbers of the wide side.
    fn wide_numbers(&self) -> usize {
        self.batch * self.height * self.width * self.wide
    }

    /// Numbers of the narrow side.
    fn narrow_numbers(&self) -> usize {
        self.batch * self.rows() * self.columns() * self.narrow
    }
}

/// Taps along an axis.
const SIDE: usize = 5;

/// Taps of the kernel.
const TAPS: usize = SIDE * SIDE;

/// What is added around the wide side, above and to the left.
const PADDING: usize = 2;
