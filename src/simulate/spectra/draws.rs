//! Which atmosphere is record number so-and-so: points of ExoGAN's grid in an order of their own, anywhere between, or rows of a table.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::settings::{LEGAL, SpectrumSettings};
use crate::data::atmosphere::{LEVELS, QUANTITIES};
use crate::rng::{Draw, Stream};
use crate::simulate::SimulateError;

/// How parameters are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The ten levels of each of the seven parameters, all ten million combinations once, in an order that depends on the seed, so that
    /// any run of records is a fair sample of all.
    #[default]
    Grid,
    /// Anywhere between the ends, each record on its own.
    Continuous,
    /// The rows of `parameter_table`.
    Table,
}

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

/// Places of chance inside `Stream::Simulation`: drawn parameters, noise, and the rounds of the shuffle.
const PARAMETERS: u32 = 1;
pub(super) const NOISE: u32 = 2;
const SHUFFLE: u32 = 16;

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
            let wanted = format!("{count} records from there on of {all}");
            return Err(SimulateError::setting("first", &settings.first, wanted));
        }
        Ok(Self {
            draw: Draw::new(seed),
            order: settings.order,
            first: settings.first,
            ranges: settings.ranges(),
            rows,
        })
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
    let text = std::fs::read_to_string(path).map_err(|source| SimulateError::Read { path: path.into(), source })?;
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
    let places = names.map(|name| place(&name).expect("all are named"));
    let mut rows = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let row = words(line);
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
        rows.push(parameters);
    }
    Ok(rows)
}
