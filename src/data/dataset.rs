//! Reading a dataset: whole blocks, each verified as it enters.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::DataError;
use super::manifest::{Blocks, Manifest, ShardEntry};
use super::modality::Modality;
pub use super::shard::Block;
use super::shard::{Rows, Shard};
use super::split::{Split, VALIDATION};

/// Files held open at once; a process may often have only 1024.
const OPEN_FILES: usize = 128;

/// A dataset on disk. May be read by many threads at once.
#[derive(Debug)]
pub struct Dataset {
    folder: PathBuf,
    manifest: Manifest,
    shards: Vec<OnceLock<Shard>>,
    /// First record of each shard, and the count.
    starts: Vec<u64>,
    files: Mutex<VecDeque<(usize, Arc<File>)>>,
}

impl Dataset {
    /// Reads the manifest and checks that every shard is there with its size.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let manifest = Manifest::read(folder)?;
        for entry in &manifest.shards {
            check_size(folder, entry)?;
        }
        let mut starts = vec![0];
        for entry in &manifest.shards {
            starts.push(starts[starts.len() - 1] + entry.rows);
        }
        let shards = manifest.shards.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { folder: folder.to_path_buf(), manifest, shards, starts, files: Mutex::default() })
    }

    /// The folder it was opened from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The data's name: the same for the same records, whichever ranks wrote them.
    pub fn checksum(&self) -> &str {
        &self.manifest.checksum
    }

    /// Its blocks.
    pub fn blocks(&self) -> Blocks {
        self.manifest.blocks()
    }

    /// The records of one purpose.
    pub fn split(&self, name: &str) -> Result<&Split, DataError> {
        self.manifest.splits.get(name).ok_or_else(|| {
            let there: Vec<_> = self.manifest.splits.keys().map(|name| format!("`{name}`")).collect();
            let wanted =
                if there.is_empty() { "one with splits".into() } else { format!("one of {}", there.join(", ")) };
            DataError::Usage(format!("{} has no split `{name}`, expected {wanted}", self.folder.display()))
        })
    }

    /// Arrays of one modality in physical units, `[n, ..shape]` flat, from verified blocks; 0 where a record lacks it.
    pub fn read(&self, modality: usize, records: Range<u64>) -> Result<Vec<f32>, DataError> {
        let length = self.manifest.modalities[modality].len();
        self.check_range(&records)?;
        if !records.is_empty() {
            self.shard(self.shard_of(records.start))?; // the size of a record is true before there is room for many
        }
        let mut values = vec![0.0; (records.end - records.start) as usize * length];
        let mut arrays = values.chunks_exact_mut(length);
        self.each_row(records, |block, row| {
            block.copy_row(modality, row, arrays.next().expect("there is room for every record"));
        })?;
        Ok(values)
    }

    /// The same of `records` in their order, `[n, ..shape]` flat.
    pub fn read_records(&self, modality: usize, records: &[u64]) -> Result<Vec<f32>, DataError> {
        let mut values = Vec::new();
        for neighbours in neighbours(records) {
            values.extend(self.read(modality, neighbours)?);
        }
        Ok(values)
    }

    /// Everything of `records`, in their order, in physical units.
    pub fn read_rows(&self, records: &[u64]) -> Result<Rows, DataError> {
        let modalities = &self.manifest.modalities;
        let mut rows = Rows { values: vec![Vec::new(); modalities.len()], ..Rows::default() };
        for neighbours in neighbours(records) {
            self.each_row(neighbours, |block, row| {
                for (number, (modality, values)) in modalities.iter().zip(&mut rows.values).enumerate() {
                    let place = values.len();
                    values.resize(place + modality.len(), 0.0);
                    block.copy_row(number, row, &mut values[place..]);
                    rows.present.push(u8::from(block.is_present(number, row)));
                }
                rows.labels.extend(block.labels(row));
                rows.ids.push(block.id(row));
            })?;
        }
        Ok(rows)
    }

    /// The split that a model is measured on during training.
    ///
    /// # Errors
    /// Where it has fewer than two records: how to get one.
    pub fn validation_split(&self) -> Result<&Split, DataError> {
        let folder = self.folder.display();
        let wanted = "since `validation.every` is not 0: simulate or ingest the dataset with --validation SHARE";
        match self.manifest.splits.get(VALIDATION) {
            Some(split) if split.records() > 1 => Ok(split),
            Some(_) => {
                Err(format!("{folder} has one record in its split `{VALIDATION}`, expected at least 2 {wanted}"))
            }
            None => Err(format!("{folder} has no split `{VALIDATION}`, expected one {wanted}")),
        }
        .map_err(DataError::Usage)
    }

    /// Labels of records, `[n, p]` flat, NaN where unknown.
    pub fn read_labels(&self, records: Range<u64>) -> Result<Vec<f32>, DataError> {
        let mut values = Vec::new();
        self.each_row(records, |block, row| values.extend(block.labels(row)))?;
        Ok(values)
    }

    /// Names of records, `[n]`.
    pub fn read_ids(&self, records: Range<u64>) -> Result<Vec<u64>, DataError> {
        let mut ids = Vec::new();
        self.each_row(records, |block, row| ids.push(block.id(row)))?;
        Ok(ids)
    }

    /// One block, verified.
    pub fn read_block(&self, block: u64) -> Result<Block, DataError> {
        let mut into = Block::default();
        self.read_block_into(block, &mut into)?;
        Ok(into)
    }

    /// The same into a block that has been used before, whose memory is used again. On an error its content is of no use.
    pub fn read_block_into(&self, block: u64, into: &mut Block) -> Result<(), DataError> {
        self.with_block(block, into, Shard::read_block)
    }

    /// Reads one block with the arrays of each modality put to their places, one for each record of the block; `beside` gets its
    /// labels and ids, and no array.
    pub fn read_block_to(
        &self,
        block: u64,
        places: &mut [Vec<&mut [f32]>],
        beside: &mut Block,
    ) -> Result<(), DataError> {
        self.with_block(block, beside, |shard, file, index, beside| shard.read_block_to(file, index, places, beside))
    }

    fn with_block(
        &self,
        block: u64,
        into: &mut Block,
        read: impl FnOnce(&Shard, &File, u64, &mut Block) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let blocks = self.blocks();
        if block >= blocks.number() {
            return Err(DataError::Usage(format!(
                "block {block} is asked for, expected one of 0..{}",
                blocks.number()
            )));
        }
        let first = blocks.records(block).start;
        let index = self.shard_of(first);
        let shard = self.shard(index)?;
        let file = self.file(index, shard)?;
        into.first_record = first;
        read(shard, &file, (first - self.starts[index]) / blocks.block_rows, into)?;
        self.check_rows(shard, first - self.starts[index], into)
    }

    /// Refuses labels that their kinds do not take, and records that lack what every record has.
    fn check_rows(&self, shard: &Shard, first_row: u64, block: &Block) -> Result<(), DataError> {
        let records = block.records();
        for row in 0..(records.end - records.start) as usize {
            let labels = self.manifest.labels.iter().zip(block.labels(row));
            let wrong_label = labels.into_iter().find(|(label, value)| !label.takes(*value));
            let absent = |(at, modality): &(usize, &Modality)| !modality.optional && !block.is_present(*at, row);
            let fault = if let Some((label, value)) = wrong_label {
                format!("has {value} as label `{}`, expected {}", label.name, label.wanted())
            } else if let Some((_, modality)) = self.manifest.modalities.iter().enumerate().find(absent) {
                format!("lacks `{}`, expected it in every record, since it is not optional", modality.name)
            } else {
                continue;
            };
            return Err(DataError::Row { shard: shard.name().to_owned(), row: first_row + row as u64, fault });
        }
        Ok(())
    }

    /// Whether its first shard is what the manifest says, so that the size of a record is true before there is room for many.
    pub(super) fn check_first_shard(&self) -> Result<(), DataError> {
        self.shard(0).map(drop)
    }

    /// Reads everything and checks every checksum. The first error in order of records.
    pub fn verify(&self) -> Result<(), DataError> {
        let number = self.blocks().number();
        let read = |into: &mut Block, block| self.read_block_into(block, into).err();
        (0..number as usize)
            .into_par_iter()
            .map_init(Block::default, |into, block| read(into, block as u64))
            .find_map_first(|error| error)
            .map_or(Ok(()), Err)
    }

    fn check_range(&self, records: &Range<u64>) -> Result<(), DataError> {
        let count = self.manifest.count;
        if records.start > records.end || records.end > count {
            let Range { start, end } = records;
            let asked = format!("records {start}..{end} are asked for, expected some of 0..{count}");
            return Err(DataError::Usage(asked));
        }
        Ok(())
    }

    /// The shard that holds a record.
    fn shard_of(&self, record: u64) -> usize {
        self.starts.partition_point(|&start| start <= record) - 1
    }

    fn each_row(&self, records: Range<u64>, mut take: impl FnMut(&Block, usize)) -> Result<(), DataError> {
        self.check_range(&records)?;
        let blocks = self.blocks();
        let mut block = Block::default();
        let mut record = records.start;
        while record < records.end {
            self.read_block_into(blocks.holding(record), &mut block)?;
            let here = block.records();
            for r in record..here.end.min(records.end) {
                take(&block, (r - here.start) as usize);
            }
            record = here.end;
        }
        Ok(())
    }

    /// The shard, opened and held against the manifest at its first use.
    fn shard(&self, index: usize) -> Result<&Shard, DataError> {
        if let Some(shard) = self.shards[index].get() {
            return Ok(shard);
        }
        let entry = &self.manifest.shards[index];
        check_size(&self.folder, entry)?;
        let shard = Shard::open(&self.folder.join(&entry.file)).map_err(|error| self.or_gone(index, error))?;
        let differs = |what: &str, is: String, wanted: String| {
            Err(DataError::Shard {
                shard: entry.file.clone(),
                reason: format!("has {what} {is}, expected {wanted} from manifest.toml"),
            })
        };
        if shard.checksum() != entry.checksum {
            return differs("checksum", shard.checksum(), entry.checksum.clone());
        }
        if shard.rows() != entry.rows || shard.block_rows() != self.manifest.block_rows {
            let both = |rows, block_rows| format!("{rows} in blocks of {block_rows}");
            let is = both(shard.rows(), shard.block_rows());
            return differs("rows", is, both(entry.rows, self.manifest.block_rows));
        }
        let listed = self.manifest.modalities.iter().map(|modality| (&modality.name, &modality.shape));
        if !shard.modalities().iter().map(|(name, shape)| (name, shape)).eq(listed.clone()) {
            let words = |modalities: Vec<(&String, &Vec<usize>)>| {
                let words = modalities.iter().map(|(name, shape)| format!("{name} {shape:?}"));
                words.collect::<Vec<_>>().join(", ")
            };
            let is = words(shard.modalities().iter().map(|(name, shape)| (name, shape)).collect());
            return differs("modalities", is, words(listed.collect()));
        }
        if shard.labels() != self.manifest.labels.len() {
            return differs("labels", shard.labels().to_string(), self.manifest.labels.len().to_string());
        }
        let optional = self.manifest.has_optional();
        if shard.has_optional() != optional {
            let reason = if optional {
                "has no array `present`, expected one, since a modality is optional in manifest.toml"
            } else {
                "has an array `present`, expected none, since no modality is optional in manifest.toml"
            };
            return Err(DataError::Shard { shard: entry.file.clone(), reason: reason.into() });
        }
        Ok(self.shards[index].get_or_init(|| shard))
    }

    fn file(&self, index: usize, shard: &Shard) -> Result<Arc<File>, DataError> {
        // A thread that panicked left the list whole: every change to it is one call.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = files.iter().find(|(held, _)| *held == index) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(shard.file().map_err(|error| self.or_gone(index, error))?);
        if files.len() == OPEN_FILES {
            files.pop_front();
        }
        files.push_back((index, Arc::clone(&file)));
        Ok(file)
    }

    /// `error`, or that the shard vanished between two looks at it.
    fn or_gone(&self, index: usize, error: DataError) -> DataError {
        check_size(&self.folder, &self.manifest.shards[index]).err().unwrap_or(error)
    }
}

fn check_size(folder: &Path, entry: &ShardEntry) -> Result<(), DataError> {
    let path = folder.join(&entry.file);
    let reason = match fs::metadata(&path) {
        Ok(found) if found.len() == entry.bytes => return Ok(()),
        Ok(found) => format!("is {} bytes, expected {} from manifest.toml", found.len(), entry.bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("is missing, expected {} bytes from manifest.toml", entry.bytes)
        }
        Err(source) => return Err(DataError::File { path, source }),
    };
    Err(DataError::Shard { shard: entry.file.clone(), reason })
}

/// Runs of neighbours among `records`, in their order.
fn neighbours(records: &[u64]) -> impl Iterator<Item = Range<u64>> + '_ {
    let runs = records.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| run[0]..run[0] + run.len() as u64)
}
