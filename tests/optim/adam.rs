//! Adam against its closed form, and its way back.

use skyforge::optim::{Adam, AdamSettings};

const SETTINGS: AdamSettings = AdamSettings { learning_rate: 0.01, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, clip: 0.0 };

/// With the same gradient each time, the bias-corrected moments are the gradient and its square: each update is
/// -rate * g / (|g| + epsilon).
#[test]
fn a_constant_gradient_moves_each_parameter_by_the_rate() {
    let gradient = [3.0_f32, -0.02, 500.0, 1e-4];
    let mut parameters = [1.0_f32, 1.0, 1.0, 1.0];
    let mut adam = Adam::new(SETTINGS, 4);
    for update in 1..=20 {
        adam.update(&mut parameters, &gradient, 0.0);
        adam.accept();
        for (parameter, g) in parameters.iter().zip(gradient) {
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
    let (mut parameter, mut adam) = ([0.3_f32], Adam::new(SETTINGS, 1));
    let (mut x, mut m, mut v) = (0.3_f64, 0.0_f64, 0.0_f64);
    for t in 1..=100 {
        let g = (0.7 * f64::from(t)).sin() + 0.1;
        adam.update(&mut parameter, &[g as f32], 0.0);
        adam.accept();
        m = 0.5 * m + 0.5 * g;
        v = 0.999 * v + 0.001 * g * g;
        x -= 0.01 * (m / (1.0 - 0.5_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
        assert!((f64::from(parameter[0]) - x).abs() < 1e-5, "update {t}: {} and {x}", parameter[0]);
    }
}

#[test]
fn a_refused_step_leaves_no_trace_however_many_moves_it_had() {
    for moves in 1..=3 {
        let mut parameters = vec![0.5_f32, -1.25, 3.0];
        let mut adam = Adam::new(SETTINGS, 3);
        adam.update(&mut parameters, &[1.0, 2.0, -3.0], 0.0);
        adam.accept();
        let (before, saved) = (parameters.clone(), adam.clone());
        for turn in 0..moves {
            adam.update(&mut parameters, &[9.0, turn as f32, 0.1], 0.0);
        }
        assert_ne!(parameters, before);
        adam.undo(&mut parameters);
        assert_eq!(parameters, before);
        assert_eq!(adam.moments(), saved.moments());
        assert_eq!(adam.updates(), 1);
    }
}

#[test]
fn several_moves_of_a_step_equal_as_many_steps() {
    let gradients = [[1.0_f32, -2.0], [0.3, 0.4], [-5.0, 6.0]];
    let run = |accept_each: bool| {
        let (mut parameters, mut adam) = ([1.0_f32, 2.0], Adam::new(SETTINGS, 2));
        for gradient in &gradients {
            adam.update(&mut parameters, gradient, 0.0);
            if accept_each {
                adam.accept();
            }
        }
        adam.accept();
        (parameters, adam.moments().0.to_vec(), adam.moments().1.to_vec())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_long_gradient_is_clipped_to_the_given_norm() {
    let settings = AdamSettings { clip: 1.0, ..SETTINGS };
    let (mut clipped, mut scaled) = (Adam::new(settings, 2), Adam::new(settings, 2));
    let (mut a, mut b) = ([0.0_f32, 0.0], [0.0_f32, 0.0]);
    clipped.update(&mut a, &[30.0, 40.0], 50.0);
    scaled.update(&mut b, &[0.6, 0.8], 1.0);
    assert!(clipped.moments().0.iter().zip(scaled.moments().0).all(|(x, y)| (x - y).abs() < 1e-6));
}
