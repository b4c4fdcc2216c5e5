//! `skyforge bench step`: training steps on random data.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use tch::{Device, Kind};

use super::pace::{Pace, Rounds};
use super::workload::{encodings, microbatch};
use super::{figures, limit, median, range};
use crate::app::CommandError;
use crate::app::objective::objective;
use crate::app::output::say;
use crate::app::session::{Session, check_ranks};
use crate::comm::Communicator;
use crate::config::{ConfigError, Override, RunConfig};
use crate::data::{Batch, Encoding};
use crate::device;
use crate::exit::Exit;
use crate::objective::Objective;
use crate::rng::Draw;
use crate::train::{Ended, Stepper};

/// Steps to time.
#[derive(Clone, Debug)]
pub struct Request {
    pub run: BenchRun,
    /// `KEY=VALUE`, which the second of two configurations has besides.
    pub against: Vec<String>,
    /// Steps of a round.
    pub steps: u64,
    pub rounds: Rounds,
    pub json: bool,
}

/// The run whose steps are timed.
#[derive(Clone, Debug)]
pub struct BenchRun {
    /// That of full-width mass maps of 64 px where it is not given.
    pub config: Option<PathBuf>,
    /// `KEY=VALUE`, of the configuration.
    pub sets: Vec<String>,
}

const FULL_WIDTH: &str = include_str!("../../../configs/mass_maps_64.toml");

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let mut configs = vec![session.agree(request.run.load(&[]))?];
    if !request.against.is_empty() {
        configs.push(session.agree(request.run.load(&request.against))?);
    }
    for config in &configs {
        check_ranks(session.ranks(), config.cut().microbatches)?;
    }
    let trainer = &configs[0].sections().trainer;
    let place = |config: &RunConfig| {
        let trainer = &config.sections().trainer;
        (trainer.device, trainer.share_gpu, trainer.deterministic, trainer.threads_per_rank)
    };
    if configs.iter().any(|config| place(config) != place(&configs[0])) {
        let wanted =
            "expected the same device, share_gpu, deterministic and threads_per_rank, which are the whole program's";
        return Err(CommandError::Usage(format!("--against {}: {wanted}", request.against.join(" "))));
    }
    session.agree(session.check_threads(trainer.threads_per_rank))?;
    let device = session.device(trainer.device, trainer.share_gpu)?;
    device::set_deterministic(trainer.deterministic);
    Session::torch_threads(trainer.threads_per_rank);
    let encodings = session.agree(configs.iter().map(encodings).collect::<Result<Vec<Vec<Encoding>>, _>>())?;
    let objectives: Vec<Box<dyn Objective>> =
        configs.iter().zip(&encodings).map(|(config, encodings)| objective(config, encodings, device)).collect();
    let mut contestants: Vec<Contestant> = configs
        .iter()
        .zip(&encodings)
        .zip(&objectives)
        .map(|((config, encodings), objective)| {
            Contestant::new(session, session.comm(), config, encodings, objective.as_ref(), device)
        })
        .collect();
    let products = || [Kind::Float, Kind::BFloat16].map(|kind| limit::products(session.comm(), kind));
    let before = (device == Device::Cpu).then(products);
    let mut rates = vec![Vec::new(); contestants.len()];
    let mut pace = Pace::start(session, request.rounds)?;
    if pace.warms_up() {
        for contestant in &mut contestants {
            session.agree(contestant.rate(session.comm(), request.steps))?;
        }
    }
    let spent_before = contestants[0].spent();
    while pace.next() {
        for (contestant, rates) in contestants.iter_mut().zip(&mut rates) {
            let rate = session.agree(contestant.rate(session.comm(), request.steps))?;
            rates.push(rate);
        }
        pace.tell(&json!({ "samples_per_second": rates[0].last() }))?;
    }
    let [outside, waiting] = {
        let [networks, sums, seconds] = contestants[0].spent();
        let seconds = seconds - spent_before[2];
        let (networks, sums) = ((networks - spent_before[0]) / seconds, (sums - spent_before[1]) / seconds);
        let of_all = super::of_all(session.comm(), sums);
        [1.0 - networks - sums, of_all.iter().sum::<f64>() / of_all.len() as f64]
    };
    let after = before.map(|_| products());
    let limits = before.zip(after).map(|(before, after)| [0, 1].map(|kind| before[kind].max(after[kind])));
    if session.rank() == 0 && !rates[0].is_empty() {
        let flops = objectives[0].flops_per_record();
        let shares = limits.map(|limits| limits.map(|limit| median(&rates[0]) * flops / limit));
        let family = configs[0].sections().family.kind();
        tell(session, request, &rates, &Beside { family, outside, waiting, flops, limits, shares })?;
    }
    Ok(Exit::Done)
}

/// What is told beside the rate of the first contestant.
struct Beside {
    /// The kind of model.
    family: &'static str,
    /// Share of rank 0's time outside networks and sums.
    outside: f64,
    /// Share of all ranks' time that they wait for sums.
    waiting: f64,
    /// Nominal FLOPs of one record of a step.
    flops: f64,
    /// FLOP/s of all ranks in single precision and in bf16, on the host.
    limits: Option<[f64; 2]>,
    /// And what the steps make of them.
    shares: Option<[f64; 2]>,
}

