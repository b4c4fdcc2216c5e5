//! What every layer has in common: its gradient is that of its formula and has the same bits on any number of ranks, its
//! description says what it does in inference, and it does the same on a GPU.

use skyforge::comm::tree::TreeSum;
use skyforge::comm::{Communicator, Threads};
use skyforge::device::{self, Choice, Here};
use skyforge::nn::{
    Activation, BatchMoments, BatchNorm, Conv1d, Conv2d, ConvOptions, ConvTranspose1d, ConvTranspose2d, Dropout,
    GroupNorm, Linear, NetworkDescription, NormKind, Pass, Resample, Residual, ResidualOptions, Weights,
};
use skyforge::rng::{Chance, Draw, Stream};
use tch::{Device, Kind, Tensor, nn};

use super::description::walk;
use super::{bits, error, numbers};

/// What a layer makes of an input.
type Forward = dyn Fn(&Tensor, Pass, &mut Chance) -> Tensor;

/// A layer: its forward, and what it says of itself.
struct Made {
    forward: Box<Forward>,
    description: NetworkDescription,
    /// Whether it has weights in half precision.
    halved: bool,
}

/// A layer that is yet to be made, and the shape of its input without the batch.
struct Case {
    name: &'static str,
    shape: &'static [i64],
    /// The bool: whether it is to be halved.
    make: fn(&nn::Path, bool) -> Made,
}

/// A case of a layer with weights: `forward(x, pass)`, `describe`, `halve`, `halves`.
macro_rules! weighted {
    ($name:literal, $shape:expr, $make:expr) => {
        Case {
            name: $name,
            shape: &$shape,
            make: |path, halve| {
                let make: fn(&nn::Path) -> _ = $make;
                let mut layer = make(&(path / "layer"));
                if halve {
                    layer.halve();
                }
                let (description, halved) = (listed(layer.describe()), !layer.halves().is_empty());
                Made { forward: Box::new(move |x, pass, _| layer.forward(x, pass)), description, halved }
            },
        }
    };
}

trait Listed {
    fn listed(self) -> NetworkDescription;
}

impl Listed for NetworkDescription {
    fn listed(self) -> NetworkDescription {
        self
    }
}

impl Listed for skyforge::nn::LayerDescription {
    fn listed(self) -> NetworkDescription {
        vec![("layer".to_owned(), self)]
    }
}

fn listed(description: impl Listed) -> NetworkDescription {
    description.listed()
}

fn plain() -> Weights {
    Weights::normal("network", 3, 0.2)
}

fn spectral() -> Weights {
    plain().with_spectral_norm()
}

const STRIDED: ConvOptions = ConvOptions { kernel: 4, stride: 2, padding: 1, output_padding: 0 };
/// The options of our own kernels.
const OWN: ConvOptions = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };

/// Smooth, so that differences are those of a slope everywhere.
fn block(inputs: i64, outputs: i64, resample: Resample, norm: NormKind) -> ResidualOptions {
    ResidualOptions { inputs, outputs, kernel: 3, resample, norm, activation: Activation::Tanh }
}

const CASES: &[Case] = &[
    weighted!("linear", [7], |path| Linear::new(path, &plain(), 7, 5)),
    weighted!("linear, spectral norm", [7], |path| Linear::new(path, &spectral(), 7, 5)),
    weighted!("conv1d", [3, 10], |path| Conv1d::new(path, &plain(), 3, 4, STRIDED)),
    weighted!("conv2d", [3, 8, 8], |path| Conv2d::new(path, &plain(), 3, 4, ConvOptions::same(3))),
    weighted!("conv2d, spectral norm", [3, 8, 8], |path| Conv2d::new(path, &spectral(), 3, 4, STRIDED)),
    weighted!("conv2d, own kernel", [16, 6, 6], |path| Conv2d::new(path, &plain(), 16, 16, OWN)),
    weighted!("conv2d, own kernel, spectral norm", [16, 6, 6], |path| Conv2d::new(path, &spectral(), 16, 16, OWN)),
    weighted!("conv_transpose1d", [3, 5], |path| ConvTranspose1d::new(path, &plain(), 3, 4, STRIDED)),
    weighted!("conv_transpose2d", [3, 4, 4], |path| ConvTranspose2d::new(path, &plain(), 3, 4, STRIDED)),
    weighted!("conv_transpose2d, spectral norm", [3, 4, 4], |path| {
        ConvTranspose2d::new(path, &spectral(), 3, 4, STRIDED)
    }),
    weighted!("conv_transpose2d, own kernel", [16, 3, 3], |path| {
        ConvTranspose2d::new(path, &plain(), 16, 16, ConvOptions { output_padding: 1, ..OWN })
    }),
    Case { name: "batch_norm, features", shape: &[4], make: batch_norm },
    Case { name: "batch_norm, spectra", shape: &[4, 5], make: batch_norm },
    Case { name: "batch_norm, maps", shape: &[4, 3, 3], make: batch_norm },
    Case {
        name: "group_norm",
        shape: &[4, 3, 3],
        make: |path, _| {
            let layer = GroupNorm::new(&(path / "layer"), 2, 4);
            let description = listed(layer.describe());
            Made { forward: Box::new(move |x, _, _| layer.forward(x)), description, halved: false }
        },
    },
    Case {
        name: "linear and dropout",
        shape: &[7],
        make: |path, _| {
            let (linear, dropout) = (Linear::new(&(path / "linear"), &plain(), 7, 9), Dropout::new(0.3));
            let description =
                vec![("linear".to_owned(), linear.describe()), ("dropout".to_owned(), dropout.describe())];
            let forward = move |x: &Tensor, pass: Pass, chance: &mut Chance| {
                dropout.forward(&linear.forward(x, pass), pass, chance)
            };
            Made { forward: Box::new(forward), description, halved: false }
        },
    },
    weighted!("residual, batch norm", [4, 6, 6], |path| {
        Residual::<2>::new(path, &plain(), block(4, 4, Resample::Keep, NormKind::Batch))
    }),
    weighted!("residual, down, group norm, spectral norm", [4, 6, 6], |path| {
        Residual::<2>::new(path, &spectral(), block(4, 6, Resample::Halve, NormKind::Group { groups: 2 }))
    }),
    weighted!("residual, up, spectra", [4, 6], |path| {
        Residual::<1>::new(path, &plain(), block(4, 2, Resample::Double, NormKind::None))
    }),
];

