//! Codecs: records whose image in a network's range is made of all their values and labels together.

use std::any::Any;
use std::error::Error;
use std::fmt::Debug;

use super::label::Label;
use super::modality::Modality;

/// What a codec does not take of a record, and what was wanted.
pub type CodecFault = Box<dyn Error + Send + Sync>;

/// Values and labels of a record <-> one image in a network's range.
///
/// Shapes: w = values of a record, p = labels, i = pixels of an image.
pub trait Codec: Any + Debug + Send + Sync {
    /// Whether it takes a modality of records with these labels; the error says what was wanted.
    fn check(&self, modality: &Modality, labels: &[Label]) -> Result<(), String>;

    /// The shape of an image, `[channels, h, w]`.
    fn shape(&self) -> Vec<usize>;

    /// The image of a record.
    ///
    /// - `values`: `[w]`, in physical units
    /// - `labels`: `[p]`
    /// - `image`: `[i]`, filled; in no defined state after an error
    fn encode(&self, values: &[f32], labels: &[f32], image: &mut [f32]) -> Result<(), CodecFault>;

    /// What images say: values `[n, w]` in physical units, and labels `[n, p]`.
    ///
    /// - `images`: `[n, i]`
    fn decode(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>);
}
