//! Tile-compressed FITS images (standard 4.0, section 10), as fpack and astropy write them.
//!
//! The decoders are `fitsio-pure`'s. It takes sizes at their word, so all that it computes with is checked before.

use std::path::Path;

use fitsio_pure::bintable::{BinaryColumnType, binary_type_byte_size, parse_tform_binary};
use fitsio_pure::hdu::{Hdu, HduInfo};
use fitsio_pure::image::{ImageData, serialize_image};
use fitsio_pure::tiled::read_tiled_image;

use super::IngestError;
use super::bytes::{Bytes, MOST_PACKED};
use super::cards::Cards;
use super::hdu;

/// The largest block that a writer of RICE_1 uses is 32.
const LONGEST_BLOCK: usize = 1 << 12;

/// An image as its header describes it.
pub(super) struct Tiled {
    /// Of the image, not of the table that holds it.
    pub bitpix: i64,
    /// Lengths of its axes, the fastest first.
    pub naxes: Vec<usize>,
    /// Bytes of a row of the table, and its rows.
    table: [usize; 2],
    /// Places of the columns that point into the heap, whether with 8 bytes a number, and the bytes of an element there.
    pointers: Vec<(usize, bool, u64)>,
}

/// Checks what a header says of an image with `data_len` bytes of table and heap.
pub(super) fn describe(hdu: &Hdu) -> Result<Tiled, String> {
    let HduInfo::CompressedImage {
        zbitpix, znaxes, zcmptype, ztile, blocksize, naxis1, naxis2, pcount, tfields, ..
    } = &hdu.info
    else {
        return Err("is no tile-compressed image".into());
    };
    let size = match zbitpix {
        8 => 1,
        16 => 2,
        32 | -32 => 4,
        64 | -64 => 8,
        _ => return Err(format!("ZBITPIX is {zbitpix}, expected 8, 16, 32, 64, -32 or -64")),
    };
    let kinds = "RICE_1, GZIP_1, GZIP_2, HCOMPRESS_1, PLIO_1 or NOCOMPRESS";
    match zcmptype.as_str() {
        "RICE_1" | "RICE_ONE" if !(1..=LONGEST_BLOCK).contains(blocksize) => {
            return Err(format!("ZVAL1 is {blocksize}, expected 1 to {LONGEST_BLOCK} pixels"));
        }
        "RICE_1" | "RICE_ONE" | "GZIP_1" | "GZIP_2" | "HCOMPRESS_1" | "PLIO_1" | "NOCOMPRESS" => {}
        other => return Err(format!("ZCMPTYPE is '{other:.20}', expected {kinds}")),
    }
    let bytes = znaxes.iter().try_fold(size, |bytes: u64, &length| bytes.checked_mul(length as u64));
    if bytes.is_none_or(|bytes| bytes > (hdu.data_len as u64).saturating_mul(MOST_PACKED)) {
        return Err(format!("ZNAXISn are {znaxes:?}, expected no more than {} bytes can hold", hdu.data_len));
    }
    let table = naxis1.checked_mul(*naxis2).filter(|table| table.checked_add(*pcount) == Some(hdu.data_len));
    let table = table.ok_or_else(|| {
        format!("NAXIS1, NAXIS2 and PCOUNT are {naxis1}, {naxis2} and {pcount}, expected {} bytes in all", hdu.data_len)
    })?;
    let cards = Cards(&hdu.cards);
    if let Some(heap) = cards.integer("THEAP")?.filter(|heap| usize::try_from(*heap) != Ok(table)) {
        return Err(format!("THEAP is {heap}, expected {table}, the end of the table"));
    }
    let (mut tiles, mut pixels) = (1_usize, 1_usize);
    for (number, (&length, &tile)) in znaxes.iter().zip(ztile).enumerate() {
        let tile = if tile == 0 { length } else { tile.min(length) };
        if length == 0 || i64::try_from(ztile[number]).is_err() {
            return Err(format!(
                "ZNAXIS{0} is {length} and ZTILE{0} {1}, expected positive",
                number + 1,
                ztile[number]
            ));
        }
        // Neither is more than the pixels of the image.
        (tiles, pixels) = (tiles * length.div_ceil(tile), pixels * tile);
    }
    if tiles != *naxis2 || i32::try_from(pixels).is_err() {
        return Err(format!("has {naxis2} tiles of {pixels} pixels, expected {tiles} of less than 2^31"));
    }
    Ok(Tiled {
        bitpix: *zbitpix,
        naxes: znaxes.clone(),
        table: [*naxis1, *naxis2],
        pointers: pointers(cards, *tfields, *naxis1)?,
    })
}

