//! Batch norm.

use skyforge::nn::{BatchMoments, BatchNorm, Pass};
use tch::{Device, Kind, Tensor, nn};

use super::{error, numbers, set};

/// Shapes of spectra's features, spectra and maps.
const SHAPES: [&[i64]; 3] = [&[6, 3], &[4, 3, 5], &[2, 3, 4, 5]];

/// Mean and biased variance of each channel, in a shape that goes with `x`.
fn moments_of(x: &Tensor) -> [Tensor; 2] {
    let axes: Vec<i64> = (0..x.dim() as i64).filter(|axis| *axis != 1).collect();
    [x.mean_dim(&axes[..], true, Kind::Float), x.var_dim(&axes[..], false, true)]
}

/// A channel's numbers in the shape that goes with `x`.
fn of_channels(values: &Tensor, x: &Tensor) -> Tensor {
    values.view([&[1, -1][..], &[1, 1][..x.dim() - 2]].concat().as_slice())
}

#[test]
fn a_batch_is_normalised_by_its_own_moments_in_training_and_by_running_ones_in_inference() {
    for shape in SHAPES {
        let store = nn::VarStore::new(Device::Cpu);
        let norm = BatchNorm::new(&(store.root() / "n"), 3);
        let [weight, bias, mean] = [0, 1, 2].map(|place| numbers(place, &[3]));
        let variance = numbers(3, &[3]).exp();
        let names = ["weight", "bias", "running_mean", "running_var"].map(|name| format!("n.{name}"));
        for (name, values) in names.iter().zip([&weight, &bias, &mean, &variance]) {
            set(&store, name, values);
        }
        let x = numbers(4, shape) * 2.0 + 1.0;
        let by = |mean: &Tensor, variance: &Tensor| {
            let [mean, variance, weight, bias] = [mean, variance, &weight, &bias].map(|all| of_channels(all, &x));
            (&x - mean) / (variance + 1e-5).sqrt() * weight + bias
        };
        let moments = BatchMoments::default();
        let [batch_mean, batch_variance] = moments_of(&x);
        for pass in [Pass::Training(&moments), Pass::Smooth(&moments)] {
            assert!(error(&norm.forward(&x, pass), &by(&batch_mean, &batch_variance)) < 1e-5, "{shape:?}");
        }
        for pass in [Pass::Inference, Pass::Descent] {
            assert!(error(&norm.forward(&x, pass), &by(&mean, &variance)) < 1e-5, "{shape:?}");
        }
        let flat = moments.flat();
        assert_eq!(flat.len(), 6, "two forwards were recorded");
        assert!(error(&flat[0], &batch_mean.flatten(0, -1)) < 1e-6);
        assert!(error(&flat[1], &batch_variance.flatten(0, -1)) < 1e-5);
    }
}

#[test]
fn a_batch_of_one_number_a_channel_has_no_variance() {
    let store = nn::VarStore::new(Device::Cpu);
    let norm = BatchNorm::new(&store.root(), 3);
    let moments = BatchMoments::default();
    let y = norm.forward(&numbers(0, &[1, 3]), Pass::Training(&moments));
    assert!(y.abs().max().double_value(&[]) < 1e-3, "but for rounding, divided by the root of epsilon");
    assert_eq!(moments.flat()[1], Tensor::zeros([3], (Kind::Float, Device::Cpu)));
}
