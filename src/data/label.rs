//! Labels: numbers and classes that each record carries beside its arrays.

use serde::{Deserialize, Serialize};

use super::modality::{check_name, check_text};

/// Classes of a label at most: an HDF5 attribute has no room for the names of 4,096.
const MOST_CLASSES: usize = 4000;

/// What a label's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// A real number with a unit.
    Real,
    /// The number of a class, from 0, in the order of `classes`.
    Class,
}

impl LabelKind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Class => "class",
        }
    }
}

/// One label of all records. It is stored in single precision; NaN stands where it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// What its numbers are.
    pub kind: LabelKind,
    /// Unit of a real label, "1" for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Names of the classes of a class label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
}

impl Label {
    /// A real number in `unit`.
    pub fn real(name: &str, unit: &str) -> Self {
        Self { name: name.into(), kind: LabelKind::Real, unit: Some(unit.into()), classes: None }
    }

    /// One of `classes`.
    pub fn class<T: Into<String>>(name: &str, classes: impl IntoIterator<Item = T>) -> Self {
        let classes = classes.into_iter().map(Into::into).collect();
        Self { name: name.into(), kind: LabelKind::Class, unit: None, classes: Some(classes) }
    }

    /// Unit of a real label; "1" for classes.
    pub fn unit(&self) -> &str {
        self.unit.as_deref().unwrap_or("1")
    }

    /// Its kind, with its unit or how many classes it has.
    pub fn in_words(&self) -> String {
        match &self.classes {
            None => format!("a real number in {}", self.unit()),
            Some(classes) => format!("one of {} classes", classes.len()),
        }
    }

    /// Whether `value` is one that the label may have: unknown (NaN), a finite number, or the number of a class.
    pub fn takes(&self, value: f32) -> bool {
        match &self.classes {
            None => !value.is_infinite(),
            Some(classes) => {
                value.is_nan() || (value.fract() == 0.0 && value >= 0.0 && (value as usize) < classes.len())
            }
        }
    }

    /// The values that `takes` lets pass, in words.
    pub fn wanted(&self) -> String {
        match &self.classes {
            None => "a finite number, or NaN where it is not known".into(),
            Some(classes) => {
                format!("the number of a class, 0 to {}, or NaN where it is not known", classes.len().saturating_sub(1))
            }
        }
    }

    /// Checks all that it says; the error says what is wrong.
    pub fn validate(&self) -> Result<(), String> {
        check_name(&self.name).map_err(|fault| format!("label name `{}` {fault}", self.name))?;
        let wrong = |fault: String| Err(format!("label `{}`: {fault}", self.name));
        if let Some(fault) = self.unit.as_ref().and_then(|unit| check_text("unit", unit).err()) {
            return wrong(fault);
        }
        if let Some(fault) = self.classes.iter().flatten().find_map(|class| check_text("classes", class).err()) {
            return wrong(fault);
        }
        match (self.kind, &self.unit, &self.classes) {
            (LabelKind::Real, Some(_), None) => Ok(()),
            (LabelKind::Real, None, None) => {
                wrong("`unit` is missing, expected that of a real label (\"1\" for none)".into())
            }
            (LabelKind::Real, _, Some(_)) => wrong("`classes` is set, expected none for a real label".into()),
            (LabelKind::Class, Some(_), _) => wrong("`unit` is set, expected none for a class label".into()),
            (LabelKind::Class, None, Some(classes)) if !classes.is_empty() => {
                let unique: std::collections::BTreeSet<&String> = classes.iter().collect();
                if unique.len() < classes.len() {
                    return wrong("`classes` has a name twice, expected a name of its own for each class".into());
                }
                if classes.len() > MOST_CLASSES {
                    return wrong(format!("`classes` has {} names, expected at most {MOST_CLASSES}", classes.len()));
                }
                Ok(())
            }
            (LabelKind::Class, None, _) => {
                wrong("`classes` is missing or empty, expected the names of its classes".into())
            }
        }
    }
}
