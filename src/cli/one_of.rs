//! Options whose values are names from a list.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::ingest::Named;

/// A parser of the names of `T`; `help` describes each value, an empty text is not shown.
pub fn one_of<T: Named + Send + Sync>(help: fn(T) -> &'static str) -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter().map(|&value| {
        let help = Some(help(value)).filter(|help| !help.is_empty());
        help.into_iter().fold(PossibleValue::new(value.name()), PossibleValue::help)
    });
    let named = |name: String| T::ALL.iter().copied().find(|value| value.name() == name).expect("clap has checked it");
    PossibleValuesParser::new(values).map(named)
}
