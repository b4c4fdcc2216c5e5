//! `TensorBoard` event files, written without TensorFlow.
//!
//! A file is a row of records in `TFRecord` framing: length (u64), its checksum, data, their checksum; all little-endian,
//! checksums CRC-32C, rotated and shifted ("masked") so that a checksum of data with checksums in them stays a good one.
//! The data of a record are one `Event` in protocol buffers (tensorflow/core/util/event.proto, framework/summary.proto).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::metrics::MetricsError;

/// One event file, open for appending.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Starts `run_folder/events.out.tfevents.<unix seconds>.skyforge.<step>`.
    ///
    /// - `step`: steps that are done already, 0 for a new run; `TensorBoard` forgets what
    ///   earlier files say after it
    /// - `wall_time_seconds`: since 1970
    pub fn create(run_folder: &Path, step: u64, wall_time_seconds: f64) -> Result<Self, MetricsError> {
        let name = format!("events.out.tfevents.{:010}.skyforge.{step}", wall_time_seconds as u64);
        let path = run_folder.join(name);
        let file = BufWriter::new(File::create(&path).map_err(MetricsError::file(&path))?);
        let mut writer = Self { path, file };
        let mut version = event(wall_time_seconds, None);
        put_bytes(&mut version, FILE_VERSION, b"brain.Event:2");
        writer.record(&version)?;
        // TensorBoard purges what earlier files have at the step of a START and after it.
        let mut start = event(wall_time_seconds, Some(step + 1));
        put_bytes(&mut start, SESSION_LOG, &[SESSION_STATUS << 3, SESSION_START]);
        writer.record(&start)?;
        writer.flush()?;
        Ok(writer)
    }

    /// Adds the numbers of one step, names first, as 32-bit floats.
    pub fn scalars(&mut self, step: u64, wall_time_seconds: f64, scalars: &[(&str, f64)]) -> Result<(), MetricsError> {
        let mut summary = Vec::new();
        for (name, number) in scalars {
            let mut value = Vec::new();
            put_bytes(&mut value, VALUE_TAG, name.as_bytes());
            value.push(VALUE_SIMPLE << 3 | FIXED_32);
            value.extend((*number as f32).to_le_bytes());
            put_bytes(&mut summary, SUMMARY_VALUE, &value);
        }
        let mut record = event(wall_time_seconds, Some(step));
        put_bytes(&mut record, SUMMARY, &summary);
        self.record(&record)
    }

    /// Hands to the file what was added so far, so that a running `TensorBoard` sees it. Dropping does it too.
    pub fn flush(&mut self) -> Result<(), MetricsError> {
        self.file.flush().map_err(MetricsError::file(&self.path))
    }

    /// Where the events go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&mut self, data: &[u8]) -> Result<(), MetricsError> {
        let length = (data.len() as u64).to_le_bytes();
        let mut frame = Vec::with_capacity(data.len() + 16);
        frame.extend(length);
        frame.extend(masked_checksum(&length).to_le_bytes());
        frame.extend(data);
        frame.extend(masked_checksum(data).to_le_bytes());
        self.file.write_all(&frame).map_err(MetricsError::file(&self.path))
    }
}

// Fields of `Event`, then of what lies in it.
const WALL_TIME: u8 = 1;
const STEP: u8 = 2;
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;
const SUMMARY_VALUE: u8 = 1;
const VALUE_TAG: u8 = 1;
const VALUE_SIMPLE: u8 = 2;
const SESSION_STATUS: u8 = 1;
const SESSION_START: u8 = 1;

// How a field is written; 0 is a varint, as in the status of a session.
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

/// The start of an `Event`: when, and at which step.
fn event(wall_time_seconds: f64, step: Option<u64>) -> Vec<u8> {
    let mut event = vec![WALL_TIME << 3 | FIXED_64];
    event.extend(wall_time_seconds.to_le_bytes());
    if let Some(step) = step {
        event.push(STEP << 3);
        put_varint(&mut event, step);
    }
    event
}

/// Seven bits a byte, lowest first, the eighth says that more follow.
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | LENGTH_DELIMITED);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// (tensorflow/core/lib/hash/crc32c.h, `Mask`)
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}
