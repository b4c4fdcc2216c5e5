//! NPY stacks.

use skyforge::ingest::Choice;

use crate::ingest::files::{npy, read};

#[test]
fn every_kind_of_number_is_read_in_either_order_of_bytes() {
    let wanted: Vec<f32> = (0..12).map(|x| x as f32 * 10.0).collect();
    let bytes = |of: &dyn Fn(f32) -> Vec<u8>| wanted.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    for (descr, data) in [
        ("|u1", bytes(&|x| vec![x as u8])),
        ("|i1", bytes(&|x| vec![x as u8])),
        ("<i2", bytes(&|x| (x as i16).to_le_bytes().to_vec())),
        (">i2", bytes(&|x| (x as i16).to_be_bytes().to_vec())),
        ("<u2", bytes(&|x| (x as u16).to_le_bytes().to_vec())),
        (">u4", bytes(&|x| (x as u32).to_be_bytes().to_vec())),
        ("<i4", bytes(&|x| (x as i32).to_le_bytes().to_vec())),
        (">i8", bytes(&|x| (x as i64).to_be_bytes().to_vec())),
        ("<u8", bytes(&|x| (x as u64).to_le_bytes().to_vec())),
        ("<f4", bytes(&|x| x.to_le_bytes().to_vec())),
        (">f4", bytes(&|x| x.to_be_bytes().to_vec())),
        ("<f8", bytes(&|x| f64::from(x).to_le_bytes().to_vec())),
        (">f8", bytes(&|x| f64::from(x).to_be_bytes().to_vec())),
    ] {
        for (shape, maps) in [
            ("(3, 2, 2)", [3, 2, 2]),
            ("(3, 1, 2, 2)", [3, 2, 2]),
            ("(3, 2, 2, 1)", [3, 2, 2]),
            ("(3, 4)", [1, 3, 4]),
            ("(3L, 4L)", [1, 3, 4]),
        ] {
            let (input, pixels) = read("a.npy", &npy(descr, "False", shape, &data), &Choice::default()).unwrap();
            assert_eq!((input.shape(), &pixels), (maps, &wanted), "{descr} {shape}");
        }
    }
}

#[test]
fn half_precision_is_read_as_it_is() {
    // 1, -2, the least positive number, the greatest, infinity, NaN.
    let halves = [0x3c00_u16, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x7e00];
    for (descr, data) in [
        ("<f2", halves.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()),
        (">f2", halves.iter().flat_map(|x| x.to_be_bytes()).collect()),
    ] {
        let (_, pixels) = read("a.npy", &npy(descr, "False", "(2, 3)", &data), &Choice::default()).unwrap();
        assert_eq!(pixels[..5], [1.0, -2.0, 2.0_f32.powi(-24), 65504.0, f32::INFINITY]);
        assert!(pixels[5].is_nan());
    }
}

#[test]
fn arrays_in_column_major_order_are_read_as_the_same_maps() {
    for (shape, lengths) in [("(3, 4)", vec![3, 4]), ("(2, 3, 4)", vec![2, 3, 4]), ("(2, 3, 4, 1)", vec![2, 3, 4, 1])] {
        let count: usize = lengths.iter().product();
        let wanted: Vec<f32> = (0..count).map(|x| x as f32).collect();
        let mut stored = vec![0.0_f32; count];
        for (place, value) in wanted.iter().enumerate() {
            let (mut rest, mut stride, mut at) = (place, count, 0);
            for length in lengths.iter().rev() {
                stride /= length;
                at += rest % length * stride;
                rest /= length;
            }
            stored[at] = *value;
        }
        let data: Vec<u8> = stored.iter().flat_map(|x| x.to_be_bytes()).collect();
        let (input, pixels) = read("a.npy", &npy(">f4", "True", shape, &data), &Choice::default()).unwrap();
        assert_eq!((input.shape().iter().product::<usize>(), &pixels), (count, &wanted), "{shape}");
    }
}

#[test]
fn version_2_has_a_longer_length() {
    let first = npy("<f4", "False", "(2, 2)", &1_f32.to_le_bytes().repeat(4));
    let length = u32::from(u16::from_le_bytes([first[8], first[9]]));
    let second = [b"\x93NUMPY\x02\x00", &length.to_le_bytes()[..], &first[10..]].concat();
    assert_eq!(read("a.npy", &second, &Choice::default()).unwrap().1, [1.0; 4]);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let kinds = "expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8";
    for (bytes, wanted) in [
        (npy("<c8", "False", "(2, 2)", &[0; 32]), format!("header: `descr` is '<c8', {kinds}")),
        (npy("<f4\nand more", "False", "(2, 2)", &[0; 16]), "header: is no line of text".into()),
        (npy("<f4", "False", "(4,)", &[0; 16]), "header: `shape` is [4], expected [h, w] or [n, h, w]".into()),
        (
            npy("<f4", "False", "(2, -2)", &[0; 16]),
            "header: `shape` has the length `-2`, expected a whole number".into(),
        ),
        (npy("<f4", "False", "(2, 0, 2)", &[0; 16]), "holds maps of shape [2, 0, 2], expected no 0".into()),
        (
            npy("<f4", "False", "(2, 2)", &[0; 15]),
            "has 15 bytes after byte 128, expected 16 for maps of 1 x 2 x 2".into(),
        ),
        (
            npy("<f4", "False", "(4294967296, 4294967296)", &[0; 16]),
            "has 16 bytes after byte 128, expected more than any file has for maps of 1 x 4294967296 x 4294967296"
                .into(),
        ),
        (npy("<f4", "False", "(2, 2)", &[])[..20].to_vec(), "header: ends before its 118 bytes".into()),
        (b"\x93NUMPY\x07\x00\x00\x00".to_vec(), "header: version is 7, expected 1 to 3".into()),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            "header: is 4294967295 bytes long, expected at most 65536".into(),
        ),
        (b"\x93NUMPY\x01".to_vec(), "header: ends after 7 bytes".into()),
    ] {
        assert_eq!(read("a.npy", &bytes, &Choice::default()).unwrap_err(), wanted);
    }
}
