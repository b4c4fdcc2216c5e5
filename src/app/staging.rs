//! Records on a disk of the node: one rank a node copies them there before a training begins, the others wait.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use indicatif::HumanBytes;
use rustix::fs::statvfs;
use xxhash_rust::xxh3::xxh3_64;

use super::session::Session;
use crate::data::Dataset;
use crate::data::stage::{self, Copied};
use crate::{files, machine};

/// Where a node keeps a copy of the dataset.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// A folder of each node, or `auto`; no copy is made where it is not given.
    pub folder: Option<PathBuf>,
    /// Whether the copy stays for the next start.
    pub keep: bool,
}

/// Where `auto` looks; words with $ are the environment's.
const PLACES: [&str; 6] = ["$SLURM_TMPDIR", "$TMPDIR", "$LOCAL_SCRATCH", "/local", "/scratch", "/dev/shm"];
/// A disk is asked to hold this much more, so that it is not full afterwards.
const ROOM: u64 = 64 << 20;
/// What is written and read to see how fast a disk is.
const TRIAL: usize = 16 << 20;

/// The records as this rank reads them, until this is dropped.
pub struct Staged {
    /// From there.
    pub dataset: Arc<Dataset>,
    /// What all nodes copied, and the seconds of the slowest; nothing where nothing was asked for.
    pub told: Option<(u64, f64)>,
    /// The copy that this rank is to remove.
    remove: Option<PathBuf>,
}

/// Copies on one rank of each node, if that is asked for. Called by all ranks.
pub fn stage(session: &Session, dataset: Arc<Dataset>, run: &Path, scratch: &Scratch) -> Staged {
    let Some(place) = &scratch.folder else { return Staged { dataset, told: None, remove: None } };
    let begun = Instant::now();
    let leads = session.here().rank == 0;
    let copied = leads.then(|| copy(&dataset, run, place));
    let (folder, bytes) = match &copied {
        Some(Ok((folder, copied))) => {
            let seconds = begun.elapsed().as_secs_f64();
            let (new, kept) = (HumanBytes(copied.bytes), HumanBytes(copied.kept));
            log::info!("staged {new} into {} in {seconds:.1} s, {kept} were there", folder.display());
            (folder.to_string_lossy().into_owned(), copied.bytes)
        }
        Some(Err(reason)) => {
            log::warn!(
                "not staged on {}: {reason}; records are read from {}",
                machine::host(),
                dataset.folder().display()
            );
            (String::new(), 0)
        }
        None => (String::new(), 0),
    };
    let remove = (leads && !folder.is_empty() && !scratch.keep).then(|| PathBuf::from(&folder));
    // The others of the node wait here.
    let (_, folders) = session.comm().here(&folder);
    let seconds = begun.elapsed().as_secs_f64();
    let all = session.comm().gather(&[bytes.to_le_bytes(), seconds.to_le_bytes()].concat());
    let number =
        |told: &[u8], at: usize| <[u8; 8]>::try_from(&told[8 * at..8 * at + 8]).expect("two numbers were sent");
    let bytes = all.iter().map(|told| u64::from_le_bytes(number(told, 0))).sum();
    let slowest = all.iter().map(|told| f64::from_le_bytes(number(told, 1))).fold(0.0, f64::max);
    let opened = folders.first().filter(|folder| !folder.is_empty()).map(|folder| Dataset::open(Path::new(folder)));
    let dataset = match opened {
        Some(Ok(copy)) => Arc::new(copy),
        Some(Err(fault)) => {
            log::warn!("{fault}: records are read from {}", dataset.folder().display());
            dataset
        }
        None => dataset,
    };
    Staged { dataset, told: Some((bytes, slowest)), remove }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(folder) = &self.remove
            && let Err(error) = files::remove_folder(folder)
        {
            log::warn!("{}: {error}: what was staged is left there", folder.display());
        }
    }
}

/// Copies to the place that is named or the best of those that are not: the folder, or in words why not.
fn copy(dataset: &Dataset, run: &Path, place: &Path) -> Result<(PathBuf, Copied), String> {
    let size = stage::size(dataset);
    // Each run and each node has its own, should the place be shared.
    let run = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    let key = xxh3_64(format!("{} {}", run.display(), dataset.checksum()).as_bytes());
    let name = format!("skyforge-{}-{key:016x}", machine::host());
    let place = if place == Path::new("auto") {
        best(
            PLACES.iter().filter_map(|place| resolve(place, |name| std::env::var(name).ok())),
            dataset.folder(),
            size,
            &name,
        )?
    } else {
        room(place, size, &name)?;
        place.to_owned()
    };
    let folder = place.join(name);
    let (_, copied) = stage::copy(dataset, &folder).map_err(|fault| fault.to_string())?;
    Ok((folder, copied))
}

