//! `skyforge bench scaling`: a step on one rank and on more, each with as much to do, and what that foretells.

use serde::Serialize;
use serde_json::json;
use tch::Device;

use super::allreduce::KnownSum;
use super::step::{BenchRun, Contestant};
use super::workload::encodings;
use super::{median, of_all};
use crate::app::CommandError;
use crate::app::objective::objective;
use crate::app::output::say;
use crate::app::session::Session;
use crate::comm::{Communicator, First};
use crate::config::RunConfig;
use crate::device;
use crate::exit::Exit;
use crate::machine;
use crate::train::scaling::{Forecast, Model, fit};

/// Ranks to time and to predict.
#[derive(Clone, Debug)]
pub struct Request {
    pub run: BenchRun,
    pub microbatches_per_rank: u32,
    /// Rounds of each number of ranks.
    pub rounds: u32,
    /// Steps of a round.
    pub steps: u64,
    /// For the model, in place of what was measured.
    pub given: Given,
    pub json: bool,
}

/// Numbers of another machine.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub compute_ms: Option<f64>,
    pub latency_us: Option<f64>,
    pub gigabytes_per_second: Option<f64>,
    pub jitter: Option<f64>,
}

/// Ranks that the model tells of.
const FORETOLD: [usize; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];

/// Numbers of the sums by which alpha and beta are found.
const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 4_000_000];
/// How often each is made, after once that warms up.
const SUMS: usize = 15;

/// What was measured on a number of ranks.
#[derive(Clone, Debug, Serialize)]
struct Row {
    ranks: usize,
    hosts: usize,
    /// Most ranks of a machine for each of its processors.
    ranks_per_processor: f64,
    /// Medians over rounds; of the ranks the slowest, which all wait for.
    step_seconds: f64,
    /// Of all ranks, without waiting for sums.
    compute_seconds: f64,
    waiting_seconds: f64,
    /// With nothing hidden.
    waiting_seconds_without_overlap: f64,
    samples_per_second: f64,
    /// Of one rank's rate, for each rank.
    efficiency: f64,
    /// Spread of what a rank works on a step, over its mean.
    jitter: f64,
}

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    if !request.microbatches_per_rank.is_power_of_two() {
        let asked = request.microbatches_per_rank;
        return Err(CommandError::Usage(format!("--microbatches-per-rank is {asked}, expected a power of two")));
    }
    let config = session.agree(request.run.load(&[]))?;
    let trainer = &config.sections().trainer;
    session.agree(session.check_threads(trainer.threads_per_rank))?;
    let device = session.device(trainer.device, trainer.share_gpu)?;
    device::set_deterministic(trainer.deterministic);
    Session::torch_threads(trainer.threads_per_rank);
    let groups: Vec<usize> = (0..=session.ranks().ilog2()).map(|power| 1 << power).collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut sums = Vec::new();
    for &ranks in &groups {
        let measured = First::of(session.comm(), ranks)
            .map(|group| measure(session, &group, request, &config, device, rows.first()))
            .transpose();
        // The others wait here meanwhile.
        if let Some((row, numbers)) = session.agree(measured)? {
            rows.push(row);
            sums = numbers;
        }
    }
    let most = groups[groups.len() - 1];
    let times = First::of(session.comm(), most).map(|group| time_sums(&group)).transpose();
    let times = session.agree(times)?.unwrap_or_default();
    if session.rank() == 0 {
        let model = model(request, &rows, sums, (most, &times));
        tell(request, &config, &rows, &times, &model)?;
    }
    Ok(Exit::Done)
}

