//! What becomes of a run when a step is bad: a gradient, a loss or a moment that is not finite. Nothing of such a step
//! is kept, whatever the policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reaction to a step whose gradient, loss or batch-norm moment is not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotFinite {
    /// End the run with a checkpoint of the last good step.
    #[default]
    Stop,
    /// Count the step as done, without an update, and go on with the next records. Ten such steps in a row end the run.
    Skip,
    /// As `skip`, but all networks first go back to the newest checkpoint of a step that is a multiple of
    /// `trainer.checkpoint_every`. Steps are not repeated, since they would end the same way.
    Rollback,
}

/// So many bad steps in a row end a run under any policy.
pub const MOST_IN_A_ROW: u64 = 10;
