//! ExoGAN (Zingales & Waldmann 2018): a GAN on spectra of exoplanets and the parameters of their atmospheres, and retrievals with it.
//!
//! A record is one image of spectrum and parameters ([`aspa`]); what of it is known is a [`mask`] or, in the training of an embedder, drawn
//! ([`masking`]); a latent vector is fitted to a spectrum ([`fit`]); and fits become posteriors of the parameters ([`retrieval`]).

pub mod aspa;
pub mod fit;
pub mod mask;
pub mod masking;
pub mod retrieval;

pub use aspa::{Aspa, AspaSettings, AspaTensors};
pub use fit::Spectrum;
pub use mask::{AxisMask, SpectrumMask};
pub use masking::SpectrumMasking;
