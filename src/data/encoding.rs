//! How records come to what a network learns, and back.

use std::sync::Arc;

use tch::Device;

use super::aspa::{Aspa, AspaTensors};
use super::atmosphere;
use super::label::Label;
use super::modality::Modality;
use super::normalise::{DomainError, Transform};
use super::spectral_axis::Channel;

/// Physical units <-> images in a network's range.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// Each number by itself.
    Transform(Transform),
    /// A spectrum with the parameters of its atmosphere as one image.
    Aspa(Arc<Aspa>),
}

impl Encoding {
    /// Whether it takes a modality of records with these labels; the error says what was wanted.
    pub fn check(&self, modality: &Modality, labels: &[Label]) -> Result<(), String> {
        let aspa = match self {
            Self::Transform(transform) => {
                return transform.validate().map_err(|reason| format!("`transform`: {reason}"));
            }
            Self::Aspa(aspa) => aspa,
        };
        let Some(axis) = modality.spectral_axis() else {
            return Err(format!("holds {}, expected spectra for the codec aspa", modality.kind.plural()));
        };
        if axis.channels != [Channel::Depth] {
            return Err("its records have errors and points that were not observed, expected simulated spectra: \
                 `axis.channels` = [\"depth\"]"
                .into());
        }
        let names = |labels: &[Label]| -> String {
            let names = labels.iter().map(|label| format!("{} ({})", label.name, label.unit()));
            names.collect::<Vec<_>>().join(", ")
        };
        let (have, wanted) = (names(labels), names(&atmosphere::labels()));
        if have != wanted {
            let have = if have.is_empty() { "none".to_owned() } else { have };
            return Err(format!("its labels are {have}, expected {wanted}"));
        }
        if axis.wavelength_um != aspa.wavelength_um() {
            return Err("its wavelengths are not those of the codec".into());
        }
        Ok(())
    }

    /// The codec on a device, where it is one of spectra.
    pub fn codec(&self, device: Device) -> Option<AspaTensors> {
        match self {
            Self::Transform(_) => None,
            Self::Aspa(aspa) => Some(AspaTensors::new(aspa, device)),
        }
    }

    /// The shape of an image of a record of shape `shape`.
    pub fn shape(&self, shape: &[usize]) -> Vec<usize> {
        match self {
            Self::Transform(_) => shape.to_vec(),
            Self::Aspa(aspa) => vec![1, aspa.side(), aspa.side()],
        }
    }

    /// What images say in physical units: values `[n, ...]`, and the parameters `[n, p]` that they hold.
    ///
    /// - `images`: `[n, ...]`, in the network's range
    pub fn decode(&self, mut images: Vec<f32>) -> Result<(Vec<f32>, Vec<f32>), DomainError> {
        let aspa = match self {
            Self::Transform(transform) => {
                transform.inverse(&mut images)?;
                return Ok((images, Vec::new()));
            }
            Self::Aspa(aspa) => aspa,
        };
        let (pixels, parameters) = (aspa.side().pow(2), atmosphere::QUANTITIES.len());
        let count = images.len() / pixels;
        let (mut depths, mut values) = (vec![0.0; count * aspa.points()], vec![0.0; count * parameters]);
        let records = depths.chunks_exact_mut(aspa.points()).zip(values.chunks_exact_mut(parameters));
        for (image, (depths, values)) in images.chunks_exact(pixels).zip(records) {
            aspa.decode(image, depths, values);
        }
        Ok((depths, values))
    }
}
