//! Tables as Parquet files: plain pages, no compression, no time stamps, so that equal tables are equal bytes.
//!
//! The file's metadata have two keys: `skyforge`, JSON of the form
//! `{"metadata": {..}, "columns": [{"name", "unit", "description"}, ..]}`, and `table_meta_yaml`, the same for astropy.
//! Behind the first four bytes, where Parquet readers do not look, is a seal that vouches for everything after it: the
//! `parquet` crate trusts what it reads, and damage can make it panic, so damage is found before it looks, and files
//! without a seal are refused.
//!
//! | bytes    | what                                    |
//! | -------- | --------------------------------------- |
//! | 0..4     | `PAR1`                                  |
//! | 4..12    | `skytable`                              |
//! | 12..20   | xxh3 of all bytes behind, little-endian |
//! | 20..     | columns, footer, its length, `PAR1`     |

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical};
use ::parquet::column::reader::{ColumnReader, get_typed_column_reader};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::Type;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{Column, Metadata, Table, TableError, Values};
use crate::files;

/// What every Parquet file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
const NAME: &[u8; 8] = b"skytable";
/// Bytes before those that the seal vouches for.
const HEAD: usize = 20;
/// Key of our own metadata.
const KEY: &str = "skyforge";
/// Key of the same for astropy.
const ASTROPY_KEY: &str = "table_meta_yaml";
/// Units that astropy does not have, or has with another value: its jupiterRad is the equatorial radius, R_Jup the mean.
const ASTROPY_UNITS: [(&str, &str); 3] = [("M_Jup", "1.898e27 kg"), ("R_Jup", "6.9911e7 m"), ("ppm", "1e-6")];
/// Rows of a group at most, and bytes of its values: what a writer holds and a reader takes at once.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_BYTES: usize = 4 << 20;
/// Rows that become columns at once.
const ROWS_AT_ONCE: usize = 1 << 10;
const PIECE: usize = 1 << 16;
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// Value of `skyforge` in the file's metadata, as JSON.
#[derive(Serialize, Deserialize)]
struct Header {
    metadata: Metadata,
    columns: Vec<ColumnHeader>,
}

#[derive(Serialize, Deserialize)]
struct ColumnHeader {
    name: String,
    unit: String,
    description: String,
}

/// Whether a file begins as Parquet files do.
pub fn is_parquet(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *MAGIC
}

/// Writes a table, whole or not at all.
pub fn write(path: &Path, table: &Table) -> Result<(), TableError> {
    write_by(path, table, |writer| {
        let group = rows_of_group(table);
        for start in (0..table.rows()).step_by(group) {
            let rows = start..(start + group).min(table.rows());
            put_group(writer, table, rows).map_err(TableError::file(path))?;
        }
        Ok(((), table.metadata().clone()))
    })
}

/// Writes a table as its rows come, whole or not at all. The bytes are those of `write`, memory is that of a group.
///
/// - `to_table`: makes a table of some rows
/// - `fill`: hands over all rows in order, and says what is true of the whole
pub fn write_rows<R, T, E: From<TableError>>(
    path: &Path,
    to_table: impl Fn(&[R], Metadata) -> Table,
    fill: impl FnOnce(&mut dyn FnMut(R) -> Result<(), TableError>) -> Result<(T, Metadata), E>,
) -> Result<T, E> {
    let mut group = to_table(&[], Metadata::new());
    let most = rows_of_group(&group);
    write_by(path, &group.clone(), |writer| {
        let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
        let mut put = |rows: &mut Vec<R>, last: bool| {
            group.append(to_table(rows, Metadata::new()));
            rows.clear();
            if group.rows() == most || (last && group.rows() > 0) {
                put_group(writer, &group, 0..group.rows()).map_err(TableError::file(path))?;
                group.clear();
            }
            Ok(())
        };
        let filled = fill(&mut |row| {
            rows.push(row);
            if rows.len() == ROWS_AT_ONCE { put(&mut rows, false) } else { Ok(()) }
        })?;
        put(&mut rows, true)?;
        Ok(filled)
    })
}

/// Rows of a group of a table with these columns: a power of two, and a multiple of those that become columns at once.
fn rows_of_group(like: &Table) -> usize {
    let width = |column: &Column| match column.values {
        Values::Bool(_) => 1,
        Values::F32(_) => 4,
        Values::U64(_) | Values::F64(_) => 8,
        Values::Utf8(_) => 32,
    };
    let width = like.columns().iter().map(width).sum::<usize>().max(1);
    let rows = (GROUP_BYTES / width).clamp(ROWS_AT_ONCE, GROUP_ROWS);
    1 << rows.ilog2()
}

/// What a table's groups are put into.
type Groups<'a> = SerializedFileWriter<Sealed<'a>>;

