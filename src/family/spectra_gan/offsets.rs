//! Offsets between instruments as a user gives them: `INSTRUMENT=SIGMA`, a set of wavelengths in the words of masks, and the standard
//! deviation of its normal prior in ppm.

use std::fmt;

use serde_json::json;

use super::mask::{AxisMask, SpectrumMask};
use crate::data::mask::MaskError;
use crate::exit::{Ends, Exit};
use crate::infer::latent_fit::OffsetGroup;

/// How the name of the column of an offset's error ends.
pub const ERROR: &str = "_error";

/// Depths in ppm to depths.
pub const PPM: f64 = 1e-6;

/// Standard deviations of priors in ppm: what is smaller is no offset, and no depth is larger.
const LEGAL_PPM: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

/// What can be wrong with offsets.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    /// One of them.
    #[error("offset `{word}` {fault}")]
    Word {
        /// It, as it was given.
        word: String,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// Two of them.
    #[error("offsets `{first}` and `{second}` share {shared}, expected groups of wavelengths without common points")]
    Overlap {
        /// The name of one.
        first: String,
        /// That of the other.
        second: String,
        /// What they share.
        shared: String,
    },
    /// Its wavelengths.
    #[error("offset `{word}`: {error}")]
    Mask {
        /// It, as it was given.
        word: String,
        /// What is wrong with them.
        error: MaskError,
    },
}

impl Ends for OffsetError {
    fn exit(&self) -> Exit {
        match self {
            Self::Word { .. } | Self::Overlap { .. } => Exit::Usage,
            Self::Mask { error, .. } => error.exit(),
        }
    }
}

/// A group of wavelengths with a common offset.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    /// Its wavelengths in the words of the user, which name its columns.
    name: String,
    wavelengths: SpectrumMask,
    sigma_ppm: f64,
}

/// Groups of wavelengths, each with an offset of which only a prior is known; the points of no group have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstrumentOffsets {
    /// In the order of their names.
    groups: Vec<Group>,
}

impl InstrumentOffsets {
    /// What these words say, in any order.
    pub fn parse(words: &[String]) -> Result<Self, OffsetError> {
        let mut groups: Vec<Group> = words.iter().map(|word| Group::parse(word)).collect::<Result<_, _>>()?;
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        match groups.windows(2).find(|pair| pair[0].name == pair[1].name) {
            None => Ok(Self { groups }),
            Some(pair) => Err(OffsetError::Word {
                word: pair[0].name.clone(),
                fault: "is given twice, expected one standard deviation for each group".into(),
            }),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Their names, in the order of the groups.
    pub fn names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.name.clone()).collect()
    }

    /// The groups on the points of an axis, of which `mask` says what is known.
    ///
    /// - `wavelength_um`: centres of the bins in micrometres
    ///
    /// # Errors
    /// A group that has no points, or none that are known, and two groups with a common point.
    pub fn on(&self, wavelength_um: &[f64], mask: &AxisMask) -> Result<Vec<OffsetGroup>, OffsetError> {
        let mut all: Vec<OffsetGroup> = Vec::new();
        for group in &self.groups {
            let in_group = |error| OffsetError::Mask { word: group.name.clone(), error };
            let members = group.wavelengths.points(wavelength_um).map_err(in_group)?;
            let known = members.iter().zip(mask.points()).any(|(member, known)| *member && *known);
            if !known {
                let fault = "has none of the points that --mask leaves known, expected at least one";
                return Err(OffsetError::Word { word: group.name.clone(), fault: fault.into() });
            }
            for (before, other) in self.groups.iter().zip(&all) {
                let is_shared = |point: &usize| members[*point] && other.members[*point];
                let shared: Vec<f64> = (0..members.len()).filter(is_shared).map(|point| wavelength_um[point]).collect();
                if !shared.is_empty() {
                    return Err(OffsetError::Overlap {
                        first: before.name.clone(),
                        second: group.name.clone(),
                        shared: points_in_words(&shared),
                    });
                }
            }
            all.push(OffsetGroup { members, sigma: group.sigma_ppm * PPM });
        }
        Ok(all)
    }

    /// What tables and ledgers say of them: wavelengths and standard deviation of each by its name.
    pub fn in_short(&self) -> serde_json::Value {
        let one = |group: &Group| {
            let Group { name, wavelengths, sigma_ppm } = group;
            (name.clone(), json!({ "wavelengths": wavelengths.to_string(), "sigma_ppm": sigma_ppm }))
        };
        self.groups.iter().map(one).collect::<serde_json::Map<_, _>>().into()
    }
}

/// All that results depend on, without the names; empty where there are no groups.
impl fmt::Display for InstrumentOffsets {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let one = |group: &Group| format!("{}={}", group.wavelengths, group.sigma_ppm);
        let mut all: Vec<String> = self.groups.iter().map(one).collect();
        all.sort();
        out.write_str(&all.join(";"))
    }
}

impl Group {
    /// `INSTRUMENT=SIGMA`.
    fn parse(word: &str) -> Result<Self, OffsetError> {
        let wrong = |fault: String| OffsetError::Word { word: word.to_owned(), fault };
        let Some((name, sigma)) = word.rsplit_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(wrong("has no `INSTRUMENT=`, expected a standard deviation in ppm, as in hst-wfc3=300".into()));
        };
        let (name, sigma) = (name.trim(), sigma.trim());
        if name.ends_with(ERROR) {
            return Err(wrong(format!("ends with `{ERROR}`, as the column of an error does, expected another name")));
        }
        let sigma_ppm: f64 = sigma
            .parse()
            .map_err(|_| wrong(format!("has `{sigma:.30}`, expected a number of ppm, as in hst-wfc3=300")))?;
        if !LEGAL_PPM.contains(&sigma_ppm) {
            let (least, most) = (LEGAL_PPM.start(), LEGAL_PPM.end());
            return Err(wrong(format!("has {sigma_ppm} ppm, expected a standard deviation of {least} to {most} ppm")));
        }
        let wavelengths =
            SpectrumMask::parse(name).map_err(|error| OffsetError::Mask { word: word.to_owned(), error })?;
        if wavelengths.given().contains(&true) {
            return Err(wrong("names a parameter of the atmosphere, expected wavelengths or an instrument".into()));
        }
        Ok(Self { name: name.to_owned(), wavelengths, sigma_ppm })
    }
}

/// How many points, and from where to where.
fn points_in_words(um: &[f64]) -> String {
    let least = um.iter().copied().fold(f64::INFINITY, f64::min);
    let most = um.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match um.len() {
        1 => format!("the point at {least:.4} um"),
        count => format!("{count} points from {least:.4} to {most:.4} um"),
    }
}
