//! A network's parameters, gradients and state as flat buffers, in name order.
//!
//! One buffer of parameters, one of gradients with a tail for what rides along in the reduction, and one of *state*:
//! everything that is no parameter (running moments of batch norm). The network's own tensors become views into them,
//! so that forward, backward, sums over ranks and the optimiser touch the same memory without a copy.

use tch::{Device, Kind, Tensor, nn};

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
    parameters: Tensor,
    gradient: Tensor,
    state: Tensor,
    parameter_layout: Vec<Entry>,
    state_layout: Vec<Entry>,
    views: Vec<Tensor>,
    lent: bool,
    generation: u64,
}

/// The gradient buffer of a space, on its way through a sum that another thread makes.
#[derive(Debug)]
pub struct Lent(Tensor);

impl Lent {
    /// Gradients, then the tail.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        slice_mut(&mut self.0)
    }
}

impl FlatSpace {
    /// Moves everything in `store` (on the CPU, single precision) into flat buffers and keeps the values.
    /// The gradient buffer gets `tail` numbers more than there are parameters.
    pub fn bind(store: &nn::VarStore, tail: usize) -> Self {
        let mut named: Vec<(String, Tensor)> = store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0)); // a VarStore is a hash map
        let (trained, kept): (Vec<_>, Vec<_>) = named.into_iter().partition(|(_, tensor)| tensor.requires_grad());
        let (parameter_layout, parameters) = lay_out(&trained);
        let (state_layout, state) = lay_out(&kept);
        let count = parameters.size()[0];
        let gradient = Tensor::zeros([count + tail as i64], (Kind::Float, Device::Cpu));

        // A gradient must exist before it can be told where to lie.
        let nothing = trained.iter().map(|(_, tensor)| tensor.sum(Kind::Float) * 0.0).reduce(|a, b| a + b);
        nothing.expect("a network has parameters").backward();
        for ((_, tensor), entry) in trained.iter().zip(&parameter_layout) {
            tensor.shallow_clone().set_data(&view(&parameters, entry));
            tensor.grad().set_data(&view(&gradient, entry));
        }
        for ((_, tensor), entry) in kept.iter().zip(&state_layout) {
            tensor.shallow_clone().set_data(&view(&state, entry));
        }
        let views = trained.into_iter().map(|(_, tensor)| tensor).collect();
        let (lent, generation) = (false, 0);
        let space = Self { parameters, gradient, state, parameter_layout, state_layout, views, lent, generation };
        space.check();
        space
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.parameters.size()[0] as usize
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
    pub fn parameters(&self) -> &[f32] {
        slice(&self.parameters)
    }

    /// The parameters, to be changed: never between a forward and its backward, since libtorch would not notice.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        self.generation += 1;
        slice_mut(&mut self.parameters)
    }

    /// Gradients, then the tail.
    pub fn gradient(&self) -> &[f32] {
        assert!(!self.lent, "the gradient is not with somebody else");
        slice(&self.gradient)
    }

    /// Gradients, then the tail, to be changed.
    pub fn gradient_mut(&mut self) -> &mut [f32] {
        assert!(!self.lent, "the gradient is not with somebody else");
        slice_mut(&mut self.gradient)
    }

    /// Parameters and their gradients at once, for an optimiser.
    pub fn parameters_and_gradient(&mut self) -> (&mut [f32], &[f32]) {
        assert!(!self.lent, "the gradient is not with somebody else");
        self.generation += 1;
        let count = self.len();
        (slice_mut(&mut self.parameters), &slice(&self.gradient)[..count])
    }

    /// How often the parameters may have been changed: a forward and its backward want the same.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Hands the gradient buffer out, to be taken back before anybody looks at it or a backward adds to it.
    pub fn lend(&mut self) -> Lent {
        assert!(!self.lent, "the gradient is not with somebody else");
        self.lent = true;
        Lent(self.gradient.shallow_clone())
    }

    /// Takes it back.
    pub fn take_back(&mut self, lent: Lent) {
        let Lent(buffer) = lent;
        assert_eq!(buffer.data_ptr(), self.gradient.data_ptr(), "it is the buffer that was lent");
        self.lent = false;
    }

    /// The state.
    pub fn state(&self) -> &[f32] {
        slice(&self.state)
    }

    /// The state, to be changed.
    pub fn state_mut(&mut self) -> &mut [f32] {
        slice_mut(&mut self.state)
    }

    /// Panics if a parameter or gradient has left its buffer: something replaced the tensor instead of filling it.
    pub fn check(&self) {
        let bytes = size_of::<f32>();
        for (tensor, entry) in self.views.iter().zip(&self.parameter_layout) {
            let at = |flat: &Tensor| flat.data_ptr() as usize + entry.offset * bytes;
            assert_eq!(tensor.data_ptr() as usize, at(&self.parameters), "{} lies in the flat parameters", entry.name);
            assert_eq!(tensor.grad().data_ptr() as usize, at(&self.gradient), "{}'s gradient is flat", entry.name);
        }
    }
}

/// One buffer with the values of `tensors` one after the other, and where each went.
fn lay_out(tensors: &[(String, Tensor)]) -> (Vec<Entry>, Tensor) {
    let mut layout = Vec::with_capacity(tensors.len());
    let mut offset = 0;
    for (name, tensor) in tensors {
        assert_eq!(tensor.kind(), Kind::Float, "{name} is kept in single precision");
        let entry = Entry { name: name.clone(), shape: tensor.size(), offset };
        offset += entry.len();
        layout.push(entry);
    }
    let flat = Tensor::zeros([offset as i64], (Kind::Float, Device::Cpu));
    tch::no_grad(|| {
        for ((_, tensor), entry) in tensors.iter().zip(&layout) {
            view(&flat, entry).copy_(tensor);
        }
    });
    (layout, flat)
}

fn view(flat: &Tensor, entry: &Entry) -> Tensor {
    flat.narrow(0, entry.offset as i64, entry.len() as i64).view(entry.shape.as_slice())
}

#[expect(unsafe_code, reason = "libtorch owns the buffer; sums and optimisers work on slices")]
fn slice(flat: &Tensor) -> &[f32] {
    if flat.numel() == 0 {
        return &[]; // libtorch gives it no address
    }
    // SAFETY: `flat` is a contiguous CPU tensor of f32 made in this file and lives as long as the borrow. The network's
    // own tensors are views of the same memory; they are written by libtorch only inside forward and backward.
    unsafe { std::slice::from_raw_parts(flat.data_ptr().cast::<f32>(), flat.numel()) }
}

#[expect(unsafe_code, reason = "libtorch owns the buffer; sums and optimisers work on slices")]
fn slice_mut(flat: &mut Tensor) -> &mut [f32] {
    if flat.numel() == 0 {
        return &mut [];
    }
    // SAFETY: as for `slice`, and the space that owns `flat` is borrowed mutably; libtorch runs nothing meanwhile,
    // since its work on the CPU is done when a call returns.
    unsafe { std::slice::from_raw_parts_mut(flat.data_ptr().cast::<f32>(), flat.numel()) }
}
