//! One line of what `doctor` has to say.

use serde::Serialize;

use crate::exit::Exit;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// A run would work, but slower or less safely than it could.
    Warning,
    /// A run would fail.
    Fault,
}

/// One thing that a run needs, as it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub found: String,
    /// What to do; nothing where all is well.
    pub remedy: String,
    /// How a run would end with it.
    #[serde(skip)]
    pub exit: Exit,
}

impl Finding {
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), remedy: String::new(), exit: Exit::Done }
    }

    pub fn warning(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, remedy: remedy.into(), ..Self::ok(check, found) }
    }

    pub fn fault(check: &'static str, exit: Exit, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fault, exit, ..Self::warning(check, found, remedy) }
    }

    /// The finding as a line.
    pub fn line(&self) -> String {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Fault => "fault",
        };
        let remedy = if self.remedy.is_empty() { String::new() } else { format!("; {}", self.remedy) };
        format!("{word:<8} {:<11} {}{remedy}", self.check, self.found).replace('\n', ", ")
    }
}