/// Checks the columns of the table, which take `row_bytes` a row.
fn pointers(cards: Cards, tfields: usize, row_bytes: usize) -> Result<Vec<(usize, bool, u64)>, String> {
    let (mut place, mut pointers) = (0_usize, Vec::new());
    for number in 1..=tfields {
        let (form, name) = (format!("TFORM{number}"), format!("TTYPE{number}"));
        let told = cards.text(&form)?.ok_or_else(|| format!("has no {form}, expected one"))?;
        let column = cards.text(&name)?.unwrap_or_default();
        if !told.is_ascii() || !column.is_ascii() {
            return Err(format!("{form} or {name} is no ASCII text"));
        }
        let (repeat, kind) = parse_tform_binary(told)
            .ok()
            .filter(|(repeat, _)| *repeat <= row_bytes.saturating_mul(8))
            .ok_or_else(|| format!("{form} is '{told:.20}', expected the type of a column"))?;
        let (width, pointer) = match kind {
            BinaryColumnType::Bit => (repeat.div_ceil(8), None),
            BinaryColumnType::VarArrayP(element) => (8 * repeat, Some((false, element))),
            BinaryColumnType::VarArrayQ(element) => (16 * repeat, Some((true, element))),
            _ => (repeat * binary_type_byte_size(&kind), None),
        };
        let column = column.trim();
        let wanted = match column {
            "COMPRESSED_DATA" | "GZIP_COMPRESSED_DATA" | "UNCOMPRESSED_DATA" => pointer.is_some() && repeat == 1,
            "ZSCALE" | "ZZERO" => matches!(kind, BinaryColumnType::Double) && repeat == 1,
            "ZBLANK" => matches!(kind, BinaryColumnType::Int) && repeat == 1,
            _ => true,
        };
        if !wanted {
            return Err(format!("{form} is '{told:.20}', which is not the type of {column}"));
        }
        if column.ends_with("COMPRESSED_DATA") {
            let (wide, element) = pointer.expect("it has just been looked at");
            let size = match element {
                'B' => 1,
                'I' => 2,
                'J' | 'E' => 4,
                'K' | 'D' => 8,
                _ => return Err(format!("{form} is '{told:.20}', expected bytes or numbers")),
            };
            pointers.push((place, wide, size));
        }
        place = place.saturating_add(width);
    }
    if place > row_bytes {
        return Err(format!("TFORMn are {place} bytes a row, expected NAXIS1: {row_bytes}"));
    }
    Ok(pointers)
}

/// The pixels of the HDU of this number, whose header begins at `place`, as an image HDU would hold them: big-endian, not scaled.
pub(super) fn unpack(path: &Path, bytes: &Bytes, place: u64, number: usize) -> Result<Vec<u8>, IngestError> {
    let mut hdu = hdu::hdu_at(path, bytes, place, number)?;
    let wrong = |fault: String| hdu::at(path, number, &fault);
    let tiled = describe(&hdu).map_err(wrong)?;
    if (hdu.data_start as u64).checked_add(hdu.data_len as u64).is_none_or(|end| end > bytes.len()) {
        return Err(wrong("is larger than the file".into()));
    }
    let mut data = vec![0; hdu.data_len];
    bytes.read_exact_at(&mut data, hdu.data_start as u64).map_err(IngestError::file(path))?;
    hdu.data_start = 0; // of `data`
    let [row_bytes, rows] = tiled.table;
    let heap = (data.len() - row_bytes * rows) as u64;
    for row in 0..rows {
        for &(column, wide, size) in &tiled.pointers {
            let pointer = &data[row * row_bytes + column..];
            let number = |at: usize| {
                if wide {
                    u64::from_be_bytes(pointer[8 * at..8 * at + 8].try_into().expect("8 bytes"))
                } else {
                    u64::from(u32::from_be_bytes(pointer[4 * at..4 * at + 4].try_into().expect("4 bytes")))
                }
            };
            let end = number(0).checked_mul(size).and_then(|length| length.checked_add(number(1)));
            if end.is_none_or(|end| end > heap) {
                return Err(wrong(format!("tile {row} lies beyond the heap of {heap} bytes")));
            }
        }
    }
    let image = read_tiled_image(&data, &hdu).map_err(|error| wrong(error.to_string()))?;
    drop(data);
    let (bitpix, count) = match &image {
        ImageData::U8(values) => (8, values.len()),
        ImageData::I16(values) => (16, values.len()),
        ImageData::I32(values) => (32, values.len()),
        ImageData::I64(values) => (64, values.len()),
        ImageData::F32(values) => (-32, values.len()),
        ImageData::F64(values) => (-64, values.len()),
    };
    if bitpix != tiled.bitpix || count != tiled.naxes.iter().product::<usize>() {
        return Err(wrong(format!("unpacks to {count} pixels of BITPIX {bitpix}, not to what its header says")));
    }
    Ok(serialize_image(&image))
}
