//! Fully connected layers.

use skyforge::nn::{BatchMoments, Linear, Pass, Weights};
use tch::{Device, nn};

use super::{bits, error, numbers, set};

#[test]
fn a_linear_layer_is_a_product_and_a_sum() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&(store.root() / "l"), &Weights::normal("n", 0, 0.5), 5, 3);
    let (weight, bias, x) = (numbers(0, &[3, 5]), numbers(1, &[3]), numbers(2, &[4, 5]));
    set(&store, "l.weight", &weight);
    set(&store, "l.bias", &bias);
    let moments = BatchMoments::default();
    for pass in [Pass::Training(&moments), Pass::Smooth(&moments), Pass::Inference, Pass::Descent] {
        assert!(error(&layer.forward(&x, pass), &(x.matmul(&weight.tr()) + &bias)) < 1e-6);
    }
}

#[test]
fn in_inference_a_row_has_the_same_bits_whatever_its_place_in_the_batch() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&(store.root() / "l"), &Weights::normal("n", 0, 0.5), 100, 37);
    let row = numbers(0, &[1, 100]);
    let rows = layer.forward(&row.expand([64, 100], false).contiguous(), Pass::Inference);
    for place in 1..64 {
        assert_eq!(bits(&rows.get(place)), bits(&rows.get(0)), "row {place}");
    }
}
