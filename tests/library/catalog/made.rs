//! Tables that never were.

use serde_json::json;
use skyforge::catalog::{Column, Metadata, Table, Values};

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
