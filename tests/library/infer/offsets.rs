//! Offsets marginalised in chi-square, held against the covariance matrix of all values written out.

use skyforge::infer::latent_fit::offsets::{self, Marginal, Offsets};
use skyforge::infer::latent_fit::{OffsetFit, OffsetGroup};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Kind, Tensor};

const VALUES: usize = 9;

/// Values 0 to 3 and 5 to 7; 4 and 8 are in no group.
fn groups(sigmas: [f64; 2]) -> Vec<OffsetGroup> {
    let group = |range: std::ops::Range<usize>, sigma| OffsetGroup {
        members: (0..VALUES).map(|value| range.contains(&value)).collect(),
        sigma,
    };
    vec![group(0..4, sigmas[0]), group(5..8, sigmas[1])]
}

/// Model minus values, and what squared differences weigh where the model lies below and above.
struct Case {
    difference: [f64; VALUES],
    below: [f64; VALUES],
    above: [f64; VALUES],
}

/// Depths that are off by some hundred ppm, with errors of 30 to 80 ppm, of one side or of two; value 2 is not known.
fn case(number: u64, two_sided: bool) -> Case {
    let mut chance = Draw::new(3).at(Stream::Simulation, number, 0);
    let difference = std::array::from_fn(|_| 2e-4 * chance.normal());
    let mut weights = || -> [f64; VALUES] {
        std::array::from_fn(|value| if value == 2 { 0.0 } else { (3e-5 + 5e-5 * chance.uniform()).powi(-2) })
    };
    let below = weights();
    let above = if two_sided { weights() } else { below };
    Case { difference, below, above }
}

fn row(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).view([1, -1])
}

impl Case {
    fn marginal(&self, groups: &[OffsetGroup]) -> Marginal {
        let offsets = Offsets::new(groups, Kind::Double, Device::Cpu);
        offsets.marginal(&row(&self.difference), &row(&self.below), &row(&self.above))
    }

    /// What each value weighs where the offsets lie at their means.
    fn weights(&self, marginal: &Marginal) -> [f64; VALUES] {
        let at_values = numbers(&marginal.at_values);
        std::array::from_fn(|value| {
            let above = self.difference[value] + at_values[value] > 0.0;
            if above { self.above[value] } else { self.below[value] }
        })
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).flatten(0, -1)).expect("numbers")
}

/// The known values' marginal covariance, with that of the noise times `correlated`, and what they are.
fn covariance(weights: &[f64; VALUES], groups: &[OffsetGroup], correlated: f64) -> (Vec<Vec<f64>>, Vec<usize>) {
    let known: Vec<usize> = (0..VALUES).filter(|value| weights[*value] > 0.0).collect();
    let entry = |a: usize, b: usize| {
        let noise = if a == b { correlated / weights[a] } else { 0.0 };
        let both = groups.iter().filter(|group| group.members[a] && group.members[b]);
        noise + both.map(|group| group.sigma * group.sigma).sum::<f64>()
    };
    (known.iter().map(|a| known.iter().map(|b| entry(*a, *b)).collect()).collect(), known)
}

/// The solution of a symmetric, positive system, and the logarithm of its determinant, by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> (Vec<f64>, f64) {
    let n = right.len();
    let mut log_determinant = 0.0;
    for pivot in 0..n {
        let (of_pivot, at_pivot) = (matrix[pivot].clone(), right[pivot]);
        log_determinant += of_pivot[pivot].ln();
        for (row, value) in matrix.iter_mut().zip(&mut right).skip(pivot + 1) {
            let factor = row[pivot] / of_pivot[pivot];
            for (entry, above) in row.iter_mut().zip(&of_pivot) {
                *entry -= factor * above;
            }
            *value -= factor * at_pivot;
        }
    }
    for pivot in (0..n).rev() {
        let known: f64 = (pivot + 1..n).map(|column| matrix[pivot][column] * right[column]).sum();
        right[pivot] = (right[pivot] - known) / matrix[pivot][pivot];
    }
    (right, log_determinant)
}

