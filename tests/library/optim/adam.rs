//! Adam against its closed form, and its way back.

use skyforge::optim::{Adam, AdamSettings, Buffer, Home};
use tch::Device;

const SETTINGS: AdamSettings =
    AdamSettings { learning_rate: 0.01, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, clip: 0.0, half_life: 0 };

/// A device whose memory happens to be the host's.
const DEVICE: Home = Home::Device(Device::Cpu);

fn host(values: &[f32]) -> Buffer {
    Buffer::of(values, Home::Host)
}

/// With the same gradient each time, the bias-corrected moments are the gradient and its square: each update is
/// -rate * g / (|g| + epsilon).
#[test]
fn a_constant_gradient_moves_each_parameter_by_the_rate() {
    let gradient = [3.0_f32, -0.02, 500.0, 1e-4];
    let mut parameters = host(&[1.0; 4]);
    let mut adam = Adam::new(SETTINGS, 4, Home::Host);
    for update in 1..=20 {
        adam.update(&mut parameters, &host(&gradient), 0.0);
        adam.accept();
        for (parameter, g) in parameters.as_slice().iter().zip(gradient) {
            let g = f64::from(g);
            let expected = 1.0 - 0.01 * f64::from(update) * g / (g.abs() + 1e-8);
            assert!(
                (f64::from(*parameter) - expected).abs() < 2e-6 * f64::from(update),
                "update {update}, gradient {g}: {parameter}"
            );
        }
    }
}

