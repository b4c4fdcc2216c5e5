//! Arguments of `skyforge bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::bench::scaling::Given;
use crate::app::bench::statistics::SMALLEST_SIDE;
use crate::app::bench::step::BenchRun;
use crate::app::bench::{Rounds, allreduce, ledger, loader, scaling, spectra, statistics, step};
use crate::app::run_on_ranks;
use crate::exit::Exit;

/// Time one part of the program on all ranks.
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

/// Time training steps on random data.
///
/// The records are random maps or spectra, as family.kind of the configuration requires. Prints `samples_per_second
/// NUMBER`: records per second of all ranks, median over rounds. With --against, a second configuration is timed in
/// alternation with the first, and its rate and the ratio of the first rate to the second are printed as well (medians
/// over rounds).
///
/// `outside_share` is the share of the time that rank 0 spends neither in the networks nor waiting for all-reduces.
/// `waiting_share` is the share of the time spent waiting for all-reduces, mean over ranks; it includes load imbalance.
/// On CPUs `share_of_products_fp32` and `share_of_products_bf16` are the nominal FLOP rate of the steps divided by the
/// highest measured rate of matrix products (1x1 convolutions on all ranks at once) in fp32 and in bf16.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge bench step --set family.update=simultaneous \\
      --against trainer.overlap=false")]
