//! Convolutions.

use skyforge::nn::{BatchMoments, Conv1d, Conv2d, ConvOptions, Pass, Weights};
use tch::{Device, Tensor, nn};

use super::{error, numbers, set};

/// Kernel, stride, padding.
const OPTIONS: [(i64, i64, i64); 6] = [(1, 1, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 2, 2), (7, 3, 0)];

/// The sum over channels and taps, written out (`torch.nn.Conv1d`).
fn by_hand(x: &Tensor, weight: &Tensor, bias: &Tensor, options: ConvOptions) -> Tensor {
    let (batch, inputs, side) = x.size3().expect("[b, c, n]");
    let (outputs, after) = (weight.size()[0], options.side_after(side));
    let mut values = Vec::new();
    for (b, o, m) in (0..batch * outputs * after).map(|i| (i / outputs / after, i / after % outputs, i % after)) {
        let mut sum = bias.double_value(&[o]);
        for (c, k) in (0..inputs * options.kernel).map(|i| (i / options.kernel, i % options.kernel)) {
            let n = m * options.stride - options.padding + k;
            if (0..side).contains(&n) {
                sum += x.double_value(&[b, c, n]) * weight.double_value(&[o, c, k]);
            }
        }
        values.push(sum);
    }
    Tensor::from_slice(&values).view([batch, outputs, after])
}

#[test]
fn a_convolution_is_the_sum_over_channels_and_taps() {
    for (kernel, stride, padding) in OPTIONS {
        let options = ConvOptions { kernel, stride, padding, output_padding: 0 };
        let store = nn::VarStore::new(Device::Cpu);
        let layer = Conv1d::new(&(store.root() / "c"), &Weights::normal("n", 0, 1.0), 3, 2, options);
        let (weight, bias, x) = (numbers(0, &[2, 3, kernel]), numbers(1, &[2]), numbers(2, &[2, 3, 11]));
        set(&store, "c.weight", &weight);
        set(&store, "c.bias", &bias);
        let y = layer.forward(&x, Pass::Inference);
        assert!(error(&y, &by_hand(&x, &weight, &bias, options)) < 1e-5, "{options:?}");
        // Maps of one row, with all taps but those of the middle row zero, are spectra.
        if kernel == 2 * padding + 1 && stride == 1 {
            let layer = Conv2d::new(&(store.root() / "d"), &Weights::normal("n", 0, 1.0), 3, 2, options);
            let flat = Tensor::zeros([2, 3, kernel, kernel], (weight.kind(), Device::Cpu));
            flat.select(2, padding).copy_(&weight);
            set(&store, "d.weight", &flat);
            set(&store, "d.bias", &bias);
            let maps = layer.forward(&x.unsqueeze(2), Pass::Inference);
            assert!(error(&maps.squeeze_dim(2), &y) < 1e-5, "{options:?}");
        }
    }
}

/// Of 16 channels, 5 taps, stride 2 and padding 2 it is our own kernel where the processor has vectors for it.
#[test]
fn our_own_kernel_and_libtorchs_convolution_agree() {
    let options = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };
    for (inputs, side) in [(1, 9), (16, 8), (16, 9), (3, 8)] {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = Conv2d::new(&store.root(), &Weights::normal("n", 0, 0.1), inputs, 16, options);
        let moments = BatchMoments::default();
        let x = numbers(3, &[4, inputs, side, side]);
        let [here, there] = [Pass::Training(&moments), Pass::Smooth(&moments)].map(|pass| {
            let x = x.detach().copy().set_requires_grad(true);
            let y = layer.forward(&x, pass);
            let weight = store.variables()["weight"].shallow_clone();
            let pull = numbers(4, &y.size());
            let mut all = Tensor::run_backward(&[(&y * pull).sum(y.kind())], &[&x, &weight], false, false);
            all.push(y.detach());
            all
        });
        for (here, there) in here.iter().zip(&there) {
            assert!(error(here, there) < 1e-4, "{inputs} channels, {side} pixels");
        }
    }
}

#[test]
fn the_side_after_is_as_options_say() {
    for (kernel, stride, padding) in OPTIONS {
        let options = ConvOptions { kernel, stride, padding, output_padding: 0 };
        for side in [7, 8, 9, 12] {
            let store = nn::VarStore::new(Device::Cpu);
            let layer = Conv2d::new(&store.root(), &Weights::normal("n", 0, 1.0), 1, 1, options);
            let after = options.side_after(side);
            assert_eq!(layer.forward(&numbers(0, &[1, 1, side, side]), Pass::Inference).size(), [1, 1, after, after]);
        }
    }
    assert_eq!(ConvOptions::same(7).side_after(12), 12);
}
