//! Arguments of `skyforge bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::bench::scaling::Given;
use crate::app::bench::statistics::SMALLEST_SIDE;
use crate::app::bench::step::BenchRun;
use crate::app::bench::{Rounds, allreduce, ledger, loader, scaling, spectra, statistics, step};
use crate::app::run_on_ranks;
use crate::exit::Exit;

/// Time one part of the program, on all ranks.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge bench step")]
pub enum Arguments {
    Step(Step),
    Scaling(Scaling),
    Loader(Loader),
    Allreduce(Allreduce),
    Statistics(Statistics),
    Spectra(Spectra),
    Ledger(Ledger),
}

/// Training steps on random data.
///
/// Records are maps or spectra, as family.kind of the configuration says. Prints `samples_per_second NUMBER`, the median
/// over rounds, records of all ranks. With --against the same is timed with other values of the configuration, round by round in turn, and the ratio of each pair of rounds is told.
///
/// Beside it stand the share of the time that rank 0 spends outside the networks and without waiting for sums, the share that ranks
/// spend waiting for sums (their mean: the wire, and slower neighbours), and the share of the largest rate of matrix products (1x1 convolutions, all ranks at once) that the nominal work of a step
/// makes, in single precision and in bf16.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge bench step --set family.update=simultaneous --against trainer.overlap=false")]
pub struct Step {
    #[command(flatten)]
    run: RunOptions,
    /// Also times the configuration with this value besides; may be given again
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "paced")]
    against: Vec<String>,
    /// Steps of a round
    #[arg(long, default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A step on 1, 2, 4 .. of these ranks, and a model of more.
///
/// Weak scaling: each rank has as many records whatever their number. Measured are a step's seconds, those of working
/// and of waiting, with and without overlap, and sums of several sizes, from which come the start of a message (alpha)
/// and the time of a byte (beta). From these a model tells of 8 to 1,024 ranks; numbers of another machine can be given
/// in their place. What is measured and what is the model's is said, and what the model takes for granted.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 4 skyforge bench scaling
  srun --mpi=pmix -N 8 skyforge bench scaling --config configs/mass_maps_64.toml --json")]
pub struct Scaling {
    #[command(flatten)]
    run: RunOptions,
    /// Microbatches of each rank, a power of two
    #[arg(long, default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1024))]
    microbatches_per_rank: u32,
    /// Rounds of each number of ranks, after one that warms up
    #[arg(long, default_value_t = 7, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Steps of a round
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// For the model, in place of what was measured: milliseconds that a rank works on its share of a step
    #[arg(long, value_parser = positive)]
    compute_ms: Option<f64>,
    /// The same: microseconds of a message's start
    #[arg(long, value_parser = positive)]
    latency_us: Option<f64>,
    /// The same: gigabytes a second of a rank's wire, each way
    #[arg(long, value_parser = positive)]
    gigabytes_per_second: Option<f64>,
    /// The same: spread of a step's work from rank to rank, over its mean
    #[arg(long, value_parser = positive)]
    jitter: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Shuffled records from disk.
///
/// Prints `samples_per_second NUMBER`, the median over rounds, records of all ranks. Each rank gets batches of its own.
/// Beside it stands the share of what a plain copy and a plain `pread` of the same files move, on all ranks at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench loader --maps 200000
  skyforge bench loader --data data/maps --split train")]
pub struct Loader {
    /// A dataset; where it is not given: random maps in a temporary folder, which is removed
    #[arg(long)]
    data: Option<PathBuf>,
    /// Which of its splits
    #[arg(long, default_value = "train", requires = "data")]
    split: String,
    /// How many random maps: of 64 px, 10,000 are 164 MB
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true, conflicts_with = "data", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    maps: u64,
    /// Their side in pixels
    #[arg(long, default_value_t = 64, allow_negative_numbers = true, conflicts_with = "data", value_parser = clap::value_parser!(u16).range(1..=8192))]
    side: u16,
    /// Leaves the random maps in this new folder
    #[arg(long, conflicts_with = "data")]
    keep: Option<PathBuf>,
    /// Records of a batch, for each rank
    #[arg(long, default_value_t = 64, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    batch: u32,
    /// Batches of a round
    #[arg(long, default_value_t = 2000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    batches: u64,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The sum over ranks, beside the one of the ranks' library.
///
/// Rounds alternate; a round counts from when all ranks are ready to when the last one is done. The result is compared
/// with the known answer. The tree's sum has the same bits on any number of ranks, the library's need not. The limit is
/// what a plain copy of a rank's numbers takes while all ranks copy.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge bench allreduce --numbers 5000000")]
pub struct Allreduce {
    /// How many numbers each rank has, single precision
    #[arg(long, default_value_t = 5_000_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    numbers: u32,
    /// How often each sum is made
    #[arg(long, default_value_t = 31, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Spectra, histograms and tests of maps.
///
/// Prints `seconds NUMBER`, the median over rounds, for all maps of a rank; each rank has as many. The tests hold the first
/// half of the maps against the second. Beside it stands the time of one read of all maps, on all ranks at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench statistics --maps 2000 --side 256 --threads 1")]
pub struct Statistics {
    /// How many maps
    #[arg(long, default_value_t = 2000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(2..=1 << 24))]
    maps: u32,
    /// Their side in pixels
    #[arg(long, default_value_t = 256, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(SMALLEST_SIDE as i64..=8192))]
    side: u16,
    /// Bins of the histogram
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    bins: u16,
    /// Threads of a rank; where it is not given: its processors
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Simulated transmission spectra.
///
/// Prints `spectra_per_second NUMBER`, the median over rounds, spectra of all ranks, one thread each. Reading opacities is not counted.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench spectra --set opacities=data/opacities --set sampling=binned")]
pub struct Spectra {
    /// Spectra of a round
    #[arg(long = "spectra", value_name = "SPECTRA", default_value_t = 1000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Sets a value, as for `simulate spectra`; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Work shared out over a folder.
///
/// Workers do blocks of objects that take no time. Prints `ms_per_block NUMBER`, the time of a worker that goes into the
/// ledger for each block, and `operations_per_block NUMBER`, what it asks of the file system; the median over rounds.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench ledger --blocks 10000 --workers 8
  srun -n 64 skyforge bench ledger --folder /scratch/me --workers 1 --sync")]
pub struct Ledger {
    /// Blocks of all workers together
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Workers of each rank
    #[arg(long, default_value_t = 8, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Bytes of a block's result
    #[arg(long, default_value_t = 4096, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=1 << 28))]
    bytes: u32,
    /// Waits for the disk, as real work does
    #[arg(long)]
    sync: bool,
    /// A folder, seen by all ranks, in which ledgers are made and removed; the system's for temporary files where it is
    /// not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Rounds, each with a ledger of its own
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Options of the run whose steps are timed.
#[derive(Debug, Args)]
struct RunOptions {
    /// The configuration, TOML; where it is not given: that of full-width 64 px mass maps
    #[arg(long)]
    config: Option<PathBuf>,
    /// Sets a value of the configuration, as in batch.global=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Options of the rounds.
#[derive(Debug, Args)]
struct PaceOptions {
    /// Rounds, after one that warms up
    #[arg(long, default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Begin each round when a line comes in on stdin, and print one JSON line after it; all ranks on one machine
    #[arg(long, conflicts_with = "rounds")]
    paced: bool,
}

impl Arguments {
    pub fn run(self) -> Exit {
        match self {
            Self::Step(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| step::run(session, &request))
            }
            Self::Scaling(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| scaling::run(session, &request))
            }
            Self::Loader(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| loader::run(session, &request))
            }
            Self::Allreduce(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| allreduce::run(session, &request))
            }
            Self::Statistics(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| statistics::run(session, &request))
            }
            Self::Spectra(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| spectra::run(session, &request))
            }
            Self::Ledger(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| ledger::run(session, &request))
            }
        }
    }
}

