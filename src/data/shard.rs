//! One shard: a plain HDF5 file that h5py opens, made once by HDF5 and then written and read past it.
//!
//! | dataset           | shape                | type | attributes                                |
//! | ----------------- | -------------------- | ---- | ----------------------------------------- |
//! | (the file)        |                      |      | `format`, `kind`, `recipe`                |
//! | `x`               | `[n, ..shape]`       | f32  | `unit`                                    |
//! | `parameters`      | `[n, p]`, if p > 0   | f32  | `names`, `units`; NaN = unknown           |
//! | `id`              | `[n]`                | u64  |                                           |
//! | `block_checksums` | `[blocks]`           | u64  | `block_rows`                              |
//!
//! A block's checksum is xxh3 (64 bits, seed 0) of the little-endian bytes of its rows of `x`, then of `parameters`, then of `id`.
//! Behind the HDF5 file stands a seal that vouches for all other bytes (`seal.rs`).
//! All datasets are contiguous and uncompressed, `x` begins at a multiple of 4096 where it is not smaller than that, and there
//! are no time stamps: the same rows give the same bytes. HDF5 holds one lock for the whole process, so it only makes the empty
//! file and says where each dataset lies; rows go by `pread` and `pwrite`.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::VarLenUnicode;
use xxhash_rust::xxh3::Xxh3;

use super::DataError;
use super::manifest::{FORMAT, Header, ShardEntry, combine};
use super::seal;
use crate::files;

/// Rows on their way to a shard: n records, neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// `[n, channels, h, w]` or `[n, channels, points]`, physical units.
    pub values: Vec<f32>,
    /// `[n, p]`, NaN = unknown.
    pub parameters: Vec<f32>,
    /// `[n]`, names of the records.
    pub ids: Vec<u64>,
}

/// A shard being written: `NAME.part` until `finish`, and gone if that is never reached.
#[derive(Debug)]
pub struct ShardWriter {
    file: File,
    part: PathBuf,
    path: PathBuf,
    name: String,
    places: Places,
    record_len: usize,
    parameters: usize,
    block_rows: u64,
    rows: u64,
    written: u64,
    checksums: Vec<u64>,
    bytes: Vec<u8>,
    finished: bool,
}

/// Where the datasets begin in the file.
#[derive(Clone, Copy, Debug)]
struct Places {
    x: u64,
    parameters: u64,
    ids: u64,
    checksums: u64,
}

impl Places {
    /// The bytes of all rows of x, parameters and id.
    fn rows(&self, rows: u64, record_len: usize, parameters: usize) -> [Range<u64>; 3] {
        let from = |place: u64, row_bytes: usize| place..place + rows * row_bytes as u64;
        [from(self.x, 4 * record_len), from(self.parameters, 4 * parameters), from(self.ids, 8)]
    }
}

impl ShardWriter {
    /// Makes `path` for `rows` records of a dataset. A `.part` that a crash left behind is overwritten.
    pub fn create(path: &Path, header: &Header, rows: u64) -> Result<Self, DataError> {
        let name = files::name_of(path);
        let part = files::part_of(path);
        let block_rows = header.layout().block_rows;
        // The system says better than HDF5 why a file cannot be made.
        files::create(&part).map_err(DataError::file(&part))?;
        let made = make_empty(&part, header, rows, block_rows).map_err(|error| why_not(&part, error));
        let opened = made.and_then(|places| Ok((places, files::open(&part).map_err(DataError::file(&part))?)));
        if opened.is_err() {
            let _ = files::remove_file(&part); // a full disk needs the room, and there is an error already
        }
        let (places, file) = opened?;
        Ok(Self {
            file,
            part,
            path: path.to_path_buf(),
            name,
            places,
            record_len: header.shape.iter().product(),
            parameters: header.parameters.len(),
            block_rows,
            rows,
            written: 0,
            checksums: Vec::new(),
            bytes: Vec::new(),
            finished: false,
        })
    }

    /// Rows of the shard that `append` takes next: a whole block, fewer at the end, none when all are there.
    pub fn next_rows(&self) -> Range<u64> {
        self.written..(self.written + self.block_rows).min(self.rows)
    }

