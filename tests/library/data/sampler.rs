use proptest::prelude::*;
use skyforge::data::{Blocks, Sampler, Split};

fn sampler(ranges: &[(u64, u64)], count: u64, block_rows: u64, window_blocks: usize, seed: u64) -> Sampler {
    let split = Split::new(ranges.iter().map(|&(start, end)| start..end));
    Sampler::new(&split, Blocks { count, block_rows }, window_blocks, seed).unwrap()
}

proptest! {
    #[test]
    fn every_record_comes_once_an_epoch(
        count in 1_u64..300, block_rows in 1_u64..40, window_blocks in 1_usize..9, cut in 0_u64..300, seed: u64
    ) {
        // Two ranges with a hole, which may cut a block.
        let cut = cut % count;
        let ranges: Vec<(u64, u64)> =
            [(0, cut), ((cut + 3).min(count), count)].into_iter().filter(|(start, end)| start < end).collect();
        prop_assume!(!ranges.is_empty());
        let mut sampler = sampler(&ranges, count, block_rows, window_blocks, seed);
        let n = sampler.records();
        for epoch in 0..3 {
            let mut seen: Vec<u64> = (epoch * n..(epoch + 1) * n).map(|position| sampler.record(position)).collect();
            seen.sort_unstable();
            let wanted: Vec<u64> = ranges.iter().flat_map(|&(start, end)| start..end).collect();
            prop_assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn a_record_depends_on_its_position_alone(position in 0_u64..5000, seed: u64) {
        let make = || sampler(&[(3, 901)], 1000, 16, 4, seed);
        let mut walked = make();
        for before in position.saturating_sub(100)..position {
            walked.record(before);
        }
        prop_assert_eq!(walked.record(position), make().record(position));
    }
}

#[test]
fn no_two_epochs_and_no_two_seeds_have_the_same_order() {
    let mut one = sampler(&[(0, 500)], 500, 16, 4, 1);
    let mut two = sampler(&[(0, 500)], 500, 16, 4, 2);
    let epoch = |sampler: &mut Sampler, e: u64| (0..500).map(|p| sampler.record(500 * e + p)).collect::<Vec<_>>();
    let orders = [epoch(&mut one, 0), epoch(&mut one, 1), epoch(&mut two, 0), (0..500).collect()];
    for (i, a) in orders.iter().enumerate() {
        assert!(orders[..i].iter().all(|b| a != b));
    }
}

#[test]
fn a_window_mixes_its_blocks() {
    // Neighbours in the order are of one block no more often than chance has it: 1 in 8 for 8 blocks a window.
    let mut sampler = sampler(&[(0, 4096)], 4096, 64, 8, 3);
    let blocks: Vec<u64> = (0..4096).map(|position| sampler.record(position) / 64).collect();
    let same = blocks.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / 4095.0;
    assert!((same - 0.125).abs() < 0.03, "{same}");
}

#[test]
fn ten_million_records_take_no_time() {
    let mut sampler = sampler(&[(0, 10_000_019)], 10_000_019, 64, 64, 3);
    assert!(sampler.record(123_456_789_012) < 10_000_019);
    assert_eq!(sampler.window(5).order.len() as u64, {
        let window = sampler.window(5);
        window.positions.end - window.positions.start
    });
}

#[test]
fn windows_of_an_epoch_are_nearly_equal() {
    let mut sampler = sampler(&[(0, 17)], 17, 1, 16, 0);
    let sizes = [sampler.window(0).pieces.len(), sampler.window(16).pieces.len()];
    assert_eq!(sizes, [8, 9]);
}
