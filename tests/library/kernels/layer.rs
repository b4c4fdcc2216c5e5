//! Both directions and all gradients, on every shape that a network here has and on awkward ones.

use skyforge::kernels::{Layer, Vectors};
use skyforge::rng::{Draw, Stream};
use tch::{Kind, Tensor};

/// Images, rows and columns of the wide side, and channels of the wide and the narrow side.
type Sizes = (i64, i64, i64, i64, i64);

const SHAPES: [Sizes; 16] = [
    (2, 64, 64, 1, 64),
    (2, 32, 32, 64, 128),
    (3, 16, 16, 128, 256),
    (4, 8, 8, 256, 512),
    // Odd sides, sides that no tile divides, one image, channels that fill no pair of panels.
    (2, 33, 33, 1, 16),
    (2, 33, 33, 1, 64),
    (2, 17, 17, 64, 128),
    (3, 9, 9, 128, 256),
    (4, 5, 5, 256, 512),
    (2, 17, 17, 16, 32),
    (2, 9, 5, 32, 48),
    (1, 5, 3, 16, 16),
    (5, 1, 1, 16, 16),
    (1, 2, 64, 1, 96),
    (3, 14, 10, 48, 16),
    (40, 8, 8, 16, 16),
];

fn numbers(place: u64, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&Draw::new(7).at(Stream::Simulation, place, 0).normals(count)).view(shape)
}

/// The root mean square and the largest difference, in units of the root mean square of what is right.
fn errors(ours: &Tensor, right: &Tensor) -> (f64, f64) {
    assert_eq!(ours.size(), right.size());
    let root_mean_square = |tensor: &Tensor| tensor.square().mean(Kind::Double).sqrt().double_value(&[]);
    let difference = ours.to_kind(Kind::Double) - right;
    let scale = root_mean_square(right);
    (root_mean_square(&difference) / scale, difference.abs().max().double_value(&[]) / scale)
}

/// The largest difference in those units.
fn error(ours: &Tensor, right: &Tensor) -> f64 {
    errors(ours, right).1
}

/// Ours in single and libtorch's in double precision, on the same numbers: result and gradients of input, weight, bias.
fn both(sizes: Sizes, to_wide: bool, vectors: Vectors) -> Option<[(Tensor, Tensor); 4]> {
    let (batch, height, width, wide, narrow) = sizes;
    let narrow_side = [batch, narrow, (height + 1) / 2, (width + 1) / 2];
    let (from, to, bias) = if to_wide {
        (narrow_side, [batch, wide, height, width], wide)
    } else {
        ([batch, wide, height, width], narrow_side, narrow)
    };
    let input = [numbers(0, &from), numbers(1, &[narrow, wide, 5, 5]) * 0.02, numbers(2, &[bias]), numbers(3, &to)];
    let run = |kind: Kind| {
        let [x, weight, bias, pull] = input.each_ref().map(|tensor| tensor.to_kind(kind));
        let leaves = [x, weight, bias].map(|tensor| tensor.detach().set_requires_grad(true));
        let [x, weight, bias] = &leaves;
        let y = match (kind, to_wide) {
            (Kind::Float, false) => Layer::made_of(Some(vectors)).to_narrow(x, weight, bias)?,
            (Kind::Float, true) => Layer::made_of(Some(vectors)).to_wide(x, weight, bias, [height, width])?,
            (_, false) => x.conv2d(weight, Some(bias), [2, 2], [2, 2], [1, 1], 1),
            (_, true) => {
                let beyond = [1 - height % 2, 1 - width % 2];
                x.conv_transpose2d(weight, Some(bias), [2, 2], [2, 2], beyond, 1, [1, 1])
            }
        };
        (&y * pull).sum(kind).backward();
        Some([y.detach(), x.grad(), weight.grad(), bias.grad()])
    };
    let (ours, right) = (run(Kind::Float)?, run(Kind::Double)?);
    let pairs: Vec<(Tensor, Tensor)> = ours.into_iter().zip(right).collect();
    Some(pairs.try_into().expect("as many as there were"))
}

