//! Objects of a dataset fitted by all ranks.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CommandError;
use super::counter::Counter;
use super::session::Session;
use crate::inference::latent_fit::{Fitted, LatentFit, Subject};

/// Fits all of `objects`, each rank a run of them, and gives what `read` makes of each to all ranks, in the order of objects. The same
/// bits on any number of ranks, since a fit does not depend on its neighbours.
pub fn fit_all<T: Serialize + DeserializeOwned>(
    session: &Session,
    fit: &LatentFit,
    objects: Range<u64>,
    [unit, units]: [&'static str; 2],
    mut subject: impl FnMut(u64) -> Result<Subject, CommandError>,
    watched: impl Fn(u64) -> bool,
    read: impl Fn(&Fitted) -> T,
) -> Result<Vec<T>, CommandError> {
    let mine = share(&objects, session.rank() as u64, session.ranks() as u64);
    let counter = Counter::new(session, unit, units, mine.end - mine.start);
    let mut next = mine.clone();
    let mut made: Vec<(u64, T)> = Vec::new();
    let result = fit.run(
        || next.next().map(&mut subject).transpose(),
        watched,
        |fitted| {
            made.push((fitted.number, read(&fitted)));
            counter.add(1);
            Ok(())
        },
    );
    drop(counter);
    session.agree(result)?;
    made.sort_by_key(|(number, _)| *number);
    let made: Vec<T> = made.into_iter().map(|(_, made)| made).collect();
    let bytes = postcard::to_stdvec(&made).expect("what is made of a fit can be written down");
    let all = session
        .comm()
        .gather(&bytes)
        .into_iter()
        .map(|bytes| postcard::from_bytes::<Vec<T>>(&bytes).expect("what a rank wrote can be read"));
    Ok(all.flatten().collect())
}

/// The run of `objects` that falls to a rank.
fn share(objects: &Range<u64>, rank: u64, ranks: u64) -> Range<u64> {
    let count = objects.end - objects.start;
    let at = |rank: u64| objects.start + count * rank / ranks;
    at(rank)..at(rank + 1)
}
