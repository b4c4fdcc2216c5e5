//! Time and memory as SLURM writes them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time, as in `08:00:00` or `2-00:00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wall {
    /// In seconds.
    pub seconds: u64,
}

impl Wall {
    /// As a length of time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// In hours.
    pub fn hours(self) -> f64 {
        self.seconds as f64 / 3600.0
    }
}

impl TryFrom<String> for Wall {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wanted = || format!("`{text}` is no time, expected HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS");
        let (days, clock) = text.split_once('-').unwrap_or(("0", &text));
        let parts: Vec<u64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wanted())?;
        let (&[hours, minutes, seconds], Ok(days)) = (&parts[..], days.parse::<u64>()) else { return Err(wanted()) };
        let fits = minutes < 60 && seconds < 60 && hours < 100_000 && days < 100_000;
        let seconds = fits.then(|| ((days * 24 + hours) * 60 + minutes) * 60 + seconds).filter(|&seconds| seconds > 0);
        seconds.map(|seconds| Self { seconds }).ok_or_else(wanted)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (days, rest) = (self.seconds / 86_400, self.seconds % 86_400);
        if days > 0 {
            write!(out, "{days}-")?;
        }
        write!(out, "{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60)
    }
}

impl From<Wall> for String {
    fn from(wall: Wall) -> Self {
        wall.to_string()
    }
}

/// An amount of memory, as in `64G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory {
    /// In MiB, which SLURM calls M.
    pub mebibytes: u64,
}

const UNITS: [(&str, u64); 3] = [("T", 1 << 20), ("G", 1 << 10), ("M", 1)];

impl TryFrom<String> for Memory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let of =
            |(unit, mebibytes): &(&str, u64)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*mebibytes);
        let mebibytes = UNITS.iter().find_map(of).filter(|&mebibytes| mebibytes > 0);
        mebibytes
            .map(|mebibytes| Self { mebibytes })
            .ok_or_else(|| format!("`{text}` is no memory, expected as in 64G or 4000M"))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, unit)| self.mebibytes.is_multiple_of(*unit));
        let (unit, mebibytes) = whole.expect("every number of M is one");
        write!(out, "{}{unit}", self.mebibytes / mebibytes)
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> Self {
        memory.to_string()
    }
}
