//! Changes to the bytes of a real file.

use proptest::collection::vec;
use proptest::prelude::*;

/// A share of a file's length.
#[derive(Clone, Copy, Debug)]
pub struct Place(f64);

impl Place {
    fn index(self, length: usize) -> usize {
        ((self.0 * length as f64) as usize).min(length - 1)
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Turns these bits of a byte.
    Flip(Place, u8),
    /// Eight bytes become this number: a size or a place, often.
    Number(Place, u64),
    /// Digits in the neighbourhood become others: numbers of texts.
    Digits(Place, String),
    /// The rest is gone.
    Cut(Place),
    /// These bytes come in between.
    Insert(Place, Vec<u8>),
    /// A piece is written over another.
    Copy(Place, Place, usize),
    /// A piece is gone.
    Remove(Place, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, mask) => bytes[at.index(length)] ^= mask,
            Self::Number(at, number) => {
                let at = at.index(length);
                for (to, from) in bytes[at..].iter_mut().zip(number.to_le_bytes()) {
                    *to = from;
                }
            }
            Self::Digits(at, digits) => {
                let at = at.index(length);
                let Some(start) = (at..length).find(|&at| bytes[at].is_ascii_digit()) else { return };
                let end = (start..length).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(length);
                bytes.splice(start..end, digits.bytes());
            }
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Insert(at, new) => {
                let at = at.index(length);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Copy(from, to, size) => {
                let (from, to) = (from.index(length), to.index(length));
                let size = (*size).min(length - from.max(to));
                bytes.copy_within(from..from + size, to);
            }
            Self::Remove(at, size) => {
                let at = at.index(length);
                bytes.drain(at..(at + size).min(length));
            }
        }
    }
}

/// `bytes` after `changes`.
pub fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        change.apply(&mut bytes);
    }
    bytes
}

/// One to five changes of any kind, or one or two to digits alone, which leave a text in its form.
pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    let number = prop_oneof![Just(0), Just(u64::MAX), (0_u32..64).prop_map(|bit| 1 << bit), any::<u64>()];
    let change = prop_oneof![
        4 => (place(), 1_u8..).prop_map(|(at, mask)| Change::Flip(at, mask)),
        3 => (place(), number).prop_map(|(at, number)| Change::Number(at, number)),
        3 => digits(),
        1 => place().prop_map(Change::Cut),
        1 => (place(), vec(any::<u8>(), 1..9)).prop_map(|(at, new)| Change::Insert(at, new)),
        1 => (place(), place(), 1_usize..200).prop_map(|(from, to, size)| Change::Copy(from, to, size)),
        1 => (place(), 1_usize..40).prop_map(|(at, size)| Change::Remove(at, size)),
    ];
    prop_oneof![vec(change, 1..6), vec(digits(), 1..3)]
}

/// Anywhere, and often near the begin or the end, where formats keep their tables.
fn place() -> impl Strategy<Value = Place> {
    let anywhere = 0.0..1.0_f64;
    let (head, tail) = (anywhere.clone().prop_map(|x| x.powi(6)), anywhere.clone().prop_map(|x| 1.0 - x.powi(6)));
    prop_oneof![2 => anywhere, 1 => head, 1 => tail].prop_map(Place)
}

fn digits() -> impl Strategy<Value = Change> {
    let digits = prop_oneof![
        Just("0".to_owned()),
        Just(u64::MAX.to_string()),
        Just(i64::MAX.to_string()),
        Just("1e999".to_owned()),
        (0_u32..63).prop_map(|bit| (1_u64 << bit).to_string()),
        (0_u32..100).prop_map(|number| number.to_string()),
    ];
    (place(), digits).prop_map(|(at, digits)| Change::Digits(at, digits))
}