impl BenchRun {
    /// The configuration, with `more` values set last.
    pub(super) fn load(&self, more: &[String]) -> Result<RunConfig, ConfigError> {
        let sets = self.sets.iter().map(|set| set.parse());
        let more = more.iter().map(|set| Override::given_with("--against", set));
        let sets = sets.chain(more).collect::<Result<Vec<Override>, _>>()?;
        match &self.config {
            Some(path) => RunConfig::load(path, &sets),
            None => RunConfig::parse(Path::new("configs/mass_maps_64.toml"), FULL_WIDTH, &sets),
        }
    }
}

/// One way to train, with what it trains on.
pub(super) struct Contestant<'a> {
    stepper: Stepper<'a>,
    /// This rank's microbatches of a step, the same ones each time.
    records: Vec<Batch>,
    samples_per_step: f64,
    step: u64,
    seconds: f64,
}

impl<'a> Contestant<'a> {
    /// On the ranks of `comm`.
    pub(super) fn new(
        session: &Session,
        comm: &'a dyn Communicator,
        config: &RunConfig,
        encodings: &[Encoding],
        objective: &'a dyn Objective,
        device: Device,
    ) -> Self {
        let (sections, cut) = (config.sections(), config.cut());
        let adam = |network: &str| config.adam(network);
        let mut stepper = Stepper::new(objective, comm, Draw::new(sections.seed), cut, adam);
        stepper.set_overlap(sections.trainer.overlap);
        if let Some(sum) = session.device_sum(comm, sections.trainer.reduction, device) {
            stepper.sum_on_devices(&sum);
        }
        let run = stepper.run_of_microbatches();
        let records = (0..stepper.batches()).flat_map(|batch| run.clone().map(move |m| (batch, m)));
        let records = records.map(|place| microbatch(config, encodings, cut.microbatch(), place, device)).collect();
        let samples_per_step = (cut.global * stepper.batches()) as f64;
        Self { stepper, records, samples_per_step, step: 0, seconds: 0.0 }
    }

    /// Samples a second over `steps` steps, from when all ranks are ready to when this one is done.
    pub(super) fn rate(&mut self, comm: &dyn Communicator, steps: u64) -> Result<f64, CommandError> {
        comm.gather(&[]);
        let begun = Instant::now();
        for _ in 0..steps {
            let (ended, _) = self.stepper.step(self.step, Some(&self.records), self.records.first(), &|| false);
            if !matches!(ended, Ended::Accepted { .. }) {
                let fault = format!("step {} is not finite, expected settings that stand random data", self.step + 1);
                return Err(CommandError::Wrong { path: "bench step".into(), fault });
            }
            self.step += 1;
        }
        let seconds = begun.elapsed().as_secs_f64();
        self.seconds += seconds;
        Ok(steps as f64 * self.samples_per_step / seconds)
    }

    /// Seconds in the networks, waiting for sums, and in all, of all steps up to now.
    pub(super) fn spent(&self) -> [f64; 3] {
        let spent = self.stepper.spent();
        [spent.networks.as_secs_f64(), spent.sums.as_secs_f64(), self.seconds]
    }

    /// Records of a step, all ranks together.
    pub(super) fn samples_per_step(&self) -> f64 {
        self.samples_per_step
    }

    /// Numbers of each sum over ranks of a step.
    pub(super) fn sums(&self) -> Vec<usize> {
        self.stepper.sums()
    }
}

fn tell(session: &Session, request: &Request, rates: &[Vec<f64>], beside: &Beside) -> Result<(), CommandError> {
    let ours = &rates[0];
    let ratios: Option<Vec<f64>> = rates.get(1).map(|others| ours.iter().zip(others).map(|(a, b)| a / b).collect());
    if request.json {
        let mut all = json!({
            "ranks": session.ranks(), "family": beside.family, "steps": request.steps, "rounds": ours.len(), "samples_per_second": figures(ours),
            "outside_share": beside.outside, "waiting_share": beside.waiting, "flops_per_sample": beside.flops,
        });
        for (at, kind) in ["fp32", "bf16"].into_iter().enumerate() {
            all[format!("products_{kind}_flops_per_second")] = beside.limits.map(|limits| limits[at]).into();
            all[format!("share_of_products_{kind}")] = beside.shares.map(|shares| shares[at]).into();
        }
        if let Some(ratios) = &ratios {
            all["against"] = request.against.join(" ").into();
            all["against_samples_per_second"] = figures(&rates[1]);
            all["ratio"] = figures(ratios);
        }
        return say(&all.to_string());
    }
    let told = |name: &str, values: &[f64], digits: usize| {
        let (low, high) = range(values);
        eprintln!("{name}: {low:.digits$} to {high:.digits$} in {} rounds", values.len());
        say(&format!("{name} {:.digits$}", median(values)))
    };
    told("samples_per_second", ours, 2)?;
    if let Some(ratios) = &ratios {
        told("against_samples_per_second", &rates[1], 2)?;
        told("ratio", ratios, 3)?;
    }
    say(&format!("outside_share {:.4}", beside.outside))?;
    say(&format!("waiting_share {:.4}", beside.waiting))?;
    if let (Some([fp32, bf16]), Some(limits)) = (beside.shares, beside.limits) {
        let [fp32_limit, bf16_limit] = limits.map(|limit| 1e-9 * limit);
        eprintln!("products: {fp32_limit:.0} GFLOP/s in fp32, {bf16_limit:.0} in bf16, all ranks");
        say(&format!("share_of_products_fp32 {fp32:.3}"))?;
        say(&format!("share_of_products_bf16 {bf16:.3}"))?;
    }
    Ok(())
}
