//! Whether a run's folder takes files, keeps them, guards them, shows them to all ranks and has room for them.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::HumanBytes;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::plural::verb;
use super::wanted::Wanted;
use crate::app::Session;
use crate::app::objective::objective;
use crate::app::train::schedule;
use crate::config::RunConfig;
use crate::data::{Dataset, Split};
use crate::exit::Exit;
use crate::family::SettingFault;
use crate::files;
use crate::machine;
use crate::objective::Network;

/// A file that was written, synced, renamed, read again and removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Written {
    pub seconds: f64,
    /// What the file system has left for us.
    pub free_bytes: u64,
}

const PROBE_BYTES: usize = 1 << 20;

/// The folder itself, or the nearest one above it that is there: it would be made in that.
pub(super) fn nearest(folder: &Path) -> PathBuf {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    whole.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(Path::new("/")).to_owned()
}

/// Writes a file there the way checkpoints are written.
pub(super) fn write(folder: &Path) -> Result<Written, String> {
    let place = nearest(folder);
    if !place.is_dir() {
        return Err(format!("{}: is no folder", place.display()));
    }
    if folder.join("manifest.toml").exists() {
        return Err(format!("{}: holds a dataset, expected the folder of a run", folder.display()));
    }
    let told = |error: std::io::Error| format!("{}: {error}", place.display());
    let path = place.join(own_name("write"));
    let bytes: Vec<u8> = (0..PROBE_BYTES).map(|i| (i % 251) as u8).collect();
    let begun = Instant::now();
    let written = files::write_whole(&path, &bytes).and_then(|()| fs::read(&path));
    let seconds = begun.elapsed().as_secs_f64();
    let _ = fs::remove_file(&path);
    if written.map_err(told)? != bytes {
        return Err(format!("{}: a file came back with other bytes than were written", place.display()));
    }
    Ok(Written { seconds, free_bytes: free(&place).map_err(told)? })
}

/// What the file system of `place` has left for us.
pub(super) fn free(place: &Path) -> std::io::Result<u64> {
    let system = rustix::fs::statvfs(place)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// A name that no other process on any machine has.
fn own_name(what: &str) -> String {
    format!(".skyforge-doctor-{what}-{}-{}", machine::host(), std::process::id())
}

/// Whether a lock that rank 0 holds is seen by all ranks, on a file that all ranks see.
///
/// Nothing where none can be made, which is told of elsewhere.
pub(super) fn lock(session: &Session, folder: &Path) -> Option<Finding> {
    let place = nearest(folder);
    let path = place.join(String::from_utf8_lossy(&session.comm().broadcast(own_name("lock").as_bytes())).as_ref());
    let held = (session.rank() == 0).then(|| File::create(&path).map(|file| (file.try_lock(), file)));
    session.comm().gather(&[]); // the lock is taken
    let seen = match File::open(&path).map(|file| file.try_lock()) {
        Err(_) => Seen::Nothing,
        Ok(Err(TryLockError::WouldBlock)) => Seen::Lock,
        Ok(Ok(()) | Err(TryLockError::Error(_))) => Seen::File,
    };
    let seen = session.comm().gather(&[seen as u8]); // and let go when all have looked
    let ranks = |what: Seen| -> Vec<usize> {
        seen.iter().enumerate().filter(|(_, seen)| **seen == [what as u8]).map(|(rank, _)| rank).collect()
    };
    if let Some(Ok(_)) = held {
        let _ = fs::remove_file(&path);
    }
    let place = place.display();
    let (blind, unguarded) = (ranks(Seen::Nothing), ranks(Seen::File));
    if blind.first() == Some(&0) {
        return None;
    }
    Some(if !blind.is_empty() {
        let found = format!("{place}: {} not see a file that rank 0 made there", verb(&blind, "does", "do"));
        let remedy = "name a folder on a file system that all nodes share";
        Finding::fault("lock", Exit::FileSystem, found, remedy)
    } else if !unguarded.is_empty() {
        let found = format!("{place}: {} not see the lock that rank 0 holds", verb(&unguarded, "does", "do"));
        Finding::warning("lock", found, "start no second program on the same run: nothing would stop it")
    } else {
        Finding::ok("lock", "a locked file is seen as such by all ranks")
    })
}

/// What a rank sees of a file that rank 0 made and locked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    File,
    Lock,
}

/// Whether what a run keeps has room.
pub(super) fn space(free: u64, wanted: &Wanted) -> Finding {
    let have = format!("{} free", HumanBytes(free));
    let Some(config) = wanted.known_config() else { return Finding::ok("space", have) };
    let one = match checkpoint_bytes(config) {
        Ok(bytes) => bytes,
        Err(SettingFault { key, value, wanted }) => {
            return Finding::warning("space", have, format!("`{key}` is {value}, expected {wanted}"));
        }
    };
    let records = wanted
        .data
        .as_deref()
        .and_then(|data| Dataset::open(data).ok())
        .and_then(|dataset| dataset.split(&config.sections().data.split).ok().map(Split::records));
    let trainer = &config.sections().trainer;
    let made = match (records, trainer.steps) {
        (Some(records), _) => Some(schedule(config, records).steps),
        (None, steps) => steps,
    };
    let made = made.map(|steps| steps.div_ceil(trainer.checkpoint_every));
    let kept = match (trainer.keep_checkpoints as u64, made) {
        (0, made) => made,
        (newest, made) => {
            // The best one besides, and one to go back to.
            let regular = made
                .filter(|_| trainer.keep_every > 0)
                .map_or(0, |made| made * trainer.checkpoint_every / trainer.keep_every);
            let kept = newest + regular + 2;
            Some(kept.min(made.unwrap_or(kept)))
        }
    };
    let each = format!("a checkpoint is {}", HumanBytes(one));
    // One more is there while it is written, before an older one goes.
    if free < 2 * one {
        let found = format!("{have}, {each} and needs as much again while it is written");
        return Finding::fault("space", Exit::FileSystem, found, "make room, or name another folder");
    }
    let Some(kept) = kept else {
        let found = format!("{have}, {each}, and their number follows from the dataset");
        return Finding::warning("space", found, "name the dataset with --data");
    };
    let needed = one * (kept + 1);
    let found = format!("{have}, {each}, at most {kept} kept and one under way: {}", HumanBytes(needed));
    if needed <= free {
        return Finding::ok("space", found);
    }
    Finding::warning("space", found, "set trainer.keep_checkpoints, raise trainer.checkpoint_every, or make room")
}

/// Numbers of a checkpoint in bytes: weights and state, the average where one is kept, and two moments of each weight.
fn checkpoint_bytes(config: &RunConfig) -> Result<u64, SettingFault> {
    let encodings = config.sections().family.benchmark_encodings(None)?;
    let objective = objective(config, &encodings, tch::Device::Cpu);
    let bytes = |network: &Network| {
        let (mut parameters, mut state) = (0, 0);
        for tensor in network.store.variables().values() {
            *(if tensor.requires_grad() { &mut parameters } else { &mut state }) += tensor.numel() as u64;
        }
        let copies = 1 + u64::from(network.average.is_some());
        4 * (copies * (parameters + state) + 2 * parameters)
    };
    Ok(objective.networks().iter().map(bytes).sum())
}
