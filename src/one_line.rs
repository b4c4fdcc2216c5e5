//! What other people's libraries say at length, in one line.

/// Where a text is not the TOML that it should be, and why.
pub fn toml(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    format!("{place}{}", message(error))
}

/// Why a value is not the one that it should be, where there is no text to point at.
pub fn message(error: &toml::de::Error) -> String {
    error.message().replace('\n', ", ")
}
