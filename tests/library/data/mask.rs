//! Masks of maps: what a word of the command line says is missing, and what it is told that cannot be.

use skyforge::data::MapMask;
use skyforge::exit::{Ends, Exit};
use skyforge::rng::Draw;

fn maps(word: &str) -> MapMask {
    MapMask::parse(word).expect("it is a mask of maps")
}

fn pixels(word: &str, side: usize) -> Vec<bool> {
    maps(word).pixels(side, side, Draw::new(0), 0).expect("something is known")
}

fn refusal(word: &str) -> String {
    MapMask::parse(word).expect_err("it is refused").to_string()
}

#[test]
fn holes_are_where_they_are_said_to_be() {
    let missing = |word: &str, side: usize| {
        let pixels = pixels(word, side);
        let missing = (0..side * side).filter(|pixel| !pixels[*pixel]).map(|pixel| (pixel / side, pixel % side));
        missing.collect::<Vec<_>>()
    };
    let block = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        rows.flat_map(|row| columns.clone().map(move |column| (row, column))).collect::<Vec<_>>()
    };
    assert_eq!(missing("center", 8), block(2..6, 2..6));
    assert_eq!(missing("center", 33), block(8..24, 8..24), "as the ancestor rounds");
    assert_eq!(missing("left", 8), block(0..8, 0..4));
    assert_eq!(missing("rows:1-2,columns:5-7", 8), block(1..3, 5..8));
    assert_eq!(missing("columns:5-7,rows:1-2", 8), block(1..3, 5..8));
    assert_eq!(missing("rows:3-3", 8), block(3..4, 0..8));
    assert_eq!(missing("not:grid:4", 8), vec![(0, 0), (0, 4), (4, 0), (4, 4)]);
}

#[test]
fn holes_turned_over_are_the_complement_and_survive_their_words() {
    for word in ["center", "left", "random:0.2", "grid:4", "rows:1-2,columns:3-4", "rows:0-5", "columns:2-2"] {
        let (hole, rest) = (pixels(word, 16), pixels(&format!("not:{word}"), 16));
        assert!(hole.iter().zip(&rest).all(|(a, b)| a != b), "{word}");
        for word in [word.to_owned(), format!("not:{word}")] {
            assert_eq!(MapMask::parse(&word).expect("it is a mask").to_string(), word);
        }
    }
}

#[test]
fn chance_makes_the_same_hole_in_the_same_record_and_others_in_others() {
    let mask = maps("random:0.2");
    let hole = |seed, record| mask.pixels(64, 64, Draw::new(seed), record).expect("something is known");
    assert_eq!(hole(1, 2), hole(1, 2));
    assert_ne!(hole(1, 2), hole(1, 3));
    assert_ne!(hole(1, 2), hole(2, 2));
    let missing = (0..64).flat_map(|record| hole(0, record)).filter(|known| !known).count() as f64;
    let (wanted, count) = (0.2, 64.0_f64.powi(4) / 64.0);
    assert!((missing / count - wanted).abs() < 5.0 * (wanted * (1.0 - wanted) / count).sqrt(), "{}", missing / count);
}

#[test]
fn a_hole_that_is_all_or_nothing_is_refused() {
    let fault = |word: &str| maps(word).pixels(64, 64, Draw::new(0), 0).expect_err("it is refused").to_string();
    assert_eq!(
        fault("rows:64-70"),
        "mask `rows:64-70` leaves nothing to fill in a map of 64 x 64 pixels, expected a part of it"
    );
    assert_eq!(fault("rows:0-63"), "mask `rows:0-63` knows nothing of a map of 64 x 64 pixels, expected a part of it");
}

#[test]
fn the_first_map_that_chance_leaves_whole_or_empty_is_found_before_any_is_used() {
    let draw = Draw::new(3);
    for word in ["random:0.01", "not:random:0.01", "random:0.2", "rows:1-2"] {
        let mask = maps(word);
        let first = (0..500).find_map(|record| mask.pixels(16, 16, draw, record).err());
        let told = |fault: skyforge::data::MaskError| fault.to_string();
        assert_eq!(mask.check(16, 16, draw, 0..500).err().map(told), first.map(told), "{word}");
    }
    let fault = maps("random:0.01").check(16, 16, draw, 0..500).expect_err("0.99^256 is a tenth");
    assert!(fault.to_string().ends_with("expected a share that leaves a part of each"), "{fault}");
}

#[test]
fn wrong_words_are_told_what_is_wrong_and_what_was_wanted() {
    for (word, wanted) in [
        ("random:1", "mask `random:1` has no share of pixels, expected more than 0 and less than 1"),
        ("random:many", "mask `random:many` has no share of pixels, expected more than 0 and less than 1"),
        ("grid:1", "mask `grid:1` has no spacing of pixels, expected a whole number from 2 on"),
        (
            "center:3",
            "mask `center:3` is no hole in a map, expected center, left, random:0.2, grid:4, or rows:10-20,columns:5-30",
        ),
        (
            "center,left",
            "mask `center,left` is no hole in a map, expected center, left, random:0.2, grid:4, or rows:10-20,columns:5-30",
        ),
        ("rows:20-10", "mask `rows:20-10` has `20-10`, expected whole numbers from 0, the smaller first, as in 10-20"),
        ("rows:1", "mask `rows:1` has `1`, expected whole numbers from 0, the smaller first, as in 10-20"),
        ("rows:1-2,rows:3-4", "mask `rows:1-2,rows:3-4` names a side twice, expected one rectangle"),
        ("rows:1-2,left", "mask `rows:1-2,left` has `left`, expected rows:10-20,columns:5-30"),
    ] {
        assert_eq!(refusal(word), wanted);
        assert_eq!(MapMask::parse(word).expect_err("it is refused").exit(), Exit::Usage);
    }
}

#[test]
fn words_of_maps_are_told_from_others_by_how_they_begin() {
    for word in ["center", "not:left", "random:0.2", "grid:x", "columns:5-30", "rows:1-2,left"] {
        assert!(MapMask::is_meant_by(word), "{word}");
    }
    for word in ["parameters", "0.6-5.3um", "not:1-2um", "list.txt", "centered", ""] {
        assert!(!MapMask::is_meant_by(word), "{word}");
        assert!(refusal(word).contains("is no hole in a map, expected center, left"), "{word}");
    }
}
