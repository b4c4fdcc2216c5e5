//! Cards of a FITS header by name, with the type of each value checked: a number that is written as a text is an error, not absent.

use fitsio_pure::header::Card;
use fitsio_pure::value::Value;

/// The cards of one header.
#[derive(Clone, Copy)]
pub(super) struct Cards<'a>(pub(super) &'a [Card]);

impl<'a> Cards<'a> {
    /// A whole number; none where the card is absent or has no value.
    pub(super) fn integer(self, name: &str) -> Result<Option<i64>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Integer(integer)) => Ok(Some(*integer)),
            Some(other) => Err(format!("{name} is {}, expected a whole number", shown(other))),
        }
    }

    /// A number; none where the card is absent or has no value.
    pub(super) fn real(self, name: &str) -> Result<Option<f64>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Integer(integer)) => Ok(Some(*integer as f64)),
            Some(Value::Float(float)) => Ok(Some(*float)),
            Some(other) => Err(format!("{name} is {}, expected a number", shown(other))),
        }
    }

    /// A number under a name that the FITS standard does not define. Another program may use the name for something else, so a text is
    /// an error only where it holds a number.
    pub(super) fn real_if_number(self, name: &str) -> Result<Option<f64>, String> {
        match self.value(name) {
            Some(Value::String(text)) if text.trim().parse::<f64>().is_err() => Ok(None),
            Some(Value::Logical(_) | Value::ComplexInt(..) | Value::ComplexFloat(..)) => Ok(None),
            _ => self.real(name),
        }
    }

    /// A text without blanks at its end; none where the card is absent or has no value.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim_end())),
            Some(other) => Err(format!("{name} is {}, expected a text", shown(other))),
        }
    }

    /// Whether there is a card of this name.
    pub(super) fn has(self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(self, name: &str) -> Option<&'a Value> {
        let value = self.0.iter().find(|card| card.keyword_str() == name)?.value.as_ref();
        value.filter(|value| !matches!(value, Value::Undefined))
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Logical(true) => "the logical T".into(),
        Value::Logical(false) => "the logical F".into(),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float.to_string(),
        Value::String(text) => format!("the text '{:.40}'", text.escape_default().to_string()),
        Value::ComplexInt(..) | Value::ComplexFloat(..) => "a complex number".into(),
        Value::Undefined => "undefined".into(),
    }
}
