//! The stores of a model's memory layers.

use std::sync::Arc;

use super::write::learn;
use super::{Exact, Found, Pairs, Read, Shape, Store, StoreError, Tokens, Written};
use crate::config::{MemoryConfig, ModelConfig};

/// Memory of each layer of a model, and after the last that of its output: which token followed what was
/// unembedded. A copy keeps what was remembered when it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bank {
    layers: Vec<Option<Memory>>,
}

/// The output has a slot for every pair of a key and a token but for those that are the same to rounding.
const SAME: f64 = 2e-3;
/// Slots among which that is looked for: so many tokens may follow the same.
const MAX_FOLLOWERS: usize = 128;

/// Memory of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub store: Arc<Exact>,
    /// Counts of slots that came back together.
    pub pairs: Pairs,
}

impl Bank {
    /// Empty memories, for the layers of such a model that have one.
    pub fn new(config: &ModelConfig) -> Self {
        let width = config.d_slot();
        let shape = Shape { d_key: width, d_value: width, distance: config.memory.distance };
        let layer = |layer: usize| {
            let has = config.memory.of(layer).is_some_and(|kind| kind.is_stored());
            has.then(|| Memory::of(Exact::new(shape)))
        };
        let has_output = config.memory.lambda > 0.0;
        let output = has_output
            .then(|| Memory::of(Exact::new(Shape { d_key: config.d_model, d_value: 1, ..shape })));
        Self { layers: (0..config.n_layers).map(layer).chain([output]).collect() }
    }

    /// Memory of `layer`; `None` if it has no store.
    pub fn layer(&self, layer: usize) -> Option<&Memory> {
        self.layers.get(layer)?.as_ref()
    }

    /// Memory of the output: keys as long as the residual stream is wide, and tokens.
    pub fn output(&self) -> Option<&Memory> {
        self.layers.last()?.as_ref()
    }

    /// The store of `layer`, to be changed.
    pub fn store(&mut self, layer: usize) -> Option<&mut Exact> {
        Some(Arc::make_mut(&mut self.layers.get_mut(layer)?.as_mut()?.store))
    }

    /// Puts these slots in the place of a layer's.
    pub fn put(&mut self, layer: usize, store: Exact) {
        self.restore(layer, Memory::of(store));
    }

    /// Puts back what a layer remembered, with all that a run that goes on needs of it.
    pub fn restore(&mut self, layer: usize, memory: Memory) {
        if let Some(Some(held)) = self.layers.get_mut(layer) {
            *held = memory;
        }
    }

    /// Copy with the memories that such a model can read; its others are empty.
    pub fn fit(&self, config: &ModelConfig) -> Self {
        let mut fitting = Self::new(config);
        for (layer, memory) in self.memories() {
            let place = fitting.layer(layer).map(|place| place.store.shape());
            if place == Some(memory.store.shape()) {
                fitting.restore(layer, memory.clone());
            }
        }
        fitting
    }

    /// True if a model that reads this can read the other.
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

    /// Writes down in the output's memory which token followed each, where it does not remember that yet.
    ///
    /// # Shapes
    /// `keys`: `[n, d_model]`
    ///
    /// # Errors
    /// As of [`learn`](Self::learn).
    pub fn learn_next(
        &mut self,
        config: &MemoryConfig,
        tokens: &Tokens,
        next: &[Option<u32>],
        mut found: Found,
        keys: Vec<f32>,
    ) -> Result<Written, StoreError> {
        let layer = self.layers.len().saturating_sub(1);
        let Some(memory) = self.output() else { return Ok(Written::default()) };
        let values: Vec<f32> = next.iter().map(|token| token.unwrap_or_default() as f32).collect();
        let near = memory.store.search(&keys, MAX_FOLLOWERS)?;
        for (at, value) in values.iter().enumerate().filter(|_| found.k > 0) {
            let mut of_token = at * near.k..(at + 1) * near.k;
            let same = of_token.find(|place| near.values[*place] == *value);
            found.distances[at * found.k] = same.map_or(f32::INFINITY, |at| near.distances[at]);
        }
        let config =
            MemoryConfig { write_threshold: SAME, max_writes: tokens.seq, merge_after: 0, ..config.clone() };
        self.learn(layer, &config, tokens, &found, &Read { keys, values, gradient: None })
    }

    /// Bytes that keys and values take.
    pub fn bytes(&self) -> usize {
        let numbers = |memory: &Memory| memory.store.keys().len() + memory.store.values().len();
        4 * self.memories().map(|(_, memory)| numbers(memory)).sum::<usize>()
    }

    /// Changes the memory of `layer` by what a step's tokens found in it, and tells what became of it.
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
        learn(Arc::make_mut(store), pairs, config, tokens, found, read)
    }
}

impl Memory {
    fn of(store: Exact) -> Self {
        Self { store: Arc::new(store), pairs: Pairs::default() }
    }
}