#[test]
fn results_and_gradients_are_those_of_the_plain_sum() {
    if Vectors::of_this_processor().next().is_none() {
        return eprintln!("skipped: this processor has neither AVX-512 nor AVX2");
    }
    for sizes in SHAPES {
        for to_wide in [false, true] {
            for vectors in Vectors::of_this_processor() {
                let pairs = both(sizes, to_wide, vectors).expect("the processor has these vectors");
                for (what, (ours, right)) in ["result", "input", "weight", "bias"].iter().zip(&pairs) {
                    let (usual, worst) = errors(ours, right);
                    let what = format!("{sizes:?}, to_wide {to_wide}, {vectors:?}: {what}");
                    eprintln!("{what}: {usual:.1e}, at most {worst:.1e}");
                    assert!(usual < 5e-6 && worst < 5e-5, "{what} off by {worst:.1e}");
                }
            }
        }
    }
}

#[test]
fn all_vectors_give_the_same_bits() {
    let vectors: Vec<Vectors> = Vectors::of_this_processor().collect();
    let [first, others @ ..] = &vectors[..] else { return eprintln!("skipped: this processor has no AVX2") };
    if others.is_empty() {
        return eprintln!("skipped: this processor has no vectors but {first:?}");
    }
    for sizes in SHAPES {
        for to_wide in [false, true] {
            let bits = |ours: Tensor| -> Vec<u32> {
                Vec::<f32>::try_from(ours.flatten(0, -1)).expect("numbers").into_iter().map(f32::to_bits).collect()
            };
            let ours = |vectors| both(sizes, to_wide, vectors).expect("it has these").map(|(ours, _)| bits(ours));
            let right = ours(*first);
            for other in others {
                assert_eq!(ours(*other), right, "{sizes:?}, to_wide {to_wide}: {other:?} beside {first:?}");
            }
        }
    }
}

#[test]
fn images_do_not_see_each_other() {
    let (weight, bias) = (numbers(1, &[32, 16, 5, 5]), numbers(2, &[32]));
    let layer = Layer::default();
    let x = numbers(0, &[40, 16, 16, 16]);
    let Some(all) = layer.to_narrow(&x, &weight, &bias) else { return };
    let one = layer.to_narrow(&x.narrow(0, 17, 8), &weight, &bias).expect("it fits too");
    // Another number of images may take another size of tiles, but not another result.
    assert!(error(&one, &all.narrow(0, 17, 8).to_kind(Kind::Double)) < 5e-5);
    let again = layer.to_narrow(&x, &weight, &bias).expect("it fits");
    assert_eq!(all, again, "the same bits each time");
}

#[test]
fn taps_follow_the_weights() {
    let (weight, bias, x) =
        (numbers(1, &[16, 16, 5, 5]), Tensor::zeros([16], (Kind::Float, tch::Device::Cpu)), numbers(0, &[4, 16, 8, 8]));
    let layer = Layer::default();
    let Some(before) = layer.to_narrow(&x, &weight, &bias) else { return };
    tch::no_grad(|| {
        let mut weight = weight.shallow_clone();
        let _ = weight.g_mul_scalar_(2.0); // libtorch counts its own changes
    });
    let after = layer.to_narrow(&x, &weight, &bias).expect("it fits");
    assert!(error(&after, &(before * 2.0).to_kind(Kind::Double)) < 1e-6);
}

#[test]
fn what_does_not_fit_is_left_to_libtorch() {
    let without = Layer::made_of(None);
    assert!(without.to_narrow(&numbers(0, &[2, 16, 8, 8]), &numbers(1, &[16, 16, 5, 5]), &numbers(2, &[16])).is_none());
    let layer = Layer::default();
    let bias = numbers(2, &[24]);
    assert!(layer.to_narrow(&numbers(0, &[2, 16, 8, 8]), &numbers(1, &[24, 16, 5, 5]), &bias).is_none());
    let double = |shape: &[i64]| numbers(0, shape).to_kind(Kind::Double);
    assert!(layer.to_narrow(&double(&[2, 16, 8, 8]), &double(&[16, 16, 5, 5]), &double(&[16])).is_none());
}

#[test]
fn a_second_derivative_is_refused_and_not_wrong() {
    let x = numbers(0, &[2, 16, 8, 8]).set_requires_grad(true);
    let Some(y) = Layer::default().to_narrow(&x, &numbers(1, &[16, 16, 5, 5]), &numbers(2, &[16])) else { return };
    let sum = y.square().sum(Kind::Float);
    let tried =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Tensor::run_backward(&[sum], &[&x], true, true)));
    assert!(tried.is_err());
}
