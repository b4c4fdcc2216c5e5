//! Activations.

use skyforge::nn::Activation;
use tch::Tensor;

type Formula = fn(f64) -> f64;

#[test]
fn activations_are_their_formulae() {
    let x: Vec<f64> = vec![-3.0, -0.5, 0.0, 0.25, 2.0];
    let cases: [(Activation, Formula); 5] = [
        (Activation::Identity, |x| x),
        (Activation::Relu, |x| x.max(0.0)),
        (Activation::LeakyRelu { negative_slope: 0.2 }, |x| x.max(0.2 * x)),
        (Activation::Tanh, f64::tanh),
        (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
    ];
    for (activation, formula) in cases {
        let y = Vec::<f64>::try_from(activation.forward(Tensor::from_slice(&x))).expect("numbers");
        for (x, y) in x.iter().zip(y) {
            assert!((y - formula(*x)).abs() < 1e-12, "{activation:?} of {x} is {y}");
        }
    }
}