/// A place of the list as it is here.
fn resolve(place: &str, environment: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    match place.strip_prefix('$') {
        Some(name) => environment(name).filter(|path| !path.is_empty()).map(PathBuf::from),
        None => Some(place.into()),
    }
}

/// The fastest of `places` with room for `size` bytes that is not the disk that holds the data.
fn best(places: impl Iterator<Item = PathBuf>, data: &Path, size: u64, name: &str) -> Result<PathBuf, String> {
    let disk = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let mut refused = Vec::new();
    let mut found: Option<(PathBuf, f64)> = None;
    for place in places.filter(|place| place.is_dir()) {
        let fit = if disk(&place) == disk(data) {
            Err(format!("{} is on the disk of the data", place.display()))
        } else {
            room(&place, size, name).and_then(|()| rate(&place))
        };
        match fit {
            Ok(rate) if found.as_ref().is_none_or(|(_, best)| rate > *best) => found = Some((place, rate)),
            Ok(_) => {}
            Err(reason) => refused.push(reason),
        }
    }
    let none = || if refused.is_empty() { "there is no disk of the node".to_owned() } else { refused.join(", ") };
    let (place, rate) = found.ok_or_else(none)?;
    log::info!("{} takes and gives {}/s", place.display(), HumanBytes(rate as u64));
    Ok(place)
}

/// Whether `place` has room for `size` bytes, less those that a copy called `name` has there already.
fn room(place: &Path, size: u64, name: &str) -> Result<(), String> {
    let fault = |error: io::Error| format!("{}: {error}", place.display());
    let disk = statvfs(place).map_err(|error| fault(error.into()))?;
    let there: u64 = fs::read_dir(place.join(name))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum();
    let (mut free, wanted) = (disk.f_bavail * disk.f_frsize, size.saturating_sub(there) + ROOM);
    let memory = place.starts_with("/dev/shm");
    if memory {
        free = free.min(machine::free_memory() / 2); // the other half is the program's
    }
    if free >= wanted {
        return Ok(());
    }
    let what = if memory { " of memory" } else { "" };
    Err(format!("{} has {}{what} to spare, expected {}", place.display(), HumanBytes(free), HumanBytes(wanted)))
}

/// Bytes a second that `place` takes and gives, of a short file.
fn rate(place: &Path) -> Result<f64, String> {
    let path = place.join(format!("skyforge-trial-{}", std::process::id()));
    let begun = Instant::now();
    let tried = files::write_synced(&path, &vec![1; TRIAL]).and_then(|()| {
        let mut back = Vec::with_capacity(TRIAL);
        File::open(&path)?.read_to_end(&mut back)
    });
    let seconds = begun.elapsed().as_secs_f64();
    let _ = files::remove_file(&path); // it may not have been made
    tried.map(|bytes| 2.0 * bytes as f64 / seconds).map_err(|error| format!("{}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_environment() {
        let of = |place: &str| resolve(place, |name| (name == "TMPDIR").then(|| "/fast".to_owned()));
        assert_eq!(of("$TMPDIR"), Some("/fast".into()));
        assert_eq!(of("$SLURM_TMPDIR"), None);
        assert_eq!(of("/local"), Some("/local".into()));
    }

    #[test]
    fn a_place_without_room_is_refused_with_both_sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(room(folder.path(), 1000, "x"), Ok(()));
        let reason = room(folder.path(), 1 << 60, "x").expect_err("an exbibyte");
        assert!(reason.contains(" to spare, expected 1.00 EiB"), "{reason}");
    }

    #[test]
    fn the_disk_of_the_data_is_no_place_and_every_reason_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let same = best([folder.path().to_owned()].into_iter(), folder.path(), 1, "x").expect_err("the same disk");
        assert!(same.ends_with("is on the disk of the data"), "{same}");
        assert_eq!(best(std::iter::empty(), folder.path(), 1, "x").expect_err("none"), "there is no disk of the node");
    }

    #[test]
    fn a_disk_that_takes_files_has_a_rate_and_keeps_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(rate(folder.path()).expect("it takes files") > 0.0);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert!(rate(&folder.path().join("missing")).is_err());
    }
}