    /// Writes the next block. Values must be finite.
    pub fn append(&mut self, rows: &Rows) -> Result<(), DataError> {
        let range = self.next_rows();
        let n = (range.end - range.start) as usize;
        assert!(n > 0 && rows.ids.len() == n, "append takes the rows of the next block");
        assert_eq!(rows.values.len(), n * self.record_len, "values are [n, channels, h, w]");
        assert_eq!(rows.parameters.len(), n * self.parameters, "parameters are [n, p]");
        if let Some(at) = rows.values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::NotFinite {
                shard: self.name.clone(),
                row: range.start + (at / self.record_len) as u64,
                index: at % self.record_len,
                value: rows.values[at],
            });
        }
        let mut hash = Xxh3::new();
        to_bytes(&rows.values, f32::to_le_bytes, &mut self.bytes);
        self.write(self.places.x + range.start * 4 * self.record_len as u64, &mut hash)?;
        to_bytes(&rows.parameters, f32::to_le_bytes, &mut self.bytes);
        self.write(self.places.parameters + range.start * 4 * self.parameters as u64, &mut hash)?;
        to_bytes(&rows.ids, u64::to_le_bytes, &mut self.bytes);
        self.write(self.places.ids + range.start * 8, &mut hash)?;
        self.checksums.push(hash.digest());
        self.written = range.end;
        Ok(())
    }

    /// Writes the checksums and the seal, syncs, and gives the file its name.
    pub fn finish(mut self) -> Result<ShardEntry, DataError> {
        assert_eq!(self.written, self.rows, "every row is written before a shard is finished");
        to_bytes(&self.checksums, u64::to_le_bytes, &mut self.bytes);
        self.write(self.places.checksums, &mut Xxh3::new())?;
        let sealed = seal::make(&self.file, &self.places.rows(self.rows, self.record_len, self.parameters));
        let end = self.file.metadata().map(|metadata| metadata.len());
        let (seal, end) = sealed.and_then(|seal| Ok((seal, end?))).map_err(DataError::file(&self.part))?;
        files::write_at(&self.file, &self.part, &seal, end).map_err(DataError::file(&self.part))?;
        files::settle(&self.file, &self.path).map_err(DataError::file(&self.path))?;
        let bytes = end + seal.len() as u64;
        self.finished = true;
        Ok(ShardEntry {
            file: self.name.clone(),
            rows: self.rows,
            bytes,
            checksum: combine(self.checksums.iter().copied()),
        })
    }

    fn write(&self, place: u64, hash: &mut Xxh3) -> Result<(), DataError> {
        hash.update(&self.bytes);
        files::write_at(&self.file, &self.part, &self.bytes, place).map_err(DataError::file(&self.part))
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a file that cannot be removed; the next writer overwrites it.
            let _ = files::remove_file(&self.part);
        }
    }
}

/// Has HDF5 make the file with room for everything, and says where.
fn make_empty(path: &Path, header: &Header, rows: u64, block_rows: u64) -> hdf5::Result<Places> {
    let text = |text: &str| {
        text.parse::<VarLenUnicode>().map_err(|_| hdf5::Error::from(format!("`{text}` holds a zero byte").as_str()))
    };
    let texts = |texts: Vec<&String>| texts.into_iter().map(|t| text(t)).collect::<hdf5::Result<Vec<_>>>();
    let file = hdf5::File::with_options()
        .with_fapl(|access| access.file_locking(false).alignment(4096, 4096))
        .with_fcpl(|creation| creation.obj_track_times(false))
        .create(path)?;
    file.new_attr::<u32>().create("format")?.write_scalar(&FORMAT)?;
    file.new_attr::<u64>().create("recipe")?.write_scalar(&header.recipe())?;
    file.new_attr::<VarLenUnicode>().create("kind")?.write_scalar(&text(header.kind.name())?)?;

    let rows_here = rows as usize;
    let x_shape: Vec<usize> = std::iter::once(rows_here).chain(header.shape.iter().copied()).collect();
    let x = room::<f32>(&file, &x_shape, "x")?;
    x.new_attr::<VarLenUnicode>().create("unit")?.write_scalar(&text(&header.unit)?)?;
    let mut parameters_place = 0;
    if !header.parameters.is_empty() {
        let p = header.parameters.len();
        let parameters = room::<f32>(&file, &[rows_here, p], "parameters")?;
        let names = texts(header.parameters.iter().map(|parameter| &parameter.name).collect())?;
        let units = texts(header.parameters.iter().map(|parameter| &parameter.unit).collect())?;
        parameters.new_attr::<VarLenUnicode>().shape([p]).create("names")?.write_raw(&names)?;
        parameters.new_attr::<VarLenUnicode>().shape([p]).create("units")?.write_raw(&units)?;
        parameters_place = place_of(&parameters)?;
    }
    let ids = room::<u64>(&file, &[rows_here], "id")?;
    let blocks = rows.div_ceil(block_rows) as usize;
    let checksums = room::<u64>(&file, &[blocks], "block_checksums")?;
    checksums.new_attr::<u64>().create("block_rows")?.write_scalar(&block_rows)?;
    file.flush()?; // closing would keep its failure to itself
    Ok(Places {
        x: place_of(&x)?,
        parameters: parameters_place,
        ids: place_of(&ids)?,
        checksums: place_of(&checksums)?,
    })
}

