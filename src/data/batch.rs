//! A microbatch as it is loaded, and as networks take it: tensors on their device.
//!
//! Shapes: b = records, m = modalities, p = labels.

use tch::{Device, Kind, Tensor};

use super::DataError;
use super::dataset::Dataset;
use super::encoding::Encoding;

/// One leaf of the gradient sum, ready for the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Microbatch {
    /// Position of its first record.
    pub position: u64,
    /// For each modality `[n, ...]`, images of records in the network's range; 0 where a record lacks it.
    pub values: Vec<Vec<f32>>,
    /// `[n, modalities]`, 1 where the record has the modality, else 0.
    pub present: Vec<u8>,
    /// `[n, p]`, NaN = unknown, as they are on disk.
    pub labels: Vec<f32>,
    /// `[n]`, names of the records.
    pub ids: Vec<u64>,
    /// Rows of damaged blocks in windows that begin with it.
    pub(super) skipped_rows: u64,
}

/// Records on a device.
#[derive(Debug)]
pub struct Batch {
    /// For each modality `[b, ...]`, in the range of the networks; 0 where a record lacks it.
    pub inputs: Vec<Tensor>,
    /// `[b, m]`, 1 where the record has the modality, else 0.
    pub present: Tensor,
    /// `[b, p]`, as in the dataset; 0 where a label is unknown.
    pub labels: Tensor,
    /// `[b, p]`, 1 where the label is known, else 0.
    pub known: Tensor,
    /// `[b]`, names of the records.
    pub ids: Vec<u64>,
    /// Position of the first record in the order of training.
    pub position: u64,
}

impl Batch {
    /// Moves `microbatch` to `device`.
    ///
    /// - `shapes`: of a record of each modality, in the range of the networks
    pub fn new(microbatch: &Microbatch, shapes: &[Vec<usize>], device: Device) -> Self {
        let rows = microbatch.ids.len();
        let input = |(values, shape): (&Vec<f32>, &Vec<usize>)| {
            let shape: Vec<i64> = std::iter::once(&rows).chain(shape).map(|&n| n as i64).collect();
            Tensor::from_slice(values).view(shape.as_slice()).to_device(device)
        };
        let matrix = |values: &[f32]| Tensor::from_slice(values).view([rows as i64, -1]).to_device(device);
        let table = |values: &[f32]| if values.is_empty() { empty(rows, device) } else { matrix(values) };
        let modalities = microbatch.values.len() as i64;
        let present = if microbatch.present.iter().all(|&present| present == 1) {
            Tensor::ones([rows as i64, modalities], (Kind::Float, device)) // the usual case, without a copy
        } else {
            let present: Vec<f32> = microbatch.present.iter().map(|&present| f32::from(present)).collect();
            table(&present)
        };
        let known: Vec<f32> = microbatch.labels.iter().map(|label| f32::from(u8::from(!label.is_nan()))).collect();
        let labels: Vec<f32> =
            microbatch.labels.iter().map(|label| if label.is_nan() { 0.0 } else { *label }).collect();
        Self {
            inputs: microbatch.values.iter().zip(shapes).map(input).collect(),
            present,
            labels: table(&labels),
            known: table(&known),
            ids: microbatch.ids.clone(),
            position: microbatch.position,
        }
    }

    /// Reads `records` of `dataset`, in their order.
    ///
    /// - `encodings`: one a modality
    ///
    /// # Errors
    /// Where a record cannot be read, or is not one that an encoding takes.
    pub fn read(dataset: &Dataset, records: &[u64], encodings: &[Encoding], device: Device) -> Result<Self, DataError> {
        let manifest = dataset.manifest();
        let rows = dataset.read_rows(records)?;
        let (modalities, labels) = (manifest.modalities.len(), manifest.labels.len());
        let mut microbatch =
            Microbatch { present: rows.present, labels: rows.labels, ids: rows.ids, ..Microbatch::default() };
        let mut shapes = Vec::new();
        for (number, (modality, encoding)) in manifest.modalities.iter().zip(encodings).enumerate() {
            let shape = encoding.shape(&modality.shape);
            let mut images = vec![0.0; records.len() * shape.iter().product::<usize>()];
            let values = rows.values[number].chunks_exact(modality.len());
            for (row, (values, image)) in values.zip(images.chunks_exact_mut(shape.iter().product())).enumerate() {
                if microbatch.present[row * modalities + number] == 1 {
                    let labels = &microbatch.labels[row * labels..(row + 1) * labels];
                    encoding.encode(records[row], values, labels, image)?;
                }
            }
            microbatch.values.push(images);
            shapes.push(shape);
        }
        Ok(Self::new(&microbatch, &shapes, device))
    }

    /// The same on `device`.
    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        Self {
            inputs: self.inputs.iter().map(|input| input.to_device(device)).collect(),
            present: self.present.to_device(device),
            labels: self.labels.to_device(device),
            known: self.known.to_device(device),
            ids: self.ids.clone(),
            position: self.position,
        }
    }

    /// Records without labels that have all modalities.
    ///
    /// - `inputs`: for each modality `[b, ...]`, in the range of the networks
    pub fn of(inputs: Vec<Tensor>) -> Self {
        let (rows, device) = (inputs[0].size()[0], inputs[0].device());
        Self {
            present: Tensor::ones([rows, inputs.len() as i64], (Kind::Float, device)),
            inputs,
            labels: empty(rows as usize, device),
            known: empty(rows as usize, device),
            ids: (0..rows as u64).collect(),
            position: 0,
        }
    }

    /// The only modality, `[b, ...]`.
    ///
    /// # Panics
    /// Where there are several: a family that takes one modality refuses other datasets.
    pub fn input(&self) -> &Tensor {
        let [input] = self.inputs.as_slice() else { panic!("the records have {} modalities", self.inputs.len()) };
        input
    }

    /// Records in it.
    pub fn size(&self) -> i64 {
        self.inputs[0].size()[0]
    }
}

fn empty(rows: usize, device: Device) -> Tensor {
    Tensor::zeros([rows as i64, 0], (Kind::Float, device))
}
