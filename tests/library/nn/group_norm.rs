//! Group norm.

use skyforge::nn::GroupNorm;
use tch::{Device, Kind, nn};

use super::{error, numbers, set};

#[test]
fn each_group_of_each_record_is_normalised_alone() {
    for shape in [&[3_i64, 6][..], &[3, 6, 5], &[3, 6, 4, 2]] {
        for groups in [1, 2, 3, 6] {
            let store = nn::VarStore::new(Device::Cpu);
            let norm = GroupNorm::new(&(store.root() / "n"), groups, 6);
            let (weight, bias) = (numbers(0, &[6]), numbers(1, &[6]));
            set(&store, "n.weight", &weight);
            set(&store, "n.bias", &bias);
            let x = numbers(2, shape) * 3.0 + 1.0;
            let grouped = x.view([3 * groups, -1]);
            let mean = grouped.mean_dim(1, true, Kind::Float);
            let variance = grouped.var_dim(1, false, true);
            let of_channels = [&[1, 6][..], &[1, 1][..shape.len() - 2]].concat();
            let [weight, bias] = [weight, bias].map(|all| all.view(&of_channels[..]));
            let right = ((grouped - mean) / (variance + 1e-5).sqrt()).view(shape) * weight + bias;
            let y = norm.forward(&x);
            assert!(error(&y, &right) < 1e-4, "{shape:?}, {groups} groups");
            let alone = norm.forward(&x.narrow(0, 1, 1));
            assert_eq!(alone, y.narrow(0, 1, 1), "a record does not depend on others");
            let half = norm.forward(&x.to_kind(Kind::BFloat16));
            assert_eq!(half.kind(), Kind::BFloat16);
            assert!(error(&half, &right) < 0.05);
        }
    }
}

#[test]
#[should_panic(expected = "6 channels are no 4 groups")]
fn groups_of_unequal_size_are_refused() {
    GroupNorm::new(&nn::VarStore::new(Device::Cpu).root(), 4, 6);
}
