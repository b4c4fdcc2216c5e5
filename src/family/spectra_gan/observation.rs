//! Spectra of a dataset as they were observed, behind a mask.
//!
//! Shapes: w = points of a spectrum, p = 7 parameters.

use std::path::PathBuf;

use super::aspa::Aspa;
use super::fit::Spectrum;
use super::mask::{AxisMask, SpectrumMask};
use crate::atmosphere;
use crate::data::mask::MaskError;
use crate::data::spectral_axis::in_words;
use crate::data::{Channel, Dataset, Header, Kind, Manifest, Modality, Record, SpectralAxis};
use crate::infer::MapError;

/// Whether the records of `manifest` are spectra that networks with this codec know; the error says what was wanted.
pub fn check(manifest: &Manifest, aspa: &Aspa) -> Result<(), String> {
    let axis = manifest.only(Kind::Spectrum)?.spectral_axis().expect("spectra have an axis");
    atmosphere::columns(&manifest.labels)?;
    if axis.wavelength_um != aspa.wavelength_um() {
        let (have, wanted) = (in_words(&axis.wavelength_um), in_words(aspa.wavelength_um()));
        return Err(format!("has {have}, expected the run's {wanted}"));
    }
    Ok(())
}

/// Wavelengths and channels of a dataset of spectra.
pub fn axis_of(dataset: &Dataset) -> &SpectralAxis {
    dataset.manifest().modality().spectral_axis().expect("it holds spectra")
}

/// The header of a dataset of such spectra as networks make them: depths at all wavelengths, without errors, with all parameters.
pub fn whole(header: Header) -> Header {
    let axis = header.modality().spectral_axis().expect("it holds spectra").clone();
    let modality = Modality::spectra(SpectralAxis { channels: vec![Channel::Depth], ..axis });
    Header { modalities: vec![modality], labels: atmosphere::labels(), ..header }
}

/// What is known of the spectra of a dataset.
#[derive(Clone, Debug)]
pub struct Observer {
    folder: PathBuf,
    mask: AxisMask,
    full_scale: [f64; 7],
    /// Which label each parameter is.
    columns: [Option<usize>; 7],
    channels: usize,
}

/// A record as it was observed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Id of the object in its dataset.
    pub id: u64,
    /// What of it is known.
    pub spectrum: Spectrum,
    /// `[p]`, the parameters that the dataset has, NaN where unknown.
    pub truth: [f32; 7],
}

impl Observer {
    /// Of `dataset`, which [`check`] takes and of which `mask` says what is known, for networks that learned with `aspa`.
    pub fn new(dataset: &Dataset, mask: &SpectrumMask, aspa: &Aspa) -> Result<Self, MaskError> {
        let axis = axis_of(dataset);
        Ok(Self {
            folder: dataset.folder().to_owned(),
            mask: mask.on(axis)?,
            full_scale: aspa.settings().full_scale.all(),
            columns: atmosphere::columns(&dataset.manifest().labels).expect("`check` has looked at them"),
            channels: axis.channels.len(),
        })
    }

    /// The mask on the points of the dataset.
    pub fn mask(&self) -> &AxisMask {
        &self.mask
    }

    /// The parameters that `labels` of a record hold, `[p]`, NaN where unknown.
    pub fn parameters(&self, labels: &[f32]) -> [f32; 7] {
        atmosphere::of_labels(&self.columns, labels)
    }

    /// Which points of a record are known, `[w]`.
    pub fn known(&self, record: &Record) -> Result<Vec<bool>, MapError> {
        self.mask.known(&record.values).map_err(|fault| self.fault(record, &fault))
    }

    /// A record of the dataset as it was observed.
    pub fn observe(&self, record: &Record) -> Result<Observation, MapError> {
        let Record { id, values, labels } = record;
        let truth = self.parameters(labels);
        let (channels, given) = self.mask.hide(values, &truth).map_err(|fault| self.fault(record, &fault))?;
        let mut channels = channels.chunks_exact(values.len() / self.channels).map(<[f32]>::to_vec);
        let mut next = || channels.next().expect("there are four channels");
        let (depths, error_below, error_above, observed) = (next(), next(), next(), next());
        let spectrum = Spectrum { depths, error_below, error_above, observed, parameters: self.pixels(&given) };
        Ok(Observation { id: *id, spectrum, truth })
    }

    /// Parameters as pixels, `[p]`, NaN where unknown. A gas of which there is nothing has the least mixing ratio that can be told.
    pub fn pixels(&self, parameters: &[f32]) -> Vec<f32> {
        let pixel = |(value, scale): (&f32, f64)| (f64::from(*value) / scale).clamp(0.0, 1.0) as f32;
        parameters.iter().zip(self.full_scale).map(pixel).collect()
    }

    fn fault(&self, record: &Record, fault: &MaskError) -> MapError {
        MapError::Record { dataset: self.folder.clone(), id: record.id, fault: fault.to_string() }
    }
}
