//! The stores of a model's memory layers.

use std::sync::Arc;

use super::write::{Tokens, Written};
use super::{Exact, Found, NewSlot, Origin, Pairs, Shape, Store, StoreError};
use crate::config::{MemoryConfig, ModelConfig};

/// What each layer of a model remembers. A copy keeps what was remembered when it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bank {
    layers: Vec<Option<Memory>>,
}

/// What one layer remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub store: Arc<Exact>,
    /// How often its slots came back together.
    pub pairs: Pairs,
}

impl Bank {
    /// Nothing remembered, by the layers of such a model that can.
    pub fn new(config: &ModelConfig) -> Self {
        let d_key = config.d_key();
        let shape = Shape { d_key, d_value: d_key, distance: config.memory.distance };
        let layer = |layer: usize| {
            let has = config.memory.of(layer).is_some_and(|kind| kind.is_stored());
            has.then(|| Memory::of(Exact::new(shape)))
        };
        Self { layers: (0..config.n_layers).map(layer).collect() }
    }

    /// What `layer` remembers; `None` if it has no store.
    pub fn layer(&self, layer: usize) -> Option<&Memory> {
        self.layers.get(layer)?.as_ref()
    }

    /// The store of `layer`, to be changed.
    pub fn store(&mut self, layer: usize) -> Option<&mut Exact> {
        Some(Arc::make_mut(&mut self.layers.get_mut(layer)?.as_mut()?.store))
    }

    /// Has a layer remember these slots instead.
    pub fn put(&mut self, layer: usize, store: Exact) {
        self.restore(layer, Memory::of(store));
    }

    /// What a layer remembered, with all that a run that goes on needs of it.
    pub fn restore(&mut self, layer: usize, memory: Memory) {
        if let Some(Some(held)) = self.layers.get_mut(layer) {
            *held = memory;
        }
    }

    /// Whether a model that reads this can read the other.
    pub fn is_like(&self, other: &Self) -> bool {
        let shapes = |bank: &Self| -> Vec<_> {
            bank.memories().map(|(layer, memory)| (layer, memory.store.shape())).collect()
        };
        shapes(self) == shapes(other)
    }

    /// The layers that have a store, with what they remember.
    pub fn memories(&self) -> impl Iterator<Item = (usize, &Memory)> {
        let layers = self.layers.iter().enumerate();
        layers.filter_map(|(layer, memory)| Some((layer, memory.as_ref()?)))
    }

    /// What keys and values take.
    pub fn bytes(&self) -> usize {
        let numbers = |memory: &Memory| memory.store.keys().len() + memory.store.values().len();
        4 * self.memories().map(|(_, memory)| numbers(memory)).sum::<usize>()
    }

    /// Has `layer` learn from what a step's tokens found in it, and tells what became of it.
    ///
    /// # Errors
    /// If the store failed, or what it was to learn is not finite.
    pub fn learn(
        &mut self,
        layer: usize,
        config: &MemoryConfig,
        tokens: &Tokens,
        found: &Found,
        read: &Read,
    ) -> Result<Written, StoreError> {
        let Some(Some(memory)) = self.layers.get_mut(layer) else { return Ok(Written::default()) };
        let Memory { store, pairs } = memory;
        super::write::learn(Arc::make_mut(store), pairs, config, tokens, found, read)
    }
}

impl Memory {
    fn of(store: Exact) -> Self {
        Self { store: Arc::new(store), pairs: Pairs::default() }
    }
}

/// What a layer read a batch with.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// What would be written down of each token: `[n, d_key]` and `[n, d_value]`.
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    /// The gradient by the values found, if they are trained, with what they are moved by:
    /// `[n, k, d_value]`.
    pub gradient: Option<(Vec<f32>, f32)>,
}

impl Read {
    /// The slot that token `at` would be written down as.
    pub fn slot(&self, at: usize, shape: Shape, origin: Origin) -> NewSlot {
        let Shape { d_key, d_value, .. } = shape;
        let row = |values: &[f32], width| values[at * width..][..width].to_vec();
        NewSlot { key: row(&self.keys, d_key), value: row(&self.values, d_value), origin }
    }
}
