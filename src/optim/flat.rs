//! A network's parameters, gradients and state as flat buffers, in name order.
//!
//! One buffer of parameters, one of gradients with a tail for what rides along in the reduction, and one of *state*:
//! everything that is no parameter (running moments of batch norm). The network's own tensors become views into them,
//! so that forward, backward, sums over ranks and the optimiser touch the same memory without a copy.
//!
//! On a device only the sums over ranks do not: they work on a second gradient buffer in pinned host memory, and the
//! tail is there alone. `stage_down` and `stage_up` copy between the two; on the host they do nothing.

use tch::{Kind, Tensor, nn};

use super::buffer::{Buffer, Home};
use crate::kernels;

/// One tensor of a network inside a flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// PyTorch's name: `up1.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Where it starts in the buffer.
    pub offset: usize,
}

impl Entry {
    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lies in the buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// The flat buffers of one network.
#[derive(Debug)]
pub struct FlatSpace {
    parameters: Buffer,
    gradient: Buffer,
    /// What goes through the sum over ranks, where that is not `gradient` itself.
    staging: Option<Buffer>,
    state: Buffer,
    parameter_layout: Vec<Entry>,
    state_layout: Vec<Entry>,
    views: Vec<Tensor>,
    /// The parameters in half precision, for those who compute in it.
    halves: Option<Tensor>,
    lent: bool,
    generation: u64,
}

/// The gradient buffer of a space, on its way through a sum that another thread makes.
#[derive(Debug)]
pub struct Lent(Buffer);

impl Lent {
    /// Gradients, then the tail.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }
}

impl FlatSpace {
    /// Moves everything in `store` (single precision) into flat buffers on its device and keeps the values.
    /// What is summed over ranks has `tail` numbers more than there are parameters.
    pub fn bind(store: &nn::VarStore, tail: usize) -> Self {
        Self::bind_at(Home::of(store.device()), store, tail)
    }

    /// The same, where `home` says: it is on the device of `store`.
    pub fn bind_at(home: Home, store: &nn::VarStore, tail: usize) -> Self {
        assert_eq!(home.device(), store.device(), "buffers lie where the network is");
        let mut named: Vec<(String, Tensor)> = store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0)); // a VarStore is a hash map
        let (trained, kept): (Vec<_>, Vec<_>) = named.into_iter().partition(|(_, tensor)| tensor.requires_grad());
        let (parameter_layout, parameters) = lay_out(&trained, home);
        let (state_layout, state) = lay_out(&kept, home);
        let count = parameters.len();
        let (gradient, staging) = match home {
            Home::Host => (Buffer::zeros(count + tail, home), None),
            Home::Device(device) => (Buffer::zeros(count, home), Some(Buffer::pinned(count + tail, device))),
        };

