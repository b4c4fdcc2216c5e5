//! `skyforge bench statistics`: spectra, histograms and tests of random maps, as `evaluate` makes them.

use std::time::Instant;

use serde_json::json;

use super::pace::{Pace, Rounds};
use super::{figures, limit, median, range};
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::rng::{Draw, Stream};
use crate::statistics::Maps;
use crate::statistics::ks::ks_tests;
use crate::statistics::pixel_histogram::{PixelBins, pixel_counts};
use crate::statistics::power_spectrum::power_spectra;

pub use crate::statistics::maps::SMALLEST_SIDE;

/// Random maps to measure.
#[derive(Clone, Debug)]
pub struct Request {
    pub maps: u32,
    /// Pixels.
    pub side: u16,
    /// Bins of the histogram.
    pub bins: u16,
    /// Of a rank; its processors where it is not given.
    pub threads: Option<u16>,
    pub rounds: Rounds,
    pub json: bool,
}

/// Seconds of one round: all, and its parts.
struct Round {
    all: f64,
    parts: [f64; 3],
}

const PARTS: [&str; 3] = ["spectrum", "histogram", "tests"];

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let threads = request.threads.map_or_else(rayon::current_num_threads, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| CommandError::Usage(format!("--threads {threads}: {error}")));
    let pool = session.agree(pool)?;
    let side = usize::from(request.side);
    let values = random_maps(session.rank(), request.maps as usize, side);
    let maps = Maps::new(&values, side)?;
    let bins = PixelBins::from_reference(maps, usize::from(request.bins));
    let round = || {
        let mut since = Instant::now();
        let mut lap = || {
            let seconds = since.elapsed().as_secs_f64();
            since = Instant::now();
            seconds
        };
        let spectra = power_spectra(maps);
        let spectrum = lap();
        let counts = pixel_counts(maps, bins);
        let histogram = lap();
        for profiles in [spectra, counts] {
            let (first, second) = profiles.halves();
            std::hint::black_box(ks_tests(&first, &second));
        }
        let parts = [spectrum, histogram, lap()];
        Round { all: parts.iter().sum(), parts }
    };
    let mut pace = Pace::start(session, request.rounds)?;
    if pace.warms_up() {
        pool.install(round);
    }
    let mut rounds = Vec::new();
    while pace.next() {
        session.comm().gather(&[]);
        let mut done = pool.install(round);
        done.all = super::of_all(session.comm(), done.all).into_iter().fold(0.0, f64::max);
        pace.tell(&json!({ "seconds": done.all }))?;
        rounds.push(done);
    }
    let read = limit::read(session.comm(), &values, &pool);
    let read_seconds = (session.ranks() * 4 * values.len()) as f64 / read;
    if session.rank() == 0 && !rounds.is_empty() {
        tell(session, request, threads, &rounds, read_seconds)?;
    }
    Ok(Exit::Done)
}

/// Normal pixels; maps begin at different places of one long draw.
fn random_maps(rank: usize, maps: usize, side: usize) -> Vec<f32> {
    let draw = Draw::new(rank as u64);
    let length = side * side;
    let normals = draw.at(Stream::Simulation, 0, 0).normals(length + (1 << 18));
    (0..maps as u64)
        .flat_map(|map| {
            let at = draw.at(Stream::Simulation, map, 1).below(1 << 18) as usize;
            normals[at..at + length].iter().copied()
        })
        .collect()
}

fn tell(
    session: &Session,
    request: &Request,
    threads: usize,
    rounds: &[Round],
    read_seconds: f64,
) -> Result<(), CommandError> {
    let all: Vec<f64> = rounds.iter().map(|round| round.all).collect();
    let part = |at: usize| rounds.iter().map(|round| round.parts[at]).collect::<Vec<f64>>();
    let share = read_seconds / median(&all);
    if request.json {
        let mut told = json!({
            "ranks": session.ranks(), "threads": threads, "maps": request.maps, "side": request.side,
            "rounds": rounds.len(), "seconds": figures(&all), "read_seconds": read_seconds, "share_of_read": share,
        });
        for (at, name) in PARTS.into_iter().enumerate() {
            told[format!("{name}_seconds")] = figures(&part(at));
        }
        return say(&told.to_string());
    }
    let (low, high) = range(&all);
    eprintln!("seconds: {low:.3} to {high:.3} in {} rounds", rounds.len());
    say(&format!("seconds {:.3}", median(&all)))?;
    for (at, name) in PARTS.into_iter().enumerate() {
        say(&format!("{name}_seconds {:.3}", median(&part(at))))?;
    }
    eprintln!("one read of the maps: {read_seconds:.4} s");
    say(&format!("share_of_read {share:.3}"))
}