/// A contiguous dataset with its bytes allotted at once, so that it has an offset.
fn room<T: hdf5::H5Type>(file: &hdf5::File, shape: &[usize], name: &str) -> hdf5::Result<hdf5::Dataset> {
    file.new_dataset::<T>()
        .alloc_time(Some(AllocTime::Early))
        .fill_time(FillTime::Never)
        .obj_track_times(false)
        .shape(shape.to_vec())
        .create(name)
}

fn place_of(dataset: &hdf5::Dataset) -> hdf5::Result<u64> {
    dataset.offset().ok_or_else(|| hdf5::Error::from("a contiguous dataset allocated early has no offset"))
}

/// A shard being read.
#[derive(Debug)]
pub struct Shard {
    name: String,
    path: PathBuf,
    recipe: Option<u64>,
    /// Whether our own writer has made it, which lets no value pass that is no number.
    sealed: bool,
    rows: u64,
    shape: Vec<usize>,
    parameters: usize,
    block_rows: u64,
    x: Column,
    parameter_values: Column,
    ids: Column,
    checksums: Vec<u64>,
}

/// Rows of one dataset in the file.
#[derive(Debug)]
enum Column {
    /// Little-endian bytes from here on.
    At(u64),
    /// The same bytes, from a file where they lie in another way (chunked, compressed, converted): somebody else's.
    Copied(Vec<u8>),
}

/// Records read from a shard: a whole block, verified.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub(super) first_record: u64,
    rows: usize,
    record_bytes: usize,
    parameters: usize,
    x: Vec<u8>,
    parameter_values: Vec<u8>,
    ids: Vec<u8>,
}

