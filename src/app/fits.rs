//! Objects of a dataset fitted by all ranks, or by the workers of a ledger.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::counter::{Counter, LedgerCounter};
use super::ledger::hand;
use super::session::Session;
use super::{CommandError, logging};
use crate::comm::tree::leaves_of;
use crate::exit::{Ends, Exit};
use crate::infer::latent_fit::{Fitted, Known, LatentFit, Pull, Subject};
use crate::ledger::{Block, End, Ledger, Next, Outcome, Worker};

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
    let mut made: Vec<T> = Vec::new();
    let result = fit_in_order(fit, mine, &mut subject, watched, read, |one| {
        made.push(one);
        counter.add(1);
        Ok(())
    });
    drop(counter);
    session.agree(result)?;
    let bytes = postcard::to_stdvec(&made).expect("what is made of a fit can be written down");
    let all = session
        .comm()
        .gather(&bytes)
        .into_iter()
        .map(|bytes| postcard::from_bytes::<Vec<T>>(&bytes).expect("what a rank wrote can be read"));
    Ok(all.flatten().collect())
}

/// Fits `objects` and hands what `read` makes of each to `done`, in their order. Those wait that were ready before others in front of them.
pub fn fit_in_order<T>(
    fit: &LatentFit,
    objects: impl Iterator<Item = u64> + Clone,
    mut subject: impl FnMut(u64) -> Result<Subject, CommandError>,
    watched: impl Fn(u64) -> bool,
    mut read: impl FnMut(&Fitted) -> T,
    mut done: impl FnMut(T) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let (mut next, mut due) = (objects.clone(), objects.peekable());
    let mut early: BTreeMap<u64, T> = BTreeMap::new();
    fit.run(
        || match next.next() {
            Some(object) => Ok(Pull::Subject(Box::new(subject(object)?))),
            None => Ok(Pull::End),
        },
        watched,
        |fitted| {
            early.insert(fitted.number, read(&fitted));
            while let Some(one) = due.peek().and_then(|object| early.remove(object)) {
                due.next();
                done(one)?;
            }
            Ok(())
        },
    )
}

/// A worker's place.
pub struct Post<'a> {
    /// Its rank.
    pub session: &'a Session,
    /// What it works on.
    pub ledger: &'a Ledger,
    /// For so many minutes.
    pub max_wall: Option<f64>,
    /// What objects are called, one and several.
    pub names: [&'static str; 2],
}

/// Fits what there is to do of a ledger, with objects of the next block beside the last ones of the block before, until all is done, or time
/// or a signal ends it.
///
/// - `load`: the inputs of a block's objects, one for each, or what is wrong with it; on a thread of its own
/// - `known`: what is to be fitted of an input
/// - `read`: the payload of an object, of its input and its fit
///
/// A worker speaks for itself where it fails, since others go on without it.
pub fn fit_ledger<I: Send + 'static>(
    post: &Post,
    fit: &LatentFit,
    load: impl FnMut(Block) -> Vec<Result<I, CommandError>> + Send + 'static,
    known: impl FnMut(u64, &I) -> Result<Box<dyn Known>, CommandError>,
    read: impl FnMut(I, &Fitted) -> Outcome,
) -> Result<Exit, CommandError> {
    let done = fit_own(post, fit, load, known, read);
    if let Err(error) = &done
        && post.session.rank() > 0
    {
        logging::error(true, &format!("rank {} of {}: {error}", post.session.rank(), post.session.ranks()));
    }
    done
}

/// What one worker does.
fn fit_own<I: Send + 'static>(
    post: &Post,
    fit: &LatentFit,
    mut load: impl FnMut(Block) -> Vec<Result<I, CommandError>> + Send + 'static,
    mut known: impl FnMut(u64, &I) -> Result<Box<dyn Known>, CommandError>,
    mut read: impl FnMut(I, &Fitted) -> Outcome,
) -> Result<Exit, CommandError> {
    let hand = hand::hand(post.session, post.max_wall);
    let stop = Arc::clone(&hand.stop);
    let worker = Worker::start(post.ledger, hand, move |block| load(block).into_iter().map(fault_or_end).collect());
    let mut counter = LedgerCounter::new(post, &worker)?;
    let worker = RefCell::new(worker);
    let open: RefCell<BTreeMap<u64, I>> = RefCell::default();
    let mut end = End::Stopped;
    fit.run_until(
        || stop(),
        || loop {
            let next = worker.borrow_mut().next_object()?;
            let (object, input) = match next {
                Next::Object(object, input) => (object, input),
                Next::Later => return Ok(Pull::Later),
                Next::End(why) => {
                    end = why;
                    return Ok(Pull::End);
                }
            };
            let found = input.and_then(|input| match known(object, &input) {
                Ok(known) => Ok((input, known)),
                Err(fault) => Err(fault.to_string()),
            });
            match found {
                Ok((input, known)) => {
                    open.borrow_mut().insert(object, input);
                    return Ok(Pull::Subject(Box::new(Subject { number: object, known })));
                }
                Err(fault) => worker.borrow_mut().finish(object, Err(fault))?,
            }
        },
        |_| false,
        |fitted| {
            let input = open.borrow_mut().remove(&fitted.number).expect("it was given out");
            let mut worker = worker.borrow_mut();
            worker.finish(fitted.number, read(input, &fitted))?;
            counter.add(&worker)
        },
    )?;
    worker.into_inner().end()?;
    Ok(hand::exit(end))
}

/// What is wrong with an object is its own fault; a disk that fails is nobody's, and ends the worker.
fn fault_or_end<I>(input: Result<I, CommandError>) -> Result<Result<I, String>, String> {
    match input {
        Err(error) if error.exit() == Exit::FileSystem => Err(error.to_string()),
        input => Ok(input.map_err(|fault| fault.to_string())),
    }
}