/// Chi-square, its gradient, and the logarithm of the determinant over that of the noise alone, all by the matrix.
fn dense(case: &Case, weights: &[f64; VALUES], groups: &[OffsetGroup], correlated: f64) -> (f64, Vec<f64>, f64) {
    let (matrix, known) = covariance(weights, groups, correlated);
    let difference: Vec<f64> = known.iter().map(|value| case.difference[*value]).collect();
    let (solved, log_determinant) = solve(matrix, difference.clone());
    let chi_square = solved.iter().zip(&difference).map(|(a, b)| a * b).sum();
    let of_noise: f64 = known.iter().map(|value| (correlated / weights[*value]).ln()).sum();
    let mut gradient = vec![0.0; VALUES];
    known.iter().zip(solved).for_each(|(value, solved)| gradient[*value] = 2.0 * solved);
    (chi_square, gradient, log_determinant - of_noise)
}

fn close(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance * wanted.abs().max(1e-12), "{got}, expected {wanted}");
}

#[test]
fn marginal_chi_square_and_determinant_are_those_of_the_covariance_matrix() {
    let groups = groups([3e-4, 1e-4]);
    for (number, two_sided) in (0..40).flat_map(|number| [(number, false), (number, true)]) {
        let case = case(number, two_sided);
        let marginal = case.marginal(&groups);
        let (chi_square, _, log_determinant) = dense(&case, &case.weights(&marginal), &groups, 1.0);
        close(2.0 * numbers(&marginal.half_chi_square)[0], chi_square, 1e-10);
        close(numbers(&marginal.log_determinant)[0], log_determinant, 1e-10);
    }
}

#[test]
fn the_gradient_is_that_of_the_covariance_matrix() {
    let groups = groups([3e-4, 1e-4]);
    for number in 0..8 {
        let case = case(number, true);
        let difference = row(&case.difference).set_requires_grad(true);
        let offsets = Offsets::new(&groups, Kind::Double, Device::Cpu);
        let marginal = offsets.marginal(&difference, &row(&case.below), &row(&case.above));
        let gradient =
            Tensor::run_backward(&[marginal.half_chi_square.sum(Kind::Double)], &[&difference], false, false);
        let (_, wanted, _) = dense(&case, &case.weights(&marginal), &groups, 1.0);
        for (got, wanted) in numbers(&gradient[0]).into_iter().zip(wanted) {
            close(2.0 * got, wanted, 1e-8);
        }
    }
}

#[test]
fn offsets_that_are_known_to_be_zero_leave_the_old_chi_square() {
    for number in 0..8 {
        let case = case(number, true);
        let plain = numbers(&case.marginal(&[]).half_chi_square)[0];
        let sum = |value: usize| {
            let difference = case.difference[value];
            let weight = if difference > 0.0 { case.above[value] } else { case.below[value] };
            0.5 * weight * difference * difference
        };
        close(plain, (0..VALUES).map(sum).sum(), 1e-12);
        let marginal = case.marginal(&groups([1e-12, 1e-12]));
        close(numbers(&marginal.half_chi_square)[0], plain, 1e-8);
        assert!(numbers(&marginal.log_determinant)[0] < 1e-8);
    }
}

/// Also where errors have two sides: the side is that of the model with its offset.
#[test]
fn an_offset_of_which_nothing_is_known_takes_any_constant_of_its_group_away() {
    let groups = groups([1e3, 1e3]);
    for number in 0..40 {
        let here = case(number, true);
        let mut moved = case(number, true);
        for value in 0..4 {
            moved.difference[value] += 5e-4;
        }
        let [before, after] = [&here, &moved].map(|case| case.marginal(&groups));
        close(numbers(&after.half_chi_square)[0], numbers(&before.half_chi_square)[0], 1e-6);
        let of = |marginal: &Marginal, group: usize| numbers(&marginal.means[group])[0];
        close(of(&after, 0), of(&before, 0) - 5e-4, 1e-6);
        close(of(&after, 1), of(&before, 1), 1e-6);
        moved.difference[8] *= 3.0; // in no group
        let elsewhere = moved.marginal(&groups);
        assert!(numbers(&elsewhere.half_chi_square)[0] > numbers(&after.half_chi_square)[0]);
    }
}

