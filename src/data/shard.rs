//! One shard: a plain HDF5 file that h5py opens, made once by HDF5 and then written (`shard_writer.rs`) and read past it.
//!
//! | array             | shape                      | type | attributes                                                    |
//! | ----------------- | -------------------------- | ---- | ------------------------------------------------------------- |
//! | (the file)        |                            |      | `format`, `recipe`, `modalities`: their names, in order (S64) |
//! | NAME, a modality  | `[n, ..shape]`             | f32  | `kind`, `unit`                                                |
//! | `present`         | `[n, m]`, if one may lack  | u8   | 1 where the record has the modality, 0 where it does not      |
//! | `labels`          | `[n, p]`, if p > 0         | f32  | `names`, `kinds`, `units`, `classes_NAME` of a class label    |
//! | `id`              | `[n]`                      | u64  |                                                               |
//! | `block_checksums` | `[blocks]`                 | u64  | `block_rows`                                                  |
//!
//! NaN is a label that is not known. A modality that a record lacks is 0 throughout. A block's checksum is xxh3 (64 bits, seed 0)
//! of the little-endian bytes of its rows of each modality, then of `present`, `labels` and `id`. Behind the HDF5 file stands a
//! seal that vouches for all other bytes (`seal.rs`). All arrays are contiguous and uncompressed, a modality begins at a multiple
//! of 4096 where it is not smaller than that, and there are no time stamps: the same rows give the same bytes. HDF5 holds one lock
//! for the whole process, so it only makes the empty file and says where each array lies; rows go by `pread` and `pwrite`.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hdf5::types::{FixedAscii, TypeDescriptor, VarLenUnicode};
use xxhash_rust::xxh3::Xxh3;

use super::DataError;
use super::manifest::{FORMAT, MAKE_AGAIN, combine};
use super::modality::LONGEST_NAME;
use super::seal;
use crate::files;

/// Rows on their way to a shard: n records, neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// For each modality `[n, ..shape]`, physical units; 0 where a record lacks it.
    pub values: Vec<Vec<f32>>,
    /// `[n, modalities]`, 1 where the record has the modality, else 0.
    pub present: Vec<u8>,
    /// `[n, p]`, NaN = unknown.
    pub labels: Vec<f32>,
    /// `[n]`, names of the records.
    pub ids: Vec<u64>,
}

/// A shard being read.
#[derive(Debug)]
pub struct Shard {
    name: String,
    path: PathBuf,
    recipe: Option<u64>,
    /// Whether our own writer has made it, which lets no value pass that is not legal.
    sealed: bool,
    rows: u64,
    /// Name and shape of each modality.
    modalities: Vec<(String, Vec<usize>)>,
    labels: usize,
    block_rows: u64,
    values: Vec<Column>,
    present: Option<Column>,
    label_values: Column,
    ids: Column,
    checksums: Vec<u64>,
}

/// Rows of one array in the file.
#[derive(Debug)]
enum Column {
    /// Little-endian bytes from here on.
    At(u64),
    /// The same bytes, from a file where they lie in another way (chunked, compressed, converted): another program's.
    Copied(Vec<u8>),
}

/// Records read from a shard: a whole block, verified.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub(super) first_record: u64,
    rows: usize,
    /// Bytes of a record's array of each modality.
    record_bytes: Vec<usize>,
    labels: usize,
    /// For each modality the bytes of its rows; none where they were read to another place.
    values: Vec<Vec<u8>>,
    /// `[n, modalities]`; empty where no modality is optional.
    present: Vec<u8>,
    label_values: Vec<u8>,
    ids: Vec<u8>,
}

/// The first value of a block that no shard may hold.
type Illegal = (usize, u64, usize, f32);

