//! Compressed files: gzip, bzip2 and the tiles of FITS images.

use std::io::Write;

use bzip2::write::BzEncoder;
use fitsio_pure::compress::{TileCompression, compress_image_hdu};
use flate2::write::GzEncoder;
use skyforge::ingest::Choice;

use crate::ingest::files::{PRIMARY, float_image, float_npy, header, read};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory has room");
    encoder.finish().expect("memory has room")
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory has room");
    encoder.finish().expect("memory has room")
}

/// An empty primary HDU, and a tile-compressed image of 16-bit integers for each shape.
pub fn tiled(how: &TileCompression, shapes: &[&[usize]]) -> Vec<u8> {
    let mut bytes = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    for naxes in shapes {
        let pixels: Vec<i16> = (0..naxes.iter().product::<usize>()).map(|x| (x * x % 977) as i16 - 400).collect();
        bytes.extend(compress_image_hdu(naxes, &pixels, how, &[]).expect("it can be compressed"));
    }
    bytes
}

#[test]
fn gzip_and_bzip2_are_unpacked() {
    let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
    for (name, bytes) in [("a.fits", float_image(&[3, 4], &[], &values)), ("a.npy", float_npy("(4, 3)", &values))] {
        // Several members one after the other are one file.
        let halves = bytes.split_at(bytes.len() / 2);
        for packed in [gzip(&bytes), bzip2(&bytes), [gzip(halves.0), gzip(halves.1)].concat()] {
            let (input, pixels) = read(name, &packed, &Choice::default()).unwrap();
            assert_eq!((input.shape(), &pixels), ([1, 4, 3], &values), "{name}");
            assert_eq!(input.bytes, packed.len() as u64);
        }
    }
}

#[test]
fn damaged_or_endless_packed_files_are_refused() {
    let whole = gzip(&float_image(&[3, 4], &[], &[0.5; 12]));
    let fault = |bytes: &[u8]| read("a.fits", bytes, &Choice::default()).unwrap_err();
    assert!(fault(&whole[..whole.len() - 9]).starts_with("gzip: is damaged: "));
    let mut damaged = whole.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert!(fault(&damaged).starts_with("gzip: is damaged: "));
    assert!(fault(&bzip2(&[0; 99])[..20]).starts_with("bzip2: is damaged: "));
    let zeros = bzip2(&vec![0; 40 << 20]);
    let most = zeros.len() * 2048;
    assert_eq!(fault(&zeros), format!("bzip2: unpacks to more than {most} bytes, 2048 times its own, expected less"));
    assert_eq!(fault(&gzip(&whole)), "begins as no FITS, HDF5, NPY or NPZ file does", "packed twice");
    assert_eq!(fault(&gzip(b"\x89HDF\r\n\x1a\n")), "is a compressed HDF5 file, expected it unpacked");
}

#[test]
fn tile_compressed_images_are_read_as_the_pixels_they_hold() {
    let wanted: Vec<f32> = (0..40 * 30).map(|x: i32| f32::from((x * x % 977) as i16 - 400)).collect();
    for how in [TileCompression::rice(), TileCompression::gzip(), TileCompression::gzip2()] {
        let bytes = tiled(&how, &[&[30, 40], &[30, 40]]);
        for bytes in [gzip(&bytes), bytes] {
            let (input, pixels) = read("a.fits.fz", &bytes, &Choice::default()).unwrap();
            assert_eq!(input.shape(), [2, 40, 30], "{how:?}");
            assert!(pixels == [wanted.clone(), wanted.clone()].concat(), "{how:?}");
        }
    }
}

#[test]
fn headers_of_tiles_that_lie_are_refused() {
    let whole = tiled(&TileCompression::rice(), &[&[30, 40]]);
    let with = |name: &str, card: &str| {
        let mut bytes = whole.clone();
        let name = format!("{name:<8}=");
        let place = bytes.chunks(80).position(|card| card.starts_with(name.as_bytes())).expect("there is the card");
        bytes[80 * place..80 * place + 80].copy_from_slice(&format!("{card:<80}").as_bytes()[..80]);
        read("a.fits.fz", &bytes, &Choice::default()).unwrap_err()
    };
    let number = |name: &str, value: i64| with(name, &format!("{name:<8}= {value:>20}"));
    assert_eq!(number("ZBITPIX", 24), "HDU 1: ZBITPIX is 24, expected 8, 16, 32, 64, -32 or -64");
    assert!(number("ZNAXIS1", 1 << 40).contains("ZNAXISn are [1099511627776, 40], expected no more than "));
    assert!(number("ZTILE1", 1).contains("expected 1200 of less than 2^31"));
    assert_eq!(number("ZVAL1", 0), "HDU 1: ZVAL1 is 0, expected 1 to 4096 pixels");
    // Two panics of the decoder: a type that is no ASCII text, and a heap that is larger than the file.
    assert!(with("TFORM1", "TFORM1  = '1P\u{e9}(9)'").starts_with("HDU 1: "));
    assert_eq!(number("PCOUNT", 1 << 40), "HDU 1: is larger than the file");
    assert_eq!(
        with("ZCMPTYPE", "ZCMPTYPE= 'ZSTD_1  '"),
        "HDU 1: ZCMPTYPE is 'ZSTD_1', expected RICE_1, GZIP_1, GZIP_2, HCOMPRESS_1, PLIO_1 or NOCOMPRESS"
    );
}
