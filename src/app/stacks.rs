//! `skyforge try-stacks`: reads HDF5 files in a process that may die of it, for `ingest`.
//!
//! libhdf5 trusts what it reads, and some damaged files kill the program inside it. Our own shards have a seal; other
//! people's files are read once in a process of their own before anything hangs on them.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::CommandError;
use super::output::say;
use crate::exit::Exit;
use crate::ingest::spectra::{Reading, Table};
use crate::ingest::{Choice, IngestError, Input};

/// What files may ask for: a chunk of half as much can be unpacked.
const MEMORY: u64 = 2 << 30;

/// Numbers that are read at once.
const AT_ONCE: usize = 1 << 22;

/// Reads all, or says what is wrong with the first that cannot be read.
///
/// - `dataset`: path of the dataset in each file
/// - `spectra`: a `Reading` as JSON, where the files hold spectra
pub fn run(inputs: &[PathBuf], dataset: Option<String>, spectra: Option<&str>) -> Result<Exit, CommandError> {
    // A damaged file can make libhdf5 ask for all there is.
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let limit = Rlimit { current: Some(4096 * pages + MEMORY), maximum: getrlimit(Resource::As).maximum };
    let _ = setrlimit(Resource::As, limit); // where less is allowed already, that holds
    let reading: Option<Reading> = spectra.map(|json| serde_json::from_str(json).expect("`survive` wrote it"));
    let choice = Choice { dataset, ..Choice::default() };
    for (number, path) in inputs.iter().enumerate() {
        say(&number.to_string())?;
        match &reading {
            None => read(&Input::open(path, &choice)?)?,
            Some(reading) => read_spectra(&Table::open(path, None, reading)?)?,
        }
    }
    Ok(Exit::Done)
}

fn read_spectra(table: &Table) -> Result<(), IngestError> {
    let step = (AT_ONCE / table.wavelength_um.len()).max(1);
    for start in (0..table.objects).step_by(step) {
        table.read(start..(start + step).min(table.objects))?;
    }
    Ok(())
}

fn read(input: &Input) -> Result<(), IngestError> {
    let [n, h, w] = input.shape();
    let mut reader = input.reader()?;
    let step = (AT_ONCE / w).clamp(1, h);
    let mut values = vec![0.0; step * w];
    for map in 0..n {
        for start in (0..h).step_by(step) {
            let rows = start..(start + step).min(h);
            let count = rows.len() * w;
            reader.read_rows(map, rows, &mut values[..count])?;
        }
    }
    Ok(())
}

/// What is read of files.
pub enum Read {
    /// Maps, of this dataset where it is said.
    Maps(Option<String>),
    /// Spectra, in this way.
    Spectra(Box<Reading>),
}

/// Whether a process lives through reading those of `inputs` that are HDF5 files.
pub fn survive(inputs: &[&Path], read: &Read) -> Result<(), IngestError> {
    let stacks: Vec<&Path> = inputs.iter().copied().filter(|path| Input::is_hdf5(path)).collect();
    if stacks.is_empty() {
        return Ok(());
    }
    let itself = PathBuf::from("/proc/self/exe");
    let mut command = Command::new(&itself);
    let how = match read {
        Read::Maps(dataset) => dataset.as_ref().map(|name| format!("--dataset={name}")),
        Read::Spectra(reading) => {
            Some(format!("--spectra={}", serde_json::to_string(reading).expect("names, units and numbers are JSON")))
        }
    };
    command.arg("try-stacks").args(how).arg("--").args(&stacks);
    // It is no rank.
    let of_a_launcher =
        |name: &str| ["OMPI_", "PMI", "MPI_", "PALS_", "SLURM_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| of_a_launcher(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    // Large pieces are mappings of their own there, whose ends are found out by who writes beyond them.
    command.env("MALLOC_MMAP_THRESHOLD_", "131072");
    let tried = command.stdin(Stdio::null()).output();
    let tried = tried.map_err(|source| IngestError::File { path: itself, source })?;
    if tried.status.success() {
        return Ok(());
    }
    let number = String::from_utf8_lossy(&tried.stdout).lines().last().and_then(|line| line.parse().ok());
    let path = stacks[number.unwrap_or(0).min(stacks.len() - 1)].to_owned();
    let fault = if let Some(signal) = tried.status.signal() {
        format!("is damaged: libhdf5 dies of reading it (signal {signal}), expected a whole HDF5 file")
    } else {
        let told = String::from_utf8_lossy(&tried.stderr);
        let line = told.lines().last().unwrap_or("cannot be read");
        let line = line.strip_prefix("error: ").unwrap_or(line);
        line.strip_prefix(&format!("{}: ", path.display())).unwrap_or(line).to_owned()
    };
    Err(IngestError::Wrong { path, fault })
}