/// Algorithm 1 of the paper in double precision.
#[test]
fn changing_gradients_follow_the_published_algorithm() {
    let (mut parameter, mut adam) = (host(&[0.3]), Adam::new(SETTINGS, 1, Home::Host));
    let (mut x, mut m, mut v) = (0.3_f64, 0.0_f64, 0.0_f64);
    for t in 1..=100 {
        let g = (0.7 * f64::from(t)).sin() + 0.1;
        adam.update(&mut parameter, &host(&[g as f32]), 0.0);
        adam.accept();
        m = 0.5 * m + 0.5 * g;
        v = 0.999 * v + 0.001 * g * g;
        x -= 0.01 * (m / (1.0 - 0.5_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
        let have = f64::from(parameter.as_slice()[0]);
        assert!((have - x).abs() < 1e-5, "update {t}: {have} and {x}");
    }
}

#[test]
fn a_refused_step_leaves_no_trace_however_many_moves_it_had() {
    for (home, moves) in [Home::Host, DEVICE].into_iter().flat_map(|home| (1..=3).map(move |moves| (home, moves))) {
        let mut parameters = Buffer::of(&[0.5, -1.25, 3.0], home);
        let mut adam = Adam::new(SETTINGS, 3, home);
        adam.update(&mut parameters, &Buffer::of(&[1.0, 2.0, -3.0], home), 0.0);
        adam.accept();
        let bits = |buffers: [&Buffer; 3]| buffers.map(|buffer| buffer.host().iter().map(|x| x.to_bits()).collect());
        let all = |parameters: &Buffer, adam: &Adam| -> [Vec<u32>; 3] {
            bits([parameters, adam.moments().0, adam.moments().1])
        };
        let before = all(&parameters, &adam);
        for turn in 0..moves {
            adam.update(&mut parameters, &Buffer::of(&[9.0, turn as f32, 0.1], home), 0.0);
        }
        assert_ne!(all(&parameters, &adam), before);
        adam.undo(&mut parameters);
        assert_eq!(all(&parameters, &adam), before);
        assert_eq!(adam.updates(), 1);
    }
}

#[test]
fn several_moves_of_a_step_equal_as_many_steps() {
    let gradients = [[1.0_f32, -2.0], [0.3, 0.4], [-5.0, 6.0]];
    let run = |home: Home, accept_each: bool| {
        let (mut parameters, mut adam) = (Buffer::of(&[1.0, 2.0], home), Adam::new(SETTINGS, 2, home));
        for gradient in &gradients {
            adam.update(&mut parameters, &Buffer::of(gradient, home), 0.0);
            if accept_each {
                adam.accept();
            }
        }
        adam.accept();
        [&parameters, adam.moments().0, adam.moments().1].map(|buffer| buffer.host().to_vec())
    };
    for home in [Home::Host, DEVICE] {
        assert_eq!(run(home, true), run(home, false));
    }
}

#[test]
fn a_long_gradient_is_clipped_to_the_given_norm() {
    let settings = AdamSettings { clip: 1.0, ..SETTINGS };
    let (mut clipped, mut scaled) = (Adam::new(settings, 2, Home::Host), Adam::new(settings, 2, Home::Host));
    let (mut a, mut b) = (host(&[0.0, 0.0]), host(&[0.0, 0.0]));
    clipped.update(&mut a, &host(&[30.0, 40.0]), 50.0);
    scaled.update(&mut b, &host(&[0.6, 0.8]), 1.0);
    let pairs = clipped.moments().0.as_slice().iter().zip(scaled.moments().0.as_slice());
    assert!(pairs.into_iter().all(|(x, y)| (x - y).abs() < 1e-6));
}

/// Gradients from 1e-7 to 1e4, some of them clipped, with what rides along behind them.
#[test]
fn a_device_moves_parameters_as_the_host_does() {
    const COUNT: usize = 1000;
    let settings = AdamSettings { clip: 1000.0, ..SETTINGS };
    let start: Vec<f32> = (0..COUNT).map(|i| (i as f32 * 0.37).sin() + 2.0).collect();
    let run = |home: Home| {
        let (mut parameters, mut adam) = (Buffer::of(&start, home), Adam::new(settings, COUNT, home));
        for update in 0..20 {
            let size = |i: usize| 10_f32.powi((i % 12) as i32 - 7);
            let mut gradient: Vec<f32> =
                (0..COUNT).map(|i| size(i) * ((i * (update + 1)) as f32 * 0.11).cos()).collect();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            assert!(norm > settings.clip, "the clip is in play");
            gradient.extend([f32::NAN, 7.0]);
            adam.update(&mut parameters, &Buffer::of(&gradient, home), norm);
            if update % 3 != 0 {
                adam.accept();
            }
        }
        [&parameters, adam.moments().0, adam.moments().1].map(|buffer| buffer.host().to_vec())
    };
    let [(parameters, near), (first, also_first), (second, also_second)] = {
        let ([a, b, c], [x, y, z]) = (run(Home::Host), run(DEVICE));
        [(a, x), (b, y), (c, z)]
    };
    for i in 0..COUNT {
        assert!((parameters[i] - near[i]).abs() <= 1e-6 * parameters[i].abs(), "{}: {}", parameters[i], near[i]);
        let largest = 10_f32.powi((i % 12) as i32 - 7); // means cancel, so they are held against what went into them
        assert!((first[i] - also_first[i]).abs() <= 1e-6 * largest, "{}: {}", first[i], also_first[i]);
        assert!((second[i] - also_second[i]).abs() <= 2e-6 * second[i], "{}: {}", second[i], also_second[i]);
    }
}

#[test]
fn the_step_size_falls_to_a_half_in_a_half_life() {
    // A constant gradient moves by the rate itself, so steps are rates.
    let settings = AdamSettings { learning_rate: 0.1, half_life: 4, ..AdamSettings::default() };
    let mut adam = Adam::new(settings, 1, Home::Host);
    let (mut parameters, gradient) = (host(&[0.0]), host(&[3.0]));
    let mut steps = Vec::new();
    for _ in 0..9 {
        let before = parameters.as_slice()[0];
        adam.update(&mut parameters, &gradient, 3.0);
        adam.accept();
        steps.push(before - parameters.as_slice()[0]);
    }
    assert!((steps[0] - 0.1 * 0.5_f32.powf(0.25)).abs() < 1e-5, "{steps:?}");
    for (early, late) in steps.iter().zip(&steps[4..]) {
        assert!((late / early - 0.5).abs() < 1e-4, "{steps:?}");
    }
}
