//! What computes many records at a time.

/// What there is to compute next.
#[derive(Debug, PartialEq, Eq)]
pub enum Pull<P> {
    /// This record, by its number.
    Record(u64, P),
    /// Nothing yet, while records are under way: compute those, and ask again.
    Later,
    /// Nothing more.
    End,
}

/// Computes records as they come, many at a time. What it makes of a record does not depend on its neighbours.
pub trait Engine {
    /// A record as it takes it.
    type Prepared;
    /// What it makes of a record.
    type Made;

    /// Computes what `next` gives until there is nothing more, and hands each result to `done` with the record's number, in
    /// the order in which they are ready. Where `stop` says so, nothing more comes of records that are under way.
    fn run<E>(
        &self,
        stop: impl Fn() -> bool,
        next: impl FnMut() -> Result<Pull<Self::Prepared>, E>,
        done: impl FnMut(u64, Self::Made) -> Result<(), E>,
    ) -> Result<(), E>;
}
