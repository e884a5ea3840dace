//! Memories: slots of keys and values, found by nearest-neighbour search.

use super::spec::{Declaration, Dim, Init, PartKind, Sink};
use crate::config::{Distance, MemoryKind, ModelConfig};

/// Initial sharpness of the weighting: a slot farther by 1 weighs e^8 times less.
pub const SHARPNESS: f32 = 8.0;
/// Added to a squared length before the square root, because a zero vector has no direction.
pub const EPSILON: f32 = 1e-8;

/// A memory in place of an MLP, with its slots in a store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredMemory {
    /// True if keys and values have projections of their own; otherwise both are the query.
    pub is_associative: bool,
    pub d_key: usize,
    pub distance: Distance,
    /// Slots found per query.
    pub top_k: usize,
}

/// A memory with product keys (Lample et al. 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProductKeys {
    pub d_key: usize,
    /// Number of keys in each half.
    pub half_keys: usize,
    /// Slots found per query.
    pub top_k: usize,
}

/// Attention's store of keys and values from earlier steps (Wu et al. 2022, "Memorizing Transformers").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memorizing {
    /// Slots found per query.
    pub top_k: usize,
}

impl StoredMemory {
    pub(super) fn of(config: &ModelConfig) -> Self {
        Self {
            is_associative: config.memory.kind == MemoryKind::Associative,
            d_key: config.d_key(),
            distance: config.memory.distance,
            top_k: config.memory.top_k,
        }
    }

    pub(super) fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let (model, key) = (Dim::Model.of(config.d_model), Dim::Other.of(self.d_key));
        out.kind = PartKind::Address;
        out.linear(["W_Q", "b_Q"], model, key, config.init_std);
        if self.is_associative {
            out.linear(["W_K", "b_K"], model, key, config.init_std);
            out.kind = PartKind::Memory;
            out.linear(["W_V", "b_V"], model, key, config.init_std);
        }
        out.kind = PartKind::Memory;
        out.linear(["W_O", "b_O"], key, model, config.residual_std());
        declare_sharpness(out);
    }
}

impl ProductKeys {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let (d_key, half_keys) = (config.d_key(), config.memory.half_keys());
        Self { d_key, half_keys, top_k: config.memory.top_k }
    }

    pub(super) fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let Self { d_key, half_keys, .. } = self;
        let model = Dim::Model.of(config.d_model);
        let (rows, columns) = (Dim::Other.of(half_keys), Dim::Other.of(d_key / 2));
        // Keys as long as untrained queries, with which they are compared.
        let std = (d_key as f64).sqrt().recip();
        out.linear(["W_Q", "b_Q"], model, Dim::Other.of(d_key), config.init_std);
        out.matrix("K_first", rows, columns, std);
        out.matrix("K_second", rows, columns, std);
        out.matrix("values", Dim::Other.of(half_keys * half_keys), model, config.residual_std());
    }
}

impl Memorizing {
    pub(super) fn of(config: &ModelConfig, layer: usize) -> Option<Self> {
        let has = config.memory.of(layer) == Some(MemoryKind::Memorizing);
        has.then_some(Self { top_k: config.memory.top_k })
    }

    pub(super) fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        // A head begins with half of its input from its memory: both sides of a gate are trained.
        out.vector("gate", Dim::PerHead.of(config.n_heads), Init::Zeros);
        declare_sharpness(out);
    }
}

fn declare_sharpness(out: &mut Declaration<impl Sink>) {
    out.vector("sharpness", Dim::Other.of(1), Init::Ones);
}
