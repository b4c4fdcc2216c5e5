//! Options of convolutions and transposed convolutions, and the sides that follow from them.

use serde::{Deserialize, Serialize};

/// Options of a convolution or a transposed convolution, the same along every axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvOptions {
    /// Taps along an axis.
    #[serde(rename = "kernel_size")]
    pub kernel: i64,
    /// Pixels from one position of the kernel to the next.
    pub stride: i64,
    /// Zeros before the first pixel and after the last.
    pub padding: i64,
    /// Pixels that a transposed convolution adds after the last, fewer than `stride`; a convolution has none.
    #[serde(default)]
    pub output_padding: i64,
}

impl ConvOptions {
    /// Stride 1, with the padding that keeps the side: for an odd kernel.
    pub const fn same(kernel: i64) -> Self {
        Self { kernel, stride: 1, padding: kernel / 2, output_padding: 0 }
    }

    /// The side after a convolution, floor((n + 2 padding - kernel) / stride) + 1.
    pub const fn side_after(&self, side: i64) -> i64 {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// The side after a transposed convolution, (n - 1) stride - 2 padding + kernel + output_padding.
    pub const fn side_after_transposed(&self, side: i64) -> i64 {
        (side - 1) * self.stride - 2 * self.padding + self.kernel + self.output_padding
    }

    /// Whether they are those of our own kernels, which work on two axes.
    pub(super) fn fit_our_kernels(&self, axes: usize) -> bool {
        (axes, self.kernel, self.stride, self.padding) == (2, 5, 2, 2)
    }
}
