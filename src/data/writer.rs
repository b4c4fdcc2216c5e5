//! Writing a dataset: shards by any rank in any order, then the manifest by one.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::DataError;
use super::manifest::{Header, Layout, Manifest, ShardEntry};
use super::output_folder::{self, is_of_writer};
use super::shard::{Block, Rows, Shard};
use super::shard_writer::ShardWriter;
use crate::files;

/// A dataset being written, in a folder of which rank 0 holds the [`OutputLock`](super::OutputLock). Each rank makes a writer of its own,
/// writes the shards that fall to it, and shares its `ShardEntry`s; one rank calls `finish` with all of them. The folder is a dataset only
/// from then on.
#[derive(Debug)]
pub struct DatasetWriter {
    folder: PathBuf,
    header: Header,
    layout: Layout,
}

impl DatasetWriter {
    /// Makes the folder. One that already holds a dataset is refused; what a crash left behind is overwritten.
    pub fn create(folder: &Path, header: Header) -> Result<Self, DataError> {
        header.validate().map_err(DataError::Usage)?;
        output_folder::check(folder)?;
        files::create_folder(folder).map_err(DataError::file(folder))?;
        let layout = header.layout();
        Ok(Self { folder: folder.to_path_buf(), header, layout })
    }

    /// Which records go to which shard.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many shards there are to write.
    pub fn shards(&self) -> usize {
        self.layout.shard_rows.len()
    }

    /// The shard as an earlier attempt has left it, where that wrote the same records of the same dataset and nothing of it is damaged. For
    /// those whose records follow from the header alone.
    pub fn kept(&self, index: usize) -> Option<ShardEntry> {
        let path = self.path(index);
        let bytes = fs::metadata(&path).ok()?.len();
        let shard = Shard::open(&path).ok()?;
        let records = &self.layout.shard_rows[index];
        let same = shard.recipe() == Some(self.header.recipe())
            && shard.rows() == records.end - records.start
            && shard.block_rows() == self.layout.block_rows;
        if !same {
            return None;
        }
        let file = shard.file().ok()?;
        let mut block = Block::default();
        let whole = (0..shard.rows().div_ceil(shard.block_rows()))
            .all(|index| shard.read_block(&file, index, &mut block).is_ok());
        whole.then(|| ShardEntry { file: files::name_of(&path), rows: shard.rows(), bytes, checksum: shard.checksum() })
    }

    /// Writes one shard of a dataset with one modality and no known label, each record named by its number: `fill(record, values)` fills
    /// an array `[..shape]` of zeros with physical values.
    pub fn write_shard(&self, index: usize, mut fill: impl FnMut(u64, &mut [f32])) -> Result<ShardEntry, DataError> {
        let length = self.header.modality().len();
        self.write_blocks(index, |records, rows| {
            for (record, values) in records.zip(rows.values[0].chunks_exact_mut(length)) {
                fill(record, values);
            }
            Ok(())
        })
    }

    /// Writes one shard block by block: `fill(records, rows)` gets zeros, all modalities present, unknown labels (NaN) and ids that are
    /// the records' numbers, all of the block's size, and may fail; then nothing is left of the shard.
    pub fn write_blocks<E: From<DataError>>(
        &self,
        index: usize,
        mut fill: impl FnMut(Range<u64>, &mut Rows) -> Result<(), E>,
    ) -> Result<ShardEntry, E> {
        let records = self.layout.shard_rows[index].clone();
        let path = self.path(index);
        let mut shard = ShardWriter::create(&path, &self.header, records.end - records.start)?;
        let mut rows = Rows { values: vec![Vec::new(); self.header.modalities.len()], ..Rows::default() };
        while !shard.next_rows().is_empty() {
            let next = shard.next_rows();
            let n = (next.end - next.start) as usize;
            let block = records.start + next.start..records.start + next.end;
            for (values, modality) in rows.values.iter_mut().zip(&self.header.modalities) {
                values.clear();
                values.resize(n * modality.len(), 0.0);
            }
            rows.present.clear();
            rows.present.resize(n * self.header.modalities.len(), 1);
            rows.labels.clear();
            rows.labels.resize(n * self.header.labels.len(), f32::NAN);
            rows.ids.clear();
            rows.ids.extend(block.clone());
            fill(block, &mut rows)?;
            shard.append(&rows)?;
        }
        Ok(shard.finish()?)
    }

    /// Writes the manifest, last: `entries` are all the shards', in any order.
    pub fn finish(self, mut entries: Vec<ShardEntry>) -> Result<Manifest, DataError> {
        entries.sort_by(|a, b| a.file.cmp(&b.file));
        let rows: Vec<u64> = entries.iter().map(|entry| entry.rows).collect();
        let wanted: Vec<u64> = self.layout.shard_rows.iter().map(|records| records.end - records.start).collect();
        if rows != wanted {
            return Err(DataError::Usage(format!(
                "{} shards with {} records are written, expected {} with {}",
                rows.len(),
                rows.iter().sum::<u64>(),
                wanted.len(),
                self.header.count
            )));
        }
        // Shards of an earlier attempt that was larger, and cut off.
        for entry in fs::read_dir(&self.folder).map_err(DataError::file(&self.folder))? {
            let entry = entry.map_err(DataError::file(&self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_of_writer(&name) && !entries.iter().any(|shard| shard.file == name) {
                files::remove_file(&entry.path()).map_err(DataError::file(&entry.path()))?;
            }
        }
        let manifest = Manifest::new(self.header, entries);
        manifest.write(&self.folder)?;
        Ok(manifest)
    }

    fn path(&self, index: usize) -> PathBuf {
        self.folder.join(format!("shard-{index:05}.h5"))
    }
}
