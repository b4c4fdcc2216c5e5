//! Flat numbers on some device.
//!
//! On the host they are slices, which our own loops pass over once. On a device they are one tensor, and libtorch works
//! on the whole of it; the host sees copies.

use std::borrow::Cow;

use tch::{Device, Kind, Tensor};

/// Where flat numbers live, and so how they are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In memory that we reach: as slices.
    Host,
    /// Where only libtorch reaches: as whole tensors. `Device::Cpu` is as good as any other here, which is how these
    /// paths are tested where there is no GPU.
    Device(Device),
}

impl Home {
    /// Where what lies on `device` lives.
    pub fn of(device: Device) -> Self {
        if device == Device::Cpu { Home::Host } else { Home::Device(device) }
    }

    /// The device on which libtorch finds it.
    pub fn device(self) -> Device {
        match self {
            Home::Host => Device::Cpu,
            Home::Device(device) => device,
        }
    }
}

/// Single-precision numbers in one piece of memory.
#[derive(Debug)]
pub struct Buffer {
    flat: Tensor,
    home: Home,
}

impl Buffer {
    /// `count` zeros.
    pub fn zeros(count: usize, home: Home) -> Self {
        Self { flat: Tensor::zeros([count as i64], (Kind::Float, home.device())), home }
    }

    /// Those of `values`.
    pub fn of(values: &[f32], home: Home) -> Self {
        let mut buffer = Self::zeros(values.len(), home);
        buffer.write(values);
        buffer
    }

    /// `count` zeros on the host, from where a GPU fetches them without a detour.
    pub fn pinned(count: usize, device: Device) -> Self {
        let flat = Tensor::zeros([count as i64], (Kind::Float, Device::Cpu));
        // Pinned memory is a limited good and only a matter of speed.
        let flat = if device.is_cuda() { flat.f_pin_memory(device).unwrap_or(flat) } else { flat };
        Self { flat, home: Home::Host }
    }

    /// The same memory once more, for somebody else to work on meanwhile: `FlatSpace` sees to it that only one does.
    pub(super) fn share(&self) -> Self {
        Self { flat: self.flat.shallow_clone(), home: self.home }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.flat.size()[0] as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where they live.
    pub fn home(&self) -> Home {
        self.home
    }

    /// All of them as libtorch has them: the same memory.
    pub fn tensor(&self) -> &Tensor {
        &self.flat
    }

    /// All of them as libtorch has them, to be changed.
    pub fn tensor_mut(&mut self) -> &mut Tensor {
        &mut self.flat
    }

    /// What is there: borrowed on the host, else a copy.
    pub fn host(&self) -> Cow<'_, [f32]> {
        match self.home {
            Home::Host => Cow::Borrowed(self.as_slice()),
            Home::Device(_) => Cow::Owned(Vec::try_from(&self.flat).expect("a flat tensor of f32")),
        }
    }

    /// What is there, on the host.
    #[expect(unsafe_code, reason = "libtorch owns the memory; sums and optimisers work on slices")]
    pub fn as_slice(&self) -> &[f32] {
        assert_eq!(self.home, Home::Host, "slices are of the host's memory");
        if self.is_empty() {
            return &[]; // libtorch gives it no address
        }
        // SAFETY: `flat` is a contiguous CPU tensor of f32 made in this file and lives as long as the borrow. A network's
        // tensors may be views of the same memory; libtorch writes to them only inside forward and backward.
        unsafe { std::slice::from_raw_parts(self.flat.data_ptr().cast::<f32>(), self.len()) }
    }

    /// What is there, on the host, to be changed.
    #[expect(unsafe_code, reason = "libtorch owns the memory; sums and optimisers work on slices")]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        assert_eq!(self.home, Home::Host, "slices are of the host's memory");
        if self.is_empty() {
            return &mut [];
        }
        // SAFETY: as for `as_slice`, and the buffer is borrowed mutably; libtorch runs nothing meanwhile, since its work
        // on the CPU is done when a call returns.
        unsafe { std::slice::from_raw_parts_mut(self.flat.data_ptr().cast::<f32>(), self.len()) }
    }

    /// Takes `values`, as many as there are.
    pub fn write(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.len(), "a buffer keeps its length");
        match self.home {
            Home::Host => self.as_mut_slice().copy_from_slice(values),
            Home::Device(_) => self.flat.copy_(&Tensor::from_slice(values)),
        }
    }

    /// Takes what `other` has, wherever that lives.
    pub fn copy_from(&mut self, other: &Buffer) {
        assert_eq!(other.len(), self.len(), "a buffer keeps its length");
        match (self.home, other.home) {
            (Home::Host, Home::Host) => self.as_mut_slice().copy_from_slice(other.as_slice()),
            (Home::Host | Home::Device(_), _) => self.flat.copy_(&other.flat),
        }
    }

    /// Lets `edit` change what is there: in place on the host, else on a copy that goes back.
    pub fn change<T>(&mut self, edit: impl FnOnce(&mut [f32]) -> T) -> T {
        match self.home {
            Home::Host => edit(self.as_mut_slice()),
            Home::Device(_) => {
                let mut values = self.host().into_owned();
                let result = edit(&mut values);
                self.write(&values);
                result
            }
        }
    }

    /// Zeros everywhere.
    pub fn clear(&mut self) {
        match self.home {
            Home::Host => self.as_mut_slice().fill(0.0),
            Home::Device(_) => {
                let _ = self.flat.zero_();
            }
        }
    }

    /// Becomes `keep` times itself plus `1 - keep` times `new`, which lives in the same place.
    pub fn blend(&mut self, keep: f64, new: &Buffer) {
        match self.home {
            Home::Host => {
                let (keep, rest) = (keep as f32, (1.0 - keep) as f32);
                for (mean, value) in self.as_mut_slice().iter_mut().zip(new.as_slice()) {
                    *mean = keep * *mean + rest * value;
                }
            }
            Home::Device(_) => {
                let _ = self.flat.lerp_(&new.flat, 1.0 - keep);
            }
        }
    }

    /// The Euclidean norm as libtorch sums it up, in double precision, wherever the numbers live.
    pub fn norm(&self) -> f64 {
        self.flat.norm_scalaropt_dtype(2.0, Kind::Double).double_value(&[])
    }
}

impl Clone for Buffer {
    /// New memory with the same numbers.
    fn clone(&self) -> Self {
        Self { flat: self.flat.copy(), home: self.home }
    }
}
