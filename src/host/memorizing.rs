//! Attention with reads from a store: see [`model::memorizing`](crate::model::memorizing).

use std::sync::Arc;

use super::linear::Parameters;
use super::memory::{Recalled, sharpness, softmax, unit};
use crate::arch;
use crate::config::ModelConfig;
use crate::memory::Exact;
use crate::arch::head_gate;

#[derive(Clone, Debug)]
pub struct Memorizing {
    /// Head gates, the share of each head that its memory has: `[n_heads]`.
    gates: Vec<f32>,
    sharpness: f32,
    d_head: usize,
    top_k: usize,
    store: Option<Arc<Exact>>,
}

/// Slots found for a prompt.
pub struct Remembered<'a> {
    pub recalled: Recalled,
    /// Values read by each head: `[seq, n_heads * d_head]`; empty if nothing was found.
    z: Vec<f32>,
    memory: &'a Memorizing,
}

impl Memorizing {
    /// Empty memory of the attention `name`.
    pub fn new(
        config: &ModelConfig,
        part: arch::Memorizing,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        let gates = parameters.required(&format!("{name}.gate"));
        Self {
            gates: gates.into_iter().map(head_gate).collect(),
            sharpness: sharpness(parameters, name),
            d_head: config.d_head(),
            top_k: part.top_k,
            store: None,
        }
    }

    pub fn remember(&mut self, store: Arc<Exact>) {
        self.store = Some(store);
    }

    /// Slots found by tokens, and the keys and values to write.
    ///
    /// # Shapes
    /// `q`, `k`, `v`: `[seq, n_heads * d_head]`, before rotary encoding
    pub fn read(&self, q: &[f32], k: &[f32], v: Vec<f32>) -> Remembered<'_> {
        let (queries, keys) = (self.unit_heads(q), self.unit_heads(k));
        let search = |store: &Arc<Exact>| store.search(&queries, self.top_k);
        let found = self.store.as_ref().map(search).transpose();
        let found = found.expect("queries are as wide as keys").unwrap_or_default();
        let mut recalled = Recalled { queries, keys, values: v, found, weights: Vec::new() };
        let z = if recalled.found.k > 0 { self.attend(&mut recalled) } else { Vec::new() };
        Remembered { recalled, z, memory: self }
    }

    /// Values that each head reads from the slots found: `[seq, n_heads * d_head]`. Records the weight of each
    /// slot.
    fn attend(&self, recalled: &mut Recalled) -> Vec<f32> {
        let Recalled { queries, found, weights, .. } = recalled;
        let (heads, d_head, k) = (self.gates.len(), self.d_head, found.k);
        let width = heads * d_head;
        let mut z = vec![0.0; queries.len()];
        *weights = vec![0.0; found.ids.len()];
        let slots = found.keys.chunks(k * width).zip(found.values.chunks(k * width));
        let tokens = queries.chunks(width).zip(z.chunks_mut(width)).zip(weights.chunks_mut(k));
        for (((query, z), weights), (keys, values)) in tokens.zip(slots) {
            for head in 0..heads {
                let own = head * d_head..(head + 1) * d_head;
                let score = |key: &[f32]| -> f32 {
                    let product = query[own.clone()].iter().zip(&key[own.clone()]);
                    // Both parts have length 1/sqrt(n_heads).
                    self.sharpness * heads as f32 * product.map(|(q, k)| q * k).sum::<f32>()
                };
                let of_head = softmax(keys.chunks(width).map(score).collect());
                for ((share, value), weight) in
                    of_head.iter().zip(values.chunks(width)).zip(&mut *weights)
                {
                    *weight += share / heads as f32;
                    let value = &value[own.clone()];
                    z[own.clone()].iter_mut().zip(value).for_each(|(z, v)| *z += share * v);
                }
            }
        }
        z
    }

    /// Scales each head's part to length 1, and then the whole to length 1.
    ///
    /// # Shapes
    /// `x` and the result: `[seq, n_heads * d_head]`
    fn unit_heads(&self, x: &[f32]) -> Vec<f32> {
        let mut x = unit(x.to_vec(), self.d_head);
        let all = (self.gates.len() as f32).sqrt();
        x.iter_mut().for_each(|x| *x /= all);
        x
    }
}

impl Remembered<'_> {
    /// Mixes the memory's values into a head's attention to earlier tokens.
    ///
    /// # Shapes
    /// `local`: `[seq, n_heads * d_head]` from the head's first component on
    pub fn mix(&self, head: usize, local: &mut [f32]) {
        let Memorizing { gates, d_head, .. } = self.memory;
        let (width, gate) = (gates.len() * d_head, gates[head]);
        // The loop is empty if nothing was found.
        let rows = self.z.chunks(width).zip(local.chunks_mut(width));
        for (remembered, local) in rows {
            let remembered = &remembered[head * d_head..][..*d_head];
            for (local, remembered) in local.iter_mut().zip(remembered) {
                *local = gate * remembered + (1.0 - gate) * *local;
            }
        }
    }
}