/// Ten thousand ppm, squared and weighed, are beyond the digits of single precision; what they leave is not.
#[test]
fn single_precision_is_enough_for_large_offsets() {
    let mut case = case(1, false);
    case.difference.iter_mut().take(4).for_each(|difference| *difference += 0.01);
    let groups = groups([0.1, 1e-4]);
    let wanted = numbers(&case.marginal(&groups).half_chi_square)[0];
    let [difference, below, above] =
        [&case.difference, &case.below, &case.above].map(|values| row(values).to_kind(Kind::Float));
    let got = Offsets::new(&groups, Kind::Float, Device::Cpu).marginal(&difference, &below, &above);
    close(numbers(&got.half_chi_square)[0], wanted, 1e-4);
}

/// Where only one in so many points is independent the noise counts for less, and the prior for as much.
#[test]
fn what_is_added_for_correlated_points_is_that_of_a_larger_covariance_of_the_noise() {
    let groups = groups([3e-4, 1e-4]);
    for (number, correlated) in (0..8).flat_map(|number| [(number, 1.0), (number, 4.0), (number, 30.0)]) {
        let case = case(number, false);
        let marginal = case.marginal(&groups);
        let fits: Vec<OffsetFit> = (0..2)
            .map(|group| OffsetFit {
                mean: numbers(&marginal.means[group])[0] as f32,
                weight: numbers(&marginal.weights[group])[0] as f32,
                sigma: groups[group].sigma as f32,
            })
            .collect();
        let (chi_square, _, log_determinant) = dense(&case, &case.below, &groups, correlated);
        let added: f64 = fits.iter().map(|fit| fit.addition(correlated)).sum();
        let got = (2.0 * numbers(&marginal.half_chi_square)[0] + added) / correlated;
        close(got, chi_square + log_determinant, 1e-5);
        // The distribution of the offset itself.
        for (group, fit) in groups.iter().zip(&fits) {
            let weights: Vec<f64> = (0..VALUES)
                .map(|value| if group.members[value] { case.below[value] / correlated } else { 0.0 })
                .collect();
            let total = weights.iter().sum::<f64>() + group.sigma.powi(-2);
            let sum: f64 = weights.iter().zip(&case.difference).map(|(weight, difference)| -weight * difference).sum();
            let (mean, variance) = fit.distribution(correlated);
            close(mean, sum / total, 1e-5);
            close(variance, total.recip(), 1e-5);
        }
    }
}

#[test]
fn a_drawn_offset_is_the_same_for_all_known_values_of_its_group() {
    let groups = groups([3e-4, 1e-4]);
    let known: Vec<f32> = (0..VALUES).map(|value| f32::from(u8::from(value != 2))).collect();
    let (mut squares, draws) = ([0.0; 2], 4000);
    for number in 0..draws {
        let mut values = vec![0.0; VALUES];
        offsets::add_drawn(&groups, &mut values, &known, &mut Draw::new(5).at(Stream::Restart, number, 0));
        assert_eq!([values[2], values[4], values[8]], [0.0; 3]);
        assert!(values[0] == values[1] && values[0] == values[3] && values[5] == values[7] && values[0] != values[5]);
        squares[0] += f64::from(values[0]).powi(2);
        squares[1] += f64::from(values[5]).powi(2);
        let fits = [values[0], values[5]].map(|mean| OffsetFit { mean, weight: 1.0, sigma: 1.0 });
        assert_eq!(offsets::without(&groups, &values, &known, &fits), vec![0.0; VALUES]);
    }
    close((squares[0] / draws as f64).sqrt(), 3e-4, 0.05);
    close((squares[1] / draws as f64).sqrt(), 1e-4, 0.05);
}
