//! The file of a block's result.

use skyforge::ledger::payloads::{pack, unpack};
use skyforge::ledger::{Block, Outcome};

use crate::ledger::shared::block;

fn outcomes() -> Vec<Outcome> {
    vec![Ok(b"first".to_vec()), Err("no light".into()), Ok(Vec::new())]
}

#[test]
fn what_is_packed_is_unpacked() {
    let bytes = pack(7, block(10, 13), &outcomes());
    assert_eq!(unpack(7, block(10, 13), &bytes), Ok(outcomes()));
}

#[test]
fn no_changed_byte_and_no_shorter_file_is_read() {
    let bytes = pack(7, block(10, 13), &outcomes());
    for at in 0..bytes.len() {
        for mask in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            assert!(unpack(7, block(10, 13), &changed).is_err(), "byte {at}");
        }
        assert!(unpack(7, block(10, 13), &bytes[..at]).is_err(), "{at} bytes");
    }
    assert!(unpack(7, block(10, 13), &[&bytes[..], b"more"].concat()).is_err());
}

#[test]
fn a_result_of_other_work_or_of_another_block_is_refused() {
    let bytes = pack(7, block(10, 13), &outcomes());
    for (key, other, word) in [(8, block(10, 13), "key"), (7, block(9, 12), "first object"), (7, block(10, 14), "end")]
    {
        let fault = unpack(key, other, &bytes).unwrap_err();
        assert!(fault.starts_with(&format!("is of other work: its {word}")), "{fault}");
    }
}

#[test]
fn blocks_are_known_by_their_names() {
    for block in [block(0, 1), block(64, 128), block(1 << 40, (1 << 40) + 3)] {
        assert_eq!(Block::named(&block.to_string()), Some(block));
    }
    for name in ["000000000000-000000000000", "0-1", "000000000000-000000000001.part", "x", "000000000001"] {
        assert_eq!(Block::named(name), None, "{name}");
    }
}

#[test]
fn halves_are_all_of_a_block_and_nothing_else() {
    for count in 2..20 {
        let [low, high] = block(5, 5 + count).halves().expect("two objects or more");
        assert!(low.first == 5 && low.end == high.first && high.end == 5 + count);
        assert!(low.count() == high.count() || low.count() == high.count() + 1);
    }
    assert_eq!(Block::of(5).halves(), None);
}
