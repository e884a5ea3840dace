//! Memories: slots of keys and values, found by nearest-neighbour search.

use super::spec::{Dim, Init, PartKind, ParamSpec, place};
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

    pub(super) fn parameters(self, config: &ModelConfig) -> Vec<ParamSpec> {
        let (model, key) = (Dim::Model.of(config.d_model), Dim::Other.of(self.d_key));
        let linear = |of, rows, columns, std, kind| {
            place(ParamSpec::linear(of, rows, columns, std, config.bias), "memory", kind)
        };
        let read = |of, kind| linear(of, model, key, config.init_std, kind);
        let mut out = read("Q", PartKind::Address);
        if self.is_associative {
            out.extend(read("K", PartKind::Address));
            out.extend(read("V", PartKind::Memory));
        }
        out.extend(linear("O", key, model, config.residual_std(), PartKind::Memory));
        out.extend(place(vec![sharpness()], "memory", PartKind::Memory));
        out
    }
}

impl ProductKeys {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let (d_key, half_keys) = (config.d_key(), config.memory.half_keys());
        Self { d_key, half_keys, top_k: config.memory.top_k }
    }

    pub(super) fn parameters(self, config: &ModelConfig) -> Vec<ParamSpec> {
        let Self { d_key, half_keys, .. } = self;
        let (model, key) = (Dim::Model.of(config.d_model), Dim::Other.of(d_key));
        let half = |of: &str| {
            let (rows, columns) = (Dim::Other.of(half_keys), Dim::Other.of(d_key / 2));
            // Initial keys are as long as untrained queries, which they are compared with.
            ParamSpec::matrix(&format!("K_{of}"), rows, columns, (d_key as f64).sqrt().recip())
        };
        let slots = Dim::Other.of(half_keys * half_keys);
        let mut out = ParamSpec::linear("Q", model, key, config.init_std, config.bias);
        out.extend(["first", "second"].map(half));
        out.push(ParamSpec::matrix("values", slots, model, config.residual_std()));
        out
    }
}

impl Memorizing {
    pub(super) fn of(config: &ModelConfig, layer: usize) -> Option<Self> {
        let has = config.memory.of(layer) == Some(MemoryKind::Memorizing);
        has.then_some(Self { top_k: config.memory.top_k })
    }

    pub(super) fn parameters(self, config: &ModelConfig) -> Vec<ParamSpec> {
        // Head gates start at 1/2, so that both sides of a gate are trained.
        let gates = Dim::PerHead.of(config.n_heads);
        vec![ParamSpec::vector("gate", gates, Init::Zeros), sharpness()]
    }
}

fn sharpness() -> ParamSpec {
    ParamSpec::vector("sharpness", Dim::Other.of(1), Init::Ones)
}
