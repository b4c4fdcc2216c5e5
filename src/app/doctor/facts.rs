//! What one rank sees of what a run needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use xxhash_rust::xxh3::xxh3_64;

use super::folder::{self, Written};
use super::wanted::{Failure, Wanted};
use crate::app::allocation::{Allocation, World};
use crate::app::train::suited;
use crate::app::{CommandError, Session};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device::{self, Choice};
use crate::machine;

/// Where a rank would work, and whether that can count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub reason: String,
    pub is_gpu: bool,
    pub counts: bool,
}

/// What all ranks must have alike: a checksum, and what it is the checksum of in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Input {
    pub checksum: String,
    pub words: String,
}

/// What the system lets a process have; nothing where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    pub open_files: Option<u64>,
    pub stack_bytes: Option<u64>,
    pub locked_bytes: Option<u64>,
}

/// What a rank sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    pub host: String,
    pub allocation: Allocation,
    /// Where the batch system numbers the rank otherwise than MPI does.
    pub differences: Option<String>,
    /// Since 1970, read when all ranks had come.
    pub seconds: f64,
    pub binary: String,
    /// Threads that it is to run, and processors that it may use at once.
    pub threads: usize,
    pub processors: usize,
    /// Numbers of the processors that it is bound to, and how many its machine has.
    pub bound_to: BTreeSet<usize>,
    pub machine: usize,
    pub limits: Limits,
    pub torch_threads: i32,
    pub device: Result<Place, Failure>,
    pub folder: Result<Written, String>,
    pub config: Option<Result<Input, Failure>>,
    pub data: Option<Result<Input, Failure>>,
}

impl Facts {
    /// Looks, together with the other ranks.
    pub fn see(session: &Session, wanted: &Wanted) -> Self {
        let here = session.here();
        session.comm().gather(&[]); // nobody reads the clock before all have come
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let trainer = wanted.known_config().map(|config| &config.sections().trainer);
        let (choice, share) = trainer.map_or((Choice::Auto, true), |trainer| (trainer.device, trainer.share_gpu));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = trainer.map_or(1, |trainer| trainer.threads_per_rank);
        Session::torch_threads(threads.min(processors));
        let world = World { rank: session.rank(), ranks: session.ranks(), rank_here: here.rank };
        Self {
            host: machine::host(),
            allocation: session.allocation().clone(),
            differences: session.allocation().differences(world),
            seconds,
            binary: fs::read("/proc/self/exe").map_or_else(|error| error.to_string(), |bytes| checksum(&bytes)),
            threads,
            processors,
            bound_to: bound_to().unwrap_or_default(),
            machine: machine::processors(),
            limits: Limits {
                open_files: getrlimit(Resource::Nofile).current,
                stack_bytes: getrlimit(Resource::Stack).current,
                locked_bytes: getrlimit(Resource::Memlock).current,
            },
            torch_threads: tch::get_num_threads(),
            device: device::choose(choice, here, share)
                .map(|chosen| Place {
                    reason: chosen.reason,
                    is_gpu: chosen.device.is_cuda(),
                    counts: counts(chosen.device),
                })
                .map_err(Failure::of),
            folder: folder::write(wanted.folder),
            config: wanted.config.as_ref().map(|config| see_config(wanted.config_path, config)),
            data: wanted.data.as_deref().map(|data| see_data(data, wanted.known_config()).map_err(Failure::of)),
        }
    }
}

fn checksum(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

fn see_config(path: Option<&Path>, config: &Result<RunConfig, Failure>) -> Result<Input, Failure> {
    let config = config.as_ref().map_err(Failure::clone)?;
    let words = path.map_or(String::new(), |path| path.display().to_string());
    Ok(Input { checksum: checksum(config.to_toml().as_bytes()), words })
}

fn see_data(path: &Path, config: Option<&RunConfig>) -> Result<Input, CommandError> {
    let dataset = Dataset::open(path)?;
    let manifest = path.join("manifest.toml");
    let bytes = fs::read(&manifest).map_err(CommandError::io(manifest))?;
    if let Some(config) = config {
        suited(config, &dataset)?;
        dataset.split(&config.sections().data.split)?;
    }
    let words = format!("{}, {} records", path.display(), dataset.manifest().count);
    Ok(Input { checksum: checksum(&bytes), words })
}

/// Whether a product of matrices of which the answer is known comes out right.
fn counts(device: Device) -> bool {
    let ones = Tensor::ones([64, 64], (Kind::Float, device));
    Tensor::eq(&ones.matmul(&ones), 64.0).all().int64_value(&[]) == 1
}

/// The numbers of the processors that this process is bound to.
fn bound_to() -> Option<BTreeSet<usize>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    numbers(list.trim())
}

/// `0-2,5` as numbers.
fn numbers(list: &str) -> Option<BTreeSet<usize>> {
    let mut all = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        all.extend(first..=last);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_processors_are_read_as_the_system_writes_them() {
        assert_eq!(super::numbers("0-2,5"), Some([0, 1, 2, 5].into()));
        assert_eq!(super::numbers("7"), Some([7].into()));
        assert_eq!(super::numbers(""), None);
    }
}
