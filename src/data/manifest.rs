//! `manifest.toml`: what a dataset holds, how it is cut into shards, and by which checksums it is known.
//!
//! Its last line, a comment, has the checksum of all lines above it, as `head -n -1 manifest.toml | xxhsum -H3` prints it:
//! a unit, a split or a transform that was changed is found. Who changes one by hand writes the new checksum there.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::DataError;
use super::label::Label;
use super::modality::{self, Kind, Modality};
use super::split::{self, Split, Splits};
use crate::{files, one_line};

/// The format that this program writes and reads.
pub const FORMAT: u32 = 2;
/// What to do about a dataset of format 1.
pub(super) const MAKE_AGAIN: &str =
    "this version does not read it, make the dataset again by the command and with the settings in its [source]";
/// The manifest's name in a dataset's folder.
pub const FILE_NAME: &str = "manifest.toml";

/// How the last line begins; the checksum of all above it follows.
const LAST_LINE: &str = "# xxh3 of all lines above: ";

/// Counted up whenever the same settings of `simulate` make other records, so that no shard of before is taken for one of now.
const RECIPES: u32 = 1;
const BLOCK_BYTES: u64 = 1 << 20;
const SHARD_BYTES: u64 = 256 << 20;
const SHARDS_TO_SHARE: u64 = 16;
/// HDF5 attributes and the seal of a shard have room for more.
const MOST_MODALITIES: usize = 100;
const MOST_LABELS: usize = 1000;
/// A quarter of a petabyte.
const MOST_SHARDS: u64 = 1 << 20;

/// What a dataset is before it is written: all that does not depend on the values.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// How many records.
    pub count: u64,
    /// The arrays of a record, at least one.
    pub modalities: Vec<Modality>,
    /// What each record carries beside its arrays; may be empty.
    pub labels: Vec<Label>,
    /// Which records are for what; may be empty.
    pub splits: Splits,
    /// How it was made: free, but the same for the same data, so no times; paths only of runs.
    pub source: toml::Table,
}

impl Header {
    /// The modality of a dataset that has one, as most have.
    pub fn modality(&self) -> &Modality {
        &self.modalities[0]
    }

    /// How the records are cut into blocks and shards.
    pub fn layout(&self) -> Layout {
        Layout::new(self.count, self.modalities.iter().filter_map(Modality::bytes).sum())
    }

    /// Whether some record may lack a modality.
    pub fn has_optional(&self) -> bool {
        self.modalities.iter().any(|modality| modality.optional)
    }

    /// The same without some of its records.
    ///
    /// - `gone`: their numbers, ascending
    #[must_use]
    pub fn without(mut self, gone: &[u64]) -> Self {
        let place = |record: u64| record - gone.partition_point(|one| *one < record) as u64;
        for split in self.splits.values_mut() {
            *split = Split::new(
                split.ranges().map(|range| place(range.start)..place(range.end)).filter(|range| !range.is_empty()),
            );
        }
        self.splits.retain(|_, split| split.records() > 0);
        self.count -= gone.len() as u64;
        self
    }

    /// A number that is the same for the same header: shards of one attempt to make a dataset are known by it.
    pub fn recipe(&self) -> u64 {
        let manifest = Manifest::new(self.clone(), Vec::new());
        let text = toml::to_string(&manifest).expect("a manifest is plain tables, numbers and strings");
        xxh3_64(format!("{text}{RECIPES}").as_bytes())
    }

    /// Checks everything that can be checked before a record is there.
    pub fn validate(&self) -> Result<(), String> {
        if self.count == 0 {
            return Err("`count` is 0, expected at least 1 record".into());
        }
        for (key, have, least, most) in
            [("modalities", self.modalities.len(), 1, MOST_MODALITIES), ("labels", self.labels.len(), 0, MOST_LABELS)]
        {
            if !(least..=most).contains(&have) {
                return Err(format!("`{key}` has {have} entries, expected {least} to {most}"));
            }
        }
        self.modalities.iter().try_for_each(Modality::validate)?;
        twice(self.modalities.iter().map(|modality| &modality.name)).map_or(Ok(()), |name| {
            Err(format!("modality `{name}` is there twice, expected a name of its own for each modality"))
        })?;
        self.labels.iter().try_for_each(Label::validate)?;
        twice(self.labels.iter().map(|label| &label.name)).map_or(Ok(()), |name| {
            Err(format!("label `{name}` is there twice, expected a name of its own for each label"))
        })?;
        let record_bytes: u64 = self.modalities.iter().filter_map(Modality::bytes).sum();
        if record_bytes >= 1 << 48 {
            return Err(format!("`modalities` have {record_bytes} bytes a record, expected less than 2^48"));
        }
        let most = (SHARD_BYTES / record_bytes.max(1)).max(1) * MOST_SHARDS;
        if self.count > most {
            return Err(format!("`count` is {}, expected at most {most} records of {record_bytes} bytes", self.count));
        }
        split::validate(&self.splits, self.count)
    }
}

