//! Which patches a sky gives: a grid over each map, and borders between the splits for training, validation and test.
//!
//! No pixel is in patches of two splits: either whole maps are held back or, where a share of the maps is less than one of them, rows of
//! each map: the last ones for the test, those before them for validation. A patch across a border belongs to no split.

use std::ops::Range;

use super::Named;
use crate::data::split;
use crate::rng::{Draw, Stream};

/// Place of the draw of the maps to hold back; `order` has the places of the parts.
const HELD_BACK: u64 = 2;

/// Other views of a patch that are as likely as itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Augment {
    /// The patch alone.
    #[default]
    None,
    /// Itself, mirrored left to right, top to bottom, and both: 4 versions.
    Flips,
    /// The same and their transposes, so quarter turns too: 8 versions.
    Dihedral,
}

impl Augment {
    /// Versions of a patch.
    pub fn versions(self) -> u64 {
        match self {
            Self::None => 1,
            Self::Flips => 4,
            Self::Dihedral => 8,
        }
    }
}

impl Named for Augment {
    const ALL: &[Self] = &[Self::None, Self::Flips, Self::Dihedral];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flips => "flips",
            Self::Dihedral => "dihedral",
        }
    }
}

/// How patches are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Pixels on a side of a patch.
    pub side: usize,
    /// Pixels from one patch to the next, along rows and columns.
    pub stride: usize,
    /// Share of the sky for validation, at least 0 and below 1.
    pub validation: f64,
    /// Share of the sky for the test, at least 0 and below 1.
    pub test: f64,
    /// Versions of the patches that train.
    pub augment: Augment,
}

/// What a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// To learn from.
    Train = 0,
    /// To compare checkpoints by.
    Validation = 3,
    /// For the final figures.
    Test = 1,
}

impl Part {
    /// All, in the order of their records in a dataset.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Name of its split.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => split::TRAIN,
            Self::Validation => split::VALIDATION,
            Self::Test => split::TEST,
        }
    }
}

/// How the sky is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// All of it trains.
    Undivided,
    /// Whole maps are held back; what each is for, by number over all inputs.
    Maps(Vec<Part>),
    /// Rows of each map are held back.
    Strips,
}

/// The patches of one input's maps, all of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Number of its first map over all inputs.
    pub first_map: u64,
    /// Its maps.
    pub maps: usize,
    /// Rows of pixels of a map.
    pub height: usize,
    /// Columns of pixels of a map.
    pub width: usize,
    /// Rows of patches.
    pub rows: usize,
    /// Columns of patches.
    pub columns: usize,
    /// Rows of patches before the border, where maps are cut in strips.
    pub train_rows: usize,
    /// The first row of patches for validation, and the end of these rows.
    pub validation_rows: [usize; 2],
    /// The first row of patches for the test.
    pub first_test_row: usize,
    /// Name of the first version of the first patch.
    pub first_id: u64,
}

/// All inputs, cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// How patches are cut.
    pub cut: Cut,
    /// How the sky is split.
    pub way: Way,
    /// The patches of each input.
    pub grids: Vec<Grid>,
}

impl Survey {
    /// Cuts maps of these shapes `[n, h, w]`, one an input; the error says what is wrong with which.
    pub fn new(cut: Cut, shapes: &[[usize; 3]]) -> Result<Self, (Option<usize>, String)> {
        let Cut { side, stride, validation, test, augment } = cut;
        let all = |fault: String| (None, fault);
        if side < 2 || stride == 0 {
            return Err(all(format!("--side is {side} and --stride {stride}, expected at least 2 and at least 1")));
        }
        split::check_shares(validation, test, false).map_err(all)?;
        let maps: usize = shapes.iter().map(|shape| shape[0]).sum();
        // At least one map for each share that is not 0.
        let whole = |share: f64| ((maps as f64 * share).round() as usize).max(usize::from(share > 0.0));
        let (tests, validations) = (whole(test), whole(validation));
        let largest = maps as f64 * validation.max(test);
        let way = match (tests + validations > 0, largest >= 1.0 && tests + validations < maps) {
            (false, _) => Way::Undivided,
            (true, true) => {
                let order = Draw::new(0).at(Stream::Ingest, HELD_BACK, 0).permutation(maps);
                let mut parts = vec![Part::Train; maps];
                for (place, &map) in order.iter().take(tests + validations).enumerate() {
                    parts[map as usize] = if place < tests { Part::Test } else { Part::Validation };
                }
                Way::Maps(parts)
            }
            (true, false) => Way::Strips,
        };
        let (mut first_map, mut first_id) = (0, 0);
        let mut grids = Vec::new();
        for (input, &[maps, height, width]) in shapes.iter().enumerate() {
            let wrong = |fault: String| (Some(input), fault);
            if height < side || width < side {
                return Err(wrong(format!("has maps of {height} x {width} px, expected at least --side: {side}")));
            }
            let (rows, columns) = ((height - side) / stride + 1, (width - side) / stride + 1);
            let strips = if way == Way::Strips { [validation, test] } else { [0.0, 0.0] };
            let covered = (rows - 1) * stride + side;
            // As many rows of patches as cover no more than the share, and at least one where it is not 0.
            let [validation_tall, test_tall] = strips.map(|share| {
                let tall =
                    ((covered as f64 * share - side as f64) / stride as f64 + 1e-9).floor().max(0.0) as usize + 1;
                if share > 0.0 { tall } else { 0 }
            });
            // Rows of patches that end before the first pixel of row `next`.
            let before = |next: usize| match (next * stride).checked_sub(side) {
                _ if next == rows => rows,
                Some(last) => last / stride + 1,
                None => 0,
            };
            let first_test_row = rows.saturating_sub(test_tall);
            let validation_end = before(first_test_row);
            let first_validation_row = validation_end.saturating_sub(validation_tall);
            let train_rows = if validation_tall == 0 { validation_end } else { before(first_validation_row) };
            if train_rows == 0 {
                let held_back = validation_tall + test_tall;
                let wanted = "expected taller or more maps, a smaller --side, or --validation 0 or --test 0";
                return Err(wrong(format!(
                    "{held_back} of {rows} rows of patches are for validation and test, and none is left to train on: {wanted}"
                )));
            }
            let validation_rows = [first_validation_row, validation_end];
            let patches = maps as u64 * rows as u64 * columns as u64;
            if rows * columns > u32::MAX as usize || maps > u32::MAX as usize {
                return Err(wrong(format!("has maps of {} patches, expected less than 2^32", rows * columns)));
            }
            grids.push(Grid {
                first_map,
                maps,
                height,
                width,
                rows,
                columns,
                train_rows,
                validation_rows,
                first_test_row,
                first_id,
            });
            first_map += maps as u64;
            first_id += patches * augment.versions();
        }
        Ok(Self { cut, way, grids })
    }

