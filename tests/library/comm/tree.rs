//! The tree sum has the same bits however its leaves are spread.

use skyforge::comm::tree::{TreeSum, leaves_of};
use skyforge::comm::{Communicator, Solo, Threads};
use skyforge::rng::{Draw, Stream};

/// Numbers whose sum depends on the order: magnitudes from 1e-6 to 1e6.
fn leaf(index: usize, length: usize) -> Vec<f32> {
    let mut chance = Draw::new(11).at(Stream::Noise, 0, index as u32);
    (0..length).map(|_| (chance.normal() * 10_f64.powf(12.0 * chance.uniform() - 6.0)) as f32).collect()
}

fn sum_on(comm: &dyn Communicator, leaves: usize, length: usize) -> Vec<u32> {
    let mut sum = TreeSum::new(comm.rank(), comm.ranks(), leaves);
    let mut buffer = vec![f32::NAN; length];
    for _ in 0..2 {
        // Twice, since a sum is used again and again.
        for index in sum.run() {
            buffer.copy_from_slice(&leaf(index, length));
            sum.add(&mut buffer);
        }
        sum.all_reduce(comm, &mut buffer);
    }
    buffer.into_iter().map(f32::to_bits).collect()
}

/// The definition: fold neighbours until one is left.
fn by_definition(leaves: usize, length: usize) -> Vec<u32> {
    let mut level: Vec<Vec<f32>> = (0..leaves).map(|index| leaf(index, length)).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| pair[0].iter().zip(&pair[1]).map(|(a, b)| a + b).collect()).collect();
    }
    level[0].iter().map(|value| value.to_bits()).collect()
}

#[test]
fn one_rank_sums_as_the_definition_says() {
    for leaves in [1, 2, 4, 8, 32] {
        assert_eq!(sum_on(&Solo, leaves, 1001), by_definition(leaves, 1001), "{leaves} leaves");
    }
}

#[test]
fn any_number_of_ranks_gives_the_same_bits() {
    for leaves in [1, 2, 4, 8, 16] {
        let expected = by_definition(leaves, 1003);
        for ranks in 1..=leaves {
            for (rank, sum) in Threads::run(ranks, |comm| sum_on(comm, leaves, 1003)).into_iter().enumerate() {
                assert_eq!(sum, expected, "{leaves} leaves, rank {rank} of {ranks}");
            }
        }
    }
}

#[test]
fn short_buffers_are_summed_too() {
    for length in [1, 2, 3] {
        let expected = by_definition(8, length);
        for ranks in 1..=8 {
            assert!(Threads::run(ranks, |comm| sum_on(comm, 8, length)).iter().all(|sum| *sum == expected));
        }
    }
}

#[test]
fn the_order_of_the_leaves_matters_to_the_numbers_used_here() {
    // Else the tests above could not fail.
    let plain = (0..16).map(|index| leaf(index, 1003)).reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect());
    let plain: Vec<u32> = plain.expect("16 leaves").into_iter().map(f32::to_bits).collect();
    assert_ne!(plain, by_definition(16, 1003));
}

#[test]
fn every_leaf_has_one_rank() {
    for leaves in [1, 2, 4, 8, 64] {
        for ranks in 1..=leaves {
            let all: Vec<usize> = (0..ranks).flat_map(|rank| leaves_of(rank, ranks, leaves)).collect();
            assert_eq!(all, (0..leaves).collect::<Vec<_>>());
            assert!((0..ranks).all(|rank| !leaves_of(rank, ranks, leaves).is_empty()));
        }
    }
}
