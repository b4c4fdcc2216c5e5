//! `skyforge bench allreduce`: the fixed-tree sum against the library's.

use std::time::Instant;

use serde_json::json;

use super::{figures, limit, median, of_all, range};
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::comm::tree::TreeSum;
use crate::comm::{self, Communicator, agree};
use crate::exit::Exit;

/// Sums to time.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Numbers of each rank.
    pub numbers: u32,
    pub rounds: u32,
    pub json: bool,
}

/// Times both on these ranks.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let comm = session.comm();
    if comm.ranks() == 1 {
        return Err(CommandError::Usage("one rank has nobody to sum with, expected 2 or more: mpirun -n 2 ..".into()));
    }
    let mut sum = KnownSum::new(comm, request.numbers as usize);
    let mut buffer = vec![0.0; request.numbers as usize];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=request.rounds {
        let seconds = sum.make(comm)?;
        let others;
        fill(&mut buffer, comm.rank() + 1);
        (others, buffer) = timed(comm, move |wire| {
            wire.library_sum(&mut buffer);
            buffer
        });
        check(comm, &buffer, "library")?;
        if round > 0 {
            // The first one warms up.
            ours.push(seconds);
            theirs.push(others);
        }
    }
    let copy = limit::copy(comm, 1) / comm.ranks() as f64;
    if session.rank() == 0 {
        tell(request, comm.ranks(), &ours, &theirs, copy)?;
    }
    Ok(Exit::Done)
}

/// The tree's sum of numbers of which the answer is known.
pub(in crate::app) struct KnownSum {
    tree: Option<TreeSum>,
    buffer: Vec<f32>,
}

impl KnownSum {
    /// Of `numbers` numbers on each rank.
    pub(in crate::app) fn new(comm: &dyn Communicator, numbers: usize) -> Self {
        let tree = TreeSum::new(comm.rank(), comm.ranks(), comm.ranks().next_power_of_two());
        Self { tree: Some(tree), buffer: vec![0.0; numbers] }
    }

    /// Makes it once, together with the other ranks, and checks it: seconds from when all are ready to when the last
    /// is done.
    pub(in crate::app) fn make(&mut self, comm: &dyn Communicator) -> Result<f64, CommandError> {
        let mut tree = self.tree.take().expect("it comes back from each sum");
        let mut buffer = std::mem::take(&mut self.buffer);
        for leaf in tree.run() {
            // All of this rank's numbers are in its first leaf.
            fill(&mut buffer, if leaf == tree.run().start { comm.rank() + 1 } else { 0 });
            tree.add(&mut buffer);
        }
        let (seconds, (tree, buffer)) = timed(comm, move |wire| {
            tree.all_reduce(wire, &mut buffer);
            (tree, buffer)
        });
        (self.tree, self.buffer) = (Some(tree), buffer);
        check(comm, &self.buffer, "tree")?;
        Ok(seconds)
    }
}

/// Numbers whose sum over ranks is exact in any order.
fn fill(values: &mut [f32], factor: usize) {
    for (i, value) in values.iter_mut().enumerate() {
        *value = (factor * (i % 251)) as f32;
    }
}

fn check(comm: &dyn Communicator, values: &[f32], whose: &str) -> Result<(), CommandError> {
    let sum = comm.ranks() * (comm.ranks() + 1) / 2;
    let wrong = values.iter().enumerate().find(|(i, value)| **value != (sum * (i % 251)) as f32);
    let fault = wrong.map(|(i, value)| CommandError::WrongSum {
        whose: whose.to_owned(),
        place: i,
        value: *value,
        wanted: (sum * (i % 251)) as f32,
    });
    Ok(agree(comm, fault.map_or(Ok(()), Err))?)
}

/// Seconds of some work between ranks, from when all are ready to when the last is done, and what came of it.
fn timed<T: Send + 'static>(
    comm: &dyn Communicator,
    work: impl FnOnce(&dyn Communicator) -> T + Send + 'static,
) -> (f64, T) {
    comm.gather(&[]);
    let begun = Instant::now();
    let result = comm::start(comm, "bench", work).wait();
    let mine = begun.elapsed().as_secs_f64();
    (of_all(comm, mine).into_iter().fold(0.0, f64::max), result)
}

fn tell(request: &Request, ranks: usize, ours: &[f64], theirs: &[f64], copy: f64) -> Result<(), CommandError> {
    let Request { numbers, rounds, json } = *request;
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    let share_of_copy = 4.0 * f64::from(numbers) / copy / median(ours);
    if json {
        let all = json!({
            "ranks": ranks, "numbers": numbers, "rounds": rounds,
            "tree_seconds": figures(ours), "library_seconds": figures(theirs), "ratio": figures(&ratios),
            "copy_bytes_per_second": copy, "share_of_copy": share_of_copy,
        });
        return say(&all.to_string());
    }
    say(&format!("{numbers} numbers on {ranks} ranks, {rounds} rounds each: median (range)"))?;
    for (name, seconds) in [("tree", ours), ("library", theirs)] {
        let (low, high) = range(seconds);
        let middle = median(seconds);
        let rate = 4e-9 * f64::from(numbers) / middle;
        let line = format!("{:.3} ms ({:.3} to {:.3}), {rate:.2} GB/s", 1e3 * middle, 1e3 * low, 1e3 * high);
        say(&format!("{name:<8} {line}"))?;
    }
    let (low, high) = range(&ratios);
    say(&format!("ratio    {:.3} ({low:.3} to {high:.3})", median(&ratios)))?;
    say(&format!("share of a copy at {:.1} GB/s a rank: {share_of_copy:.3}", 1e-9 * copy))
}
