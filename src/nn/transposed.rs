//! Transposed convolutions of one and two axes, of any kernel, stride and padding.
//!
//! Shapes: b = records, n = pixels along an axis before, m = after.

use tch::{Tensor, nn};

use super::conv_options::ConvOptions;
use super::description::{LayerDescription, Operation};
use super::kernel::{Kernel, OwnKernel, WeightShape};
use super::pass::Pass;
use super::spectral_norm::SpectralVectors;
use super::weights::Weights;

/// A transposed convolution over `AXES` axes, 1 or 2, PyTorch's `ConvTranspose1d` and `ConvTranspose2d`. Of 5 taps, stride 2
/// and padding 2 on a CPU it is our own kernel where that fits, else libtorch's.
#[derive(Debug)]
pub struct ConvTranspose<const AXES: usize> {
    kernel: Kernel,
    own: OwnKernel,
    inputs: i64,
    outputs: i64,
    options: ConvOptions,
}

/// A transposed convolution of spectra.
pub type ConvTranspose1d = ConvTranspose<1>;

/// A transposed convolution of maps.
pub type ConvTranspose2d = ConvTranspose<2>;

impl<const AXES: usize> ConvTranspose<AXES> {
    /// From `inputs` to `outputs` channels.
    pub fn new(path: &nn::Path, weights: &Weights, inputs: i64, outputs: i64, options: ConvOptions) -> Self {
        const { assert!(AXES == 1 || AXES == 2, "convolutions have one axis or two") }
        assert!(options.output_padding < options.stride, "output padding is less than the stride");
        let sizes = [vec![inputs, outputs], vec![options.kernel; AXES]].concat();
        let fan_in = inputs as f64 * (options.kernel as f64 / options.stride as f64).powi(AXES as i32);
        let kernel = Kernel::new(path, weights, &WeightShape { sizes, output_dim: 1, fan_in });
        let own = kernel.own(options.fit_our_kernels(AXES));
        Self { kernel, own, inputs, outputs, options }
    }

    /// `[b, inputs, n]` to `[b, outputs, m]`, or `[b, inputs, n, n']` to `[b, outputs, m, m']`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let [weight, bias] = self.kernel.of(pass);
        let own = self.own.convolve(pass, |layer| {
            let (_, _, rows, columns) = x.size4().expect("x is [b, inputs, n, n']");
            let wide_side = [rows, columns].map(|side| self.options.side_after_transposed(side));
            layer.to_wide(x, &weight, &bias, wide_side)
        });
        let ConvOptions { stride, padding, output_padding, .. } = self.options;
        own.unwrap_or_else(|| {
            if AXES == 1 {
                return x.conv_transpose1d(&weight, Some(&bias), stride, padding, output_padding, 1, 1);
            }
            let [stride, padding, output_padding] = [stride, padding, output_padding].map(|all| [all; 2]);
            x.conv_transpose2d(&weight, Some(&bias), stride, padding, output_padding, 1, [1, 1])
        })
    }

    /// What it computes, and the names of its tensors.
    pub fn describe(&self) -> LayerDescription {
        let (in_channels, out_channels, options) = (self.inputs, self.outputs, self.options);
        self.kernel.describe(if AXES == 1 {
            Operation::ConvTranspose1d { in_channels, out_channels, options }
        } else {
            Operation::ConvTranspose2d { in_channels, out_channels, options }
        })
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        self.kernel.name()
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        self.kernel.halve();
    }

    /// The weights in half precision, if it has them, by their names in the network.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        self.kernel.halves()
    }

    /// Its singular vectors, if it is under spectral norm.
    pub fn spectral(&self) -> Option<SpectralVectors> {
        self.kernel.spectral()
    }
}
