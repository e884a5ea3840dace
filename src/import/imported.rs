//! A model that has been imported whole.

use super::{File, ImportError, Plan, Vocabulary, plan};
use crate::config::ModelConfig;

/// A model as Confab runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub config: ModelConfig,
    pub vocabulary: Vocabulary,
    /// Flat, in the order of [`Layout`](crate::arch::Layout).
    pub parameters: Vec<f32>,
    /// Lines for the user about what was left out.
    pub notes: Vec<String>,
}

/// Reads a model whole.
///
/// # Errors
/// As of [`plan()`] and [`Plan::parameters`].
pub fn import(files: &[File]) -> Result<Imported, ImportError> {
    let plan = plan(files)?;
    let parameters = plan.parameters()?;
    let Plan { config, vocabulary, notes, .. } = plan;
    Ok(Imported { config, vocabulary, parameters, notes })
}