fn batch_norm(path: &nn::Path, _: bool) -> Made {
    let layer = BatchNorm::new(&(path / "layer"), 4);
    let description = listed(layer.describe());
    Made { forward: Box::new(move |x, pass, _| layer.forward(x, pass)), description, halved: false }
}

/// The input of a microbatch, `[3, ...]`.
fn input(case: &Case, microbatch: u64) -> Tensor {
    numbers(microbatch, &[&[3], case.shape].concat())
}

fn chance(microbatch: u32) -> Chance {
    Draw::new(1).at(Stream::Noise, 0, microbatch)
}

/// Trained tensors in name order.
fn parameters(store: &nn::VarStore) -> Vec<Tensor> {
    let mut named: Vec<_> = store.variables().into_iter().filter(|(_, tensor)| tensor.requires_grad()).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named.into_iter().map(|(_, tensor)| tensor).collect()
}

/// A loss that each number of `y` pulls at in its own way.
fn loss(y: &Tensor) -> Tensor {
    let y = y.to_kind(if y.kind() == Kind::Double { Kind::Double } else { Kind::Float });
    let pull = numbers(99, &y.size()).to_device(y.device());
    (pull.to_kind(y.kind()) * &y + y.square() * 0.3).sum(y.kind())
}

#[test]
fn gradients_are_those_of_central_differences() {
    const STEP: f64 = 1e-5;
    for case in CASES {
        let mut store = nn::VarStore::new(Device::Cpu);
        let made = (case.make)(&store.root(), false);
        store.double();
        let moments = BatchMoments::default();
        let x = input(case, 0).to_kind(Kind::Double).set_requires_grad(true);
        let of = || loss(&(made.forward)(&x, Pass::Training(&moments), &mut chance(0)));
        let mut leaves = parameters(&store);
        leaves.push(x.shallow_clone());
        let gradients = Tensor::run_backward(&[of()], &leaves, false, false);
        for (leaf, gradient) in leaves.iter().zip(&gradients) {
            let scale = gradient.abs().max().double_value(&[]).max(1.0);
            let count = leaf.numel() as i64;
            for index in (0..count).step_by((count as usize / 5).max(1)) {
                let at = |offset: f64| {
                    tch::no_grad(|| {
                        let _ = leaf.detach().view(-1).narrow(0, index, 1).g_add_scalar_(offset);
                        let value = of().double_value(&[]);
                        let _ = leaf.detach().view(-1).narrow(0, index, 1).g_add_scalar_(-offset);
                        value
                    })
                };
                let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                let gradient = gradient.contiguous().view(-1).double_value(&[index]);
                assert!(
                    (difference - gradient).abs() < 1e-6 * scale,
                    "{}: number {index} of {:?}: {gradient} and {difference}",
                    case.name,
                    leaf.size()
                );
            }
        }
    }
}

/// The gradient of four microbatches, added over `comm`.
fn summed(case: &Case, comm: &dyn Communicator) -> Vec<u32> {
    let store = nn::VarStore::new(Device::Cpu);
    let made = (case.make)(&store.root(), false);
    let mut sum = TreeSum::new(comm.rank(), comm.ranks(), 4);
    let mut buffer = Vec::new();
    for microbatch in sum.run() {
        let moments = BatchMoments::default();
        let x = input(case, microbatch as u64);
        let y = (made.forward)(&x, Pass::Training(&moments), &mut chance(microbatch as u32));
        let parts = Tensor::run_backward(&[loss(&y)], &parameters(&store), false, false);
        let flat: Vec<Tensor> = parts.iter().chain(&moments.flat()).map(|part| part.flatten(0, -1)).collect();
        buffer = Vec::<f32>::try_from(Tensor::cat(&flat, 0)).expect("numbers");
        sum.add(&mut buffer);
    }
    sum.all_reduce(comm, &mut buffer);
    buffer.into_iter().map(f32::to_bits).collect()
}