/// The first name that comes a second time.
fn twice<'a>(names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

/// One shard as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// Name in the dataset's folder.
    pub file: String,
    /// Records in it.
    pub rows: u64,
    /// Size of the file.
    pub bytes: u64,
    /// xxh3 of its blocks' checksums (each 8 bytes, little-endian), 16 hexadecimal digits.
    pub checksum: String,
}

/// What a dataset holds, as `manifest.toml` says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `FORMAT`.
    pub format: u32,
    /// How many records.
    pub count: u64,
    /// Records in a block; the last block of the dataset may hold fewer.
    pub block_rows: u64,
    /// xxh3 of the shards' checksums (each 8 bytes, little-endian), 16 hexadecimal digits: the data's name.
    pub checksum: String,
    /// Which records are for what.
    #[serde(default)]
    pub splits: Splits,
    /// How it was made.
    pub source: toml::Table,
    /// The arrays of a record.
    pub modalities: Vec<Modality>,
    /// What each record carries beside its arrays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// The files, in order of their records.
    pub shards: Vec<ShardEntry>,
}

impl Manifest {
    /// The manifest of a dataset whose shards are written.
    pub fn new(header: Header, shards: Vec<ShardEntry>) -> Self {
        let block_rows = header.layout().block_rows;
        let checksum = checksum_of(shards.iter().map(|shard| &shard.checksum));
        let Header { count, modalities, labels, splits, source } = header;
        Self { format: FORMAT, count, block_rows, checksum, splits, source, modalities, labels, shards }
    }

    /// Reads and checks the manifest in a dataset's folder.
    pub fn read(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(FILE_NAME);
        let wrong = |reason: String| DataError::Manifest { path: path.clone(), reason };
        files::expect_folder(folder, "the folder of a dataset").map_err(DataError::file(folder))?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong("is missing, so this is no complete dataset".into()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(wrong("is no text, expected TOML".into()));
            }
            text => text.map_err(DataError::file(&path))?,
        };
        let no_toml = |error: toml::de::Error| wrong(one_line::toml(&error, &text));
        // The format comes first: another format may well have other keys.
        let table: toml::Table = text.parse().map_err(no_toml)?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format == i64::from(FORMAT) => {}
            Some(1) => return Err(wrong(format!("`format` is 1, expected {FORMAT}: {MAKE_AGAIN}"))),
            Some(format) => return Err(wrong(format!("`format` is {format}, expected {FORMAT}"))),
            None => {
                let have = table.get("format").map_or("missing".to_owned(), ToString::to_string);
                return Err(wrong(format!("`format` is {have}, expected the number {FORMAT}")));
            }
        }
        let manifest: Self = toml::from_str(&text).map_err(no_toml)?;
        manifest.validate().map_err(wrong)?;
        // Last, so that who changes it by hand learns of everything else before.
        check_last_line(&text).map_err(wrong)?;
        Ok(manifest)
    }

    /// Writes it into a dataset's folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<(), DataError> {
        let path = folder.join(FILE_NAME);
        let lines = toml::to_string(self).expect("a manifest is plain tables, numbers and strings");
        let text = format!("{lines}{LAST_LINE}{:016x}\n", xxh3_64(lines.as_bytes()));
        files::write_whole(&path, text.as_bytes()).map_err(DataError::file(&path))
    }

    /// The modality of a dataset that has one, as most have.
    pub fn modality(&self) -> &Modality {
        &self.modalities[0]
    }

    /// The one modality of a dataset that should have `kind` alone, in every record; the error says what it has.
    pub fn only(&self, kind: Kind) -> Result<&Modality, String> {
        modality::only(&self.modalities, kind)
    }

    /// Whether some record may lack a modality.
    pub fn has_optional(&self) -> bool {
        self.modalities.iter().any(|modality| modality.optional)
    }

    /// The blocks of the dataset.
    pub fn blocks(&self) -> Blocks {
        Blocks { count: self.count, block_rows: self.block_rows }
    }

    fn validate(&self) -> Result<(), String> {
        if self.block_rows == 0 || self.block_rows > u64::from(u32::MAX) {
            return Err(format!("`block_rows` is {}, expected at least 1 and less than 2^32", self.block_rows));
        }
        self.header().validate()?;
        let rows = self.shards.iter().try_fold(0_u64, |rows, shard| rows.checked_add(shard.rows));
        if rows != Some(self.count) {
            let rows = rows.map_or("too many".to_owned(), |rows| rows.to_string());
            return Err(format!("`shards` hold {rows} records, expected `count`: {}", self.count));
        }
        for (index, shard) in self.shards.iter().enumerate() {
            let last = index + 1 == self.shards.len();
            if shard.rows == 0 || (!last && !shard.rows.is_multiple_of(self.block_rows)) {
                return Err(format!(
                    "{} holds {} records, expected whole blocks of {}",
                    shard.file, shard.rows, self.block_rows
                ));
            }
            if shard.file.contains('/') {
                return Err(format!("shard `{}` is a path, expected a name in the dataset's folder", shard.file));
            }
        }
        let checksum = checksum_of(self.shards.iter().map(|shard| &shard.checksum));
        if checksum != self.checksum {
            return Err(format!("`checksum` is {}, expected {checksum} from its shards", self.checksum));
        }
        Ok(())
    }

    /// What it said before it was written: a start for a dataset made from this one.
    pub fn header(&self) -> Header {
        Header {
            count: self.count,
            modalities: self.modalities.clone(),
            labels: self.labels.clone(),
            splits: self.splits.clone(),
            source: self.source.clone(),
        }
    }
}