        // A gradient must exist before it can be told where to lie.
        let nothing = trained.iter().map(|(_, tensor)| tensor.sum(Kind::Float) * 0.0).reduce(|a, b| a + b);
        nothing.expect("a network has parameters").backward();
        for ((_, tensor), entry) in trained.iter().zip(&parameter_layout) {
            tensor.shallow_clone().set_data(&view(parameters.tensor(), entry));
            tensor.grad().set_data(&view(gradient.tensor(), entry));
        }
        for ((_, tensor), entry) in kept.iter().zip(&state_layout) {
            tensor.shallow_clone().set_data(&view(state.tensor(), entry));
        }
        let views = trained.into_iter().map(|(_, tensor)| tensor).collect();
        let (halves, lent, generation) = (None, false, 0);
        let space = Self {
            parameters,
            gradient,
            staging,
            state,
            parameter_layout,
            state_layout,
            views,
            halves,
            lent,
            generation,
        };
        space.check();
        space
    }

    /// From now on the tensors `halves`, each named as the parameter that it stands for, follow the parameters in half
    /// precision: their data are views of one buffer, renewed whenever the parameters are changed.
    pub fn follow(&mut self, halves: &[(String, Tensor)]) {
        if halves.is_empty() {
            return;
        }
        let flat = self.parameters.tensor().to_kind(Kind::BFloat16);
        for (name, half) in halves {
            let entry = self.parameter_layout.iter().find(|entry| entry.name == *name);
            let entry = entry.expect("a half stands for a parameter");
            half.shallow_clone().set_data(&view(&flat, entry));
        }
        self.halves = Some(flat);
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where each parameter lies.
    pub fn parameter_layout(&self) -> &[Entry] {
        &self.parameter_layout
    }

    /// Where each piece of state lies.
    pub fn state_layout(&self) -> &[Entry] {
        &self.state_layout
    }

    /// The parameters.
    pub fn parameters(&self) -> &Buffer {
        &self.parameters
    }

    /// Lets `change` change the parameters: never between a forward and its backward, which libtorch would refuse.
    pub fn change_parameters<T>(&mut self, change: impl FnOnce(&mut Buffer) -> T) -> T {
        let result = change(&mut self.parameters);
        self.renew();
        result
    }

    /// Parameters have changed: what follows them follows.
    fn renew(&mut self) {
        self.generation += 1;
        self.views.iter().for_each(kernels::changed);
        if let Some(halves) = &mut self.halves {
            halves.copy_(self.parameters.tensor());
        }
    }

    /// Gradients, then the tail: the host's side, which is summed over ranks.
    pub fn gradient(&self) -> &[f32] {
        self.assert_here();
        self.staging.as_ref().unwrap_or(&self.gradient).as_slice()
    }

    /// The host's side of the gradients, then the tail, to be changed.
    pub fn gradient_mut(&mut self) -> &mut [f32] {
        self.assert_here();
        self.staging.as_mut().unwrap_or(&mut self.gradient).as_mut_slice()
    }

    /// Gradients where a device has them, without the tail; nothing on the host.
    pub fn device_gradient(&mut self) -> Option<&mut Buffer> {
        self.assert_here();
        self.staging.as_ref().map(|_| &mut self.gradient)
    }

    /// Makes room for the gradients of the next backward, on both sides, and for a new tail.
    pub fn clear(&mut self) {
        self.assert_here();
        self.gradient.clear();
        if let Some(staging) = &mut self.staging {
            staging.clear();
        }
    }

    /// Brings the gradients of a backward to the host's side. The tail stays as it is.
    pub fn stage_down(&mut self) {
        self.assert_here();
        let count = self.len() as i64;
        if let Some(staging) = &mut self.staging {
            // Waits for the device: the copy is there when the call returns.
            staging.tensor_mut().narrow(0, 0, count).copy_(self.gradient.tensor());
        }
    }

    /// Brings what the host's side has become to where the optimiser takes it from.
    pub fn stage_up(&mut self) {
        self.assert_here();
        let count = self.len() as i64;
        if let Some(staging) = &self.staging {
            self.gradient.tensor_mut().copy_(&staging.tensor().narrow(0, 0, count));
        }
    }

    /// Lets an optimiser change the parameters by their gradients. On the host the gradients end in the tail.
    pub fn update<T>(&mut self, update: impl FnOnce(&mut Buffer, &Buffer) -> T) -> T {
        self.assert_here();
        let result = update(&mut self.parameters, &self.gradient);
        self.renew();
        result
    }

    /// How often the parameters may have been changed: a forward and its backward want the same.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Hands out the gradient buffer, the host's side of it, to be taken back before anybody looks at it or a backward adds to it.
    pub fn lend(&mut self) -> Lent {
        self.assert_here();
        self.lent = true;
        Lent(self.staging.as_ref().unwrap_or(&self.gradient).share())
    }

    fn assert_here(&self) {
        assert!(!self.lent, "the gradient is not with somebody else");
    }

    /// Takes it back.
    pub fn take_back(&mut self, lent: Lent) {
        let Lent(buffer) = lent;
        self.lent = false;
        assert_eq!(buffer.as_slice().as_ptr(), self.gradient().as_ptr(), "it is the buffer that was lent");
    }

    /// The state.
    pub fn state(&self) -> &Buffer {
        &self.state
    }

    /// The state, to be changed.
    pub fn state_mut(&mut self) -> &mut Buffer {
        &mut self.state
    }

    /// Panics if a parameter or gradient has left its buffer: something replaced the tensor instead of filling it.
    pub fn check(&self) {
        let bytes = size_of::<f32>();
        for (tensor, entry) in self.views.iter().zip(&self.parameter_layout) {
            let at = |flat: &Buffer| flat.tensor().data_ptr() as usize + entry.offset * bytes;
            assert_eq!(tensor.data_ptr() as usize, at(&self.parameters), "{} lies in the flat parameters", entry.name);
            assert_eq!(tensor.grad().data_ptr() as usize, at(&self.gradient), "{}'s gradient is flat", entry.name);
        }
    }
}

/// One buffer with the values of `tensors` one after the other, and where each went.
fn lay_out(tensors: &[(String, Tensor)], home: Home) -> (Vec<Entry>, Buffer) {
    let mut layout = Vec::with_capacity(tensors.len());
    let mut offset = 0;
    for (name, tensor) in tensors {
        assert_eq!(tensor.kind(), Kind::Float, "{name} is kept in single precision");
        let entry = Entry { name: name.clone(), shape: tensor.size(), offset };
        offset += entry.len();
        layout.push(entry);
    }
    let flat = Buffer::zeros(offset, home);
    tch::no_grad(|| {
        for ((_, tensor), entry) in tensors.iter().zip(&layout) {
            view(flat.tensor(), entry).copy_(tensor);
        }
    });
    (layout, flat)
}

fn view(flat: &Tensor, entry: &Entry) -> Tensor {
    flat.narrow(0, entry.offset as i64, entry.len() as i64).view(entry.shape.as_slice())
}
