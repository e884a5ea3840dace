//! The files of a model, read but not yet checked against Confab's layout.

use super::family::Family;
use super::tensors::Tensors;
use crate::config::ModelConfig;

/// A model's configuration and tensors, as its files have them.
pub struct ModelFiles<'a> {
    /// Name of the file that says how the model is built.
    pub file: &'a str,
    pub config: ModelConfig,
    pub vocab_size: usize,
    pub family: &'static Family,
    pub tensors: Tensors<'a>,
}