/// How records are cut into blocks and shards: a function of their number and size alone, so never of the ranks that write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Records in a block: about 1 MiB.
    pub block_rows: u64,
    /// The records of each shard: whole blocks but at the end, at most 256 MiB (or one block), and 16 shards where there are as
    /// many blocks, so that ranks can share out the work.
    pub shard_rows: Vec<Range<u64>>,
}

impl Layout {
    /// The layout of `count` records of `record_bytes` each.
    pub fn new(count: u64, record_bytes: u64) -> Self {
        let block_rows = (BLOCK_BYTES / record_bytes.max(1)).max(1);
        let blocks = count.div_ceil(block_rows);
        let blocks_at_most = (SHARD_BYTES / (block_rows * record_bytes.max(1))).max(1);
        let shards = blocks.div_ceil(blocks_at_most).max(blocks.min(SHARDS_TO_SHARE));
        let bound = |shard: u64| (blocks * shard / shards * block_rows).min(count);
        let shard_rows = (0..shards).map(|shard| bound(shard)..bound(shard + 1)).collect();
        Self { block_rows, shard_rows }
    }
}

/// The blocks of a dataset: arithmetic, no table, since every shard but the last holds whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Records in the dataset.
    pub count: u64,
    /// Records in a block but the last.
    pub block_rows: u64,
}

impl Blocks {
    /// How many there are.
    pub fn number(&self) -> u64 {
        self.count.div_ceil(self.block_rows)
    }

    /// The records of one block.
    pub fn records(&self, block: u64) -> Range<u64> {
        let start = block * self.block_rows;
        start..(start + self.block_rows).min(self.count)
    }

    /// The block that holds a record.
    pub fn holding(&self, record: u64) -> u64 {
        record / self.block_rows
    }
}

/// Holds a manifest's lines against what the last one says of them.
fn check_last_line(text: &str) -> Result<(), String> {
    let of = |lines: &str| format!("{:016x}", xxh3_64(lines.as_bytes()));
    let Some(place) = text.rfind(&format!("\n{LAST_LINE}")).map(|end| end + 1) else {
        let wanted = of(&format!("{}\n", text.trim_end_matches('\n')));
        return Err(format!("has no checksum of its own, expected a last line: {LAST_LINE}{wanted}"));
    };
    let (lines, last) = text.split_at(place);
    let (said, found) = (last[LAST_LINE.len()..].trim_end(), of(lines));
    if said == found {
        return Ok(());
    }
    Err(format!(
        "was changed after it was written: its last line says {said}, expected {found} from the lines above; \
         bring the old one back or, if the change is meant, write {found} there"
    ))
}

/// The checksum over checksums: xxh3 of the numbers, 8 bytes each, little-endian, in order.
pub(super) fn combine(checksums: impl IntoIterator<Item = u64>) -> String {
    let mut hash = Xxh3::new();
    for checksum in checksums {
        hash.update(&checksum.to_le_bytes());
    }
    format!("{:016x}", hash.digest())
}

/// The same of hexadecimal ones; one that is no number counts as 0 and is found when its shard is opened.
fn checksum_of<'a>(checksums: impl Iterator<Item = &'a String>) -> String {
    combine(checksums.map(|text| u64::from_str_radix(text, 16).unwrap_or(0)))
}
