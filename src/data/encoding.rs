//! How records come to what a network learns, and back.

use std::any::Any;
use std::sync::Arc;

use super::DataError;
use super::codec::Codec;
use super::label::Label;
use super::modality::Modality;
use super::normalise::{DomainError, Transform};
use super::records::Record;

/// Physical units <-> images in a network's range.
#[derive(Clone, Debug)]
pub enum Encoding {
    /// Each number by itself.
    Transform(Transform),
    /// A record with its labels as one image.
    Codec(Arc<dyn Codec>),
}

impl Encoding {
    /// Whether it takes a modality of records with these labels; the error says what was wanted.
    pub fn check(&self, modality: &Modality, labels: &[Label]) -> Result<(), String> {
        match self {
            Self::Transform(transform) => transform.validate().map_err(|reason| format!("`transform`: {reason}")),
            Self::Codec(codec) => codec.check(modality, labels),
        }
    }

    /// The codec, where it is a `C`.
    pub fn codec<C: Codec>(&self) -> Option<Arc<C>> {
        match self {
            Self::Transform(_) => None,
            Self::Codec(codec) => (Arc::clone(codec) as Arc<dyn Any + Send + Sync>).downcast().ok(),
        }
    }

    /// The image of record number `record`.
    ///
    /// - `values`: in physical units; `labels`: `[p]`
    /// - `image`: filled; in no defined state after an error
    pub fn encode(&self, record: u64, values: &[f32], labels: &[f32], image: &mut [f32]) -> Result<(), DataError> {
        match self {
            Self::Transform(transform) => {
                image.copy_from_slice(values);
                transform.forward(image).map_err(|source| DataError::Domain { record, source })
            }
            Self::Codec(codec) => {
                codec.encode(values, labels, image).map_err(|source| DataError::Codec { record, source })
            }
        }
    }

    /// The image of a record of one modality, `modality`.
    pub fn image(&self, number: u64, record: &Record, modality: &Modality) -> Result<Vec<f32>, DataError> {
        let mut image = vec![0.0; self.shape(&modality.shape).iter().product()];
        self.encode(number, &record.values, &record.labels, &mut image)?;
        Ok(image)
    }

    /// The shape of an image of a record of shape `shape`.
    pub fn shape(&self, shape: &[usize]) -> Vec<usize> {
        match self {
            Self::Transform(_) => shape.to_vec(),
            Self::Codec(codec) => codec.shape(),
        }
    }

    /// What images say in physical units: values `[n, ...]`, and the labels `[n, p]` that they hold.
    ///
    /// - `images`: `[n, ...]`, in the network's range
    pub fn decode(&self, mut images: Vec<f32>) -> Result<(Vec<f32>, Vec<f32>), DomainError> {
        match self {
            Self::Transform(transform) => transform.inverse(&mut images).map(|()| (images, Vec::new())),
            Self::Codec(codec) => Ok(codec.decode(&images)),
        }
    }
}
