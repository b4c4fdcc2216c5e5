//! Where in the image what stands.
//!
//! Letters: n = side of the image, c = side of its first corner.

use std::ops::Range;

use crate::atmosphere::QUANTITIES;

/// Stripes beside the first corner on either side: of sections, then of parameters.
pub const STRIPES: usize = SECTION_STRIPES + PARAMETER_STRIPES;
const SECTION_STRIPES: usize = 7;
const PARAMETER_STRIPES: usize = 3;

/// Sections that have stripes.
pub const MOST_SECTIONS: usize = 2 * SECTION_STRIPES;

const PARAMETERS: usize = QUANTITIES.len();

/// The first of `QUANTITIES` has the last corner, the next have columns, the last have rows.
const IN_CORNER: usize = 0;
const IN_COLUMNS: usize = 1;
const IN_ROWS: usize = IN_COLUMNS + PARAMETER_STRIPES;

/// Whose a pixel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The stretched depth of a point of the axis, from 0.
    Depth(usize),
    /// The mean depth of a section.
    Mean(usize),
    /// The greatest depth of a section.
    Greatest(usize),
    /// The least depth of a section.
    Least(usize),
    /// One of `QUANTITIES`.
    Parameter(usize),
    /// Nobody's: always 0.
    Nobody,
}

/// The frame around the first corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    side: usize,
}

/// What stands outside the first corner, each number many times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frame {
    /// Of each section; 0 for one that is not there.
    pub greatest: [f32; MOST_SECTIONS],
    /// Of each section.
    pub least: [f32; MOST_SECTIONS],
    /// In the order of `QUANTITIES`.
    pub parameters: [f32; PARAMETERS],
}

impl Layout {
    /// For images of `side` pixels, more than `STRIPES`.
    pub fn new(side: usize) -> Self {
        assert!(side > STRIPES, "the settings were checked");
        Self { side }
    }

    /// Pixels of the image.
    pub fn pixels(self) -> usize {
        self.side * self.side
    }

    /// Side of the first corner.
    pub fn corner(self) -> usize {
        self.side - STRIPES
    }

    /// Pixels of the first corner.
    pub fn room(self) -> usize {
        self.corner().pow(2)
    }

    /// Where a section's greatest depth ends along its stripe, and its least begins.
    fn middle(self) -> usize {
        self.corner().div_ceil(2)
    }

    /// Brings the first corner's pixels from the beginning of `image`, where they lie in a row, to their places, and puts the
    /// frame around them.
    pub fn spread(self, image: &mut [f32], frame: &Frame) {
        let (side, corner, middle) = (self.side, self.corner(), self.middle());
        let (columns, rows) = (&frame.parameters[IN_COLUMNS..IN_ROWS], &frame.parameters[IN_ROWS..]);
        let water = frame.parameters[IN_CORNER];
        // From the last row on, so that none falls onto one that has not moved yet.
        for row in (0..corner).rev() {
            image.copy_within(row * corner..(row + 1) * corner, row * side);
            let extremes = if row < middle { &frame.greatest } else { &frame.least };
            let stripes = &mut image[row * side + corner..(row + 1) * side];
            stripes[..SECTION_STRIPES].copy_from_slice(&extremes[..SECTION_STRIPES]);
            stripes[SECTION_STRIPES..].copy_from_slice(columns);
        }
        let below = image[corner * side..].chunks_exact_mut(side);
        for (index, row) in below.enumerate() {
            let (stripe, last_corner) = row.split_at_mut(corner);
            if index < SECTION_STRIPES {
                stripe[..middle].fill(frame.greatest[SECTION_STRIPES + index]);
                stripe[middle..].fill(frame.least[SECTION_STRIPES + index]);
            } else {
                stripe.fill(rows[index - SECTION_STRIPES]);
            }
            last_corner.fill(water);
        }
    }

    /// The frame around the first corner of `image`: each number the mean of its pixels.
    pub fn frame(self, image: &[f32]) -> Frame {
        let (corner, middle) = (self.corner(), self.middle());
        let mut frame = Frame::default();
        for section in 0..MOST_SECTIONS {
            let (across, along) = match section.checked_sub(SECTION_STRIPES) {
                None => (corner + section, true),
                Some(below) => (corner + below, false),
            };
            let mean = |places: Range<usize>| {
                if along {
                    self.mean(image, places, across..across + 1)
                } else {
                    self.mean(image, across..across + 1, places)
                }
            };
            frame.greatest[section] = mean(0..middle);
            frame.least[section] = mean(middle..corner);
        }
        for parameter in 0..PARAMETERS {
            let stripe = |index: usize| corner + SECTION_STRIPES + index..corner + SECTION_STRIPES + index + 1;
            frame.parameters[parameter] = match parameter {
                IN_CORNER => self.mean(image, corner..self.side, corner..self.side),
                IN_COLUMNS..IN_ROWS => self.mean(image, 0..corner, stripe(parameter - IN_COLUMNS)),
                _ => self.mean(image, stripe(parameter - IN_ROWS), 0..corner),
            };
        }
        frame
    }

    /// The mean over a rectangle of `image`.
    fn mean(self, image: &[f32], rows: Range<usize>, columns: Range<usize>) -> f32 {
        let count = rows.len() * columns.len();
        let rows = rows.map(|row| &image[row * self.side..(row + 1) * self.side][columns.clone()]);
        let sum: f64 = rows.flatten().map(|value| f64::from(*value)).sum();
        (sum / count as f64) as f32
    }

    /// Where in the image the `index`-th pixel of the first corner stands.
    pub fn place(self, index: usize) -> usize {
        index / self.corner() * self.side + index % self.corner()
    }

    /// Whose a pixel outside the first corner is, or which of the first corner's it is.
    pub fn outside(self, pixel: usize) -> Result<Owner, usize> {
        let (row, column, corner) = (pixel / self.side, pixel % self.side, self.corner());
        let stripe = |across: usize, along: usize, first_section: usize, first_parameter: usize| {
            let index = across - corner;
            match index.checked_sub(SECTION_STRIPES) {
                Some(parameter) => Owner::Parameter(first_parameter + parameter),
                None if along < self.middle() => Owner::Greatest(first_section + index),
                None => Owner::Least(first_section + index),
            }
        };
        match (row < corner, column < corner) {
            (true, true) => Err(row * corner + column),
            (true, false) => Ok(stripe(column, row, 0, IN_COLUMNS)),
            (false, true) => Ok(stripe(row, column, SECTION_STRIPES, IN_ROWS)),
            (false, false) => Ok(Owner::Parameter(IN_CORNER)),
        }
    }
}
