//! Which atmosphere is record number so-and-so: points of ExoGAN's grid in an order of their own, anywhere between, or rows of a table.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::settings::{LEGAL, MOST_TRACES, Order, SpectrumSettings, traces};
use super::substreams::{PARAMETERS, SHUFFLE};
use crate::atmosphere::{LEVELS, QUANTITIES};
use crate::rng::{Draw, Stream};
use crate::simulate::{SimulateError, read_text};

/// Points of the grid.
pub const GRID_POINTS: u64 = (LEVELS as u64).pow(QUANTITIES.len() as u32);

/// The seven, in the order and units of `QUANTITIES`.
pub type Parameters = [f64; QUANTITIES.len()];

/// The seven parameters of each record, a function of (seed, record).
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    draw: Draw,
    order: Order,
    first: u64,
    ranges: [(f64, f64); QUANTITIES.len()],
    rows: Vec<Parameters>,
}

impl Draws {
    /// Those that `settings` ask for, `count` of them.
    pub fn new(seed: u64, settings: &SpectrumSettings, count: u64) -> Result<Self, SimulateError> {
        let rows = match (settings.order, &settings.parameter_table) {
            (Order::Table, Some(path)) => read_rows(path)?,
            (Order::Table, None) => {
                return Err(SimulateError::setting(
                    "order",
                    &"table",
                    "`parameter_table` beside it, or grid or continuous",
                ));
            }
            (Order::Grid | Order::Continuous, Some(path)) => {
                return Err(SimulateError::setting("parameter_table", &path.display(), "`order` = table beside it"));
            }
            (Order::Grid | Order::Continuous, None) => Vec::new(),
        };
        let all = match settings.order {
            Order::Grid => GRID_POINTS,
            Order::Continuous => 1 << 62,
            Order::Table => rows.len() as u64,
        };
        if settings.first.checked_add(count).is_none_or(|end| end > all) {
            let wanted =
                format!("at most {} records from `first` = {} on", all.saturating_sub(settings.first), settings.first);
            return Err(SimulateError::setting("count", &count, wanted));
        }
        Ok(Self {
            draw: Draw::new(seed),
            order: settings.order,
            first: settings.first,
            ranges: settings.ranges(),
            rows,
        })
    }

    /// The atmosphere that is most easily lost, among all that may be drawn: where a planet holds it, each holds its own.
    pub fn lightest(&self) -> Vec<Parameters> {
        match self.order {
            Order::Grid | Order::Continuous => {
                let mut corner = self.ranges.map(|(low, _)| low); // little gas is light gas, on a light planet
                corner[5] = self.ranges[5].1;
                corner[6] = self.ranges[6].1;
                vec![corner]
            }
            Order::Table => self.rows.clone(),
        }
    }

    /// A checksum of the rows of the table, where there is one.
    pub fn table_checksum(&self) -> Option<u64> {
        (self.order == Order::Table).then(|| xxh3_64(bytemuck::cast_slice(self.rows.as_flattened())))
    }

    /// The number that a record is known by: the point of the grid, or its place in the row of draws or the table.
    pub fn id(&self, record: u64) -> u64 {
        match self.order {
            Order::Grid => self.grid_point(self.first + record),
            Order::Continuous | Order::Table => self.first + record,
        }
    }

    /// The seven parameters of a record.
    pub fn parameters(&self, record: u64) -> Parameters {
        let id = self.id(record);
        match self.order {
            Order::Grid => {
                let mut point = id;
                self.ranges.map(|(low, high)| {
                    let level = point % u64::from(LEVELS);
                    point /= u64::from(LEVELS);
                    low + (high - low) * level as f64 / f64::from(LEVELS - 1)
                })
            }
            Order::Continuous => {
                let mut chance = self.draw.at(Stream::Simulation, id, PARAMETERS);
                self.ranges.map(|(low, high)| low + (high - low) * chance.uniform())
            }
            Order::Table => self.rows[id as usize],
        }
    }

    /// Place in a row of all points -> point: a network of Feistel's on 24 bits, walked until it ends inside the grid.
    fn grid_point(&self, place: u64) -> u64 {
        const HALF: u32 = 12;
        const MASK: u32 = (1 << HALF) - 1;
        const ROUNDS: u32 = 6;
        let mut at = place;
        loop {
            let (mut left, mut right) = ((at >> HALF) as u32, at as u32 & MASK);
            for round in 0..ROUNDS {
                let mixed = self.draw.at(Stream::Simulation, u64::from(right), SHUFFLE + round).bits() & MASK;
                (left, right) = (right, left ^ mixed);
            }
            at = u64::from(left) << HALF | u64::from(right);
            if at < GRID_POINTS {
                return at;
            }
        }
    }
}

/// A text table with the names of the seven parameters in its first line, in any order, and a row for each record.
fn read_rows(path: &Path) -> Result<Vec<Parameters>, SimulateError> {
    let text = read_text(path, "a text table of parameters")?;
    let words = |line: &str| -> Vec<String> {
        let separated = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
        separated.map(ToOwned::to_owned).collect()
    };
    let wrong = |line: usize, problem: String| SimulateError::Table { path: path.into(), line: line + 1, problem };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let names = QUANTITIES.map(|quantity| quantity.name);
    let Some((number, header)) = lines.next() else {
        return Err(wrong(0, format!("is empty, expected a line of names: {}", names.join(" "))));
    };
    let header = words(header.trim_start_matches('#'));
    let place = |name: &&str| header.iter().position(|word| word == name);
    if let Some(missing) = names.iter().find(|name| place(name).is_none()) {
        return Err(wrong(number, format!("does not name {missing}, expected all of {}", names.join(" "))));
    }
    if let Some(again) = header.iter().enumerate().find(|(at, name)| header[..*at].contains(name)) {
        return Err(wrong(number, format!("names {} twice, expected each column once", again.1)));
    }
    let places = names.map(|name| place(&name).expect("all are named"));
    let mut rows = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let row = words(line);
        if row.len() > header.len() {
            return Err(wrong(
                number,
                format!("has {} values, expected {} as in the line of names", row.len(), header.len()),
            ));
        }
        let mut parameters = [0.0; QUANTITIES.len()];
        for (((to, place), quantity), (least, most)) in parameters.iter_mut().zip(places).zip(QUANTITIES).zip(LEGAL) {
            let word = row.get(place).map_or("", String::as_str);
            let legal = |value: &f64| (least..=most).contains(value);
            let Some(value) = word.parse().ok().filter(legal) else {
                let wanted = format!("{} is `{word:.20}`, expected {least} to {most} {}", quantity.name, quantity.unit);
                return Err(wrong(number, wanted));
            };
            *to = value;
        }
        let sum = traces(&parameters);
        if sum > MOST_TRACES {
            return Err(wrong(
                number,
                format!("has mixing ratios that add up to {sum:.2}, expected at most {MOST_TRACES}"),
            ));
        }
        rows.push(parameters);
    }
    Ok(rows)
}
