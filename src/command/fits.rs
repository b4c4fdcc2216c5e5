//! Objects of a dataset fitted by all ranks.

use std::cell::RefCell;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CommandError;
use super::counter::Counter;
use super::session::Session;
use crate::comm::tree::leaves_of;
use crate::fanout::{End, FanoutError, Next, Outcome, Worker};
use crate::inference::latent_fit::{Fitted, LatentFit, Pull, Subject};

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
    let mine = leaves_of(session.rank(), session.ranks(), (objects.end - objects.start) as usize);
    let mine = objects.start + mine.start as u64..objects.start + mine.end as u64;
    let counter = Counter::new(session, unit, units, mine.end - mine.start);
    let mut next = mine.clone();
    let mut made: Vec<(u64, T)> = Vec::new();
    let result: Result<(), CommandError> = fit.run(
        || match next.next() {
            Some(object) => Ok(Pull::Subject(Box::new(subject(object)?))),
            None => Ok(Pull::End),
        },
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

/// Fits what a worker of a ledger gets, with objects of the next block beside the last ones of the block before, and says why it ended.
///
/// - `subject`: what is to be fitted of an input, or why it cannot be
/// - `read`: the payload of an object
pub fn fit_ledger<I: Send + 'static>(
    fit: &LatentFit,
    worker: Worker<I>,
    mut subject: impl FnMut(u64, I) -> Result<Subject, String>,
    mut read: impl FnMut(&Fitted) -> Outcome,
) -> Result<End, FanoutError> {
    let worker = RefCell::new(worker);
    let mut end = End::AllDone;
    fit.run(
        || loop {
            let next = worker.borrow_mut().next_object()?;
            match next {
                Next::Later => return Ok(Pull::Later),
                Next::End(why) => {
                    end = why;
                    return Ok(Pull::End);
                }
                Next::Object(object, input) => match subject(object, input) {
                    Ok(subject) => return Ok(Pull::Subject(Box::new(subject))),
                    Err(fault) => worker.borrow_mut().finish(object, Err(fault))?,
                },
            }
        },
        |_| false,
        |fitted| worker.borrow_mut().finish(fitted.number, read(&fitted)),
    )?;
    worker.into_inner().end()?;
    Ok(end)
}
