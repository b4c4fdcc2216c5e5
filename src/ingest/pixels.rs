//! Maps that lie in a file one number after the other, of any kind, in either byte order: what FITS, NPY and NPZ have in common.
//!
//! Shapes: n = maps, h = rows, w = columns.

use std::ops::Range;
use std::path::Path;

use half::f16;
use serde::{Deserialize, Serialize};

use super::IngestError;
use super::bytes::Bytes;
use super::layers::{self, Layer};

/// Read and converted at once, so that the bytes are still in the cache.
const PIECE_BYTES: usize = 1 << 18;

/// Kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "their names say it all")]
pub enum Number {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl Number {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// Physical value = zero + scale x stored value (FITS standard 4.0, section 4.4.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Physical units per stored unit.
    pub scale: f64,
    /// Physical value of a stored 0.
    pub zero: f64,
}

/// Where the maps lie, and as what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pixels {
    /// What lies between the file and the bytes that `start` counts.
    pub layers: Vec<Layer>,
    /// The first pixel's place.
    pub start: u64,
    /// `[n, h, w]`.
    pub shape: [usize; 3],
    /// The kind of the stored numbers.
    pub number: Number,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// From stored numbers to physical ones.
    pub scaling: Option<Scaling>,
    /// The stored integer that means no value.
    pub blank: Option<i64>,
}

impl Pixels {
    /// Checks against the length of the file, so that nothing is believed that is not there.
    pub fn check(&self, path: &Path, file_bytes: u64) -> Result<(), IngestError> {
        let [n, h, w] = self.shape;
        let bytes = [h, w, self.number.bytes()].iter().try_fold(n, |all, &more| all.checked_mul(more));
        let end = bytes.and_then(|bytes| self.start.checked_add(bytes as u64));
        if end.is_some_and(|end| end <= file_bytes) {
            return Ok(());
        }
        let there = file_bytes.saturating_sub(self.start);
        let wanted = bytes.map_or_else(|| "more than any file has".to_owned(), |bytes| bytes.to_string());
        let fault =
            format!("has {there} bytes after byte {}, expected {wanted} for maps of {n} x {h} x {w}", self.start);
        Err(IngestError::wrong(path, fault))
    }
}

/// Reads some rows at a time.
pub struct Reader<'a> {
    path: &'a Path,
    pixels: &'a Pixels,
    from: Bytes,
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Opens the file that holds `pixels`.
    pub fn open(path: &'a Path, pixels: &'a Pixels) -> Result<Self, IngestError> {
        let from = layers::open(path, &pixels.layers)?;
        Ok(Self { path, pixels, from, bytes: Vec::new() })
    }

    /// Some rows of one map, `[rows, w]`.
    pub fn read_rows(&mut self, map: usize, rows: Range<usize>, to: &mut [f32]) -> Result<(), IngestError> {
        let [_, h, w] = self.pixels.shape;
        assert_eq!(to.len(), rows.len() * w, "there is room for [rows, w]");
        let size = self.pixels.number.bytes();
        let mut place = self.pixels.start + ((map * h + rows.start) * w * size) as u64;
        for piece in to.chunks_mut(PIECE_BYTES / size) {
            self.bytes.resize(piece.len() * size, 0);
            self.from.read_exact_at(&mut self.bytes, place).map_err(IngestError::file(self.path))?;
            self.pixels.decode(&self.bytes, piece);
            place += self.bytes.len() as u64;
        }
        Ok(())
    }
}

impl Pixels {
    fn decode(&self, bytes: &[u8], to: &mut [f32]) {
        match self.number {
            Number::U8 => self.decode_as::<u8>(bytes, to),
            Number::I8 => self.decode_as::<i8>(bytes, to),
            Number::I16 => self.decode_as::<i16>(bytes, to),
            Number::U16 => self.decode_as::<u16>(bytes, to),
            Number::I32 => self.decode_as::<i32>(bytes, to),
            Number::U32 => self.decode_as::<u32>(bytes, to),
            Number::I64 => self.decode_as::<i64>(bytes, to),
            Number::U64 => self.decode_as::<u64>(bytes, to),
            Number::F16 => self.decode_as::<f16>(bytes, to),
            Number::F32 => self.decode_as::<f32>(bytes, to),
            Number::F64 => self.decode_as::<f64>(bytes, to),
        }
    }

