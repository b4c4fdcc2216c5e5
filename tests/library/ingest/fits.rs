//! FITS images: every kind of number, scaling, blanks, extensions, and what is said of the sky.

use skyforge::ingest::Choice;

use crate::ingest::files::{EXTENSION, PRIMARY, float_image, header, image, read};

fn hdu(name: &str) -> Choice {
    Choice { hdu: Some(name.into()), dataset: None }
}

#[test]
fn every_bitpix_is_read_as_the_numbers_it_holds() {
    let wanted = [-3.0, 0.0, 1.0, 7.0, 100.0, 127.0];
    let bytes = |of: &dyn Fn(f32) -> Vec<u8>| wanted.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    for (bitpix, data) in [
        (16, bytes(&|x| (x as i16).to_be_bytes().to_vec())),
        (32, bytes(&|x| (x as i32).to_be_bytes().to_vec())),
        (64, bytes(&|x| (x as i64).to_be_bytes().to_vec())),
        (-32, bytes(&|x| x.to_be_bytes().to_vec())),
        (-64, bytes(&|x| f64::from(x).to_be_bytes().to_vec())),
    ] {
        let (input, pixels) = read("a.fits", &image(PRIMARY, bitpix, &[3, 2], &[], &data), &Choice::default()).unwrap();
        assert_eq!((input.shape(), pixels.as_slice()), ([1, 2, 3], &wanted[..]), "BITPIX {bitpix}");
    }
    let (_, pixels) = read("a.fits", &image(PRIMARY, 8, &[2, 2], &[], &[0, 1, 128, 255]), &Choice::default()).unwrap();
    assert_eq!(pixels, [0.0, 1.0, 128.0, 255.0]);
}

#[test]
fn scaling_is_rounded_once_and_blanks_are_bad() {
    let stored = [-32768_i16, 3, 20_001, 32_767];
    let data: Vec<u8> = stored.iter().flat_map(|x| x.to_be_bytes()).collect();
    let cards = ["BSCALE  =                 1D-1", "BZERO   =                  3.7", "BLANK   =               -32768"];
    let (_, pixels) = read("a.fits", &image(PRIMARY, 16, &[2, 2], &cards, &data), &Choice::default()).unwrap();
    assert!(pixels[0].is_nan());
    let wanted: Vec<f32> = stored[1..].iter().map(|&x| (0.1 * f64::from(x) + 3.7) as f32).collect();
    assert_eq!(pixels[1..], wanted);

    // Unsigned 64-bit integers: 2^63 + 2^39 + 1 is above the middle of two singles, but its double is not.
    let stored = [(1_i64 << 39) + 1, i64::MIN, -1, i64::MAX];
    let data: Vec<u8> = stored.iter().flat_map(|x| x.to_be_bytes()).collect();
    let cards = ["BZERO   =  9223372036854775808"];
    let (_, pixels) = read("a.fits", &image(PRIMARY, 64, &[2, 2], &cards, &data), &Choice::default()).unwrap();
    let wanted: Vec<f32> = stored.iter().map(|&x| (x as u64 ^ (1 << 63)) as f32).collect();
    assert_eq!(pixels, wanted);
}

