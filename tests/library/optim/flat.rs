//! Networks in flat buffers.

use skyforge::optim::{Adam, AdamSettings, Buffer, FlatSpace, Home};
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
    assert_eq!(space.parameters().as_slice()[..5], [0.1, 0.2, 0.3, 0.4, -0.5]);
    assert_eq!(space.state().as_slice(), [1.0, 1.0]);
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
        space.clear();
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
    space.change_parameters(Buffer::clear);
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
    assert!(space.state().is_empty() && space.state().host().is_empty() && space.state_mut().as_mut_slice().is_empty());
}

/// A device whose memory happens to be the host's.
const DEVICE: Home = Home::Device(Device::Cpu);

#[test]
fn on_a_device_the_gradient_goes_through_the_host_and_comes_back() {
    let (store, forward) = network();
    let mut space = FlatSpace::bind_at(DEVICE, &store, 2);
    space.check();
    let backward = || forward(&Tensor::from_slice(&[1.0_f32, -2.0, 0.5]).view([1, 3])).backward();
    backward();
    assert_eq!(space.gradient(), [0.0; 18], "nothing comes down by itself");
    space.gradient_mut()[16..].copy_from_slice(&[5.0, 6.0]);
    space.stage_down();
    let there = space.device_gradient().expect("a device has its own").host().into_owned();
    assert!(there.iter().all(|g| *g != 0.0));
    assert_eq!(space.gradient()[..16], there);
    assert_eq!(space.gradient()[16..], [5.0, 6.0], "the tail is the host's alone");

    space.gradient_mut().iter_mut().for_each(|value| *value *= 3.0);
    assert_eq!(*space.device_gradient().expect("its own").host(), there, "nothing goes up by itself");
    space.stage_up();
    let tripled: Vec<f32> = there.iter().map(|g| 3.0 * g).collect();
    assert_eq!(*space.device_gradient().expect("its own").host(), tripled);
    assert_eq!(space.update(|_, gradient| gradient.host().into_owned()), tripled);

    space.clear();
    assert_eq!(space.gradient(), [0.0; 18]);
    backward();
    space.stage_down();
    assert_eq!(space.gradient()[..16], there, "a cleared gradient starts anew");
    space.check();
}

#[test]
fn on_the_host_the_gradient_is_the_one_that_is_summed() {
    let (store, forward) = network();
    let mut space = FlatSpace::bind(&store, 1);
    assert!(space.device_gradient().is_none());
    forward(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu))).backward();
    let before = (space.gradient().as_ptr(), space.gradient().to_vec());
    space.stage_down();
    space.stage_up();
    assert_eq!((space.gradient().as_ptr(), space.gradient().to_vec()), before);
    assert_eq!(space.update(|_, gradient| gradient.as_slice().as_ptr()), before.0);
}

/// Forward, backward, sum, update: everything but the sum over ranks.
#[test]
fn a_network_learns_the_same_on_a_device_as_on_the_host() {
    let run = |home: Home| {
        let (store, forward) = network();
        let mut space = FlatSpace::bind_at(home, &store, 2);
        let mut adam = Adam::new(AdamSettings { learning_rate: 0.01, ..AdamSettings::default() }, space.len(), home);
        let mut average = space.parameters().clone();
        for step in 0..20 {
            space.clear();
            forward(&Tensor::from_slice(&[1.0_f32, 0.1 * step as f32, -0.5]).view([1, 3])).backward();
            space.stage_down();
            space.gradient_mut()[..16].iter_mut().for_each(|value| *value *= 2.0);
            space.stage_up();
            space.update(|parameters, gradient| {
                adam.update(parameters, gradient, 1.0);
                if step == 7 {
                    adam.undo(parameters);
                }
            });
            adam.accept();
            average.blend(0.9, space.parameters());
            space.state_mut().change(|state| state[1] += 0.5);
        }
        space.check();
        [space.parameters(), &average, space.state()].map(|buffer| buffer.host().to_vec())
    };
    let ([weights, average, state], [near, near_average, same_state]) = (run(Home::Host), run(DEVICE));
    assert_ne!(weights, average);
    assert_eq!(state, [1.0, 11.0]);
    assert_eq!(state, same_state);
    for (x, y) in weights.iter().chain(&average).zip(near.iter().chain(&near_average)) {
        assert!((x - y).abs() <= 2e-6 * x.abs().max(0.1), "{x} and {y}");
    }
}

#[test]
fn a_norm_by_libtorch_is_that_of_the_numbers() {
    let (store, _) = network();
    let space = FlatSpace::bind(&store, 0);
    let expected = space.parameters().as_slice().iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    assert!((space.parameters().norm() - expected).abs() < 1e-12);
}

#[test]
#[should_panic(expected = "slices are of the host's memory")]
fn a_device_lends_no_slices() {
    let (store, _) = network();
    let _ = FlatSpace::bind_at(DEVICE, &store, 0).parameters().as_slice();
}

/// What follows the weights in half precision is what they are, rounded, after everything that may change them; and
/// gradients come back through it in single precision, with nothing asked for what is frozen.
#[test]
fn halves_follow_the_parameters_and_gradients_come_back_through_them() {
    let (store, _) = network();
    let weight = store.variables()["z.weight"].shallow_clone();
    let half = weight.to_kind(Kind::BFloat16);
    for home in [Home::Host, Home::Device(Device::Cpu)] {
        let mut space = FlatSpace::bind_at(home, &store, 2);
        space.follow(&[("z.weight".to_owned(), half.shallow_clone())]);
        let same = |what: &str| assert_eq!(half, weight.to_kind(Kind::BFloat16), "after {what}, {home:?}");
        same("the start");
        space.clear();
        (&half * &half).to_kind(Kind::Float).sum(Kind::Float).backward();
        space.stage_down();
        let entry = space.parameter_layout().iter().find(|entry| entry.name == "z.weight").expect("it is there");
        let doubled: Vec<f32> =
            (weight.to_kind(Kind::BFloat16).to_kind(Kind::Float) * 2.0).flatten(0, -1).try_into().expect("numbers");
        assert_eq!(space.gradient()[entry.range()], doubled);
        let mut adam = Adam::new(AdamSettings { learning_rate: 0.1, ..AdamSettings::default() }, space.len(), home);
        let before = half.copy();
        space.update(|parameters, gradient| adam.update(parameters, gradient, 1.0));
        assert_ne!(half, before);
        same("an update");
        space.change_parameters(|parameters| adam.undo(parameters));
        same("an undo");
        assert_eq!(half, before);
        space.change_parameters(|parameters| parameters.change(|values| values.fill(0.3)));
        same("a change");
        space.check();
    }
}