    /// Maps of all inputs.
    pub fn maps(&self) -> u64 {
        self.grids.last().map_or(0, |grid| grid.first_map + grid.maps as u64)
    }

    /// The input that a map is in, and its number there.
    pub fn place_of(&self, map: u64) -> (usize, usize) {
        let input = self.grids.partition_point(|grid| grid.first_map <= map) - 1;
        (input, (map - self.grids[input].first_map) as usize)
    }

    /// What a whole map is for; none where it is cut in strips.
    pub fn part_of(&self, map: u64) -> Option<Part> {
        match &self.way {
            Way::Undivided => Some(Part::Train),
            Way::Maps(parts) => Some(parts[map as usize]),
            Way::Strips => None,
        }
    }

    /// Rows of patches of a map that are for `part`.
    pub fn rows_for(&self, part: Part, map: u64) -> Range<usize> {
        let grid = &self.grids[self.place_of(map).0];
        match (self.part_of(map), part) {
            (Some(whole), part) if whole == part => 0..grid.rows,
            (Some(_), _) => 0..0,
            (None, Part::Train) => 0..grid.train_rows,
            (None, Part::Validation) => grid.validation_rows[0]..grid.validation_rows[1],
            (None, Part::Test) => grid.first_test_row..grid.rows,
        }
    }

    /// Rows of pixels that these rows of patches cover.
    pub fn pixel_rows(&self, rows: &Range<usize>) -> Range<usize> {
        if rows.is_empty() {
            return 0..0;
        }
        rows.start * self.cut.stride..(rows.end - 1) * self.cut.stride + self.cut.side
    }

    /// Versions of a patch in the dataset.
    pub fn versions(&self, part: Part) -> u64 {
        match part {
            Part::Train => self.cut.augment.versions(),
            Part::Validation | Part::Test => 1,
        }
    }

    /// Name of the first version of a patch; the others follow.
    pub fn id(&self, input: usize, map: usize, row: usize, column: usize) -> u64 {
        let grid = &self.grids[input];
        let patch = (map as u64 * grid.rows as u64 + row as u64) * grid.columns as u64 + column as u64;
        grid.first_id + patch * self.cut.augment.versions()
    }

    /// Lines of patches, along rows or columns, that hold the pixels of line `at`; `lines` there are.
    pub fn lines_with(&self, at: usize, lines: usize) -> Range<usize> {
        let Cut { side, stride, .. } = self.cut;
        let first = if at < side { 0 } else { (at - side) / stride + 1 };
        first..(at / stride + 1).min(lines).max(first)
    }
}

/// Copies a patch from a map of `width` columns in one of its versions: bit 0 mirrors left to right, bit 1 top to bottom, and bit 2
/// transposes what came of that.
pub fn copy_version(version: u64, from: &[f32], width: usize, side: usize, to: &mut [f32]) {
    let (mirror, upside_down, transpose) = (version & 1 != 0, version & 2 != 0, version & 4 != 0);
    for row in 0..side {
        let source = if upside_down { side - 1 - row } else { row };
        let pixels = &from[source * width..source * width + side];
        match (mirror, transpose) {
            (false, false) => to[row * side..][..side].copy_from_slice(pixels),
            (true, false) => to[row * side..][..side].iter_mut().zip(pixels.iter().rev()).for_each(|(to, x)| *to = *x),
            (false, true) => to[row..].iter_mut().step_by(side).zip(pixels).for_each(|(to, x)| *to = *x),
            (true, true) => to[row..].iter_mut().step_by(side).zip(pixels.iter().rev()).for_each(|(to, x)| *to = *x),
        }
    }
}
