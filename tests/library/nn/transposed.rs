//! Transposed convolutions.

use skyforge::nn::{BatchMoments, Conv1d, Conv2d, ConvOptions, ConvTranspose1d, ConvTranspose2d, Pass, Weights};
use tch::{Device, Kind, Tensor, nn};

use super::{error, numbers};

/// Kernel, stride, padding, output padding.
const OPTIONS: [(i64, i64, i64, i64); 6] =
    [(1, 1, 0, 0), (3, 1, 1, 0), (4, 2, 1, 0), (5, 2, 2, 0), (5, 2, 2, 1), (3, 3, 0, 2)];

fn product(a: &Tensor, b: &Tensor) -> f64 {
    (a.to_kind(Kind::Double) * b).sum(Kind::Double).double_value(&[])
}

/// <C x, y> = <x, C^T y> for all x and y, with the same weights.
#[test]
fn a_transposed_convolution_is_the_transpose_of_a_convolution() {
    for (kernel, stride, padding, output_padding) in OPTIONS {
        let options = ConvOptions { kernel, stride, padding, output_padding };
        let convolution = ConvOptions { output_padding: 0, ..options };
        let (narrow, wide) = (5, options.side_after_transposed(5));
        assert_eq!(convolution.side_after(wide), narrow, "{options:?}");
        for axes in [1, 2] {
            let [one, other] = [nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu)];
            let weights = Weights::normal("n", 0, 1.0);
            let y = numbers(1, &[&[2, 4][..], &[narrow; 2][..axes]].concat());
            let x = numbers(0, &[&[2, 3][..], &[wide; 2][..axes]].concat());
            // The same names, shapes and seed: the same weights, [4, 3, k].
            let (there, back) = if axes == 1 {
                let there = Conv1d::new(&one.root(), &weights, 3, 4, convolution);
                let back = ConvTranspose1d::new(&other.root(), &weights, 4, 3, options);
                (there.forward(&x, Pass::Inference), back.forward(&y, Pass::Inference))
            } else {
                let there = Conv2d::new(&one.root(), &weights, 3, 4, convolution);
                let back = ConvTranspose2d::new(&other.root(), &weights, 4, 3, options);
                (there.forward(&x, Pass::Inference), back.forward(&y, Pass::Inference))
            };
            let (left, right) = (product(&there, &y), product(&x, &back));
            let scale = product(&there, &there).sqrt() * product(&y, &y).sqrt();
            assert!((left - right).abs() < 1e-6 * scale, "{options:?}, {axes} axes: {left} and {right}");
        }
    }
}

/// Of 16 channels, 5 taps, stride 2 and padding 2 it is our own kernel where the processor has vectors for it.
#[test]
fn our_own_kernel_and_libtorchs_transposed_convolution_agree() {
    for (outputs, output_padding) in [(1, 0), (1, 1), (16, 0), (16, 1), (3, 1)] {
        let options = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding };
        let store = nn::VarStore::new(Device::Cpu);
        let layer = ConvTranspose2d::new(&store.root(), &Weights::normal("n", 0, 0.1), 16, outputs, options);
        let moments = BatchMoments::default();
        let [here, there] = [Pass::Training(&moments), Pass::Smooth(&moments)].map(|pass| {
            let x = numbers(3, &[4, 16, 5, 5]).set_requires_grad(true);
            let y = layer.forward(&x, pass);
            let weight = store.variables()["weight"].shallow_clone();
            let pull = numbers(4, &y.size());
            let mut all = Tensor::run_backward(&[(&y * pull).sum(y.kind())], &[&x, &weight], false, false);
            all.push(y.detach());
            all
        });
        for (here, there) in here.iter().zip(&there) {
            assert!(error(here, there) < 1e-4, "{outputs} channels, output padding {output_padding}");
        }
    }
}
