//! Blocks: ranges of objects, known by name.

use std::fmt;
use std::ops::Range;

/// Objects `first` to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Its first object.
    pub first: u64,
    /// The object behind its last.
    pub end: u64,
}

impl Block {
    /// That one object.
    pub fn of(object: u64) -> Self {
        Self { first: object, end: object + 1 }
    }

    /// The objects of `objects`, cut into blocks of so many; the last may hold fewer.
    pub fn cut(objects: Range<u64>, per_block: u64) -> impl Iterator<Item = Self> {
        let step = usize::try_from(per_block).expect("a block's objects fit into memory");
        let end = objects.end;
        objects.step_by(step).map(move |first| Self { first, end: end.min(first.saturating_add(per_block)) })
    }

    /// Its objects, in order.
    pub fn objects(self) -> Range<u64> {
        self.first..self.end
    }

    /// How many objects it has.
    pub fn count(self) -> u64 {
        self.end - self.first
    }

    /// Its two halves; one object has none.
    pub fn halves(self) -> Option<[Self; 2]> {
        let middle = self.first + self.count().div_ceil(2);
        let halves = [Self { end: middle, ..self }, Self { first: middle, ..self }];
        (self.count() > 1).then_some(halves)
    }

    /// The block of this name.
    pub fn named(name: &str) -> Option<Self> {
        let (first, end) = name.split_once('-')?;
        let block = Self { first: first.parse().ok()?, end: end.parse().ok()? };
        (block.first < block.end && block.to_string() == name).then_some(block)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:012}-{:012}", self.first, self.end)
    }
}