/// A row of these ranks, and the numbers of each sum of a step.
fn measure(
    session: &Session,
    group: &dyn Communicator,
    request: &Request,
    config: &RunConfig,
    device: Device,
    one: Option<&Row>,
) -> Result<(Row, Vec<usize>), CommandError> {
    let (ranks, share) = (group.ranks(), request.microbatches_per_rank as usize);
    let microbatches = ranks * share;
    let batch = [
        format!("batch.microbatches={microbatches}"),
        format!("batch.global={}", microbatches * config.cut().microbatch()),
    ];
    let with = |overlap: bool| {
        let [microbatches, global] = batch.clone();
        request.run.load(&[microbatches, global, format!("trainer.overlap={overlap}")])
    };
    let configs = [with(config.sections().trainer.overlap)?, with(false)?];
    let encodings = encodings(config)?;
    let objectives = configs.each_ref().map(|config| objective(config, &encodings, device));
    let contestant =
        |at: usize| Contestant::new(session, group, &configs[at], &encodings, objectives[at].as_ref(), device);
    let mut contestants = [contestant(0), contestant(1)];
    let numbers = contestants[0].sums();
    // By form: seconds of a step of the slowest rank; of all ranks, without waiting and waiting.
    let mut slowest = Vec::new();
    let (mut compute, mut waiting) = (Vec::new(), [Vec::new(), Vec::new()]);
    for round in 0..=request.rounds {
        for (form, contestant) in contestants.iter_mut().enumerate() {
            let before = contestant.spent();
            contestant.rate(group, request.steps)?;
            let after = contestant.spent();
            let a_step = |part: usize| (after[part] - before[part]) / request.steps as f64;
            let (sums, seconds) = (of_all(group, a_step(1)), of_all(group, a_step(2)));
            if round == 0 {
                continue; // it warms up
            }
            waiting[form].push(sums.iter().sum::<f64>() / ranks as f64);
            if form == 0 {
                slowest.push(seconds.iter().copied().fold(0.0, f64::max));
                compute.extend(seconds.iter().zip(&sums).map(|(seconds, sums)| seconds - sums));
            }
        }
    }
    let step_seconds = median(&slowest);
    let mean = compute.iter().sum::<f64>() / compute.len() as f64;
    let spread = compute.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (compute.len() as f64 - 1.0).max(1.0);
    let here = group.here("").1.len() as f64 / machine::processors().max(1) as f64;
    let mut hosts: Vec<Vec<u8>> = group.gather(machine::host().as_bytes());
    hosts.sort();
    hosts.dedup();
    let row = Row {
        ranks,
        hosts: hosts.len(),
        ranks_per_processor: of_all(group, here).into_iter().fold(0.0, f64::max),
        step_seconds,
        compute_seconds: median(&compute),
        waiting_seconds: median(&waiting[0]),
        waiting_seconds_without_overlap: median(&waiting[1]),
        samples_per_second: contestants[0].samples_per_step() / step_seconds,
        efficiency: one.map_or(1.0, |one| one.step_seconds / step_seconds),
        // A round is a mean of steps, which spread more.
        jitter: (spread * request.steps as f64).sqrt() / mean,
    };
    Ok((row, numbers))
}

/// Seconds of sums of several sizes, the median of each.
fn time_sums(group: &dyn Communicator) -> Result<Vec<(usize, f64)>, CommandError> {
    if group.ranks() == 1 {
        return Ok(Vec::new());
    }
    let of = |numbers: usize| {
        let mut sum = KnownSum::new(group, numbers);
        let seconds: Result<Vec<f64>, CommandError> = (0..=SUMS).map(|_| sum.make(group)).collect();
        Ok((numbers, median(&seconds?[1..])))
    };
    SIZES.into_iter().map(of).collect()
}

/// What the model is made of: of what was measured, rows that had a processor for each rank, if there are any.
fn model(request: &Request, rows: &[Row], sums: Vec<usize>, (ranks, times): (usize, &[(usize, f64)])) -> Model {
    let (alpha, beta) = if times.is_empty() { (0.0, 0.0) } else { fit(ranks, times) };
    let fair = rows.iter().rev().find(|row| row.ranks_per_processor <= 1.0).unwrap_or(&rows[0]);
    let (hiding, plain) = (fair.waiting_seconds, fair.waiting_seconds_without_overlap);
    let hidden = if fair.ranks > 1 && plain > 0.0 { (1.0 - hiding / plain).clamp(0.0, 1.0) } else { 0.0 };
    Model {
        compute_seconds: request.given.compute_ms.map_or(rows[0].step_seconds, |ms| 1e-3 * ms),
        sums,
        alpha_seconds: request.given.latency_us.map_or(alpha, |us| 1e-6 * us),
        beta_seconds: request.given.gigabytes_per_second.map_or(beta, |rate| 1e-9 / rate),
        hidden,
        jitter: request.given.jitter.unwrap_or(fair.jitter),
    }
}

