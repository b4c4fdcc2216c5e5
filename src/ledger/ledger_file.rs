//! `ledger.toml`: the work that a folder is about, and the lease of its claims.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::LedgerError;
use super::block::Block;
use super::disk::Disk;
use super::owner::Owner;
use crate::{files, one_line};

/// The format that this program writes and reads.
pub const FORMAT: i64 = 2;
/// The ledger's name in its folder.
pub const FILE_NAME: &str = "ledger.toml";

/// The folders beside it.
const FOLDERS: [&str; 5] = ["claims", "failed", "results", "faulty", "retry"];

/// Differences that are named; of others the number is.
const NAMED: usize = 3;

/// Letters of a value that are shown.
const SHOWN: usize = 80;

/// The work: everything that its results depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The command that does it.
    pub command: String,
    /// The first object.
    pub first_object: u64,
    /// The object behind the last.
    pub end_object: u64,
    /// Objects of a block; the last may hold fewer.
    pub objects_per_block: u64,
    /// Inputs, model and settings: by name, a checksum or a readable value of each.
    pub description: Table,
}

impl Work {
    /// Its objects.
    pub fn objects(&self) -> Range<u64> {
        self.first_object..self.end_object
    }

    /// How many objects there are.
    pub fn count(&self) -> u64 {
        self.end_object - self.first_object
    }

    /// Its blocks, before any was halved.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        Block::cut(self.objects(), self.objects_per_block)
    }

    /// What stands for it in all its results.
    fn key(&self) -> u64 {
        xxh3_64(self.table().to_string().as_bytes())
    }

    fn table(&self) -> Table {
        Table::try_from(self).expect("numbers are below 2^63, the rest is TOML")
    }
}

/// How long a claim is valid without a sign of life, and how often a block is tried. Set when the ledger is made; no result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Workers that may be lost with a block before it is halved, or with one object before it is given up.
    pub attempts: u32,
    /// Time without a heartbeat after which a worker counts as lost.
    pub seconds: f64,
}

impl Default for Lease {
    fn default() -> Self {
        Self { attempts: 3, seconds: 120.0 }
    }
}

impl Lease {
    /// Time without a heartbeat after which a worker counts as lost.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    format: i64,
    key: String,
    lease: Lease,
    work: Work,
}

/// A folder that is about some work. Clones are the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    work: Arc<Work>,
    lease: Lease,
    key: u64,
    disk: Arc<Disk>,
}

