//! Words of a report, with emphasis. They are escaped when they are rendered.

use maud::{Markup, Render, html};

/// Words in a sentence of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    spans: Vec<(Emphasis, String)>,
}

/// How words are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emphasis {
    None,
    Strong,
    Stressed,
    Muted,
    Code,
    /// Left out where there is little room.
    WideOnly,
}

impl Text {
    /// Adds words without emphasis; a line break stays one.
    #[must_use]
    pub fn plain(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::None, words)
    }

    /// Adds the words that matter most, such as the measured value.
    #[must_use]
    pub fn strong(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::Strong, words)
    }

    /// Adds a term that is defined here.
    #[must_use]
    pub fn stressed(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::Stressed, words)
    }

    /// Adds words in the background, such as a unit.
    #[must_use]
    pub fn muted(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::Muted, words)
    }

    /// Adds words of a file or of a command line.
    #[must_use]
    pub fn code(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::Code, words)
    }

    /// Adds letters that are left out on narrow screens and on paper.
    #[must_use]
    pub fn wide_only(self, words: impl Into<String>) -> Self {
        self.with(Emphasis::WideOnly, words)
    }

    fn with(mut self, emphasis: Emphasis, words: impl Into<String>) -> Self {
        self.spans.push((emphasis, words.into()));
        self
    }
}

impl From<&str> for Text {
    fn from(words: &str) -> Self {
        Self::default().plain(words)
    }
}

impl From<String> for Text {
    fn from(words: String) -> Self {
        Self::default().plain(words)
    }
}

impl Render for Text {
    fn render(&self) -> Markup {
        html! {
            @for (emphasis, words) in &self.spans {
                @match emphasis {
                    Emphasis::None => @for (at, line) in words.split('\n').enumerate() {
                        @if at > 0 { br; }
                        (line)
                    },
                    Emphasis::Strong => strong { (words) },
                    Emphasis::Stressed => em { (words) },
                    Emphasis::Muted => span.unit { (words) },
                    Emphasis::Code => code { (words) },
                    Emphasis::WideOnly => span.rest { (words) },
                }
            }
        }
    }
}
