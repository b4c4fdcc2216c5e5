//! `[optimizer]`: Adam of all networks, and what is different for one of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optim::AdamSettings;

/// Adam of all networks, with exceptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSection {
    /// Learning rate, more than 0.
    pub learning_rate: f64,
    /// Decay rate of the first moment (mean of gradients), at least 0 and below 1.
    pub beta1: f64,
    /// Decay rate of the second moment (mean of squared gradients), at least 0 and below 1.
    pub beta2: f64,
    /// Constant added to the square root of the second moment, more than 0.
    pub epsilon: f64,
    /// Largest norm of the gradient of all parameters of a network; a longer gradient is scaled down to it. At least 0,
    /// 0 = no limit.
    pub clip: f64,
    /// Updates of a network in which the learning rate falls to a half, exponentially; 0 = constant.
    #[schemars(extend("unit" = "updates"))]
    pub half_life: u64,
    /// Adam of the network NAME of the family. What is not set here is as in `[optimizer]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub network: BTreeMap<String, NetworkOptimizer>,
}

impl Default for OptimizerSection {
    fn default() -> Self {
        let AdamSettings { learning_rate, beta1, beta2, epsilon, clip, half_life } = AdamSettings::default();
        Self { learning_rate, beta1, beta2, epsilon, clip, half_life, network: BTreeMap::new() }
    }
}

/// Values of Adam that differ for one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptimizer {
    /// Learning rate, more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`optimizer.learning_rate`"))]
    pub learning_rate: Option<f64>,
    /// Decay rate of the first moment (mean of gradients), at least 0 and below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`optimizer.beta1`"))]
    pub beta1: Option<f64>,
    /// Decay rate of the second moment (mean of squared gradients), at least 0 and below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`optimizer.beta2`"))]
    pub beta2: Option<f64>,
    /// Constant added to the square root of the second moment, more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`optimizer.epsilon`"))]
    pub epsilon: Option<f64>,
    /// Largest norm of the gradient of all parameters of a network; a longer gradient is scaled down to it. At least 0,
    /// 0 = no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`optimizer.clip`"))]
    pub clip: Option<f64>,
    /// Updates of a network in which the learning rate falls to a half, exponentially; 0 = constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "updates", "unset" = "`optimizer.half_life`"))]
    pub half_life: Option<u64>,
}

impl OptimizerSection {
    /// The Adam of a network for which nothing is different.
    fn of_all(&self) -> AdamSettings {
        let &Self { learning_rate, beta1, beta2, epsilon, clip, half_life, network: _ } = self;
        AdamSettings { learning_rate, beta1, beta2, epsilon, clip, half_life }
    }

    /// Whether `key` is set for `network` alone.
    pub fn is_set_for(&self, network: &str, key: &str) -> bool {
        let own = self.network.get(network).map(|own| toml::Table::try_from(own).expect("numbers are a table"));
        own.is_some_and(|own| own.contains_key(key))
    }

    /// The Adam of `network`. The caller ensures that the family has this network: [`super::RunConfig::adam`].
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
