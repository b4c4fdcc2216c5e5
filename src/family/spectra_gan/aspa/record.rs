//! The codec as datasets and loaders know it.

use super::codec::Aspa;
use crate::atmosphere::{self, QUANTITIES};
use crate::data::codec::{Codec, CodecFault};
use crate::data::{Channel, Label, Modality};

impl Codec for Aspa {
    fn check(&self, modality: &Modality, labels: &[Label]) -> Result<(), String> {
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
        if axis.wavelength_um != self.wavelength_um() {
            return Err("its wavelengths are not those of the codec".into());
        }
        Ok(())
    }

    fn shape(&self) -> Vec<usize> {
        vec![1, self.side(), self.side()]
    }

    fn encode(&self, values: &[f32], labels: &[f32], image: &mut [f32]) -> Result<(), CodecFault> {
        Ok(Aspa::encode(self, values, labels, image)?)
    }

    fn decode(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (pixels, parameters) = (self.side().pow(2), QUANTITIES.len());
        let count = images.len() / pixels;
        let (mut depths, mut values) = (vec![0.0; count * self.points()], vec![0.0; count * parameters]);
        let records = depths.chunks_exact_mut(self.points()).zip(values.chunks_exact_mut(parameters));
        for (image, (depths, values)) in images.chunks_exact(pixels).zip(records) {
            Aspa::decode(self, image, depths, values);
        }
        (depths, values)
    }
}