/// What the model takes for granted.
const ASSUMPTIONS: [&str; 5] = [
    "each rank has a processor or GPU of its own and as much to do as one of these; reading data never holds it up",
    "a sum is made by halving and doubling: 2 log2 R messages one after the other, 2 (R - 1) / R of its bytes a rank",
    "all wires are alike and none is shared, whatever the distance: alpha and beta are those of 8 and of 1,024 ranks",
    "the same share of the sums' time hides behind other work as here",
    "the work of a step spreads normally and independently over ranks, so the last is sqrt(2 ln R) deviations late",
];

fn tell(
    request: &Request,
    config: &RunConfig,
    rows: &[Row],
    times: &[(usize, f64)],
    model: &Model,
) -> Result<(), CommandError> {
    let records = config.cut().microbatch() * request.microbatches_per_rank as usize;
    let foretold = FORETOLD.map(|ranks| model.forecast(ranks));
    let fitted: Vec<Forecast> = rows.iter().map(|row| model.forecast(row.ranks)).collect();
    let given = [
        request.given.compute_ms.map(|_| "compute_seconds"),
        request.given.latency_us.map(|_| "alpha_seconds"),
        request.given.gigabytes_per_second.map(|_| "beta_seconds"),
        request.given.jitter.map(|_| "jitter"),
    ];
    let given: Vec<&str> = given.into_iter().flatten().collect();
    if request.json {
        let sums: Vec<_> = times.iter().map(|(n, seconds)| json!({ "numbers": n, "seconds": seconds })).collect();
        let all = json!({
            "family": config.sections().family.kind(),
            "records_per_rank": records, "measured": rows, "sums_measured": sums, "model": model, "given": given,
            "model_of_measured": fitted, "foretold": foretold, "assumptions": ASSUMPTIONS,
        });
        return say(&all.to_string());
    }
    say(&format!("measured: {records} records a rank and step, medians of {} rounds", request.rounds))?;
    say("ranks  hosts  ms a step  working  waiting  without overlap  samples/s  efficiency  model says")?;
    for (row, fitted) in rows.iter().zip(&fitted) {
        let Row { ranks, hosts, samples_per_second, efficiency, .. } = row;
        let [step, compute, waiting, plain] =
            [row.step_seconds, row.compute_seconds, row.waiting_seconds, row.waiting_seconds_without_overlap]
                .map(|seconds| format!("{:.1}", 1e3 * seconds));
        let crowded = if row.ranks_per_processor > 1.0 {
            format!("  ({:.1} ranks a processor: oversubscribed)", row.ranks_per_processor)
        } else {
            String::new()
        };
        say(&format!(
            "{ranks:>5}  {hosts:>5}  {step:>9}  {compute:>7}  {waiting:>7}  {plain:>15}  {samples_per_second:>9.1}  \
             {efficiency:>10.3}  {:>10.3}{crowded}",
            fitted.efficiency
        ))?;
    }
    let bytes = 4e-6 * model.sums.iter().sum::<usize>() as f64;
    let from = if given.is_empty() { String::new() } else { format!(" (given, not measured: {})", given.join(", ")) };
    say(&format!(
        "{} sums a step, {bytes:.2} MB in all; a message starts in {:.1} us, then {:.2} GB/s; {:.0} % of waiting hidden; \
         work spreads by {:.1} %{from}",
        model.sums.len(),
        1e6 * model.alpha_seconds,
        1e-9 / model.beta_seconds,
        100.0 * model.hidden,
        100.0 * model.jitter
    ))?;
    say("the model's, not measured:")?;
    say("ranks  ms a step  efficiency  with nothing hidden")?;
    for Forecast { ranks, step_seconds, efficiency, efficiency_without_overlap } in foretold {
        let ms = 1e3 * step_seconds;
        say(&format!("{ranks:>5}  {ms:>9.1}  {efficiency:>10.3}  {efficiency_without_overlap:>19.3}"))?;
    }
    ASSUMPTIONS.iter().try_for_each(|assumption| say(&format!("assumed: {assumption}")))
}
