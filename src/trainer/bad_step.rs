//! What becomes of a run when a step is bad: a gradient, a loss or a moment that is not finite. Nothing of such a step
//! is kept, whatever the policy.

use serde::{Deserialize, Serialize};

/// What comes after a bad step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotFinite {
    /// The run ends, with a checkpoint of the last good step.
    #[default]
    Stop,
    /// The step counts as made; the next one takes the next records and the next noise.
    Skip,
    /// As `Skip`, but all players go back to the newest checkpoint of a step that is a multiple of
    /// `checkpoint_every`. Steps are not made again, since they would lead to the same end.
    Rollback,
}

/// So many bad steps in a row end a run under any policy.
pub const MOST_IN_A_ROW: u64 = 10;
