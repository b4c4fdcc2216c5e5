//! Damaged files: an error that names the file, no panic, and no more memory than the file could need.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skyforge::ingest::{Choice, Input};

use fitsio_pure::compress::TileCompression;
use zip::CompressionMethod;

use crate::ingest::files::{EXTENSION, PRIMARY, archive, float_image, float_npy, header, image, npy, told, write};
use crate::ingest::layers::{bzip2, gzip, tiled};

/// The system's allocator, which notes the largest piece that a thread asks for.
struct Noting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

// SAFETY: everything is handed to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is written in no other way")]
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A way to damage a file. Places are shares of its length.
#[derive(Clone, Debug)]
enum Damage {
    Byte(f64, u8),
    HeaderByte(f64, u8),
    Cut(f64),
    Repeat(f64, f64),
    Card(usize, usize),
    Word(f64, usize),
}

const CARDS: [&str; 32] = [
    "ZNAXIS1 =  9223372036854775807",
    "ZTILE1  =                    0",
    "ZTILE2  =  9223372036854775807",
    "ZVAL1   =                    0",
    "ZVAL2   =                    1",
    "ZBITPIX =                  -32",
    "TFORM1  = '1PB(9)  '",
    "TFORM1  = '1QD     '",
    "THEAP   =  9223372036854775807",
    "CTYPE1  =                    1",
    "NAXIS   =                   -1",
    "NAXIS   =                    3",
    "NAXIS   =  9223372036854775807",
    "NAXIS1  =  9223372036854775807",
    "NAXIS1  =                    0",
    "NAXIS2  =                   -5",
    "NAXIS2  =           4294967296",
    "NAXIS3  =           1000000000",
    "BITPIX  =                  -64",
    "BITPIX  = -9223372036854775808",
    "BITPIX  = 'eight   '",
    "PCOUNT  =  9223372036854775807",
    "GCOUNT  =                   -1",
    "GCOUNT  =  9223372036854775807",
    "GROUPS  =                    T",
    "BSCALE  =                1E999",
    "BLANK   =                    1",
    "EXTNAME = 'a string that never ends &",
    "CONTINUE  'and goes on &'",
    "ZIMAGE  =                    T",
    "ZNAXIS  =  1000000000000000000",
    "END",
];

const WORDS: [&str; 14] = [
    "'<f8'",
    "'>i8'",
    "[('a', '<f4')]",
    "(",
    ")",
    "((((((((",
    "(18446744073709551616,)",
    "True",
    "{",
    "'shape':",
    "(-1, 2, 2)",
    "9999999999",
    "'descr'",
    ",,,,",
];

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0.0..1.0, any::<u8>()).prop_map(|(at, to)| Damage::Byte(at, to)),
        (0.0..1.0, any::<u8>()).prop_map(|(at, to)| Damage::HeaderByte(at, to)),
        (0.0..1.0).prop_map(Damage::Cut),
        (0.0..1.0, 0.0..1.0).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (prop_oneof![0_usize..6, 36_usize..66], 0..CARDS.len()).prop_map(|(at, card)| Damage::Card(at, card)),
        (0.0..1.0, 0..WORDS.len()).prop_map(|(at, word)| Damage::Word(at, word)),
    ]
}

fn damaged(bytes: &mut Vec<u8>, damage: &Damage) {
    let at = |share: f64, length: usize| (share * length as f64) as usize;
    let length = bytes.len();
    if length == 0 {
        return;
    }
    match *damage {
        Damage::Byte(place, to) => bytes[at(place, length)] = to,
        Damage::HeaderByte(place, to) => bytes[at(place, length.min(600))] = to,
        Damage::Cut(place) => bytes.truncate(at(place, length)),
        Damage::Repeat(from, to) => {
            let (from, to) = (at(from, length), at(to, length));
            let piece = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.splice(to..to, piece);
        }
        Damage::Card(place, card) => {
            let end = (80 * place + 80).min(length);
            bytes.splice((80 * place).min(length)..end, format!("{:<80}", CARDS[card]).into_bytes());
        }
        Damage::Word(place, word) => {
            let place = at(place, length.min(128));
            let end = (place + WORDS[word].len()).min(length);
            bytes.splice(place..end, WORDS[word].bytes());
        }
    }
}

/// Sound files to begin with, and the real map where it is there.
fn sound() -> Vec<Vec<u8>> {
    let empty = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    let shorts = image(
        EXTENSION,
        16,
        &[8, 8, 2],
        &["BSCALE  =                  0.5", "BLANK   =                   -1"],
        &[1; 256],
    );
    let mut files = vec![
        float_image(&[8, 8], &["ANGLE   =                  3.5"], &[0.5; 64]),
        [empty, shorts, image(EXTENSION, -64, &[4, 4], &["EXTNAME = 'KAPPA   '"], &[0; 128])].concat(),
        float_npy("(2, 8, 8)", &[0.5; 128]),
        npy(">i2", "False", "(8, 8)", &[3; 128]),
        archive(&[("maps", float_npy("(2, 8, 8)", &[0.5; 128]))], CompressionMethod::Stored),
        archive(&[("maps", float_npy("(2, 8, 8)", &[0.5; 128]))], CompressionMethod::Deflated),
        npy("<f4", "True", "(2, 8, 8)", &[3; 512]),
        gzip(&float_image(&[8, 8], &[], &[0.5; 64])),
        bzip2(&float_npy("(2, 8, 8)", &[0.5; 128])),
        tiled(&TileCompression::rice(), &[&[8, 8]]),
        tiled(&TileCompression::gzip2(), &[&[8, 8]]),
    ];
    if let Some(folder) = std::env::var_os("SKYFORGE_TEST_DATA") {
        files
            .push(std::fs::read(Path::new(&folder).join("kappa/nbody_convergence_z99.fit")).expect("the map is there"));
    }
    files
}

