//! Spectral norm (Miyato et al. 2018): a layer's weight is divided by an estimate of its largest singular value.
//!
//! Letters: W = weight as a matrix `[outputs, all others]`, u, v = estimates of its first singular vectors, sigma = u^T W v.
//! In a forward u and v are constants, as in `torch.nn.utils.spectral_norm`, so that d sigma/dW = u v^T. They are state, not
//! parameters: a forward leaves them alone, and the trainer makes one power iteration after each update of the network, from
//! its new weights alone. So they do not depend on how many forwards, microbatches or ranks there are.

use tch::Tensor;

/// The singular vectors of one weight. Tensors are those of the network: what is done to them is done to it.
#[derive(Debug)]
pub struct SpectralVectors {
    /// The layer's name in the network; `NAME.weight_u` and `NAME.weight_v` are the vectors.
    pub name: String,
    /// The weight before it is divided.
    pub weight: Tensor,
    /// `[outputs]`, of norm 1.
    pub u: Tensor,
    /// `[weight.numel() / outputs]`, of norm 1.
    pub v: Tensor,
    output_dim: i64,
}

impl SpectralVectors {
    /// Iterations on new weights, as in `torch.nn.utils.parametrizations.spectral_norm`: with vectors drawn at random sigma
    /// could be anything, 0 too.
    const FIRST_ITERATIONS: usize = 15;

    /// Smallest norm that a vector is divided by, that of `torch.nn.functional.normalize`.
    const EPSILON: f64 = 1e-12;

    /// With `u` and `v` brought near the singular vectors of `weight`, whose outputs are along `output_dim`, 0 or 1.
    pub(super) fn new(name: String, weight: &Tensor, u: Tensor, v: Tensor, output_dim: i64) -> Self {
        let vectors = Self { name, weight: weight.shallow_clone(), u, v, output_dim };
        (0..Self::FIRST_ITERATIONS).for_each(|_| vectors.iterate());
        vectors
    }

    /// Another handle of the same tensors.
    #[must_use]
    pub fn handle(&self) -> Self {
        let [weight, u, v] = [&self.weight, &self.u, &self.v].map(Tensor::shallow_clone);
        Self { name: self.name.clone(), weight, u, v, output_dim: self.output_dim }
    }

    /// One power iteration, in place: v = W^T u / |W^T u|, then u = W v / |W v|. Never between a forward and its backward.
    pub fn iterate(&self) {
        tch::no_grad(|| {
            let matrix = self.matrix();
            let v = normalised(&matrix.tr().mv(&self.u));
            let u = normalised(&matrix.mv(&v));
            self.v.shallow_clone().copy_(&v);
            self.u.shallow_clone().copy_(&u);
        });
    }

    /// u^T W v, with the graph behind W.
    pub fn sigma(&self) -> Tensor {
        self.u.dot(&self.matrix().mv(&self.v))
    }

    /// W / sigma in the shape of the weight.
    pub fn normalised(&self) -> Tensor {
        &self.weight / self.sigma()
    }

    /// W, `[outputs, all others]`.
    fn matrix(&self) -> Tensor {
        self.weight.transpose(0, self.output_dim).flatten(1, -1)
    }
}

fn normalised(vector: &Tensor) -> Tensor {
    vector / vector.norm().clamp_min(SpectralVectors::EPSILON)
}