pub struct Step {
    #[command(flatten)]
    run: RunOptions,
    /// Also time a second configuration, which has this value in addition, e.g. trainer.overlap=false; may be repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "paced")]
    against: Vec<String>,
    /// Training steps per round
    #[arg(long, default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time a training step on 1, 2, 4, ... ranks, and predict larger runs.
///
/// Measures weak scaling: the number of records per rank is constant. The time of a step is divided into computing and
/// waiting for all-reduces, with and without overlap of communication and computation. All-reduces of several sizes are
/// timed as well, and the latency (alpha) and the time per byte (beta) of a message are fitted to these times. A
/// performance model predicts runs on 8 to 1,024 ranks from these values; values of another machine can be given
/// instead. The output separates measured from predicted values and lists the assumptions of the model.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 4 skyforge bench scaling
  srun --mpi=pmix -N 8 skyforge bench scaling \\
      --config configs/mass_maps_64.toml --json")]
pub struct Scaling {
    #[command(flatten)]
    run: RunOptions,
    /// Microbatches per rank, a power of two
    #[arg(long, default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1024))]
    microbatches_per_rank: u32,
    /// Rounds for each number of ranks, after one warm-up round
    #[arg(long, default_value_t = 7, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Training steps per round
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Model input: computing time per step of a rank, in milliseconds [default: measured]
    #[arg(long, value_parser = positive)]
    compute_ms: Option<f64>,
    /// Model input: latency of a message (alpha), in microseconds [default: measured]
    #[arg(long, value_parser = positive)]
    latency_us: Option<f64>,
    /// Model input: network bandwidth of a rank in each direction, in GB/s [default: measured]
    #[arg(long, value_parser = positive)]
    gigabytes_per_second: Option<f64>,
    /// Model input: standard deviation over ranks of the computing time of a step, divided by its mean [default:
    /// measured]
    #[arg(long, value_parser = positive)]
    jitter: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time reading of shuffled records from disk.
///
/// Each rank reads, verifies and transforms its own batches as in training. Prints `samples_per_second NUMBER`: records
/// per second of all ranks, median over rounds. `share_of_copy` and `share_of_pread` are the resulting data rate
/// divided by the rate of copies in memory and of `pread` on the files of the dataset, both measured on all ranks at
/// once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge bench loader --maps 200000
  skyforge bench loader --data data/maps --split train")]
pub struct Loader {
    /// Dataset to read [default: random maps in a temporary folder]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Split of the dataset to read
    #[arg(long, default_value = "train", requires = "data")]
    split: String,
    /// Number of random maps; 10,000 maps of 64 x 64 pixels take 164 MB
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true, conflicts_with = "data", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    maps: u64,
    /// Side of the random maps, in pixels
    #[arg(long, default_value_t = 64, allow_negative_numbers = true, conflicts_with = "data", value_parser = clap::value_parser!(u16).range(1..=8192))]
    side: u16,
    /// New folder in which to write the random maps and keep them
    #[arg(long, conflicts_with = "data")]
    keep: Option<PathBuf>,
    /// Records per batch of a rank
    #[arg(long, default_value_t = 64, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    batch: u32,
    /// Batches per round
    #[arg(long, default_value_t = 2000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    batches: u64,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time the all-reduce of skyforge against that of the MPI library.
///
/// Rounds of the two alternate. The time of a round is measured from when all ranks are ready until the last one has
/// finished, and each sum is checked. skyforge adds along a fixed tree, so that its sum has identical bits on any
/// number of ranks; the sum of the MPI library need not. The last line compares the data rate with that of a copy in
/// memory on all ranks at once. At least two ranks are required.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge bench allreduce --numbers 5000000")]
pub struct Allreduce {
    /// Number of values on each rank, single precision
    #[arg(long, default_value_t = 5_000_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    numbers: u32,
    /// Number of rounds, after one warm-up round
    #[arg(long, default_value_t = 31, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time power spectra, pixel histograms and Kolmogorov-Smirnov tests of maps.
///
/// Each rank processes the same number of random maps; the tests compare the first half of its maps with the second.
/// Prints `seconds NUMBER`: the time for all maps of a rank, on the slowest rank, median over rounds; then the times of
/// the three parts. For comparison the time of one pass over the maps in memory, on all ranks at once, is measured as
/// well.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench statistics --maps 2000 --side 256 --threads 1")]
pub struct Statistics {
    /// Number of maps per rank
    #[arg(long, default_value_t = 2000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(2..=1 << 24))]
    maps: u32,
    /// Side of the maps, in pixels
    #[arg(long, default_value_t = 256, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(SMALLEST_SIDE as i64..=8192))]
    side: u16,
    /// Number of bins of the histogram
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    bins: u16,
    /// Threads per rank [default: number of processors of the rank]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time the simulation of transmission spectra.
///
/// Prints `spectra_per_second NUMBER`: spectra per second of all ranks, one thread each, median over rounds. Reading of
/// opacity tables is not included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge bench spectra --set sampling=binned
  skyforge bench spectra --set opacities=data/opacities")]
pub struct Spectra {
    /// Spectra per round of a rank
    #[arg(long = "spectra", value_name = "SPECTRA", default_value_t = 1000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Set a value of the simulation, as for `skyforge simulate spectra`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    pace: PaceOptions,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Time the distribution of work through a ledger.
///
/// Workers process blocks of one object each, which need no computation. Prints `ms_per_block NUMBER`: the time of a
/// worker that the ledger takes per block, and `operations_per_block NUMBER`: file system operations per block; both
/// are medians over rounds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge bench ledger --blocks 10000 --workers 8
  srun -n 64 skyforge bench ledger --folder /scratch/me --workers 1 --sync")]
pub struct Ledger {
    /// Number of blocks, of all workers together
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Workers per rank, one thread each
    #[arg(long, default_value_t = 8, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Size of the result of a block, in bytes
    #[arg(long, default_value_t = 4096, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=1 << 28))]
    bytes: u32,
    /// Sync files to disk, as on a ledger of real work
    #[arg(long)]
    sync: bool,
    /// Folder visible to all ranks, in which ledgers are created and deleted [default: folder for temporary files of
    /// the system]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Number of rounds, each with a new ledger
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Options of the run whose steps are timed.
#[derive(Debug, Args)]
struct RunOptions {
    /// Configuration file, TOML [default: a built-in copy of configs/mass_maps_64.toml]
    #[arg(long)]
    config: Option<PathBuf>,
    /// Set a value of the configuration, e.g. batch.global=64; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Options of the rounds.
#[derive(Debug, Args)]
struct PaceOptions {
    /// Number of rounds, after one warm-up round
    #[arg(long, default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Start a round for each line read from stdin, and print one line of JSON after it; all ranks must be on one
    /// machine
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
