//! Observed spectra as the fit takes them.

use crate::command::CommandError;
use crate::data::mask::AxisMask;
use crate::data::{Aspa, Block, Dataset};
use crate::inference::latent_fit::{Known, Spectrum, Subject};

/// The records of a dataset, in blocks that are read once where objects come in order.
pub struct Spectra<'a> {
    dataset: &'a Dataset,
    mask: &'a AxisMask,
    full_scale: [f64; 7],
    block: Block,
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
        Self { dataset, mask, full_scale: aspa.settings().full_scale.all(), block: Block::default() }
    }

    /// Centres of the bins in micrometres.
    pub fn wavelength_um(&self) -> &[f64] {
        &self.dataset.manifest().axis.as_ref().expect("it holds spectra").wavelength_um
    }

    /// Record number `record`.
    pub fn observation(&mut self, record: u64) -> Result<Observation, CommandError> {
        if !self.block.records().contains(&record) {
            self.dataset.read_block_into(self.dataset.blocks().holding(record), &mut self.block)?;
        }
        let row = (record - self.block.records().start) as usize;
        let mut values = vec![0.0; self.dataset.manifest().record_len()];
        self.block.copy_row(row, &mut values);
        let mut truth = [f32::NAN; 7];
        for (slot, value) in truth.iter_mut().zip(self.block.parameters(row)) {
            *slot = value;
        }
        let id = self.block.id(row);
        let (channels, given) = self.mask.hide(&values, &truth).map_err(|fault| CommandError::Wrong {
            path: self.dataset.folder().to_owned(),
            fault: format!("object {id}: {fault}"),
        })?;
        let mut channels = channels.chunks_exact(values.len() / self.channels()).map(<[f32]>::to_vec);
        let mut next = || channels.next().expect("there are four channels");
        let (depths, error_below, error_above, observed) = (next(), next(), next(), next());
        // A gas of which there is nothing has the least mixing ratio that can be told.
        let pixels =
            given.iter().zip(self.full_scale).map(|(value, scale)| (f64::from(*value) / scale).clamp(0.0, 1.0) as f32);
        let spectrum = Spectrum { depths, error_below, error_above, observed, parameters: pixels.collect() };
        Ok(Observation { id, spectrum, truth })
    }

    /// Record number `record`, to be fitted.
    pub fn subject(&mut self, record: u64) -> Result<Subject, CommandError> {
        Ok(Subject { number: record, known: Known::Spectrum(self.observation(record)?.spectrum) })
    }

    fn channels(&self) -> usize {
        self.dataset.manifest().axis.as_ref().map_or(1, |axis| axis.channels.len())
    }
}
