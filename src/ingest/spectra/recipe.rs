//! Recipes: how a survey's files are to be read, as options say it and as TOML keeps it.

use std::path::Path;
use std::str::FromStr;

use toml::Value;

use super::words::load;
use super::{DepthUnit, MassUnit, Quantity, RadiusUnit, Reading, Role, StarRadius, TaurexSpectrum, WavelengthUnit};
use crate::ingest::{IngestError, Named};

/// No recipe is longer.
const LONGEST: u64 = 1 << 20;

/// All keys, named as the options are.
const KEYS: [&str; 14] = [
    "columns",
    "wavelength",
    "width",
    "depth",
    "error",
    "wavelength_unit",
    "depth_unit",
    "quantity",
    "no_errors",
    "mask_nan",
    "star_radius",
    "taurex",
    "mass_unit",
    "radius_unit",
];

/// The role of a column, by its name or by its place in a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRole {
    /// The name, where it is said.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
}

impl FromStr for ColumnRole {
    type Err = String;

    /// `ROLE`, or `NAME=ROLE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, role) = match text.rsplit_once('=') {
            Some((name, role)) => (Some(name.trim()), role.trim()),
            None => (None, text.trim()),
        };
        if name.is_some_and(str::is_empty) {
            return Err("expected ROLE or NAME=ROLE".into());
        }
        let name = name.map(str::to_owned);
        Ok(Self { name, role: named(role)? })
    }
}

/// How files are to be read: what options say, or a recipe. What is not said is none.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "they are those of `Reading`")]
pub struct Recipe {
    /// All by position or all by name.
    pub columns: Vec<ColumnRole>,
    pub wavelength: Option<String>,
    pub width: Option<String>,
    pub depth: Option<String>,
    pub error: Vec<String>,
    pub wavelength_unit: Option<WavelengthUnit>,
    pub depth_unit: Option<DepthUnit>,
    pub quantity: Option<Quantity>,
    pub no_errors: bool,
    pub mask_nan: bool,
    pub star_radius: Option<StarRadius>,
    pub taurex: Option<TaurexSpectrum>,
    pub mass_unit: Option<MassUnit>,
    pub radius_unit: Option<RadiusUnit>,
}

