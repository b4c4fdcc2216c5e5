//! `[optimizer]`: Adam of all networks, and what is different for one of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::optim::AdamSettings;

/// Adam of all networks, with exceptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSection {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Largest norm of a network's whole gradient; longer ones are scaled down to it. 0 = no limit.
    pub clip: f64,
    /// Updates after which the step size has fallen to a half, and so on; 0 = it stays.
    pub half_life: u64,
    /// What is different for one network, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub network: BTreeMap<String, NetworkOptimizer>,
}

impl Default for OptimizerSection {
    fn default() -> Self {
        let AdamSettings { learning_rate, beta1, beta2, epsilon, clip, half_life } = AdamSettings::default();
        Self { learning_rate, beta1, beta2, epsilon, clip, half_life, network: BTreeMap::new() }
    }
}

/// What is different for one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptimizer {
    /// Step size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Decay of the mean of gradients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// Decay of the mean of squared gradients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,
    /// Added to the root of the second moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Largest norm of the whole gradient; 0 = no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Updates after which the step size has fallen to a half; 0 = it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_life: Option<u64>,
}

impl OptimizerSection {
    /// The Adam of a network for which nothing is different.
    fn of_all(&self) -> AdamSettings {
        let &Self { learning_rate, beta1, beta2, epsilon, clip, half_life, network: _ } = self;
        AdamSettings { learning_rate, beta1, beta2, epsilon, clip, half_life }
    }

    /// The Adam of `network`. That the family has such a network is for the caller to know: [`super::RunConfig::adam`].
    pub(super) fn of(&self, network: &str) -> AdamSettings {
        let all = self.of_all();
        let Some(own) = self.network.get(network) else { return all };
        AdamSettings {
            learning_rate: own.learning_rate.unwrap_or(all.learning_rate),
            beta1: own.beta1.unwrap_or(all.beta1),
            beta2: own.beta2.unwrap_or(all.beta2),
            epsilon: own.epsilon.unwrap_or(all.epsilon),
            clip: own.clip.unwrap_or(all.clip),
            half_life: own.half_life.unwrap_or(all.half_life),
        }
    }

    /// Says what is wrong, if anything: (full key, value, what was wanted).
    pub(super) fn fault(&self) -> Option<(String, f64, &'static str)> {
        let networks = self.network.keys().map(|name| (format!("optimizer.network.{name}"), self.of(name)));
        let mut sections = std::iter::once(("optimizer".to_owned(), self.of_all())).chain(networks);
        sections.find_map(|(section, adam)| {
            let numbers = [
                ("learning_rate", adam.learning_rate, f64::MIN_POSITIVE..f64::INFINITY, "a positive number"),
                ("beta1", adam.beta1, 0.0..1.0, "at least 0 and below 1"),
                ("beta2", adam.beta2, 0.0..1.0, "at least 0 and below 1"),
                ("epsilon", adam.epsilon, f64::MIN_POSITIVE..f64::INFINITY, "a positive number"),
                ("clip", adam.clip, 0.0..f64::INFINITY, "a norm, or 0 for no limit"),
            ];
            numbers
                .into_iter()
                .find(|(_, have, legal, _)| !legal.contains(have))
                .map(|(key, have, _, wanted)| (format!("{section}.{key}"), have, wanted))
        })
    }
}
