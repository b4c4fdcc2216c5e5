//! Tables that never were.

use serde_json::json;
use skyforge::catalog::{Column, Interval, Metadata, RetrievalRow, SampleRow, Table, Values};
use skyforge::rng::{Draw, Stream};

pub fn metadata() -> Metadata {
    let metadata = json!({ "checkpoint": "step-0001000", "restarts": 64, "lambda": 0.1, "noise": true });
    metadata.as_object().expect("it is one").clone()
}

/// A table with a column of each type.
pub fn every_type() -> Table {
    let odd = f32::from_bits(0x7fc0_1234);
    let column = |name: &str, unit: &str, values: Values| Column::new(name, unit, format!("what {name} is"), values);
    Table::new(
        metadata(),
        vec![
            column("id", "1", Values::U64(vec![0, 7, u64::MAX, 1 << 63])),
            column("depth", "1", Values::F32(vec![-0.0, odd, f32::INFINITY, 1e-45])),
            column("mass", "M_Jup", Values::F64(vec![f64::NAN, f64::MIN_POSITIVE, -1.5, 0.1])),
            column("good", "1", Values::Bool(vec![true, false, false, true])),
            column(
                "name",
                "1",
                Values::Utf8(["", "HD 209458 b", "\u{3b2} Pic \"b\"\n", "PAR1"].map(String::from).into()),
            ),
        ],
    )
}

pub fn rows(count: u64) -> Vec<RetrievalRow> {
    let row = |id: u64| {
        let mut chance = Draw::new(5).at(Stream::Simulation, id, 0);
        let mut number = move || chance.normal() as f32;
        RetrievalRow {
            id: 3 * id + 1,
            parameters: std::array::from_fn(|_| Interval {
                p2_5: number(),
                p16: number(),
                median: number(),
                p84: number(),
                p97_5: number(),
            }),
            chi_square: number(),
            points: 100 + id,
            restarts: 64,
            restart_agreement: number(),
            effective_samples: number(),
            out_of_range: id.is_multiple_of(3),
            iterations: 1001 * 64,
        }
    };
    (0..count).map(row).collect()
}

pub fn samples(count: u64) -> Vec<SampleRow> {
    let row = |at: u64| {
        let mut chance = Draw::new(6).at(Stream::Simulation, at, 0);
        SampleRow {
            id: 3 * (at / 8) + 1,
            restart: at % 8,
            weight: chance.uniform() as f32,
            chi_square: chance.normal() as f32,
            parameters: std::array::from_fn(|_| chance.normal() as f32),
        }
    };
    (0..count).map(row).collect()
}
