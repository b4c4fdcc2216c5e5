//! What the program tells: rank 0 on stderr, every rank in its own file once there is a run folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger {
    rank: usize,
    ranks: usize,
    file: Mutex<Sink>,
}

/// Where this rank's story goes: nowhere yet, so that it is kept, or into its file.
enum Sink {
    Kept(Vec<String>),
    File(File),
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts the log of this rank. `SKYFORGE_LOG` sets the level: error, warn, info (default), debug.
pub fn start(rank: usize, ranks: usize) {
    let logger = LOGGER.get_or_init(|| Logger { rank, ranks, file: Mutex::new(Sink::Kept(Vec::new())) });
    let level = std::env::var("SKYFORGE_LOG").ok().and_then(|word| word.parse().ok()).unwrap_or(LevelFilter::Info);
    if log::set_logger(logger).is_ok() {
        log::set_max_level(level);
    }
}

/// This rank's story goes to `run/log/rank-0000.log` as well, from its beginning.
pub fn to_file(run: &Path, rank: usize) -> io::Result<()> {
    let folder = run.join("log");
    fs::create_dir_all(&folder)?;
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(format!("rank-{rank:04}.log")))?;
    if let Some(logger) = LOGGER.get() {
        let mut sink = logger.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Sink::Kept(lines) = &*sink {
            for line in lines {
                writeln!(file, "{line}")?;
            }
        }
        *sink = Sink::File(file);
    }
    Ok(())
}

/// The one line about what ended the program: on stderr by the rank that speaks for all, in the log by every rank.
pub fn error(speaks: bool, message: &str) {
    let line = message.replace('\n', ", ");
    if let Some(logger) = LOGGER.get() {
        logger.write_file(&format!("error: {line}"));
    }
    if speaks {
        let _ = writeln!(io::stderr(), "error: {line}");
    }
}

impl Logger {
    fn write_file(&self, line: &str) {
        match &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Kept(lines) => lines.push(line.to_owned()),
            Sink::File(file) => drop(writeln!(file, "{line}")), // a log that cannot be written must not end a run
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("skyforge")
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let word = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug | Level::Trace => "debug: ",
        };
        let line = format!("{word}{}", record.args());
        self.write_file(&line);
        if self.rank == 0 {
            let _ = writeln!(io::stderr(), "{line}");
        } else if record.level() <= Level::Warn {
            let _ = writeln!(io::stderr(), "rank {} of {}: {line}", self.rank, self.ranks);
        }
    }

    fn flush(&self) {}
}
