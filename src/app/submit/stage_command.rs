//! What `submit` knows of the command of a stage.

use std::path::PathBuf;

use crate::app::{retrieve, simulate, train};

/// The command of a stage, as its words say it.
pub struct StageCommand {
    pub name: String,
    /// What must be there before it begins.
    pub inputs: Vec<PathBuf>,
    /// The ledger that it works on, with any number of other workers.
    pub ledger: Option<PathBuf>,
    pub ahead: Ahead,
}

/// What can be checked of a command before it runs.
pub enum Ahead {
    Train(train::Request),
    Simulate(simulate::Sky),
    Retrieve(retrieve::Request),
    Nothing,
}

/// Reads the words of a stage, or says in a line why it cannot.
pub type ReadStage<'a> = &'a dyn Fn(&[String]) -> Result<StageCommand, String>;