#[test]
fn gradients_of_microbatches_have_the_same_sum_on_one_to_four_ranks() {
    for case in CASES {
        let [alone] = &Threads::run(1, |comm| summed(case, comm))[..] else { panic!("one rank") };
        assert!(alone.iter().any(|bits| *bits != 0), "{}: there is a gradient", case.name);
        for ranks in 2..=4 {
            for sum in Threads::run(ranks, |comm| summed(case, comm)) {
                assert!(sum == *alone, "{}, {ranks} ranks", case.name);
            }
        }
    }
}

#[test]
fn walking_the_description_of_a_layer_gives_what_the_layer_gives() {
    for case in CASES {
        let store = nn::VarStore::new(Device::Cpu);
        let made = (case.make)(&store.root(), false);
        let x = input(case, 0);
        let y = (made.forward)(&x, Pass::Inference, &mut chance(0));
        let walked = walk(&made.description, &store.variables(), &x, None);
        assert!(error(&y, &walked) < 1e-4, "{}", case.name);
    }
}

/// The gradient of the gradient's square, as a gradient penalty asks for it.
#[test]
fn a_smooth_pass_can_be_differentiated_twice() {
    for case in CASES {
        let store = nn::VarStore::new(Device::Cpu);
        let made = (case.make)(&store.root(), false);
        let moments = BatchMoments::default();
        let x = input(case, 0).set_requires_grad(true);
        let y = (made.forward)(&x, Pass::Smooth(&moments), &mut chance(0));
        let slope = Tensor::run_backward(&[loss(&y)], &[&x], true, true).remove(0);
        let twice = Tensor::run_backward(&[slope.square().sum(Kind::Float)], &[&x], false, false).remove(0);
        assert_eq!(twice.isfinite().all().int64_value(&[]), 1, "{}", case.name);
        assert!(twice.abs().max().double_value(&[]) > 0.0, "{}", case.name);
    }
}

#[test]
fn half_precision_is_near_single_and_for_training_alone() {
    for case in CASES {
        let [single, half] = [false, true].map(|halve| {
            let store = nn::VarStore::new(Device::Cpu);
            let made = (case.make)(&store.root(), halve);
            let moments = BatchMoments::default();
            let kind = if halve { Kind::BFloat16 } else { Kind::Float };
            let forward = |x: &Tensor, pass: Pass| (made.forward)(x, pass, &mut chance(0));
            // Layers without halves take their input in half precision where a network has it so, or not at all.
            let x = input(case, 0).to_kind(if made.halved { kind } else { Kind::Float });
            let y = forward(&x, Pass::Training(&moments));
            assert_eq!(y.kind(), x.kind(), "{}", case.name);
            let gradients = Tensor::run_backward(&[loss(&y)], &parameters(&store), false, false);
            let inference = forward(&input(case, 0), Pass::Inference);
            (y, gradients, bits(&inference))
        });
        assert!(error(&half.0, &single.0) < 0.1, "{}: {}", case.name, error(&half.0, &single.0));
        // Of a bias before batch norm the gradient is 0 but for rounding.
        let largest = single.1.iter().map(|gradient| gradient.abs().max().double_value(&[])).fold(0.0, f64::max);
        for (half, single) in half.1.iter().zip(&single.1) {
            assert_eq!(half.kind(), Kind::Float);
            let difference = (half - single).abs().max().double_value(&[]);
            assert!(difference < 0.1 * largest, "{}: {difference} of {largest}", case.name);
        }
        assert_eq!(half.2, single.2, "{}", case.name);
    }
}

/// To the precision of TF32, in which convolutions may be done there.
#[test]
fn on_a_gpu_every_layer_gives_what_it_gives_on_the_cpu() {
    let gpu = match device::choose(Choice::Cuda, Here { rank: 0, ranks: 1, lists_differ: false }, false) {
        Ok(chosen) => chosen.device,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    for case in CASES {
        let run = |device: Device| {
            let store = nn::VarStore::new(device);
            let made = (case.make)(&store.root(), false);
            let moments = BatchMoments::default();
            let x = input(case, 0).to_device(device);
            let y = (made.forward)(&x, Pass::Training(&moments), &mut chance(0));
            let mut all = Tensor::run_backward(&[loss(&y)], &parameters(&store), false, false);
            all.push((made.forward)(&x, Pass::Inference, &mut chance(0)));
            all.push(y);
            all.into_iter().map(|tensor| tensor.to_device(Device::Cpu)).collect::<Vec<Tensor>>()
        };
        for (here, there) in run(Device::Cpu).iter().zip(&run(gpu)) {
            let (difference, size) = ((here - there).norm().double_value(&[]), here.norm().double_value(&[]));
            assert!(difference < 1e-2 * size.max(1e-3), "{}: {difference} of {size}", case.name);
        }
    }
}
