//! Residual blocks.

use skyforge::nn::{Activation, BatchMoments, NormKind, Pass, Resample, Residual, ResidualOptions, Weights};
use tch::{Device, nn};

use super::{error, numbers};

const OPTIONS: ResidualOptions = ResidualOptions {
    inputs: 4,
    outputs: 4,
    kernel: 3,
    resample: Resample::Keep,
    norm: NormKind::None,
    activation: Activation::Relu,
};

#[test]
fn a_block_is_the_sum_of_its_body_and_its_input() {
    let store = nn::VarStore::new(Device::Cpu);
    let block = Residual::<2>::new(&(store.root() / "r"), &Weights::he("n", 0, Activation::Relu), OPTIONS);
    let x = numbers(0, &[2, 4, 6, 6]);
    let conv = |x: &tch::Tensor, name: &str| {
        let of = |what: &str| store.variables()[&format!("r.{name}.{what}")].shallow_clone();
        x.conv2d(&of("weight"), Some(of("bias")), [1, 1], [1, 1], [1, 1], 1)
    };
    let right = (conv(&conv(&x, "conv1").relu(), "conv2") + &x).relu();
    assert!(error(&block.forward(&x, Pass::Inference), &right) < 1e-5);
    assert_eq!(store.variables().len(), 4, "a block that keeps channels and side has no projection");
}

#[test]
fn blocks_have_the_channels_and_the_side_that_were_asked_for() {
    let moments = BatchMoments::default();
    for (resample, after) in [(Resample::Keep, 7), (Resample::Halve, 4), (Resample::Double, 14)] {
        for (outputs, norm) in [(4, NormKind::Batch), (6, NormKind::Group { groups: 2 })] {
            let options = ResidualOptions { outputs, resample, norm, ..OPTIONS };
            let store = nn::VarStore::new(Device::Cpu);
            let weights = Weights::he("n", 0, Activation::Relu);
            let maps = Residual::<2>::new(&(store.root() / "maps"), &weights, options);
            let spectra = Residual::<1>::new(&(store.root() / "spectra"), &weights, options);
            for pass in [Pass::Training(&moments), Pass::Inference] {
                let y = maps.forward(&numbers(0, &[2, 4, 7, 7]), pass);
                assert_eq!(y.size(), [2, outputs, after, after], "{options:?}");
                let y = spectra.forward(&numbers(0, &[2, 4, 7]), pass);
                assert_eq!(y.size(), [2, outputs, after], "{options:?}");
            }
            let projects = store.variables().contains_key("maps.projection.weight");
            assert_eq!(projects, outputs != 4 || resample == Resample::Halve);
            let norms: &[&str] = if norm == NormKind::Batch { &["maps.norm1", "maps.norm2"] } else { &[] };
            assert_eq!(maps.norms(), norms);
        }
    }
}
