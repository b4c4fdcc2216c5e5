//! Observed spectra as fits take them.

use std::path::Path;

use super::CommandError;
use super::records::{Record, Records};
use crate::atmosphere;
use crate::data::spectral_axis::in_words;
use crate::data::{Channel, Dataset, Header, Kind, Modality, SpectralAxis};
use crate::family::spectra_gan::{Aspa, AxisMask, Spectrum};
use crate::infer::latent_fit::Subject;

/// The dataset at `path`, if its spectra are those that the networks know.
pub fn open(path: &Path, aspa: &Aspa) -> Result<Dataset, CommandError> {
    let dataset = Dataset::open(path)?;
    let wrong = |fault: String| Err(CommandError::Wrong { path: path.to_owned(), fault });
    let manifest = dataset.manifest();
    let axis = match manifest.only(Kind::Spectrum) {
        Ok(modality) => modality.spectral_axis().expect("spectra have an axis"),
        Err(fault) => return wrong(fault),
    };
    if let Err(fault) = atmosphere::columns(&manifest.labels) {
        return wrong(fault);
    }
    if axis.wavelength_um != aspa.wavelength_um() {
        let (have, wanted) = (in_words(&axis.wavelength_um), in_words(aspa.wavelength_um()));
        return wrong(format!("has {have}, expected the run's {wanted}"));
    }
    Ok(dataset)
}

/// Wavelengths and channels of a dataset that `open` has opened.
pub fn axis_of(dataset: &Dataset) -> &SpectralAxis {
    dataset.manifest().modality().spectral_axis().expect("it holds spectra")
}

/// What a dataset of such spectra becomes where networks have made them: depths at all wavelengths, without errors, with all parameters.
pub fn whole(header: Header) -> Header {
    let axis = header.modality().spectral_axis().expect("it holds spectra").clone();
    let modality = Modality::spectra(SpectralAxis { channels: vec![Channel::Depth], ..axis });
    Header { modalities: vec![modality], labels: atmosphere::labels(), ..header }
}

/// The spectra of a dataset, and what a mask lets be known of them.
pub struct Spectra<'a> {
    dataset: &'a Dataset,
    records: Records<'a>,
    mask: &'a AxisMask,
    full_scale: [f64; 7],
    /// Which label each parameter is.
    columns: [Option<usize>; 7],
}

/// A record as it was observed.
pub struct Observation {
    /// The object's name in its dataset.
    pub id: u64,
    /// What of it is known.
    pub spectrum: Spectrum,
    /// The parameters that the dataset has, NaN where unknown.
    pub truth: [f32; 7],
}

impl<'a> Spectra<'a> {
    /// Of `dataset`, of which `mask` says what is known, for networks that learned with `aspa`.
    pub fn new(dataset: &'a Dataset, mask: &'a AxisMask, aspa: &Aspa) -> Self {
        let columns = atmosphere::columns(&dataset.manifest().labels).expect("`open` has looked at them");
        Self { dataset, records: Records::of(dataset), mask, full_scale: aspa.settings().full_scale.all(), columns }
    }

    /// Centres of the bins in micrometres.
    pub fn wavelength_um(&self) -> &[f64] {
        &axis_of(self.dataset).wavelength_um
    }

    /// Record number `record`.
    pub fn observation(&mut self, record: u64) -> Result<Observation, CommandError> {
        let record = self.records.read(record)?;
        self.observed(&record)
    }

    /// A record of the dataset as it was observed.
    pub fn observed(&self, record: &Record) -> Result<Observation, CommandError> {
        let Record { id, values, labels } = record;
        let truth = atmosphere::of_labels(&self.columns, labels);
        let (channels, given) = self.mask.hide(values, &truth).map_err(|fault| CommandError::Wrong {
            path: self.dataset.folder().to_owned(),
            fault: format!("object {id}: {fault}"),
        })?;
        let mut channels = channels.chunks_exact(values.len() / self.channels()).map(<[f32]>::to_vec);
        let mut next = || channels.next().expect("there are four channels");
        let (depths, error_below, error_above, observed) = (next(), next(), next(), next());
        let spectrum = Spectrum { depths, error_below, error_above, observed, parameters: self.pixels(&given) };
        Ok(Observation { id: *id, spectrum, truth })
    }

    /// Record number `record`, to be fitted.
    pub fn subject(&mut self, record: u64) -> Result<Subject, CommandError> {
        Ok(Subject { number: record, known: Box::new(self.observation(record)?.spectrum) })
    }

    /// Parameters as pixels, NaN where unknown. A gas of which there is nothing has the least mixing ratio that can be told.
    pub fn pixels(&self, parameters: &[f32]) -> Vec<f32> {
        let pixel = |(value, scale): (&f32, f64)| (f64::from(*value) / scale).clamp(0.0, 1.0) as f32;
        parameters.iter().zip(self.full_scale).map(pixel).collect()
    }

    fn channels(&self) -> usize {
        axis_of(self.dataset).channels.len()
    }
}