#[test]
fn what_is_no_single_is_bad() {
    let data: Vec<u8> = [1e300, f64::NAN, f64::INFINITY, 2.5].iter().flat_map(|x: &f64| x.to_be_bytes()).collect();
    let (_, pixels) = read("a.fits", &image(PRIMARY, -64, &[2, 2], &[], &data), &Choice::default()).unwrap();
    assert_eq!(pixels.iter().map(|x| x.is_finite()).collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn an_image_is_found_by_number_by_name_or_by_being_the_first() {
    let mut bytes = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    for (name, value) in [("KAPPA", 1), ("SHEAR", 2)] {
        bytes.extend(image(EXTENSION, 8, &[2, 2, 3], &[&format!("EXTNAME = '{name:<8}'")], &[value; 12]));
    }
    for (choice, wanted) in [(Choice::default(), 1.0), (hdu("1"), 1.0), (hdu("2"), 2.0), (hdu("shear"), 2.0)] {
        let (input, pixels) = read("a.fits", &bytes, &choice).unwrap();
        assert_eq!((input.shape(), pixels), ([3, 2, 2], vec![wanted; 12]), "{choice:?}");
    }
    assert_eq!(read("a.fits", &bytes, &hdu("0")).unwrap_err(), "HDU 0: NAXIS is 0, expected 2 or 3");
    assert_eq!(
        read("a.fits", &bytes, &hdu("mask")).unwrap_err(),
        "has no HDU `mask`, expected a number below 3 or an EXTNAME in it"
    );
}

#[test]
fn cards_tell_of_the_sky() {
    let lens_tools = [
        "ANGLE   =                  3.5",
        "H0      =                 72.0",
        "OMEGA_M =                 0.26",
        "Z       =                  1.0",
    ];
    let (input, _) = read("a.fits", &float_image(&[4, 2], &lens_tools, &[0.0; 8]), &Choice::default()).unwrap();
    assert_eq!(input.sky.pixel_arcmin, Some(3.5 * 60.0 / 4.0));
    assert_eq!(input.sky.redshift, Some(1.0));
    assert_eq!(
        input.sky.cosmology.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>(),
        [("h", 0.72), ("omega_m", 0.26)]
    );
    let wcs = ["CTYPE1  = 'RA---TAN'", "CDELT1  =                -0.01", "BUNIT   = 'Jy/beam '"];
    let (input, _) = read("a.fits", &float_image(&[4, 2], &wcs, &[0.0; 8]), &Choice::default()).unwrap();
    assert_eq!((input.sky.pixel_arcmin, input.sky.unit.as_deref()), (Some(0.6), Some("Jy/beam")));
    let (input, _) = read("a.fits", &float_image(&[4, 2], &wcs[1..2], &[0.0; 8]), &Choice::default()).unwrap();
    assert_eq!(input.sky.pixel_arcmin, None, "a step along an axis that is not of the sky");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let whole = float_image(&[4, 4], &[], &[1.0; 16]);
    let table = header(&[
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  =                    8",
        "NAXIS2  =                    0",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
        "TFIELDS =                    1",
        "ZIMAGE  =                    T",
        "ZBITPIX =                  -32",
        "ZNAXIS  =                    2",
        "ZNAXIS1 =                    4",
        "ZNAXIS2 =                    4",
        "ZCMPTYPE= 'RICE_1  '",
    ]);
    let empty = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    let with = |card: &str| header(&[PRIMARY, "BITPIX  =                  -32", card]);
    for (bytes, wanted) in [
        (whole[..2880 + 60].to_vec(), "has 60 bytes after byte 2880, expected 64 for maps of 1 x 4 x 4"),
        (whole[..2000].to_vec(), "has no image in its 0 HDUs, expected one"),
        (float_image(&[16], &[], &[1.0; 16]), "HDU 0: NAXIS is 1, expected 2 or 3"),
        (float_image(&[4, 4, 1, 1], &[], &[1.0; 16]), "HDU 0: NAXIS is 4, expected 2 or 3"),
        (image(PRIMARY, 24, &[4, 4], &[], &[0; 48]), "HDU 0: BITPIX is 24, expected 8, 16, 32, 64, -32 or -64"),
        (with("NAXIS   =         999999999999"), "HDU 0: NAXIS is 999999999999, expected 0 to 999"),
        (with("NAXIS   =                   -1"), "HDU 0: NAXIS is -1, expected 0 to 999"),
        // Twice, first as a text: who looks for the first of the name finds another than who looks for the first number.
        (
            header(&[
                PRIMARY,
                "BITPIX  =                    8",
                "NAXIS   = 'two     '",
                "NAXIS   =  9223372036854775807",
            ]),
            "HDU 0: NAXIS is 9223372036854775807, expected 0 to 999",
        ),
        (
            [empty.clone(), table].concat(),
            "HDU 1: is a tile-compressed image, expected a plain one, as funpack makes it",
        ),
        (empty, "has no image in its 1 HDUs, expected one"),
        (
            float_image(&[4, 4], &["BSCALE  =                  0.0"], &[1.0; 16]),
            "HDU 0: BSCALE is 0 and BZERO is 0, expected finite numbers and a scale other than 0",
        ),
        (b"SIMPLE".repeat(2000), "HDU 0: its header has no END in 11520 bytes"),
        (b"\x1f\x8b\x08\x00 and more".to_vec(), "is compressed by gzip, expected an unpacked file"),
        (b"maps of the sky".to_vec(), "begins as no FITS, HDF5, NPY or NPZ file does"),
        (Vec::new(), "is empty, expected a FITS, HDF5, NPY or NPZ file"),
    ] {
        assert_eq!(read("a.fits", &bytes, &Choice::default()).unwrap_err(), wanted);
    }
}
