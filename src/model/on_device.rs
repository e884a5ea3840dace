//! A model on a device: its settings, its parameters and its memories.

use burn::tensor::{Device, Tensor};

use super::{Gpt, Weights};
use crate::arch::Layout;
use crate::config::ModelConfig;
use crate::kernel::recall::Mirrors;
use crate::memory::Bank;

#[derive(Clone, Debug)]
pub struct Model {
    pub config: ModelConfig,
    pub layout: Layout,
    /// `[layout.len()]`
    pub parameters: Tensor<1>,
    /// The slots of its memories.
    pub bank: Bank,
    /// Those slots on a GPU.
    pub mirrors: Mirrors,
}

impl Model {
    pub fn device(&self) -> Device {
        self.parameters.device()
    }

    /// The model for inference, which later steps leave alone.
    pub fn gpt(&self) -> Gpt {
        self.gpt_of(&Weights::new(&self.layout, &self.parameters))
    }

    /// The model with other weights, such as trainable ones.
    pub fn gpt_of(&self, weights: &Weights) -> Gpt {
        Gpt::new(&self.config, weights).remember(&self.bank, &self.mirrors, &self.device())
    }

    /// The weights, whose gradients can be taken.
    pub fn trainable(&self) -> Weights<'_> {
        Weights::trainable(&self.layout, &self.parameters)
    }
}
