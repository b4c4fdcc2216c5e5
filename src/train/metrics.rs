//! `metrics.jsonl`: what every step measured, one JSON object a line, written by rank 0 and read by the report.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::exit::{Ends, Exit};
use crate::files;

/// What can go wrong with the files that record a run's numbers.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that is no record.
    #[error("{path}: line {line} is no record ({reason}), expected a JSON object with a `step`")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        reason: serde_json::Error,
    },
}

impl Ends for MetricsError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::FileSystem,
            Self::Line { .. } => Exit::Data,
        }
    }
}

impl MetricsError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// `metrics.jsonl`, open for appending.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the log at `path`.
    ///
    /// Without `resume_step` it starts empty. With it, the lines of steps up to and with `resume_step` stay, byte for
    /// byte, and all that came after is gone: those steps will be taken again. Lines that cannot be read (the last of
    /// a killed run is often torn) are left out with a warning, since no log should keep a run from going on.
    pub fn open(path: &Path, resume_step: Option<u64>) -> Result<Self, MetricsError> {
        match resume_step {
            // Where it cannot be told whether there is one, nothing may be written over it.
            Some(step) if path.try_exists().map_err(MetricsError::file(path))? => keep_until(path, step)?,
            _ => drop(File::create(path).map_err(MetricsError::file(path))?),
        }
        let file = OpenOptions::new().append(true).open(path).map_err(MetricsError::file(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds the line of one step; it is in the file, whole, when this returns.
    ///
    /// - `epoch`: passes over the data since the start, with their fraction
    /// - `samples`: records seen since the start, all ranks together
    /// - `scalars`: names and values in the order they are to be read; what is not finite becomes `null`
    pub fn append(&mut self, step: u64, epoch: f64, samples: u64, scalars: &[(&str, f64)]) -> Result<(), MetricsError> {
        // By hand, since a JSON map would sort the names. serde_json makes null of what is not finite.
        let mut line = format!("{{\"step\":{step},\"epoch\":{},\"samples\":{samples}", Value::from(epoch));
        for (name, value) in scalars {
            line.extend([",", &Value::from(*name).to_string(), ":", &Value::from(*value).to_string()]);
        }
        line.push_str("}\n");
        self.file.write_all(line.as_bytes()).map_err(MetricsError::file(&self.path))
    }

    /// Returns when all lines are on the disk; before a checkpoint, so that no resumed run lacks lines.
    pub fn sync(&self) -> Result<(), MetricsError> {
        self.file.sync_data().map_err(MetricsError::file(&self.path))
    }
}

/// All records of the log at `path`, in the order of the file. A torn last line is not there yet, or lost: left out.
pub fn read(path: &Path) -> Result<Vec<Map<String, Value>>, MetricsError> {
    let text = fs::read(path).map_err(MetricsError::file(path))?;
    let mut records = Vec::new();
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(reason) => return Err(MetricsError::Line { path: path.to_owned(), line: number + 1, reason }),
        }
    }
    Ok(records)
}

/// Rewrites the log without the lines after `step`. Whoever is killed inside leaves the log as it was.
fn keep_until(path: &Path, step: u64) -> Result<(), MetricsError> {
    let mut unreadable = 0;
    let mut rewrite = || -> io::Result<()> {
        let mut source = BufReader::new(File::open(path)?);
        let mut kept = BufWriter::new(File::create(files::part_of(path))?);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line)? > 0 {
            // By the reader's own measure, so that what stays can be read.
            let record: Option<Map<String, Value>> = serde_json::from_slice(&line).ok();
            match record.and_then(|record| record.get("step")?.as_u64()) {
                Some(of) if of <= step => {
                    kept.write_all(line.trim_ascii_end())?;
                    kept.write_all(b"\n")?;
                }
                Some(_) => {}
                None => unreadable += 1,
            }
            line.clear();
        }
        files::settle(&kept.into_inner()?, path)
    };
    rewrite().map_err(MetricsError::file(path))?;
    if unreadable > 0 {
        log::warn!("{}: left out {unreadable} torn or unreadable line(s)", path.display());
    }
    Ok(())
}