impl RunOptions {
    fn run(self) -> BenchRun {
        let Self { config, sets } = self;
        BenchRun { config, sets }
    }
}

impl PaceOptions {
    fn rounds(self) -> Rounds {
        let Self { rounds, paced } = self;
        if paced { Rounds::Paced } else { Rounds::Count(rounds) }
    }
}

impl Step {
    fn request(self) -> step::Request {
        let Self { run, against, steps, pace, json } = self;
        step::Request { run: run.run(), against, steps, rounds: pace.rounds(), json }
    }
}

impl Scaling {
    fn request(self) -> scaling::Request {
        let Self { run, microbatches_per_rank, rounds, steps, json, .. } = self;
        let Self { compute_ms, latency_us, gigabytes_per_second, jitter, .. } = self;
        let given = Given { compute_ms, latency_us, gigabytes_per_second, jitter };
        scaling::Request { run: run.run(), microbatches_per_rank, rounds, steps, given, json }
    }
}

impl Loader {
    fn request(self) -> loader::Request {
        let Self { data, split, maps, side, keep, batch, batches, pace, json } = self;
        loader::Request { data, split, maps, side, keep, batch, batches, rounds: pace.rounds(), json }
    }
}

impl Allreduce {
    fn request(self) -> allreduce::Request {
        let Self { numbers, rounds, json } = self;
        allreduce::Request { numbers, rounds, json }
    }
}

impl Statistics {
    fn request(self) -> statistics::Request {
        let Self { maps, side, bins, threads, pace, json } = self;
        statistics::Request { maps, side, bins, threads, rounds: pace.rounds(), json }
    }
}

impl Spectra {
    fn request(self) -> spectra::Request {
        let Self { count, sets, pace, json } = self;
        spectra::Request { count, sets, rounds: pace.rounds(), json }
    }
}

impl Ledger {
    fn request(self) -> ledger::Request {
        let Self { blocks, workers, bytes, sync, folder, rounds, json } = self;
        ledger::Request { blocks, workers, bytes, sync, folder, rounds, json }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let legal = |number: &f64| *number >= 0.0 && *number < 1e12;
    text.parse().ok().filter(legal).ok_or_else(|| "expected a number, 0 or more".into())
}
