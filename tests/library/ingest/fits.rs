//! FITS images: every kind of number, scaling, blanks, extensions, and what is said of the sky.

use skyforge::ingest::Choice;

use crate::ingest::files::{EXTENSION, PRIMARY, float_image, header, image, read};

fn hdu(name: &str) -> Choice {
    Choice { hdu: Some(name.into()), ..Choice::default() }
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
fn images_are_found_by_number_by_name_or_as_all_there_are() {
    let mut bytes = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    for (name, value) in [("KAPPA", 1), ("SHEAR", 2)] {
        bytes.extend(image(EXTENSION, 8, &[2, 2, 3], &[&format!("EXTNAME = '{name:<8}'")], &[value; 12]));
    }
    for (choice, wanted) in [(hdu("1"), 1.0), (hdu("2"), 2.0), (hdu("shear"), 2.0)] {
        let (input, pixels) = read("a.fits", &bytes, &choice).unwrap();
        assert_eq!((input.shape(), pixels), ([3, 2, 2], vec![wanted; 12]), "{choice:?}");
    }
    for choice in [Choice::default(), hdu("all"), hdu("1,shear")] {
        let (input, pixels) = read("a.fits", &bytes, &choice).unwrap();
        assert_eq!((input.shape(), pixels), ([6, 2, 2], [[1.0; 12], [2.0; 12]].concat()), "{choice:?}");
    }
    assert_eq!(read("a.fits", &bytes, &hdu("0")).unwrap_err(), "HDU 0: NAXIS is 0, expected 2 or 3");
    assert_eq!(
        read("a.fits", &bytes, &hdu("1,mask")).unwrap_err(),
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
    let (input, _) =
        read("a.fits", &float_image(&[4, 2], &["BUNIT   = 'Jy/beam '"], &[0.0; 8]), &Choice::default()).unwrap();
    assert_eq!(input.sky.unit.as_deref(), Some("Jy/beam"));
}

/// Cards `NAME = VALUE`.
fn cards(all: &[(&str, &str)]) -> Vec<String> {
    all.iter().map(|(name, value)| format!("{name:<8}= {value:>20}")).collect()
}

/// Side of a pixel in arcmin by a header with axes of the sky and these cards, or why there is none.
fn pixel(more: &[(&str, &str)]) -> Result<Option<f64>, String> {
    let sky = [("CTYPE1", "'RA---TAN'"), ("CTYPE2", "'DEC--TAN'")];
    let cards = cards(&[&sky, more].concat());
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let (input, _) = read("a.fits", &float_image(&[4, 2], &cards, &[0.0; 8]), &Choice::default())?;
    input.sky.pixel_fault.map_or(Ok(input.sky.pixel_arcmin), Err)
}

/// astropy writes PCi_j beside CDELTi of 1, archives CDi_j beside a CDELTi that is out of date: both were read as 60 arcmin.
#[test]
fn the_side_of_a_pixel_is_that_of_the_world_coordinate_system() {
    for (cards, wanted) in [
        (&[("CDELT1", "-0.01"), ("CDELT2", "0.01")][..], 0.6),
        // WCS.to_header() of astropy.
        (&[("CDELT1", "1.0"), ("CDELT2", "1.0"), ("PC1_1", "-0.004"), ("PC2_2", "0.004")], 0.24),
        (&[("PC1_1", "-0.004"), ("PC2_2", "0.004")], 0.24),
        (
            &[
                ("CDELT1", "-0.01"),
                ("CDELT2", "0.01"),
                ("PC1_1", "0.6"),
                ("PC1_2", "-0.8"),
                ("PC2_1", "0.8"),
                ("PC2_2", "0.6"),
            ],
            0.6,
        ),
        (&[("CDELT1", "1.0"), ("CDELT2", "1.0"), ("CD1_1", "-0.02"), ("CD2_2", "0.02")], 1.2),
        (&[("CD1_1", "0.003"), ("CD1_2", "0.004"), ("CD2_1", "0.004"), ("CD2_2", "-0.003")], 0.3),
        (&[("CDELT1", "-0.01"), ("CDELT2", "0.01"), ("CROTA2", "30.0")], 0.6),
        (&[("CDELT1", "-3.0"), ("CDELT2", "3.0"), ("CUNIT1", "'arcsec'"), ("CUNIT2", "'arcsec'")], 0.05),
        (&[("CDELT1", "-3.0"), ("CDELT2", "3.0"), ("CUNIT1", "'arcmin'"), ("CUNIT2", "'arcmin'")], 3.0),
        (&[("CDELT1", "-0.001"), ("CDELT2", "0.001"), ("CUNIT1", "'rad'"), ("CUNIT2", "'rad'")], 3.437_746_770_784_939),
        // An angle, not the side of a map.
        (&[("CDELT1", "-0.01"), ("CDELT2", "0.01"), ("ANGLE", "45.0")], 0.6),
    ] {
        let found = pixel(cards).unwrap().expect("a side");
        assert!((found / wanted - 1.0).abs() < 1e-12, "{cards:?}: {found}");
    }
    assert_eq!(pixel(&[]), Ok(None));
    let other = cards(&[("CTYPE1", "'RA---TAN'"), ("CTYPE2", "'FREQ'"), ("CDELT1", "0.01"), ("CDELT2", "1e6")]);
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let (input, _) = read("a.fits", &float_image(&[4, 2], &other, &[0.0; 8]), &Choice::default()).unwrap();
    assert_eq!(input.sky.pixel_arcmin, None, "a step along an axis that is not of the sky");
}

#[test]
fn pixels_that_are_no_squares_are_told_of_with_both_sides() {
    let wanted = "or --pixel-arcmin or --side-deg";
    for (cards, fault) in [
        (
            &[("CDELT1", "-0.01"), ("CDELT2", "0.02")][..],
            format!("pixels are 0.600000 x 1.200000 arcmin, expected squares, {wanted}"),
        ),
        (
            &[("CD1_1", "0.01"), ("CD1_2", "0.006"), ("CD2_2", "0.008")],
            format!("sides of a pixel, 0.600000 and 0.600000 arcmin, meet at 53.13 degrees, expected 90, {wanted}"),
        ),
        (
            &[("CD1_1", "0.01"), ("CD2_2", "0.01"), ("PC1_1", "1.0")],
            format!("both CDi_j and PCi_j give the pixels' scale, expected one of them, {wanted}"),
        ),
        (
            &[("CDELT1", "0.0"), ("CDELT2", "0.01")],
            format!("pixels have sides of 0 and 0.6 arcmin, expected positive numbers, {wanted}"),
        ),
        (
            &[("CDELT1", "1.0"), ("CDELT2", "1.0"), ("CUNIT1", "'pixel'")],
            format!("CUNIT1 is 'pixel', expected deg, arcmin, arcsec, mas or rad, {wanted}"),
        ),
    ] {
        assert_eq!(pixel(cards), Err(fault), "{cards:?}");
    }
}

/// `BSCALE = '0.0001'` was taken for no BSCALE at all.
#[test]
fn a_text_where_a_number_belongs_is_refused_by_name() {
    for (card, wanted) in [
        ("BSCALE  = '0.0001  '", "HDU 0: BSCALE is the text '0.0001', expected a number"),
        ("BZERO   = '32768   '", "HDU 0: BZERO is the text '32768', expected a number"),
        ("BLANK   = '-1      '", "HDU 0: BLANK is the text '-1', expected a whole number"),
        ("BLANK   =                 -1.5", "HDU 0: BLANK is -1.5, expected a whole number"),
        ("BUNIT   =                    3", "HDU 0: BUNIT is 3, expected a text"),
        ("H0      = '70      '", "HDU 0: H0 is the text '70', expected a number"),
        ("BSCALE  =                    T", "HDU 0: BSCALE is the logical T, expected a number"),
    ] {
        assert_eq!(
            read("a.fits", &image(PRIMARY, 16, &[2, 2], &[card], &[0; 8]), &Choice::default()).unwrap_err(),
            wanted
        );
    }
    let steps = [("CDELT1", "'0.01'"), ("CDELT2", "0.01")];
    assert_eq!(pixel(&steps).unwrap_err(), "CDELT1 is the text '0.01', expected a number");
    // Another program's keyword.
    let north = float_image(&[2, 2], &["NS      = 'north   '", "Z       =                    T"], &[0.0; 4]);
    assert_eq!(read("a.fits", &north, &Choice::default()).unwrap().0.sky.redshift, None);
}

/// Twenty images of a file, one object each: nineteen of them were dropped without a word.
#[test]
fn all_images_of_a_file_are_maps() {
    let mut bytes = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    for object in 0..20_u8 {
        bytes.extend(image(EXTENSION, 8, &[3, 2], &[], &[object; 6]));
    }
    let (input, pixels) = read("a.fits", &bytes, &Choice::default()).unwrap();
    assert_eq!(input.shape(), [20, 2, 3]);
    assert_eq!(pixels, (0..120).map(|pixel| (pixel / 6) as f32).collect::<Vec<_>>());
}

#[test]
fn images_of_different_kinds_or_shapes_are_refused_with_what_they_are() {
    let empty = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    let one = |bitpix: i32, naxes: &[usize], cards: &[&str]| {
        let bytes = naxes.iter().product::<usize>() * bitpix.unsigned_abs() as usize / 8;
        image(EXTENSION, bitpix, naxes, cards, &vec![0; bytes])
    };
    let planes =
        [empty.clone(), one(-32, &[2, 2], &["EXTNAME = 'SCI     '"]), one(-32, &[2, 2], &["EXTNAME = 'ERR     '"])];
    assert_eq!(
        read("a.fits", &planes.concat(), &Choice::default()).unwrap_err(),
        "has images of different kinds in HDUs 1 SCI (BITPIX -32), 2 ERR (BITPIX -32): expected --hdu to name those that are maps"
    );
    assert_eq!(read("a.fits", &planes.concat(), &hdu("sci")).unwrap().0.shape(), [1, 2, 2]);
    let units = [one(-32, &[2, 2], &["BUNIT   = 'K       '"]), one(-32, &[2, 2], &["BUNIT   = 'mK      '"])];
    let units = [empty.clone(), units.concat()].concat();
    assert_eq!(
        read("a.fits", &units, &Choice::default()).unwrap_err(),
        "has images of different kinds in HDUs 1 (BITPIX -32 in K), 2 (BITPIX -32 in mK): expected --hdu to name those that are maps"
    );
    let (input, _) = read("a.fits", &units, &hdu("all")).unwrap();
    assert_eq!(input.sky.unit_fault.as_deref(), Some("HDU 2: BUNIT is mK, expected K as in HDU 1, or --unit"));
    let shapes = [empty, one(8, &[3, 2], &[]), one(8, &[2, 4], &[])].concat();
    assert_eq!(
        read("a.fits", &shapes, &Choice::default()).unwrap_err(),
        "has images of 2 x 3 px in HDU 1, 4 x 2 px in HDU 2: expected equal shapes, --size to crop or pad them, or --hdu"
    );
}

#[test]
fn maps_are_cropped_or_padded_about_their_centre() {
    let empty = header(&[PRIMARY, "BITPIX  =                    8", "NAXIS   =                    0"]);
    let small = image(EXTENSION, 8, &[2, 3], &[], &[1, 2, 3, 4, 5, 6]);
    let large = image(EXTENSION, 8, &[5, 6], &[], &(0..30).collect::<Vec<u8>>());
    let choice = Choice { size: Some(4), ..Choice::default() };
    let (input, pixels) = read("a.fits", &[empty, small, large].concat(), &choice).unwrap();
    assert_eq!((input.shape(), input.images()), ([2, 4, 4], (2, 1)));
    // The pixel at (h / 2, w / 2) comes to (2, 2).
    let bad = f32::NAN;
    let wanted = [
        [bad, bad, bad, bad, bad, 1.0, 2.0, bad, bad, 3.0, 4.0, bad, bad, 5.0, 6.0, bad],
        [5.0, 6.0, 7.0, 8.0, 10.0, 11.0, 12.0, 13.0, 15.0, 16.0, 17.0, 18.0, 20.0, 21.0, 22.0, 23.0],
    ];
    let bits = |values: &[f32]| values.iter().map(|x| if x.is_nan() { None } else { Some(*x) }).collect::<Vec<_>>();
    assert_eq!(bits(&pixels), bits(&wanted.concat()));
}

#[test]
fn axes_of_length_1_do_not_count() {
    let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
    for (naxes, wanted) in [
        (&[3, 2, 2, 1][..], [2, 2, 3]),
        (&[3, 4, 1, 1], [1, 4, 3]),
        (&[3, 2, 1, 2], [2, 2, 3]),
        (&[3, 4, 1], [1, 4, 3]),
    ] {
        let (input, pixels) = read("a.fits", &float_image(naxes, &[], &values), &Choice::default()).unwrap();
        assert_eq!((input.shape(), &pixels), (wanted, &values), "{naxes:?}");
    }
}

#[test]
fn pixels_that_healpix_or_the_user_call_bad_are_bad() {
    let values = [1.0, -1.6375e30, -99.0, -1.637_500_1e30, 7.5, -98.0];
    let choice = Choice { bad_values: vec![-99.0, 7.5], ..Choice::default() };
    let (_, pixels) = read("a.fits", &float_image(&[3, 2], &[], &values), &choice).unwrap();
    assert_eq!(pixels.iter().map(|x| x.is_finite()).collect::<Vec<_>>(), [true, false, false, false, false, true]);
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
        (
            float_image(&[2, 2, 2, 2], &[], &[1.0; 16]),
            "HDU 0: NAXISn are [2, 2, 2, 2], expected 2 or 3 axes that are longer than 1",
        ),
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
        ([empty.clone(), table].concat(), "HDU 1: ZNAXISn are [4, 4], expected no more than 0 bytes can hold"),
        (empty, "has no image in its 1 HDUs, expected one"),
        (
            float_image(&[4, 4], &["BSCALE  =                  0.0"], &[1.0; 16]),
            "HDU 0: BSCALE is 0 and BZERO is 0, expected finite numbers and a scale other than 0",
        ),
        (b"SIMPLE".repeat(2000), "HDU 0: its header has no END in 11520 bytes"),
        (b"\xfd7zXZ\0 and more".to_vec(), "is compressed, expected gzip or bzip2, or a file unpacked by xz"),
        (b"maps of the sky".to_vec(), "begins as no FITS, HDF5, NPY or NPZ file does"),
        (Vec::new(), "is empty, expected a FITS, HDF5, NPY or NPZ file"),
    ] {
        assert_eq!(read("a.fits", &bytes, &Choice::default()).unwrap_err(), wanted);
    }
}