impl Shard {
    /// Opens a shard and reads everything but its rows.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        // The system says better than HDF5 why it cannot be read.
        let bytes = File::open(path).map_err(DataError::file(path))?;
        let sealed = match seal::check(&bytes).map_err(DataError::file(path))? {
            Ok(sealed) => sealed,
            Err(seal::Broken { found, wanted }) => {
                let reason = format!("is damaged outside its rows: checksum {found:016x}, expected {wanted:016x}");
                return Err(DataError::Shard { shard: files::name_of(path), reason });
            }
        };
        let file = hdf5::File::with_options().with_fapl(|access| access.file_locking(false)).open(path);
        let file = file.map_err(hdf5_error(path))?;
        // The format comes first: another format has other arrays.
        let format = file.attr("format").and_then(|format| format.read_scalar::<u32>()).map_err(hdf5_error(path))?;
        if format != FORMAT {
            let remedy = if format == 1 { format!(": {MAKE_AGAIN}") } else { String::new() };
            let reason = format!("has format {format}, expected {FORMAT}{remedy}");
            return Err(DataError::Shard { shard: files::name_of(path), reason });
        }
        Self::read(path, &file, sealed).map_err(hdf5_error(path))
    }

    /// What the HDF5 file says.
    fn read(path: &Path, file: &hdf5::File, sealed: bool) -> hdf5::Result<Self> {
        let names = modality_names(file, sealed)?;
        let arrays = names.iter().map(|name| file.dataset(name)).collect::<hdf5::Result<Vec<_>>>()?;
        if arrays.is_empty() {
            return Err("has no modality, expected at least 1".into());
        }
        let optional = |name: &str| if file.link_exists(name) { file.dataset(name).map(Some) } else { Ok(None) };
        let (present, labels, ids) = (optional("present")?, optional("labels")?, file.dataset("id")?);
        let checksums = file.dataset("block_checksums")?;
        let rows = ids.shape().first().copied().unwrap_or(0);
        let shape_of = |array: &hdf5::Dataset| array.shape().get(1..).unwrap_or_default().to_vec();
        let shard = Self {
            name: files::name_of(path),
            path: path.to_path_buf(),
            sealed,
            recipe: file.attr("recipe").and_then(|recipe| recipe.read_scalar()).ok(),
            rows: rows as u64,
            modalities: names.into_iter().zip(arrays.iter().map(shape_of)).collect(),
            labels: labels.as_ref().map_or(0, |labels| labels.shape().get(1).copied().unwrap_or(0)),
            block_rows: checksums.attr("block_rows")?.read_scalar()?,
            values: arrays.iter().map(|array| column(array, f32::to_le_bytes)).collect::<hdf5::Result<_>>()?,
            present: present.as_ref().map(|present| column(present, u8::to_le_bytes)).transpose()?,
            label_values: match &labels {
                Some(labels) => column(labels, f32::to_le_bytes)?,
                None => Column::Copied(Vec::new()),
            },
            ids: column(&ids, u64::to_le_bytes)?,
            checksums: checksums.read_raw()?,
        };
        let shapes: Vec<Vec<usize>> = arrays.iter().map(|array| array.shape()).collect();
        let rows_agree = ids.shape() == [rows]
            && shapes.iter().all(|shape| shape.first() == Some(&rows))
            && present.is_none_or(|present| present.shape() == [rows, shard.modalities.len()])
            && labels.is_none_or(|labels| labels.shape() == [rows, shard.labels]);
        let length = file.size();
        let in_file = |column: &Column, row_bytes: usize| match column {
            Column::At(place) => {
                let end = shard.rows.checked_mul(row_bytes as u64).and_then(|bytes| bytes.checked_add(*place));
                end.is_some_and(|end| end <= length)
            }
            Column::Copied(_) => true,
        };
        let values_in_file = shard.values.iter().zip(&shard.modalities).all(|(column, (_, shape))| {
            let bytes = shape.iter().try_fold(4_usize, |bytes, &n| bytes.checked_mul(n));
            bytes.is_some_and(|bytes| bytes > 0 && in_file(column, bytes))
        });
        if !values_in_file
            || !shard.present.as_ref().is_none_or(|present| in_file(present, shard.modalities.len()))
            || !in_file(&shard.label_values, 4 * shard.labels)
            || !in_file(&shard.ids, 8)
        {
            return Err("an array reaches over the end of the file".into());
        }
        if !rows_agree || shard.block_rows == 0 || shard.checksums.len() as u64 != shard.rows.div_ceil(shard.block_rows)
        {
            return Err("modalities, present, labels, id and block_checksums differ in rows".into());
        }
        Ok(shard)
    }

    /// What its dataset's header came to when it was written; none in files of others.
    pub fn recipe(&self) -> Option<u64> {
        self.recipe
    }

    /// Records in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Name and shape of each modality.
    pub fn modalities(&self) -> &[(String, Vec<usize>)] {
        &self.modalities
    }

    /// Whether a record may lack a modality.
    pub fn has_optional(&self) -> bool {
        self.present.is_some()
    }

    /// Labels of a record.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Records in a block but the last.
    pub fn block_rows(&self) -> u64 {
        self.block_rows
    }

    /// Whether our own writer has made it, which writes nothing that a reader refuses.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checksum of its blocks' checksums, as the manifest lists it.
    pub fn checksum(&self) -> String {
        combine(self.checksums.iter().copied())
    }

    /// Opens the file for `read_block`.
    pub fn file(&self) -> Result<File, DataError> {
        File::open(&self.path).map_err(DataError::file(&self.path))
    }

    /// Reads one block of this shard into `block` and verifies it: its checksum, and that every value is finite.
    pub fn read_block(&self, file: &File, index: u64, block: &mut Block) -> Result<(), DataError> {
        let rows = self.begin(index, block);
        let mut hash = Xxh3::new();
        for (modality, column) in self.values.iter().enumerate() {
            let to = &mut block.values[modality];
            column.read(file, &rows, block.record_bytes[modality], to).map_err(DataError::file(&self.path))?;
            hash.update(to);
        }
        self.read_beside(file, &rows, block)?;
        let illegal = if self.sealed { None } else { block.first_not_finite() };
        self.verify(index, &rows, hash, block, illegal)
    }

    /// Reads the arrays of one block of this shard to `places`, one for each modality and row, the rest of it into `block`, which then
    /// holds no array, and verifies it as `read_block` does.
    pub fn read_block_to(
        &self,
        file: &File,
        index: u64,
        places: &mut [Vec<&mut [f32]>],
        block: &mut Block,
    ) -> Result<(), DataError> {
        let rows = self.begin(index, block);
        assert_eq!(places.len(), self.values.len(), "there are places for each modality");
        let (mut hash, mut illegal) = (Xxh3::new(), None);
        for (modality, places) in places.iter_mut().enumerate() {
            assert_eq!(places.len(), block.rows, "there is a place for each row");
            let row_bytes = block.record_bytes[modality];
            let found = self.read_column_to(file, modality, rows.start, row_bytes, places, &mut hash)?;
            illegal = illegal.or(found);
            block.values[modality].clear();
        }
        self.read_beside(file, &rows, block)?;
        self.verify(index, &rows, hash, block, illegal)
    }

    /// Reads the rows of one modality from row `first` on, each to its place.
    fn read_column_to(
        &self,
        file: &File,
        modality: usize,
        first: u64,
        row_bytes: usize,
        places: &mut [&mut [f32]],
        hash: &mut Xxh3,
    ) -> Result<Option<Illegal>, DataError> {
        /// So many bytes are in a processor's own cache between reading and verifying.
        const CACHED: usize = 256 << 10;
        let mut row = first;
        let mut illegal = None;
        for some in places.chunks_mut((CACHED / row_bytes.max(1)).max(1)) {
            self.values[modality].scatter(file, row, row_bytes, some).map_err(DataError::file(&self.path))?;
            for values in some {
                hash.update(bytemuck::cast_slice(values));
                for value in values.iter_mut().filter(|_| cfg!(target_endian = "big")) {
                    *value = f32::from_bits(value.to_bits().swap_bytes());
                }
                // Without a way out, so that the compiler takes many values at once.
                let look = !self.sealed && illegal.is_none();
                if look && values.iter().fold(false, |bad, value| bad | !value.is_finite()) {
                    let found = values.iter().position(|value| !value.is_finite()).expect("one value is not finite");
                    illegal = Some((modality, row - first, found, values[found]));
                }
                row += 1;
            }
        }
        Ok(illegal)
    }

    /// The rows of a block, whose sizes `block` is set to.
    fn begin(&self, index: u64, block: &mut Block) -> Range<u64> {
        let start = index * self.block_rows;
        let rows = start..(start + self.block_rows).min(self.rows);
        block.rows = (rows.end - rows.start) as usize;
        block.record_bytes.clear();
        block.record_bytes.extend(self.modalities.iter().map(|(_, shape)| 4 * shape.iter().product::<usize>()));
        block.values.resize(self.modalities.len(), Vec::new());
        block.labels = self.labels;
        rows
    }

    /// Reads which modalities are present, labels and ids.
    fn read_beside(&self, file: &File, rows: &Range<u64>, block: &mut Block) -> Result<(), DataError> {
        let mut read = || {
            match &self.present {
                Some(present) => present.read(file, rows, self.modalities.len(), &mut block.present)?,
                None => block.present.clear(),
            }
            self.label_values.read(file, rows, 4 * self.labels, &mut block.label_values)?;
            self.ids.read(file, rows, 8, &mut block.ids)
        };
        read().map_err(DataError::file(&self.path))
    }

    /// Whether a block is what was written and holds nothing illegal; `hash` has seen its modalities.
    fn verify(
        &self,
        index: u64,
        rows: &Range<u64>,
        mut hash: Xxh3,
        block: &Block,
        illegal: Option<Illegal>,
    ) -> Result<(), DataError> {
        hash.update(&block.present);
        hash.update(&block.label_values);
        hash.update(&block.ids);
        let (found, wanted) = (hash.digest(), self.checksums[index as usize]);
        if found != wanted {
            return Err(DataError::Damaged { shard: self.name.clone(), rows: rows.clone(), found, wanted });
        }
        if let Some((modality, row, index, value)) = illegal {
            let (shard, array) = (self.name.clone(), self.modalities[modality].0.clone());
            return Err(DataError::NotFinite { shard, row: rows.start + row, array, index, value });
        }
        if let Some(at) = block.present.iter().position(|present| *present > 1) {
            let row = rows.start + (at / self.modalities.len()) as u64;
            let fault = format!("has {} in `present`, expected 0 or 1", block.present[at]);
            return Err(DataError::Row { shard: self.name.clone(), row, fault });
        }
        Ok(())
    }
}

