//! Records from bands: one group of them in memory at a time.

use super::order::{Band, Group, Order};
use super::patches::{Survey, copy_version};
use super::scan::MapScan;
use super::{IngestError, Input, Reader};
use crate::rng::{Draw, Stream};

/// What is to be gathered, the same for all writers.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The files.
    pub inputs: &'a [Input],
    /// Their patches.
    pub survey: &'a Survey,
    /// What was found in each map.
    pub scans: &'a [MapScan],
    /// Which patch is which record.
    pub order: &'a Order,
    /// What stands in for bad pixels; where there is nothing, patches that hold any are no records.
    pub fill: Option<f32>,
}

/// Gives records of a dataset, best in their order.
pub struct Gatherer<'a> {
    sources: Sources<'a>,
    loaded: Option<Loaded<'a>>,
}

/// A group in memory.
struct Loaded<'a> {
    group: &'a Group,
    pixels: Vec<f32>,
    places: Vec<Place>,
    order: Vec<u32>,
}

/// Where a patch lies.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    width: usize,
    id: u64,
}

impl<'a> Gatherer<'a> {
    /// Nothing is read yet.
    pub fn new(sources: Sources<'a>) -> Self {
        Self { sources, loaded: None }
    }

    /// Writes a record's pixels, `[side, side]`, and gives its name.
    pub fn record(&mut self, record: u64, to: &mut [f32]) -> Result<u64, IngestError> {
        let Sources { survey, order, .. } = self.sources;
        if self.loaded.as_ref().is_none_or(|loaded| !loaded.group.records.contains(&record)) {
            let group = order.group_of(record);
            self.loaded = None; // two groups at once would be twice the memory
            self.loaded = Some(self.load(group)?);
        }
        let loaded = self.loaded.as_ref().expect("a group has just been loaded");
        let versions = survey.versions(loaded.group.part);
        let drawn = u64::from(loaded.order[(record - loaded.group.records.start) as usize]);
        let place = loaded.places[(drawn / versions) as usize];
        let version = drawn % versions;
        copy_version(version, &loaded.pixels[place.start..], place.width, survey.cut.side, to);
        Ok(place.id + version)
    }

    fn load(&self, group: &'a Group) -> Result<Loaded<'a>, IngestError> {
        let Sources { inputs, survey, scans, fill, .. } = self.sources;
        let numbers =
            |band: &Band| band.maps.len() * survey.pixel_rows(&band.rows).len() * survey.grids[band.input].width;
        let mut pixels = Vec::with_capacity(group.bands.iter().map(numbers).sum());
        let mut places = Vec::with_capacity(group.bands.iter().map(|band| band.patches as usize).sum());
        let mut reader: Option<(usize, Reader<'a>)> = None;
        for band in &group.bands {
            let grid = &survey.grids[band.input];
            if reader.as_ref().is_none_or(|(input, _)| *input != band.input) {
                reader = Some((band.input, inputs[band.input].reader()?));
            }
            let (_, reader) = reader.as_mut().expect("it has just been opened");
            let rows = survey.pixel_rows(&band.rows);
            for map in band.maps.clone() {
                let start = pixels.len();
                pixels.resize(start + rows.len() * grid.width, 0.0);
                reader.read_rows(map, rows.clone(), &mut pixels[start..])?;
                let bad = &scans[grid.first_map as usize + map].bad_patches;
                for row in band.rows.clone() {
                    for column in 0..grid.columns {
                        if fill.is_none() && bad.binary_search(&((row * grid.columns + column) as u32)).is_ok() {
                            continue;
                        }
                        let y = row * survey.cut.stride - rows.start;
                        places.push(Place {
                            start: start + y * grid.width + column * survey.cut.stride,
                            width: grid.width,
                            id: survey.id(band.input, map, row, column),
                        });
                    }
                }
            }
        }
        if let Some(fill) = fill {
            pixels.iter_mut().filter(|pixel| !pixel.is_finite()).for_each(|pixel| *pixel = fill);
        }
        let records = (group.records.end - group.records.start) as usize;
        let mut chance = Draw::new(0).at(Stream::Ingest, group.part as u64, group.number + 1);
        Ok(Loaded { group, pixels, places, order: chance.permutation(records) })
    }
}