/// Writes a file whose columns are those of `like`.
fn write_by<T, E: From<TableError>>(
    path: &Path,
    like: &Table,
    put: impl FnOnce(&mut Groups) -> Result<(T, Metadata), E>,
) -> Result<T, E> {
    let failed = |error| E::from(TableError::file(path)(error));
    files::write_whole_by(path, failed, |file, part| {
        let mut writer = begin(Sealed::new(file, part), like).map_err(|error| failed(as_io(error)))?;
        let (made, metadata) = put(&mut writer)?;
        end(writer, like, metadata).map_err(|error| failed(as_io(error)))?;
        Ok(made)
    })
}

/// A file that is written from its beginning to its end, and what its seal comes to.
struct Sealed<'a> {
    file: &'a File,
    path: &'a Path,
    /// Bytes that are in the file.
    place: u64,
    /// Bytes that are not yet.
    waiting: Vec<u8>,
    hash: Xxh3,
}

impl<'a> Sealed<'a> {
    fn new(file: &'a File, path: &'a Path) -> Self {
        Self { file, path, place: 0, waiting: Vec::new(), hash: Xxh3::new() }
    }

    /// What vouches for all that was written.
    fn seal(mut self) -> io::Result<()> {
        self.flush()?;
        files::write_at(self.file, self.path, &self.hash.digest().to_le_bytes(), 12)
    }
}

impl Write for Sealed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = self.place as usize + self.waiting.len();
        self.hash.update(&bytes[HEAD.saturating_sub(at).min(bytes.len())..]);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= WRITTEN_AT_ONCE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            files::write_at(self.file, self.path, &self.waiting, self.place)?;
            self.place += self.waiting.len() as u64;
            self.waiting.clear();
        }
        Ok(())
    }
}

/// The system's word, where it was that.
fn as_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => cause.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}

fn begin<'a>(sealed: Sealed<'a>, like: &Table) -> Result<Groups<'a>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by(KEY.into())
        .build();
    let mut writer = SerializedFileWriter::new(sealed, Arc::new(schema(like)?), Arc::new(properties))?;
    writer.write_all(NAME)?;
    writer.write_all(&[0; HEAD - 12])?;
    Ok(writer)
}

fn end(mut writer: Groups, like: &Table, metadata: Metadata) -> Result<(), ParquetError> {
    let of = |column: &Column| ColumnHeader {
        name: column.name.clone(),
        unit: column.unit.clone(),
        description: column.description.clone(),
    };
    let header = Header { metadata, columns: like.columns().iter().map(of).collect() };
    let ours = serde_json::to_string(&header).expect("metadata and descriptions are JSON");
    writer.append_key_value_metadata(KeyValue::new(KEY.into(), ours));
    writer.append_key_value_metadata(KeyValue::new(ASTROPY_KEY.into(), for_astropy(&header)));
    Ok(writer.into_inner()?.seal()?)
}

/// The header as astropy's `Table.read` takes it, so that its columns have units and descriptions: YAML of ECSV
/// (astropy APE 6), in the form that is JSON as well.
fn for_astropy(header: &Header) -> String {
    let columns = header.columns.iter().map(|column| {
        let ColumnHeader { name, unit, description } = column;
        let unit = ASTROPY_UNITS.iter().find(|(ours, _)| ours == unit).map_or(unit.as_str(), |(_, theirs)| theirs);
        serde_json::json!({ "name": name, "unit": unit, "description": description })
    });
    serde_json::json!({ "datatype": columns.collect::<Vec<_>>(), "meta": header.metadata }).to_string()
}

fn put_group(writer: &mut Groups, table: &Table, rows: Range<usize>) -> io::Result<()> {
    let mut put_all = || {
        let mut group = writer.next_row_group()?;
        for column in table.columns() {
            match &column.values {
                Values::U64(values) => {
                    let values: Vec<i64> = values[rows.clone()].iter().map(|value| value.cast_signed()).collect();
                    put::<Int64Type>(&mut group, &values)?;
                }
                Values::F32(values) => put::<FloatType>(&mut group, &values[rows.clone()])?,
                Values::F64(values) => put::<DoubleType>(&mut group, &values[rows.clone()])?,
                Values::Bool(values) => put::<BoolType>(&mut group, &values[rows.clone()])?,
                Values::Utf8(values) => {
                    let values: Vec<ByteArray> = values[rows.clone()].iter().map(|text| text.as_str().into()).collect();
                    put::<ByteArrayType>(&mut group, &values)?;
                }
            }
        }
        group.close().map(drop)
    };
    put_all().map_err(as_io)
}

