use proptest::prelude::*;
use skyforge::data::Transform;

fn transforms() -> impl Strategy<Value = Transform> {
    prop_oneof![
        Just(Transform::Identity {}),
        (0.01..100.0, -2.0..2.0).prop_map(|(scale, offset)| Transform::Linear { scale, offset }),
        (1.0..2.0, 0.1..3.0, -1.0..1.0).prop_map(|(shift, scale, offset)| Transform::Log { shift, scale, offset }),
        (1.0..10.0).prop_map(|k| Transform::Ratio { k }),
        (0.01..1.0, 0.1..3.0, -1.0..1.0).prop_map(|(softening, scale, offset)| Transform::Asinh {
            softening,
            scale,
            offset
        }),
    ]
}

proptest! {
    #[test]
    fn there_and_back_is_where_it_was(transform in transforms(), values in prop::collection::vec(-0.9_f32..5.0, 1..300)) {
        let mut there = values.clone();
        transform.forward(&mut there).unwrap();
        transform.inverse(&mut there).unwrap();
        for (before, after) in values.iter().zip(&there) {
            // y is rounded to f32 once, and no transform here stretches that by more than 400.
            prop_assert!((before - after).abs() < 400.0 * f32::EPSILON * (1.0 + before.abs()), "{before} {after}");
        }
    }

    #[test]
    fn a_larger_value_stays_larger(transform in transforms(), a in -0.9_f32..5.0, b in -0.9_f32..5.0) {
        let mut both = [a.min(b), a.max(b)];
        transform.forward(&mut both).unwrap();
        prop_assert!(both[0] <= both[1]);
    }

    #[test]
    fn a_transform_survives_its_own_toml(transform in transforms()) {
        let text = toml::to_string(&transform).unwrap();
        prop_assert_eq!(toml::from_str::<Transform>(&text).unwrap(), transform);
    }
}

#[test]
fn a_value_outside_the_domain_is_named_with_its_place() {
    let mut values = vec![1.0; 100];
    values[77] = -3.0;
    let log = Transform::Log { shift: 3.0, scale: 1.0, offset: 0.0 }.forward(&mut values.clone()).unwrap_err();
    assert_eq!(log.to_string(), "log of -3 at value 77: expected more than -3");
    let ratio = Transform::Ratio { k: 2.0 }.forward(&mut values.clone()).unwrap_err();
    assert_eq!(ratio.to_string(), "ratio of -3 at value 77: expected more than -2");
    let inverse = Transform::Ratio { k: 2.0 }.inverse(&mut [0.0, 1.5]).unwrap_err();
    assert_eq!(inverse.to_string(), "inverse ratio of 1.5 at value 1: expected at most 1");
    assert!(Transform::Identity {}.forward(&mut [f32::NAN]).is_err());
}

#[test]
fn a_tanh_that_saturates_comes_back_finite_and_largest() {
    let mut values = [1.0, 0.999];
    Transform::Ratio { k: 0.5 }.inverse(&mut values).unwrap();
    assert!(values[0].is_finite() && values[0] > values[1]);
}

#[test]
fn the_ratio_sends_its_constant_to_0_and_0_to_the_lower_end() {
    let mut values = [0.25, 0.0];
    Transform::Ratio { k: 0.25 }.forward(&mut values).unwrap();
    assert_eq!(values, [0.0, -1.0]);
}

#[test]
fn a_transform_that_cannot_be_inverted_is_refused() {
    for (transform, wrong) in [
        (Transform::Linear { scale: 0.0, offset: 0.0 }, "`scale` is 0"),
        (Transform::Log { shift: f64::NAN, scale: 1.0, offset: 0.0 }, "`shift` is NaN"),
        (Transform::Ratio { k: -1.0 }, "`k` is -1"),
        (Transform::Asinh { softening: 0.0, scale: 1.0, offset: 0.0 }, "`softening` is 0"),
    ] {
        assert!(transform.validate().unwrap_err().contains(wrong), "{transform:?}");
    }
    assert!(toml::from_str::<Transform>("kind = \"identity\"\nscale = 2.0").is_err());
    assert!(toml::from_str::<Transform>("kind = \"ratio\"\nk = 2.0\nm = 1.0").is_err());
}