    fn decode_as<T: Stored>(&self, bytes: &[u8], to: &mut [f32]) {
        if self.big_endian {
            self.decode_with(bytes, T::big_endian, to);
        } else {
            self.decode_with(bytes, T::little_endian, to);
        }
    }

    fn decode_with<T: Stored>(&self, bytes: &[u8], stored: impl Fn(&[u8]) -> T, to: &mut [f32]) {
        let pairs = to.iter_mut().zip(bytes.chunks_exact(size_of::<T>()));
        if self.scaling.is_none() && self.blank.is_none() {
            pairs.for_each(|(to, bytes)| *to = stored(bytes).single());
            return;
        }
        for (to, bytes) in pairs {
            let value = stored(bytes);
            *to = match self.scaling {
                _ if self.blank.is_some() && value.integer() == self.blank => f32::NAN,
                None => value.single(),
                Some(scaling) => value.scaled(scaling),
            };
        }
    }
}

/// Numbers in double precision out of their bytes.
pub(super) fn doubles(number: Number, big_endian: bool, bytes: &[u8]) -> Vec<f64> {
    fn of<T: Stored>(big_endian: bool, bytes: &[u8]) -> Vec<f64> {
        let stored = if big_endian { T::big_endian } else { T::little_endian };
        bytes.chunks_exact(size_of::<T>()).map(|bytes| stored(bytes).double()).collect()
    }
    match number {
        Number::U8 => of::<u8>(big_endian, bytes),
        Number::I8 => of::<i8>(big_endian, bytes),
        Number::I16 => of::<i16>(big_endian, bytes),
        Number::U16 => of::<u16>(big_endian, bytes),
        Number::I32 => of::<i32>(big_endian, bytes),
        Number::U32 => of::<u32>(big_endian, bytes),
        Number::I64 => of::<i64>(big_endian, bytes),
        Number::U64 => of::<u64>(big_endian, bytes),
        Number::F16 => of::<f16>(big_endian, bytes),
        Number::F32 => of::<f32>(big_endian, bytes),
        Number::F64 => of::<f64>(big_endian, bytes),
    }
}

/// A number as it is stored.
trait Stored: Copy {
    fn big_endian(bytes: &[u8]) -> Self;
    fn little_endian(bytes: &[u8]) -> Self;
    /// Rounded once.
    fn single(self) -> f32;
    fn double(self) -> f64;
    /// In double precision, rounded once at the end.
    fn scaled(self, scaling: Scaling) -> f32;
    fn integer(self) -> Option<i64>;
}

macro_rules! stored {
    ($($kind:ty, $integer:expr;)*) => {$(
        #[allow(clippy::cast_lossless, reason = "the same for all kinds")]
        impl Stored for $kind {
            fn big_endian(bytes: &[u8]) -> Self {
                Self::from_be_bytes(bytes.try_into().expect("a number is cut out whole"))
            }
            fn little_endian(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("a number is cut out whole"))
            }
            fn single(self) -> f32 {
                self as f32
            }
            fn double(self) -> f64 {
                self as f64
            }
            fn scaled(self, Scaling { scale, zero }: Scaling) -> f32 {
                // The convention for unsigned 64-bit integers: exact before it is rounded.
                if $integer && size_of::<Self>() == 8 && scale == 1.0 && zero == 9_223_372_036_854_775_808.0 {
                    return (self as i128 + (1 << 63)) as f32;
                }
                (scale * self as f64 + zero) as f32
            }
            fn integer(self) -> Option<i64> {
                if $integer { i64::try_from(self as i128).ok() } else { None }
            }
        }
    )*};
}

stored! { u8, true; i8, true; i16, true; u16, true; i32, true; u32, true; i64, true; u64, true; f32, false; f64, false; }

impl Stored for f16 {
    fn big_endian(bytes: &[u8]) -> Self {
        Self::from_be_bytes(bytes.try_into().expect("a number is cut out whole"))
    }
    fn little_endian(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.try_into().expect("a number is cut out whole"))
    }
    fn single(self) -> f32 {
        self.to_f32()
    }
    fn double(self) -> f64 {
        self.to_f64()
    }
    fn scaled(self, Scaling { scale, zero }: Scaling) -> f32 {
        (scale * self.to_f64() + zero) as f32
    }
    fn integer(self) -> Option<i64> {
        None
    }
}
