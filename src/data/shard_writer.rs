//! Writing one shard, whose arrays `shard.rs` describes: HDF5 makes the empty file, rows go past it.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedAscii, VarLenUnicode};
use xxhash_rust::xxh3::Xxh3;

use super::DataError;
use super::label::Label;
use super::manifest::{FORMAT, Header, ShardEntry, combine};
use super::modality::{LONGEST_NAME, Modality};
use super::seal;
use super::shard::{Rows, hdf5_error, to_bytes};
use crate::files;

/// A shard being written: `NAME.part` until `finish`, and gone if that is never reached.
#[derive(Debug)]
pub struct ShardWriter {
    file: File,
    part: PathBuf,
    path: PathBuf,
    name: String,
    places: Places,
    modalities: Vec<Modality>,
    labels: Vec<Label>,
    block_rows: u64,
    rows: u64,
    written: u64,
    checksums: Vec<u64>,
    bytes: Vec<u8>,
    finished: bool,
}

/// Where arrays begin in the file.
#[derive(Clone, Debug)]
struct Places {
    values: Vec<u64>,
    present: Option<u64>,
    labels: u64,
    ids: u64,
    checksums: u64,
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
            modalities: header.modalities.clone(),
            labels: header.labels.clone(),
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

    /// Writes the next block. Values must be finite, labels such as their kinds take, and only optional modalities absent.
    pub fn append(&mut self, rows: &Rows) -> Result<(), DataError> {
        let range = self.next_rows();
        let n = (range.end - range.start) as usize;
        assert!(n > 0 && rows.ids.len() == n, "append takes the rows of the next block");
        assert_eq!(rows.values.len(), self.modalities.len(), "there are values of each modality");
        assert_eq!(rows.present.len(), n * self.modalities.len(), "present is [n, modalities]");
        assert_eq!(rows.labels.len(), n * self.labels.len(), "labels are [n, p]");
        self.check(range.start, rows)?;
        let mut hash = Xxh3::new();
        for (modality, values) in rows.values.iter().enumerate() {
            let row_bytes = 4 * self.modalities[modality].len() as u64;
            to_bytes(values, f32::to_le_bytes, &mut self.bytes);
            self.write(self.places.values[modality] + range.start * row_bytes, &mut hash)?;
        }
        if let Some(place) = self.places.present {
            self.bytes.clone_from(&rows.present);
            self.write(place + range.start * self.modalities.len() as u64, &mut hash)?;
        }
        to_bytes(&rows.labels, f32::to_le_bytes, &mut self.bytes);
        self.write(self.places.labels + range.start * 4 * self.labels.len() as u64, &mut hash)?;
        to_bytes(&rows.ids, u64::to_le_bytes, &mut self.bytes);
        self.write(self.places.ids + range.start * 8, &mut hash)?;
        self.checksums.push(hash.digest());
        self.written = range.end;
        Ok(())
    }