impl Recipe {
    /// Reads a recipe.
    pub fn read(path: &Path) -> Result<Self, IngestError> {
        crate::files::expect_file(path, "a recipe").map_err(IngestError::file(path))?;
        let text = load(path, "a recipe", LONGEST, "is no text, expected a recipe in TOML")?;
        Self::parse(&text).map_err(|fault| IngestError::wrong(path, fault))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| in_line(text, &error))?;
        let mut recipe = Self::default();
        for (key, value) in &table {
            let wrong = |fault: String| format!("`{key}`: {fault}");
            match key.as_str() {
                "columns" => recipe.columns = columns(value).map_err(wrong)?,
                "wavelength" => recipe.wavelength = Some(text_of(value).map_err(wrong)?),
                "width" => recipe.width = Some(text_of(value).map_err(wrong)?),
                "depth" => recipe.depth = Some(text_of(value).map_err(wrong)?),
                "error" => recipe.error = error(value).map_err(wrong)?,
                "wavelength_unit" => recipe.wavelength_unit = Some(one_of(value).map_err(wrong)?),
                "depth_unit" => recipe.depth_unit = Some(one_of(value).map_err(wrong)?),
                "quantity" => recipe.quantity = Some(one_of(value).map_err(wrong)?),
                "taurex" => recipe.taurex = Some(one_of(value).map_err(wrong)?),
                "mass_unit" => recipe.mass_unit = Some(one_of(value).map_err(wrong)?),
                "radius_unit" => recipe.radius_unit = Some(one_of(value).map_err(wrong)?),
                "no_errors" => recipe.no_errors = truth(value).map_err(wrong)?,
                "mask_nan" => recipe.mask_nan = truth(value).map_err(wrong)?,
                "star_radius" => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    recipe.star_radius = Some(text.parse().map_err(wrong)?);
                }
                other => {
                    let wanted = nearest(other, &KEYS);
                    return Err(wanted.map_or_else(
                        || format!("unknown key `{other}`, expected one of {}", KEYS.join(", ")),
                        |wanted| format!("unknown key `{other}`, did you mean `{wanted}`"),
                    ));
                }
            }
        }
        Ok(recipe)
    }

    /// What this says, and where it says nothing, what `below` says.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let by_name = |columns: &[ColumnRole]| columns.iter().all(|column| column.name.is_some());
        let mut columns = self.columns.clone();
        if by_name(&columns) && by_name(&below.columns) {
            let options =
                [(&self.wavelength, Role::Wavelength), (&self.width, Role::Width), (&self.depth, Role::Depth)];
            let is_error = |role: Role| matches!(role, Role::Error | Role::ErrorBelow | Role::ErrorAbove);
            let is_width = |role: Role| matches!(role, Role::Width | Role::HalfWidth);
            let alike = |a: Role, b: Role| {
                a != Role::Skip && (a == b || is_error(a) && is_error(b) || is_width(a) && is_width(b))
            };
            let said: Vec<Role> = options.iter().filter(|(name, _)| name.is_some()).map(|(_, role)| *role).collect();
            let is_said = |column: &ColumnRole| {
                self.columns.iter().any(|here| here.name == column.name || alike(here.role, column.role))
                    || said.iter().any(|role| alike(*role, column.role))
                    || (!self.error.is_empty() && is_error(column.role))
            };
            columns.extend(below.columns.into_iter().filter(|column| !is_said(column)));
        } else if columns.is_empty() {
            columns = below.columns;
        }
        let is_column = |wanted: &[Role]| self.columns.iter().any(|column| wanted.contains(&column.role));
        let unless = |said: bool, name: Option<String>| name.filter(|_| !said);
        let errors_are_said = is_column(&[Role::Error, Role::ErrorBelow, Role::ErrorAbove]);
        Self {
            columns,
            wavelength: self.wavelength.or(unless(is_column(&[Role::Wavelength]), below.wavelength)),
            width: self.width.or(unless(is_column(&[Role::Width, Role::HalfWidth]), below.width)),
            depth: self.depth.or(unless(is_column(&[Role::Depth]), below.depth)),
            no_errors: self.no_errors || (below.no_errors && self.error.is_empty()),
            error: if self.error.is_empty() && !errors_are_said { below.error } else { self.error },
            wavelength_unit: self.wavelength_unit.or(below.wavelength_unit),
            depth_unit: self.depth_unit.or(below.depth_unit),
            quantity: self.quantity.or(below.quantity),
            mask_nan: self.mask_nan || below.mask_nan,
            star_radius: self.star_radius.or(below.star_radius),
            taurex: self.taurex.or(below.taurex),
            mass_unit: self.mass_unit.or(below.mass_unit),
            radius_unit: self.radius_unit.or(below.radius_unit),
        }
    }

    /// As TOML.
    pub fn text(&self) -> String {
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: Option<Value>| drop(value.map(|value| table.insert(key.to_owned(), value)));
        let by_position = self.columns.iter().any(|column| column.name.is_none());
        let positions: Vec<&str> = self.columns.iter().map(|column| column.role.name()).collect();
        let names = self.columns.iter().filter_map(|column| Some((column.name.clone()?, column.role.name().into())));
        let names = names.collect::<toml::Table>();
        put("wavelength", self.wavelength.clone().map(Value::from));
        put("width", self.width.clone().map(Value::from));
        put("depth", self.depth.clone().map(Value::from));
        put("error", (!self.error.is_empty()).then(|| self.error.clone().into()));
        put("wavelength_unit", name(self.wavelength_unit));
        put("depth_unit", name(self.depth_unit));
        put("quantity", name(self.quantity));
        put("no_errors", self.no_errors.then_some(true.into()));
        put("mask_nan", self.mask_nan.then_some(true.into()));
        put(
            "star_radius",
            match self.star_radius {
                None | Some(StarRadius::Kept) => None,
                Some(StarRadius::Is(radius)) => Some(radius.into()),
                Some(StarRadius::Said) => Some("said".into()),
            },
        );
        put("taurex", name(self.taurex));
        put("mass_unit", name(self.mass_unit));
        put("radius_unit", name(self.radius_unit));
        if by_position {
            put("columns", Some(positions.into()));
        } else {
            put("columns", (!names.is_empty()).then(|| names.into()));
        }
        format!("# How skyforge ingest spectra reads these files (--recipe)\n{table}")
    }

    /// What readers need to know; the error where columns are named both by position and by name.
    pub fn reading(self) -> Result<Reading, String> {
        let named = self.columns.iter().filter(|column| column.name.is_some()).count();
        if named != 0 && named != self.columns.len() {
            return Err("--columns has roles with and without names, expected a name for each or for none".into());
        }
        let names = self.columns.iter().filter_map(|column| Some((column.name.clone()?, column.role)));
        let named: Vec<(String, Role)> = names.collect();
        let positions = self.columns.iter().map(|column| column.role).collect();
        Ok(Reading {
            columns: (named.is_empty() && !self.columns.is_empty()).then_some(positions),
            named,
            wavelength: self.wavelength,
            width: self.width,
            depth: self.depth,
            error: self.error,
            wavelength_unit: self.wavelength_unit,
            depth_unit: self.depth_unit,
            quantity: self.quantity.unwrap_or_default(),
            errors: !self.no_errors,
            nan_is_masked: self.mask_nan,
            taurex: self.taurex,
            star_radius: self.star_radius.unwrap_or_default(),
            mass_unit: self.mass_unit,
            radius_unit: self.radius_unit,
        })
    }
}