fn damaged_files_are_refused_or_read(cases: u32) {
    let files = sound();
    let folder = tempfile::tempdir().expect("a folder");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let damages = prop::collection::vec(damage(), 1..4);
    let choice = prop_oneof![Just(None), Just(Some("1")), Just(Some("KAPPA"))];
    let outcome = runner.run(&(0..files.len(), damages, choice), |(file, damages, hdu)| {
        let mut bytes = files[file].clone();
        for damage in &damages {
            damaged(&mut bytes, damage);
        }
        let path = write(folder.path(), "damaged", &bytes);
        LARGEST.with(|largest| largest.set(0));
        let choice = Choice { hdu: hdu.map(str::to_owned), ..Choice::default() };
        match Input::open(&path, &choice).and_then(|input| read_by_rows(&input)) {
            Ok(()) => {}
            Err(error) => {
                told(&error, &path);
            }
        }
        // A byte a pixel becomes four, and what is read grows by doubling. What is unpacked is bounded by the file as well.
        let largest = LARGEST.with(Cell::get);
        let packed = files[file].starts_with(b"\x1f\x8b") || files[file].starts_with(b"BZh");
        let packed = packed || files[file].windows(7).any(|window| window == b"TTYPE1 " || window == b"maps.np");
        let most = if packed { 1 << 13 } else { 4 };
        prop_assert!(
            largest <= most * bytes.len() + (1 << 20),
            "{largest} bytes at once for a file of {}",
            bytes.len()
        );
        Ok(())
    });
    outcome.unwrap();
}

fn read_by_rows(input: &Input) -> Result<(), skyforge::ingest::IngestError> {
    let [n, h, w] = input.shape();
    let mut reader = input.reader()?;
    let mut row = vec![0.0; w];
    for map in 0..n.min(8) {
        for y in [0, h / 2, h - 1] {
            reader.read_rows(map, y..y + 1, &mut row)?;
        }
    }
    Ok(())
}

/// What tables are made of, well or badly.
const PIECES: [&str; 36] = [
    "1.0 0.010 1e-4\n",
    "1.1,0.011,2e-4\n",
    "1.2;0.012;3e-4\n",
    "1.3\t0.013\t8.0D-05\n",
    "# wavelength depth error\n",
    "wavelength depth error\n",
    "wavelength (nm),depth [ppm],error\n",
    "CENTRALWAVELNG PL_TRANDEP PL_TRANDEPERR1 PL_TRANDEPERR2\n",
    "|wavelength|depth|error|\n",
    "|um |||\n",
    " 1.0 0.01 1e-4\n",
    "\\key = 1\n",
    "\"",
    "\"\"",
    "\u{feff}",
    "\u{b5}",
    "(",
    "]",
    "=",
    "|",
    ",",
    ";",
    "\t",
    "\r\n",
    "\n",
    "#",
    "nan",
    "-1e-4",
    "1D",
    "inf ",
    "0 ",
    "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, datatype: float64}\n# - {name: depth, datatype: float64}\n# - {name: depth.mask, datatype: bool}\n",
    "wavelength depth depth.mask\n",
    "1.0 0.01 True\n",
    "[Planet]\nplanet_mass = 1\n",
    "[[H2O]]\nmix_ratio = 1e-4\n",
];

fn tables_of_any_text_are_read_or_refused(cases: u32) {
    use skyforge::ingest::spectra::{DepthUnit, Reading, Recipe, Table, WavelengthUnit};
    let folder = tempfile::tempdir().expect("a folder");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let pieces = prop::collection::vec(0..PIECES.len(), 0..24);
    let damages = prop::collection::vec((0.0..1.0, any::<u8>()), 0..3);
    let outcome = runner.run(&(pieces, damages, any::<bool>()), |(pieces, damages, errors)| {
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| PIECES[*piece].bytes()).collect();
        for (place, to) in damages {
            damaged(&mut bytes, &Damage::Byte(place, to));
        }
        let path = write(folder.path(), "table.txt", &bytes);
        let reading = Reading {
            wavelength_unit: Some(WavelengthUnit::Um),
            depth_unit: Some(DepthUnit::Fraction),
            errors,
            ..Reading::default()
        };
        LARGEST.with(|largest| largest.set(0));
        let told_of = |outcome: Result<(), skyforge::ingest::IngestError>| {
            if let Err(error) = outcome {
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        };
        told_of(Table::open(&path, None, &reading).and_then(|table| table.read(0..1).map(drop)));
        let spectrum = write(folder.path(), "sound.dat", b"1.0 0.010 1e-4\n1.1 0.011 1e-4\n");
        told_of(Table::open(&spectrum, Some(&path), &Reading { errors: true, ..reading }).map(drop));
        told_of(Recipe::read(&path).map(drop));
        // A cell is two letters and becomes a slice and a number.
        let largest = LARGEST.with(Cell::get);
        prop_assert!(largest <= 64 * bytes.len() + (1 << 20), "{largest} bytes at once for a file of {}", bytes.len());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn any_text_is_a_table_or_refused() {
    tables_of_any_text_are_read_or_refused(1_000);
}

#[test]
#[ignore = "a minute long: thousands of texts"]
fn thousands_of_texts_are_tables_or_refused() {
    tables_of_any_text_are_read_or_refused(50_000);
}

#[test]
fn damaged_files_are_named_or_read() {
    damaged_files_are_refused_or_read(2_000);
}

#[test]
#[ignore = "a minute long: thousands of damaged files"]
fn thousands_of_damaged_files_are_named_or_read() {
    damaged_files_are_refused_or_read(20_000);
}
