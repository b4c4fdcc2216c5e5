//! Which patch is which record.
//!
//! Neighbours in the sky are alike, and training mixes a window of blocks only, so each block should be a fair sample of all maps.
//! Bands are permuted over the whole split, gathered in groups of about 64 MiB of pixels, and the patches of a group are permuted
//! among each other. A writer holds one group, whatever the size of the dataset, and still reads megabytes at a time.

use std::ops::Range;

use super::patches::{Part, Survey};
use super::scan::MapScan;
use crate::rng::{Draw, Stream};

const BAND_BYTES: usize = 4 << 20;
const GROUP_BYTES: usize = 64 << 20;
/// Their order is in memory too.
const GROUP_RECORDS: u64 = 4 << 20;

/// Rows of patches of neighbouring maps of one input, read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The input.
    pub input: usize,
    /// Its maps.
    pub maps: Range<usize>,
    /// Rows of patches of each.
    pub rows: Range<usize>,
    /// Good patches in it.
    pub patches: u64,
}

/// Bands whose patches are mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they are for.
    pub part: Part,
    /// Number among the groups of its part.
    pub number: u32,
    /// The bands.
    pub bands: Vec<Band>,
    /// Their records.
    pub records: Range<u64>,
}

/// The order of a dataset's records: those for training, for validation, for the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// In the order of their records.
    pub groups: Vec<Group>,
}

impl Order {
    /// Of a survey whose maps were scanned, in order. `skip` says whether patches with bad pixels are left out.
    pub fn new(survey: &Survey, scans: &[MapScan], skip: bool) -> Self {
        let mut groups = Vec::new();
        let mut record = 0;
        for part in Part::ALL {
            let mut bands = bands(survey, part);
            for band in &mut bands {
                band.patches = good_patches(survey, scans, band, skip);
            }
            bands.retain(|band| band.patches > 0);
            let order = Draw::new(0).at(Stream::Ingest, part as u64, 0).permutation(bands.len());
            let mut number = 0;
            let mut waiting: Vec<Band> = Vec::new();
            let (mut bytes, mut records) = (0, 0);
            for (place, &band) in order.iter().enumerate() {
                let band = bands[band as usize].clone();
                bytes += band_bytes(survey, &band);
                records += band.patches * survey.versions(part);
                waiting.push(band);
                if bytes >= GROUP_BYTES || records >= GROUP_RECORDS || place + 1 == order.len() {
                    let bands = std::mem::take(&mut waiting);
                    groups.push(Group { part, number, bands, records: record..record + records });
                    record += records;
                    number += 1;
                    (bytes, records) = (0, 0);
                }
            }
        }
        Self { groups }
    }

    /// Records for a part.
    pub fn records(&self, part: Part) -> Range<u64> {
        let mut of_part = self.groups.iter().filter(|group| group.part == part);
        let Some(first) = of_part.next() else { return 0..0 };
        first.records.start..of_part.next_back().unwrap_or(first).records.end
    }

    /// Records of all parts.
    pub fn count(&self) -> u64 {
        self.groups.last().map_or(0, |group| group.records.end)
    }

    /// The group that holds a record.
    pub fn group_of(&self, record: u64) -> &Group {
        &self.groups[self.groups.partition_point(|group| group.records.end <= record)]
    }
}

/// Cuts a part of the sky into bands: whole neighbouring maps where they are small, rows of patches where they are large.
fn bands(survey: &Survey, part: Part) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for (input, grid) in survey.grids.iter().enumerate() {
        let row_bytes = grid.width * 4;
        let rows_at_once = ((BAND_BYTES / row_bytes).saturating_sub(survey.cut.side) / survey.cut.stride) + 1;
        for map in 0..grid.maps {
            let rows = survey.rows_for(part, grid.first_map + map as u64);
            let map_bytes = survey.pixel_rows(&rows).len() * row_bytes;
            if let Some(last) = bands.last_mut() {
                let fits = (last.maps.len() + 1) * map_bytes <= BAND_BYTES;
                if fits && last.input == input && last.maps.end == map && last.rows == rows {
                    last.maps.end += 1;
                    continue;
                }
            }
            for start in rows.clone().step_by(rows_at_once) {
                let rows = start..(start + rows_at_once).min(rows.end);
                bands.push(Band { input, maps: map..map + 1, rows, patches: 0 });
            }
        }
    }
    bands
}

fn band_bytes(survey: &Survey, band: &Band) -> usize {
    band.maps.len() * survey.pixel_rows(&band.rows).len() * survey.grids[band.input].width * 4
}

fn good_patches(survey: &Survey, scans: &[MapScan], band: &Band, skip: bool) -> u64 {
    let grid = &survey.grids[band.input];
    let all = (band.maps.len() * band.rows.len() * grid.columns) as u64;
    if !skip {
        return all;
    }
    let first = band.rows.start * grid.columns;
    let end = band.rows.end * grid.columns;
    let bad = |map: usize| {
        let bad = &scans[grid.first_map as usize + map].bad_patches;
        bad.partition_point(|&patch| (patch as usize) < end) - bad.partition_point(|&patch| (patch as usize) < first)
    };
    all - band.maps.clone().map(bad).sum::<usize>() as u64
}
