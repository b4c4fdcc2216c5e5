//! Dropout.

use skyforge::nn::{BatchMoments, Dropout, Pass};
use skyforge::rng::{Chance, Draw, Stream};
use tch::{Kind, Tensor};

use super::numbers;

fn chance(microbatch: u32) -> Chance {
    Draw::new(5).at(Stream::Noise, 3, microbatch)
}

#[test]
fn numbers_are_dropped_at_the_rate_that_was_asked_for_and_the_others_grow() {
    let moments = BatchMoments::default();
    let x = numbers(0, &[100, 100]);
    for rate in [0.1, 0.5, 0.9] {
        let y = Dropout::new(rate).forward(&x, Pass::Training(&moments), &mut chance(0));
        let kept = y.ne(0.0).to_kind(Kind::Float);
        let share = kept.mean(Kind::Double).double_value(&[]);
        let deviation = (rate * (1.0 - rate) / 1e4).sqrt();
        assert!((share - (1.0 - rate)).abs() < 4.0 * deviation, "{share} of all kept at rate {rate}");
        let difference = y - &x * kept / (1.0 - rate);
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }
}

#[test]
fn a_mask_is_a_function_of_place() {
    let moments = BatchMoments::default();
    let x = Tensor::ones([64], (Kind::Float, tch::Device::Cpu));
    let mask = |microbatch| Dropout::new(0.5).forward(&x, Pass::Training(&moments), &mut chance(microbatch));
    tch::manual_seed(1);
    let first = mask(0);
    tch::manual_seed(2);
    assert_eq!(mask(0), first);
    assert_ne!(mask(1), first);
    // A second layer that draws from the same place goes on where the first one ended.
    let mut both = chance(0);
    let two = [(); 2].map(|()| Dropout::new(0.5).forward(&x, Pass::Training(&moments), &mut both));
    assert_eq!(two[0], first);
    assert_ne!(two[1], first);
}

#[test]
fn in_inference_nothing_is_dropped() {
    let x = numbers(0, &[64]);
    for pass in [Pass::Inference, Pass::Descent] {
        assert_eq!(Dropout::new(0.9).forward(&x, pass, &mut chance(0)), x);
    }
}
