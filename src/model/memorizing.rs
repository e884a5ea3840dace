//! Attention that also reads from a store of keys and values that tokens of earlier steps left (Wu et al. 2022,
//! "Memorizing Transformers").
//!
//! A slot holds all heads' keys side by side, each of length 1 and all together of length 1, and all heads'
//! values. So one search a token serves every head, and what is near is what is near for the heads together;
//! each head then weighs what was found by its own part. Queries and keys are those before rotary positions
//! turn them, for what was written down long ago has no distance. Nothing flows into the store: what is found
//! and what is written down are constants, and gradients go through queries, sharpness and gates.

use burn::tensor::Tensor;

use super::Weights;
use super::memory::{LayerRead, constant};
use crate::arch;
use crate::config::ModelConfig;
use crate::kernel::param::Param;
use crate::kernel::recall::{Asked, Form, Slots, mix};

#[derive(Clone, Debug)]
pub(super) struct Memorizing {
    gate: Param<1>,      // [n_heads], before the sigmoid
    sharpness: Param<1>, // [1]
    form: Form,
    top_k: usize,
    slots: Slots,
}

impl Memorizing {
    /// The memory of the attention `name`, which is empty.
    ///
    /// # Panics
    /// If the model has no such memory.
    pub(super) fn new(
        config: &ModelConfig,
        part: arch::Memorizing,
        weights: &Weights,
        name: &str,
    ) -> Self {
        let own = |of: &str| weights.vector(&format!("{name}.{of}")).expect("it is declared");
        let (n_heads, width) = (config.n_heads, config.n_heads * config.d_head());
        Self {
            gate: own("gate"),
            sharpness: own("sharpness"),
            form: Form { n_heads, width, by_distance: false, estimates: false },
            top_k: part.top_k,
            slots: Slots::Empty,
        }
    }

    pub(super) fn remember(&mut self, slots: Slots) {
        self.slots = slots;
    }

    /// `g z_memory + (1 - g) z_local` of every head, g = σ(b) with a trained b of its own, and what was read.
    /// With nothing remembered, `local` as it is.
    ///
    /// # Shapes
    /// `qkv`: `[batch, seq, 3 * n_heads * d_head]`, not turned; `local` and the result:
    /// `[batch, seq, n_heads * d_head]`
    pub(super) fn mix(&self, qkv: Tensor<3>, local: Tensor<3>) -> (Tensor<3>, LayerRead) {
        let Asked { found, keys, values } = self.slots.find(constant(&qkv), self.form, self.top_k);
        let read = LayerRead { found, keys, values, trained: None };
        if read.found.k() == 0 {
            return (local, read);
        }
        (mix([qkv, local], &read.found, self.form, &self.sharpness, &self.gate), read)
    }
}