impl Shard {
    /// Opens a shard and reads everything but its rows.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let read = || -> hdf5::Result<(Self, u32)> {
            let file = hdf5::File::with_options().with_fapl(|access| access.file_locking(false)).open(path)?;
            let format = file.attr("format")?.read_scalar::<u32>()?;
            let x = file.dataset("x")?;
            let checksums = file.dataset("block_checksums")?;
            let parameters = if file.link_exists("parameters") { Some(file.dataset("parameters")?) } else { None };
            let full_shape = x.shape();
            let shard = Self {
                name: files::name_of(path),
                path: path.to_path_buf(),
                sealed: false,
                recipe: file.attr("recipe").and_then(|recipe| recipe.read_scalar()).ok(),
                rows: full_shape.first().copied().unwrap_or(0) as u64,
                shape: full_shape.get(1..).unwrap_or_default().to_vec(),
                parameters: parameters.as_ref().map_or(0, |dataset| dataset.shape().get(1).copied().unwrap_or(0)),
                block_rows: checksums.attr("block_rows")?.read_scalar()?,
                x: column(&x, f32::to_le_bytes)?,
                parameter_values: match &parameters {
                    Some(dataset) => column(dataset, f32::to_le_bytes)?,
                    None => Column::Copied(Vec::new()),
                },
                ids: column(&file.dataset("id")?, u64::to_le_bytes)?,
                checksums: checksums.read_raw()?,
            };
            let rows_agree = file.dataset("id")?.shape() == [shard.rows as usize]
                && parameters.is_none_or(|dataset| dataset.shape() == [shard.rows as usize, shard.parameters]);
            let length = file.size();
            let in_file = |column: &Column, row_bytes: usize| match column {
                Column::At(place) => {
                    let end = shard.rows.checked_mul(row_bytes as u64).and_then(|bytes| bytes.checked_add(*place));
                    end.is_some_and(|end| end <= length)
                }
                Column::Copied(_) => true,
            };
            let record_bytes = shard.shape.iter().try_fold(4_usize, |bytes, &n| bytes.checked_mul(n));
            if record_bytes.is_none_or(|bytes| !in_file(&shard.x, bytes))
                || !in_file(&shard.parameter_values, 4 * shard.parameters)
                || !in_file(&shard.ids, 8)
            {
                return Err("x, parameters or id reach over the end of the file".into());
            }
            if !rows_agree
                || shard.block_rows == 0
                || shard.checksums.len() as u64 != shard.rows.div_ceil(shard.block_rows)
            {
                return Err("x, parameters, id and block_checksums differ in rows".into());
            }
            Ok((shard, format))
        };
        // The system says better than HDF5 why it cannot be read.
        let bytes = File::open(path).map_err(DataError::file(path))?;
        let sealed = match seal::check(&bytes).map_err(DataError::file(path))? {
            Ok(sealed) => sealed,
            Err(seal::Broken { found, wanted }) => {
                let reason = format!("is damaged outside its rows: checksum {found:016x}, expected {wanted:016x}");
                return Err(DataError::Shard { shard: files::name_of(path), reason });
            }
        };
        let (mut shard, format) = read().map_err(hdf5_error(path))?;
        shard.sealed = sealed;
        if format != FORMAT {
            let reason = format!("has format {format}, expected {FORMAT}");
            return Err(DataError::Shard { shard: shard.name, reason });
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

    /// Shape of a record.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers that each record carries beside its map.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Records in a block but the last.
    pub fn block_rows(&self) -> u64 {
        self.block_rows
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

    /// Reads one block of this shard into `block` and verifies it: its checksum, and that every value of x is finite.
    pub fn read_block(&self, file: &File, index: u64, block: &mut Block) -> Result<(), DataError> {
        let rows = self.begin(index, block);
        self.x.read(file, &rows, block.record_bytes, &mut block.x).map_err(DataError::file(&self.path))?;
        self.read_beside(file, &rows, block)?;
        let mut hash = Xxh3::new();
        hash.update(&block.x);
        let not_finite = if self.sealed { None } else { block.first_not_finite() };
        self.verify(index, &rows, hash, block, not_finite)
    }

    /// Reads the maps of one block of this shard into `maps`, `[channels, h, w]` each, the rest of it into `block`, which then
    /// holds no map, and verifies it as `read_block` does.
    pub fn read_block_to(
        &self,
        file: &File,
        index: u64,
        maps: &mut [&mut [f32]],
        block: &mut Block,
    ) -> Result<(), DataError> {
        /// So many bytes of maps are in a processor's own cache between reading and verifying.
        const CACHED: usize = 256 << 10;
        let (rows, row_bytes) = (self.begin(index, block), block.record_bytes);
        assert_eq!(maps.len(), block.rows, "there is a place for each row");
        let mut hash = Xxh3::new();
        let mut not_finite = None;
        let mut row = rows.start;
        for some in maps.chunks_mut((CACHED / row_bytes.max(1)).max(1)) {
            self.x.scatter(file, row, row_bytes, some).map_err(DataError::file(&self.path))?;
            for map in some {
                hash.update(bytemuck::cast_slice(map));
                for value in map.iter_mut().filter(|_| cfg!(target_endian = "big")) {
                    *value = f32::from_bits(value.to_bits().swap_bytes());
                }
                // Without a way out, so that the compiler takes many values at once.
                let look = !self.sealed && not_finite.is_none();
                if look && map.iter().fold(false, |bad, value| bad | !value.is_finite()) {
                    let found = map.iter().position(|value| !value.is_finite()).expect("one value is not finite");
                    not_finite = Some((row - rows.start, found, map[found]));
                }
                row += 1;
            }
        }
        block.x.clear();
        self.read_beside(file, &rows, block)?;
        self.verify(index, &rows, hash, block, not_finite)
    }

    /// The rows of a block, of whose sizes `block` is told.
    fn begin(&self, index: u64, block: &mut Block) -> Range<u64> {
        let start = index * self.block_rows;
        let rows = start..(start + self.block_rows).min(self.rows);
        block.rows = (rows.end - rows.start) as usize;
        block.record_bytes = 4 * self.shape.iter().product::<usize>();
        block.parameters = self.parameters;
        rows
    }

    /// Reads parameters and names.
    fn read_beside(&self, file: &File, rows: &Range<u64>, block: &mut Block) -> Result<(), DataError> {
        let parameters = self.parameter_values.read(file, rows, 4 * self.parameters, &mut block.parameter_values);
        parameters.and_then(|()| self.ids.read(file, rows, 8, &mut block.ids)).map_err(DataError::file(&self.path))
    }

    /// Whether a block is what was written and every value a number; `hash` has seen its maps.
    fn verify(
        &self,
        index: u64,
        rows: &Range<u64>,
        mut hash: Xxh3,
        block: &Block,
        not_finite: Option<(u64, usize, f32)>,
    ) -> Result<(), DataError> {
        hash.update(&block.parameter_values);
        hash.update(&block.ids);
        let (found, wanted) = (hash.digest(), self.checksums[index as usize]);
        if found != wanted {
            return Err(DataError::Damaged { shard: self.name.clone(), rows: rows.clone(), found, wanted });
        }
        match not_finite {
            None => Ok(()),
            Some((row, index, value)) => {
                Err(DataError::NotFinite { shard: self.name.clone(), row: rows.start + row, index, value })
            }
        }
    }
}

impl Block {
    /// Its records in the dataset.
    pub fn records(&self) -> Range<u64> {
        self.first_record..self.first_record + self.rows as u64
    }

    /// Copies the map of row `row` of the block, `[channels, h, w]` in physical units.
    pub fn copy_row(&self, row: usize, to: &mut [f32]) {
        let from = &self.x[row * self.record_bytes..(row + 1) * self.record_bytes];
        for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*from);
        }
    }

    /// The parameters of one row, `[p]`.
    pub fn parameters(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        let row_bytes = 4 * self.parameters;
        let from = &self.parameter_values[row * row_bytes..(row + 1) * row_bytes];
        from.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The name of one row.
    pub fn id(&self, row: usize) -> u64 {
        u64::from_le_bytes(self.ids.as_chunks::<8>().0[row])
    }

    fn first_not_finite(&self) -> Option<(u64, usize, f32)> {
        let not_finite = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) & 0x7f80_0000 == 0x7f80_0000;
        let (row, values) = self.x.chunks_exact(self.record_bytes).enumerate().find(|(_, row)| {
            // Without a way out, so that the compiler takes many values at once.
            row.as_chunks::<4>().0.iter().fold(false, |bad, bytes| bad | not_finite(bytes))
        })?;
        let values = values.as_chunks::<4>().0;
        let index = values.iter().position(not_finite).expect("one value of the row is not finite");
        Some((row as u64, index, f32::from_le_bytes(values[index])))
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

fn to_bytes<T: Copy, const N: usize>(values: &[T], bytes: fn(T) -> [u8; N], to: &mut Vec<u8>) {
    to.resize(values.len() * N, 0);
    for (to, value) in to.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *to = bytes(*value);
    }
}

/// Why HDF5 could not make a file: where the system refused, its number stands somewhere in the story.
fn why_not(part: &Path, error: hdf5::Error) -> DataError {
    let story = error.to_string();
    let number = story.split("errno = ").nth(1).and_then(|rest| rest.split(|sign: char| !sign.is_ascii_digit()).next());
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => DataError::File { path: part.to_path_buf(), source: std::io::Error::from_raw_os_error(number) },
        None => hdf5_error(part)(error),
    }
}

/// HDF5 tells long stories; their first line says what failed.
fn hdf5_error(path: &Path) -> impl FnOnce(hdf5::Error) -> DataError {
    let path = path.to_path_buf();
    move |error| {
        let reason = error.to_string().lines().next().unwrap_or_default().to_string();
        DataError::Hdf5 { path, reason }
    }
}
