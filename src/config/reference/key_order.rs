//! The keys of a section in the order in which its type declares them.
//!
//! A JSON schema lists keys by the alphabet. A settings type refuses unknown keys, and its deserializer then names those that
//! it knows, in the order of their declaration: asked for an unknown key in the right section, it gives the order.

use std::fmt;

use serde::Deserializer;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A section on the way to another one, with the tag (`kind`) that decides its keys, where it has one.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name of the section; empty for the whole.
    pub name: String,
    /// Key and value of the tag.
    pub tag: Option<(String, String)>,
}

/// The keys of the section at `path`, whose first step is the whole; its tag is none of them.
///
/// # Panics
/// If the section accepts unknown keys.
pub fn keys_at<T: DeserializeOwned>(path: &[Step]) -> &'static [&'static str] {
    let known = T::deserialize(Probe { path }).err().and_then(|answer| answer.known);
    known.unwrap_or_else(|| panic!("{path:?} accepts unknown keys"))
}

/// A table that holds the tags of its path, and at the end of it an unknown key.
#[derive(Clone, Copy)]
struct Probe<'a> {
    path: &'a [Step],
}

/// What stands behind a key of a probe.
enum Content<'a> {
    Word(&'a str),
    Table(Probe<'a>),
}

impl<'a> Probe<'a> {
    fn entries(self) -> Vec<(&'a str, Content<'a>)> {
        let (here, below) = self.path.split_first().expect("a path has a first step");
        let mut entries: Vec<(&str, Content)> =
            here.tag.iter().map(|(key, value)| (key.as_str(), Content::Word(value))).collect();
        entries.push(match below.first() {
            Some(next) => (next.name.as_str(), Content::Table(Probe { path: below })),
            None => ("an unknown key", Content::Word("")),
        });
        entries
    }
}

impl<'de> Deserializer<'de> for Probe<'de> {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_map(MapDeserializer::new(self.entries().into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> Deserializer<'de> for Content<'de> {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        match self {
            Self::Word(word) => BorrowedStrDeserializer::new(word).deserialize_any(visitor),
            Self::Table(probe) => probe.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Answer> for Content<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Why a probe was refused.
#[derive(Debug)]
struct Answer {
    text: String,
    /// The keys that the section knows, where it was the unknown key.
    known: Option<&'static [&'static str]>,
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self { text: text.to_string(), known: None }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { text: format!("unknown key {field}"), known: Some(expected) }
    }
}
