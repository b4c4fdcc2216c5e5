//! Training of an autoencoder.

use tch::{Kind, Tensor, nn};

use super::Settings;
use super::model::TrainedAutoencoder;
use super::network::Autoencoder;
use crate::family::Build;
use crate::infer::TrainedModel;
use crate::nn::{BatchMoments, BatchNorm, Pass};
use crate::objective::{BackwardStats, Feed, Forward, Input, MomentsFrom, Network, Objective, Phase, StepContext};
use crate::rng::Draw;

/// The mean squared error of reconstructed pixels, in the range of the network.
pub(super) struct Reconstruction {
    model: TrainedAutoencoder,
    average: Option<f64>,
}

impl Reconstruction {
    /// A new network with initial weights.
    pub fn new(settings: &Settings, build: Build) -> Self {
        let Build { seed, precision, device, encodings } = build;
        let store = nn::VarStore::new(device);
        let network = Autoencoder::new(&store.root(), settings, seed).at(precision);
        let average = (settings.ema > 0.0).then_some(settings.ema);
        Self { model: TrainedAutoencoder::new(network, store, encodings[0].clone()), average }
    }
}

/// The loss of a microbatch, with its graph.
struct ReconstructionForward {
    loss: Tensor,
    share: f64,
    moments: Vec<Tensor>,
}

impl Forward for ReconstructionForward {
    fn finish(&mut self, _: usize) -> BackwardStats {
        (&self.loss * self.share).backward();
        let moments = std::mem::take(&mut self.moments);
        BackwardStats { metrics: vec![self.loss.detach()], moments: vec![moments] }
    }
}

fn records(input: Input<'_>) -> &Tensor {
    let Input::Records(batch) = input else { unreachable!("an autoencoder is fed with records") };
    batch.input()
}

impl Objective for Reconstruction {
    fn networks(&self) -> Vec<Network<'_>> {
        let TrainedAutoencoder { network, store, .. } = &self.model;
        vec![Network {
            name: "autoencoder",
            store,
            halves: network.halves(),
            average: self.average,
            metrics: &["reconstruction_loss"],
            norms: network.norms(),
            norm_momentum: BatchNorm::MOMENTUM,
            spectral: Vec::new(),
            recalibrated_on: MomentsFrom::Records,
        }]
    }

    fn phases(&self) -> Vec<Phase> {
        vec![Phase { networks: vec![0], turn: 0, turns: 1, feed: Feed::Fresh, reads: vec![0] }]
    }

    fn begin<'a>(&'a self, _: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a> {
        let (moments, maps) = (BatchMoments::default(), records(input));
        let made = self.model.network.forward(maps, Pass::Training(&moments));
        let loss = (made - maps).square().mean(Kind::Float);
        Box::new(ReconstructionForward { loss, share: context.share(), moments: moments.flat() })
    }

    fn recalibrate(&self, _: usize, _: Draw, _: u64, input: Input) -> Vec<Tensor> {
        let moments = BatchMoments::default();
        let _made = tch::no_grad(|| self.model.network.forward(records(input), Pass::Smooth(&moments)));
        moments.flat()
    }

    fn model(&self) -> &dyn TrainedModel {
        &self.model
    }

    fn flops_per_record(&self) -> f64 {
        6.0 * self.model.network.macs() as f64 // forward, and backward for the data and for the weights
    }
}