impl Ledger {
    /// The ledger of `work` in `folder`: the one that is there, with its own lease, or else a new one.
    pub fn join(folder: &Path, work: Work, lease: Lease) -> Result<Self, LedgerError> {
        let key = work.key();
        let page = Page { format: FORMAT, key: format!("{key:016x}"), lease, work };
        expect_none_but_ours(folder)?;
        for kind in FOLDERS {
            let path = folder.join(kind);
            files::create_folder(&path).map_err(LedgerError::file(path))?;
        }
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            let text = toml::to_string(&page).expect("numbers are below 2^63, the rest is TOML");
            Disk::new(folder, true).write_new(&path, text.as_bytes(), &Owner::new(0).worker_id)?;
        }
        let ledger = Self::open(folder)?;
        match differences(&ledger.work.table(), &page.work.table()) {
            None => {
                let Lease { attempts, seconds } = ledger.lease;
                if ledger.lease != lease {
                    log::info!("{}: goes on with {attempts} attempts and a lease of {seconds} s", folder.display());
                }
                Ok(ledger)
            }
            Some(differences) => Err(LedgerError::Another { folder: folder.to_owned(), differences }),
        }
    }

    /// The ledger that is in `folder`.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        files::expect_folder(folder, "the folder of a ledger").map_err(LedgerError::file(folder))?;
        let path = folder.join(FILE_NAME);
        let wrong = |fault: String| LedgerError::Wrong { path: path.clone(), fault };
        let disk = Disk::new(folder, true);
        let seen = disk.read(&path)?.ok_or_else(|| wrong("is missing, so this is no ledger".into()))?;
        let text = String::from_utf8(seen.bytes).map_err(|_| wrong("is no text, expected TOML".into()))?;
        let table: Table = toml::from_str(&text).map_err(|error| wrong(one_line::toml(&error, &text)))?;
        match table.get("format") {
            Some(Value::Integer(FORMAT)) => {}
            Some(other) => {
                return Err(wrong(format!(
                    "`format` is {other}, expected {FORMAT}: finish this ledger with the version of skyforge that made it, \
                     or start a new one in another folder"
                )));
            }
            None => return Err(wrong(format!("has no `format`, expected {FORMAT}"))),
        }
        let page: Page = toml::from_str(&text).map_err(|error| wrong(one_line::toml(&error, &text)))?;
        let key = page.work.key();
        if page.key != format!("{key:016x}") {
            return Err(wrong(format!("`key` is {}, expected {key:016x}: the work was changed by hand", page.key)));
        }
        let Work { first_object, end_object, objects_per_block, .. } = page.work;
        if first_object > end_object || objects_per_block == 0 {
            return Err(wrong(format!(
                "has objects {first_object} to {end_object} in blocks of {objects_per_block}, expected an ascending \
                 range and a positive size"
            )));
        }
        if page.lease.attempts == 0 || !(page.lease.seconds > 0.0 && page.lease.seconds < 1e9) {
            return Err(wrong("`lease` is not possible, expected positive `attempts` and `seconds`".into()));
        }
        Ok(Self { work: Arc::new(page.work), lease: page.lease, key, disk: Arc::new(disk) })
    }

    /// The same ledger without waiting for the disk: a power cut may cost results, nothing else.
    #[must_use]
    pub fn without_sync(self) -> Self {
        Self { disk: Arc::new(Disk::new(self.folder(), false)), ..self }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.disk.folder()
    }

    /// What is to be done.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Lease of its claims.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// What stands for the work in all results.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// The doors to its folder.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The file of a block's result.
    pub(super) fn result(&self, block: Block) -> PathBuf {
        self.disk.path("results", block)
    }
}

/// What `there` has otherwise than is `wanted`, in words.
fn differences(there: &Table, wanted: &Table) -> Option<String> {
    let (there, wanted) = (flat(there), flat(wanted));
    let mut keys: Vec<&String> = there.iter().chain(&wanted).map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    let find = |of: &[(String, String)], key: &String| {
        of.iter().find(|(name, _)| name == key).map_or("nothing".to_owned(), |(_, value)| value.clone())
    };
    let different = keys.into_iter().filter_map(|key| {
        let (there, wanted) = (find(&there, key), find(&wanted, key));
        (there != wanted).then(|| format!("`{key}` is {} there, {} here", in_short(&there), in_short(&wanted)))
    });
    let mut words: Vec<String> = different.collect();
    let more = words.len().saturating_sub(NAMED);
    words.truncate(NAMED);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// A value whose end would be read by nobody, as a list of wavelengths.
fn in_short(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

/// All values of a table and of those inside it, under names with dots.
fn flat(table: &Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(flat(inner).into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => found.push((key.clone(), value.to_string())),
        }
    }
    found
}

/// That a folder without a ledger has nothing in it but what a worker that begins at the same time has made.
fn expect_none_but_ours(folder: &Path) -> Result<(), LedgerError> {
    if folder.join(FILE_NAME).exists() {
        return Ok(());
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(LedgerError::file(folder))?,
    };
    for entry in entries {
        let name = entry.map_err(LedgerError::file(folder))?.file_name().to_string_lossy().into_owned();
        if !FOLDERS.contains(&name.as_str()) && !name.starts_with(FILE_NAME) && !name.starts_with('.') {
            return Err(LedgerError::Foreign { folder: folder.to_owned(), name });
        }
    }
    Ok(())
}