    /// Refuses rows of which the reader would refuse something; `first` is the number of their first row.
    fn check(&self, first: u64, rows: &Rows) -> Result<(), DataError> {
        for (at, modality) in self.modalities.iter().enumerate() {
            let (values, length) = (&rows.values[at], modality.len());
            assert_eq!(values.len(), rows.ids.len() * length, "values are [n, ..shape]");
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(DataError::NotFinite {
                    shard: self.name.clone(),
                    row: first + (index / length) as u64,
                    array: modality.name.clone(),
                    index: index % length,
                    value: values[index],
                });
            }
            for (row, values) in values.chunks_exact(length).enumerate() {
                let present = rows.present[row * self.modalities.len() + at];
                assert!(present == 1 || modality.optional, "a record has each modality that is not optional");
                assert!(present <= 1, "a record has a modality, 1, or has not, 0");
                assert!(present == 1 || values.iter().all(|value| *value == 0.0), "what a record lacks is 0");
            }
        }
        let labels = rows.labels.iter().enumerate();
        match labels
            .map(|(at, value)| (at, self.labels[at % self.labels.len()].takes(*value)))
            .find(|(_, takes)| !takes)
        {
            None => Ok(()),
            Some((at, _)) => {
                let (row, label) = (at / self.labels.len(), &self.labels[at % self.labels.len()]);
                let fault = format!("has {} as label `{}`, expected {}", rows.labels[at], label.name, label.wanted());
                Err(DataError::Row { shard: self.name.clone(), row: first + row as u64, fault })
            }
        }
    }

    /// Writes the checksums and the seal, syncs, and gives the file its name.
    pub fn finish(mut self) -> Result<ShardEntry, DataError> {
        assert_eq!(self.written, self.rows, "every row is written before a shard is finished");
        to_bytes(&self.checksums, u64::to_le_bytes, &mut self.bytes);
        self.write(self.places.checksums, &mut Xxh3::new())?;
        let sealed = seal::make(&self.file, &self.rows_in_file());
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

    /// The bytes of all rows of each array that has rows.
    fn rows_in_file(&self) -> Vec<Range<u64>> {
        let from = |place: u64, row_bytes: usize| place..place + self.rows * row_bytes as u64;
        let Places { values, present, labels, ids, .. } = &self.places;
        let values = values.iter().zip(&self.modalities).map(|(place, modality)| from(*place, 4 * modality.len()));
        let present = present.iter().map(|place| from(*place, self.modalities.len()));
        values.chain(present).chain([from(*labels, 4 * self.labels.len()), from(*ids, 8)]).collect()
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
    let file = hdf5::File::with_options()
        .with_fapl(|access| access.file_locking(false).alignment(4096, 4096))
        .with_fcpl(|creation| creation.obj_track_times(false))
        .create(path)?;
    file.new_attr::<u32>().create("format")?.write_scalar(&FORMAT)?;
    file.new_attr::<u64>().create("recipe")?.write_scalar(&header.recipe())?;
    let strings = |location: &hdf5::Location, name: &str, strings: &[&str]| -> hdf5::Result<()> {
        let strings = strings.iter().map(|string| text(string)).collect::<hdf5::Result<Vec<_>>>()?;
        location.new_attr::<VarLenUnicode>().shape([strings.len()]).create(name)?.write_raw(&strings)
    };
    // Of a fixed length, since the reader needs them: libhdf5 can hang on text of variable length in a damaged file.
    let names = header.modalities.iter().map(|modality| FixedAscii::<LONGEST_NAME>::from_ascii(&modality.name));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(|error| hdf5::Error::from(error.to_string()))?;
    file.new_attr::<FixedAscii<LONGEST_NAME>>().shape([names.len()]).create("modalities")?.write_raw(&names)?;

    let rows_here = rows as usize;
    let mut values = Vec::new();
    for modality in &header.modalities {
        let shape: Vec<usize> = std::iter::once(rows_here).chain(modality.shape.iter().copied()).collect();
        let array = room::<f32>(&file, &shape, &modality.name)?;
        array.new_attr::<VarLenUnicode>().create("kind")?.write_scalar(&text(modality.kind.name())?)?;
        array.new_attr::<VarLenUnicode>().create("unit")?.write_scalar(&text(&modality.unit)?)?;
        values.push(place_of(&array)?);
    }
    let present = if header.has_optional() {
        Some(place_of(&room::<u8>(&file, &[rows_here, header.modalities.len()], "present")?)?)
    } else {
        None
    };
    let mut labels_place = 0;
    if !header.labels.is_empty() {
        let labels = room::<f32>(&file, &[rows_here, header.labels.len()], "labels")?;
        let of = |of: fn(&Label) -> &str| header.labels.iter().map(of).collect::<Vec<&str>>();
        strings(&labels, "names", &of(|label| &label.name))?;
        strings(&labels, "kinds", &of(|label| label.kind.name()))?;
        strings(&labels, "units", &of(Label::unit))?;
        for label in &header.labels {
            if let Some(classes) = &label.classes {
                let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
                strings(&labels, &format!("classes_{}", label.name), &classes)?;
            }
        }
        labels_place = place_of(&labels)?;
    }
    let ids = room::<u64>(&file, &[rows_here], "id")?;
    let blocks = rows.div_ceil(block_rows) as usize;
    let checksums = room::<u64>(&file, &[blocks], "block_checksums")?;
    checksums.new_attr::<u64>().create("block_rows")?.write_scalar(&block_rows)?;
    file.flush()?; // closing would keep its failure to itself
    Ok(Places { values, present, labels: labels_place, ids: place_of(&ids)?, checksums: place_of(&checksums)? })
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

/// Why HDF5 could not make a file: where the system refused, its number stands somewhere in the story.
fn why_not(part: &Path, error: hdf5::Error) -> DataError {
    let story = error.to_string();
    let number = story.split("errno = ").nth(1).and_then(|rest| rest.split(|sign: char| !sign.is_ascii_digit()).next());
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => DataError::File { path: part.to_path_buf(), source: std::io::Error::from_raw_os_error(number) },
        None => hdf5_error(part)(error),
    }
}