fn schema(table: &Table) -> Result<Type, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.values {
            Values::U64(_) => (Physical::INT64, Some(LogicalType::integer(64, false))),
            Values::F32(_) => (Physical::FLOAT, None),
            Values::F64(_) => (Physical::DOUBLE, None),
            Values::Bool(_) => (Physical::BOOLEAN, None),
            Values::Utf8(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(&column.name, physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical);
        field.build().map(Arc::new)
    };
    let fields = table.columns().iter().map(field).collect::<Result<_, _>>()?;
    Type::group_type_builder("table").with_fields(fields).build()
}

fn put<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Sealed<'_>>, values: &[T::T]) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("the schema has a column for each of the table");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// Reads a table: all of it.
pub fn read(path: &Path) -> Result<Table, TableError> {
    files::expect_file(path, "a table").map_err(TableError::file(path))?;
    let file = File::open(path).map_err(TableError::file(path))?;
    let length = file.metadata().map_err(TableError::file(path))?.len();
    let mut head = [0; HEAD];
    let wanted = head.len().min(length as usize);
    file.read_exact_at(&mut head[..wanted], 0).map_err(TableError::file(path))?;
    if !head.starts_with(MAGIC) {
        return Err(TableError::NotParquet { path: path.to_owned() });
    }
    let mut end = [0; 4];
    file.read_exact_at(&mut end, length - 4).map_err(TableError::file(path))?;
    if end != *MAGIC || length < 12 {
        return Err(TableError::CutOff { path: path.to_owned() });
    }
    if head[4..12] != *NAME {
        let reason = "is another program's Parquet file, expected a table that skyforge wrote".into();
        return Err(TableError::Foreign { path: path.to_owned(), reason });
    }
    let found = digest(&file).map_err(TableError::file(path))?;
    let wanted = u64::from_le_bytes(head[12..].try_into().expect("eight bytes"));
    if found != wanted {
        return Err(TableError::Damaged { path: path.to_owned(), found, wanted });
    }
    decode(file).map_err(|error| {
        let text = error.to_string();
        TableError::Foreign { path: path.to_owned(), reason: text.lines().next().unwrap_or_default().to_owned() }
    })
}

/// The checksum of what the seal vouches for.
fn digest(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::Start(HEAD as u64))?;
    let (mut hash, mut piece) = (Xxh3::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.digest()),
            bytes => hash.update(&piece[..bytes]),
        }
    }
}

fn decode(file: File) -> Result<Table, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let file_metadata = reader.metadata().file_metadata();
    let pair = file_metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == KEY);
    let text = pair.and_then(|pair| pair.value.as_deref());
    let text = text.ok_or_else(|| ParquetError::General(format!("has no `{KEY}` in its metadata, expected one")))?;
    let Header { metadata, columns: described } = serde_json::from_str(text).map_err(|error| {
        ParquetError::General(format!(
            "`{KEY}` in its metadata: {error}, expected what this version writes: make the table again"
        ))
    })?;
    let mut columns = Vec::new();
    for (at, (descriptor, said)) in file_metadata.schema_descr().columns().iter().zip(described).enumerate() {
        let mut values = match descriptor.physical_type() {
            Physical::INT64 => Values::U64(Vec::new()),
            Physical::FLOAT => Values::F32(Vec::new()),
            Physical::DOUBLE => Values::F64(Vec::new()),
            Physical::BOOLEAN => Values::Bool(Vec::new()),
            Physical::BYTE_ARRAY => Values::Utf8(Vec::new()),
            other @ (Physical::INT32 | Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY) => {
                let fault = format!("column `{}` is of {other}, expected a type of this version's", said.name);
                return Err(ParquetError::General(fault));
            }
        };
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            let rows = group.metadata().num_rows() as usize;
            let column = group.get_column_reader(at)?;
            match &mut values {
                Values::U64(values) => {
                    values.extend(take::<Int64Type>(column, rows)?.into_iter().map(i64::cast_unsigned));
                }
                Values::F32(values) => values.append(&mut take::<FloatType>(column, rows)?),
                Values::F64(values) => values.append(&mut take::<DoubleType>(column, rows)?),
                Values::Bool(values) => values.append(&mut take::<BoolType>(column, rows)?),
                Values::Utf8(values) => {
                    for text in take::<ByteArrayType>(column, rows)? {
                        values.push(text.as_utf8()?.to_owned());
                    }
                }
            }
        }
        columns.push(Column { name: said.name, unit: said.unit, description: said.description, values });
    }
    Ok(Table::new(metadata, columns))
}

/// A group's values of a column.
fn take<T: DataType>(reader: ColumnReader, rows: usize) -> Result<Vec<T::T>, ParquetError> {
    let mut reader = get_typed_column_reader::<T>(reader);
    let mut values = Vec::with_capacity(rows);
    while values.len() < rows && reader.read_records(rows - values.len(), None, None, &mut values)?.0 > 0 {}
    Ok(values)
}
