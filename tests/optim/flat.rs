//! Networks in flat buffers.

use skyforge::optim::FlatSpace;
use tch::{Device, Kind, Tensor, nn};

fn network() -> (nn::VarStore, impl Fn(&Tensor) -> Tensor) {
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let weight =
        (&root / "z").var_copy("weight", &(Tensor::arange(12, (Kind::Float, Device::Cpu)) * 0.1 - 0.5).view([4, 3]));
    let bias = (&root / "a").var_copy("bias", &Tensor::from_slice(&[0.1_f32, 0.2, 0.3, 0.4]));
    let _ = (&root / "m").ones_no_train("running_var", &[2]);
    (store, move |x: &Tensor| x.linear(&weight, Some(&bias)).tanh().sum(Kind::Float))
}

#[test]
fn binding_keeps_the_values_in_name_order() {
    let (store, _) = network();
    let space = FlatSpace::bind(&store, 0);
    let names: Vec<&str> = space.parameter_layout().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a.bias", "z.weight"]);
    assert_eq!(space.parameters()[..5], [0.1, 0.2, 0.3, 0.4, -0.5]);
    assert_eq!(space.state(), [1.0, 1.0]);
}

#[test]
fn backward_writes_into_the_flat_gradient_what_autograd_gives() {
    let x = Tensor::from_slice(&[1.0_f32, -2.0, 0.5]).view([1, 3]);
    let (plain_store, plain) = network();
    plain(&x).backward();
    let mut expected = Vec::new();
    for name in ["a.bias", "z.weight"] {
        expected.extend(Vec::<f32>::try_from(plain_store.variables()[name].grad().flatten(0, -1)).expect("numbers"));
    }
    let (store, forward) = network();
    let mut space = FlatSpace::bind(&store, 3);
    for times in 1..=2 {
        space.gradient_mut().fill(0.0);
        for _ in 0..times {
            forward(&x).backward();
        }
        let summed: Vec<f32> = expected.iter().map(|g| g * times as f32).collect();
        assert_eq!(space.gradient()[..16], summed);
        assert_eq!(space.gradient()[16..], [0.0; 3]);
        space.check();
    }
}

#[test]
fn what_is_written_to_the_parameters_is_what_the_network_uses() {
    let (store, forward) = network();
    let mut space = FlatSpace::bind(&store, 0);
    space.parameters_mut().fill(0.0);
    assert_eq!(forward(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu))).double_value(&[]), 0.0);
}

#[test]
#[should_panic(expected = "gradient is flat")]
fn a_gradient_that_leaves_its_buffer_is_noticed() {
    let (store, forward) = network();
    let space = FlatSpace::bind(&store, 0);
    for mut tensor in store.trainable_variables() {
        // What tch's own optimiser does: it drops the gradient instead of filling it.
        tensor.grad().set_data(&Tensor::zeros(tensor.size(), (Kind::Float, Device::Cpu)));
        tensor.zero_grad();
    }
    forward(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu))).backward();
    space.check();
}

#[test]
fn a_network_without_state_has_an_empty_one() {
    let store = nn::VarStore::new(Device::Cpu);
    let _ = store.root().zeros("w", &[2]);
    let mut space = FlatSpace::bind(&store, 0);
    assert!(space.state().is_empty() && space.state_mut().is_empty());
}