impl Block {
    /// Its records in the dataset.
    pub fn records(&self) -> Range<u64> {
        self.first_record..self.first_record + self.rows as u64
    }

    /// Copies the array of a modality of row `row` of the block, `[..shape]` in physical units; 0 where the row lacks it.
    pub fn copy_row(&self, modality: usize, row: usize, to: &mut [f32]) {
        if !self.is_present(modality, row) {
            return to.fill(0.0);
        }
        let record_bytes = self.record_bytes[modality];
        let from = &self.values[modality][row * record_bytes..(row + 1) * record_bytes];
        for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*from);
        }
    }

    /// Whether a row has a modality.
    pub fn is_present(&self, modality: usize, row: usize) -> bool {
        self.present.get(row * self.record_bytes.len() + modality).is_none_or(|present| *present != 0)
    }

    /// The labels of one row, `[p]`.
    pub fn labels(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        let row_bytes = 4 * self.labels;
        let from = &self.label_values[row * row_bytes..(row + 1) * row_bytes];
        from.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The name of one row.
    pub fn id(&self, row: usize) -> u64 {
        u64::from_le_bytes(self.ids.as_chunks::<8>().0[row])
    }

    fn first_not_finite(&self) -> Option<Illegal> {
        let not_finite = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) & 0x7f80_0000 == 0x7f80_0000;
        self.values.iter().zip(&self.record_bytes).enumerate().find_map(|(modality, (values, record_bytes))| {
            let (row, values) = values.chunks_exact(*record_bytes).enumerate().find(|(_, row)| {
                // Without a way out, so that the compiler takes many values at once.
                row.as_chunks::<4>().0.iter().fold(false, |bad, bytes| bad | not_finite(bytes))
            })?;
            let values = values.as_chunks::<4>().0;
            let index = values.iter().position(not_finite).expect("one value of the row is not finite");
            Some((modality, row as u64, index, f32::from_le_bytes(values[index])))
        })
    }
}