/// A name as TOML.
fn name<T: Named>(value: Option<T>) -> Option<Value> {
    value.map(|value| value.name().into())
}

/// The value of a name.
fn named<T: Named>(name: &str) -> Result<T, String> {
    let found = T::ALL.iter().copied().find(|value| value.name() == name);
    let names = || T::ALL.iter().map(|value| value.name()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("`{name:.40}` is none of {}", names()))
}

fn one_of<T: Named>(value: &Value) -> Result<T, String> {
    named(&text_of(value)?)
}

fn text_of(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("is {value}, expected text"))
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("is {value}, expected true or false"))
}

/// One name of errors, or those of the lower and the upper ones.
fn error(value: &Value) -> Result<Vec<String>, String> {
    let names = match value {
        Value::Array(names) => names.iter().map(text_of).collect::<Result<_, _>>()?,
        one => vec![text_of(one)?],
    };
    if matches!(names.len(), 1 | 2) { Ok(names) } else { Err(format!("has {} names, expected 1 or 2", names.len())) }
}

/// A list of roles by position, or a table of roles by name.
fn columns(value: &Value) -> Result<Vec<ColumnRole>, String> {
    let role = |value: &Value| named(&text_of(value)?);
    match value {
        Value::Array(roles) => roles.iter().map(|value| Ok(ColumnRole { name: None, role: role(value)? })).collect(),
        Value::Table(names) => {
            let role =
                |(name, value): (&String, &Value)| Ok(ColumnRole { name: Some(name.clone()), role: role(value)? });
            names.iter().map(role).collect()
        }
        _ => Err(format!("is {value}, expected a list of roles or a table NAME = ROLE")),
    }
}

/// The known key that was most likely meant: at most every third letter is wrong.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &&&str| strsim::damerau_levenshtein(word, known);
    known.iter().min_by_key(distance).filter(|known| 3 * distance(known) < word.chars().count()).copied()
}

/// What is wrong with TOML, in one line.
fn in_line(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let message = error.message().lines().next().unwrap_or_default();
    format!("line {line}: {message}")
}