impl Column {
    /// Reads the bytes of neighbouring rows from `first` on, each into its own place.
    fn scatter(&self, file: &File, first: u64, row_bytes: usize, rows: &mut [&mut [f32]]) -> io::Result<()> {
        /// The most places of a read that POSIX grants everywhere on Linux.
        const PLACES: usize = 1024;
        let mut place = first * row_bytes as u64;
        match self {
            Self::At(start) => {
                place += start;
                let mut places: Vec<IoSliceMut> =
                    rows.iter_mut().map(|row| IoSliceMut::new(bytemuck::cast_slice_mut(row))).collect();
                let mut left = places.as_mut_slice();
                while !left.is_empty() {
                    let now = left.len().min(PLACES);
                    match rustix::io::preadv(file, &mut left[..now], place) {
                        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(bytes) => {
                            place += bytes as u64;
                            IoSliceMut::advance_slices(&mut left, bytes);
                        }
                        Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Self::Copied(bytes) => {
                for (row, bytes) in rows.iter_mut().zip(bytes[place as usize..].chunks_exact(row_bytes)) {
                    bytemuck::cast_slice_mut(row).copy_from_slice(bytes);
                }
            }
        }
        Ok(())
    }

    fn read(&self, file: &File, rows: &Range<u64>, row_bytes: usize, to: &mut Vec<u8>) -> std::io::Result<()> {
        let first = rows.start as usize * row_bytes;
        let length = (rows.end - rows.start) as usize * row_bytes;
        to.resize(length, 0);
        match self {
            Self::At(place) => file.read_exact_at(to, place + first as u64),
            Self::Copied(bytes) => {
                to.copy_from_slice(&bytes[first..first + length]);
                Ok(())
            }
        }
    }
}

fn column<T: hdf5::H5Type + Copy, const N: usize>(
    dataset: &hdf5::Dataset,
    bytes: fn(T) -> [u8; N],
) -> hdf5::Result<Column> {
    match dataset.offset() {
        Some(place) if dataset.dtype()?.is::<T>() => Ok(Column::At(place)),
        _ => {
            let mut copied = Vec::new();
            to_bytes(&dataset.read_raw::<T>()?, bytes, &mut copied);
            Ok(Column::Copied(copied))
        }
    }
}

pub(super) fn to_bytes<T: Copy, const N: usize>(values: &[T], bytes: fn(T) -> [u8; N], to: &mut Vec<u8>) {
    to.resize(values.len() * N, 0);
    for (to, value) in to.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *to = bytes(*value);
    }
}

/// Names of the modalities, in order.
fn modality_names(file: &hdf5::File, sealed: bool) -> hdf5::Result<Vec<String>> {
    let attribute = file.attr("modalities")?;
    match attribute.dtype()?.to_descriptor()? {
        TypeDescriptor::FixedAscii(length) if length <= LONGEST_NAME => {
            let names: Vec<FixedAscii<LONGEST_NAME>> = attribute.read_raw()?;
            // Nothing has looked at these bytes yet: in a damaged file they may be anything.
            let text = |name: &FixedAscii<LONGEST_NAME>| String::from_utf8(name.as_bytes().to_vec());
            let names = names.iter().map(text).collect::<Result<Vec<_>, _>>();
            names.map_err(|_| "attribute `modalities` has bytes that are no text, expected ASCII text".into())
        }
        // As the first shards of this format have it. In a file that may be damaged libhdf5 can hang on such text.
        TypeDescriptor::VarLenUnicode if sealed => {
            let names: Vec<VarLenUnicode> = attribute.read_raw()?;
            Ok(names.iter().map(ToString::to_string).collect())
        }
        other => Err(format!("attribute `modalities` is {other}, expected ASCII text of a fixed length (S64)").into()),
    }
}

/// HDF5 tells long stories; their first line says what failed.
pub(super) fn hdf5_error(path: &Path) -> impl FnOnce(hdf5::Error) -> DataError {
    let path = path.to_path_buf();
    move |error| {
        let reason = error.to_string().lines().next().unwrap_or_default().to_string();
        DataError::Hdf5 { path, reason }
    }
}
