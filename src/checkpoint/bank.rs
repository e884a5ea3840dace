//! The slots of a run's memories, as tensors of its file: of each layer `blocks.1.memory.slots.keys` and
//! `….values`, one slot a row, and `….facts`, the bytes of what else there is, in JSON.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::CheckpointError;
use super::format::{from_le_bytes, to_le_bytes};
use crate::config::ModelConfig;
use crate::memory::{Bank, Exact, Memory, NewSlot, Origin, Pairs, Slot, Store};

/// A slot but for its key and value.
#[derive(Serialize, Deserialize)]
struct Facts {
    id: u64,
    origin: Origin,
    hits: u64,
    last: u64,
    merged: u32,
}

/// A layer's memory but for keys and values.
#[derive(Serialize, Deserialize)]
struct Rest {
    next_id: u64,
    pairs: Pairs,
    slots: Vec<Facts>,
}

/// A tensor of a file.
pub struct Part {
    pub name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Part {
    pub fn view(&self) -> Result<TensorView<'_>, CheckpointError> {
        Ok(TensorView::new(self.dtype, self.shape.clone(), &self.bytes)?)
    }
}

/// The tensors that a file holds of `bank`: none of stores that are empty.
pub fn parts(bank: &Bank) -> Result<Vec<Part>, CheckpointError> {
    let mut parts = Vec::new();
    for (layer, memory) in bank.memories().filter(|(_, memory)| memory.store.ids().len() > 0) {
        let store = &*memory.store;
        let shape = store.shape();
        let (mut keys, mut values, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        for slot in store.slots() {
            let Slot { id, new: NewSlot { key, value, origin }, hits, last, merged } = slot;
            keys.extend(key);
            values.extend(value);
            facts.push(Facts { id, origin, hits, last, merged });
        }
        let rows = facts.len();
        let pairs = memory.pairs.clone();
        let rest = Rest { next_id: store.next_id(), pairs, slots: facts };
        let rest = serde_json::to_vec(&rest).map_err(damaged("slots.facts"))?;
        let mut push = |of: &str, dtype, shape, bytes| {
            parts.push(Part { name: name(layer, of), dtype, shape, bytes });
        };
        push("keys", Dtype::F32, vec![rows, shape.d_key], to_le_bytes(&keys));
        push("values", Dtype::F32, vec![rows, shape.d_value], to_le_bytes(&values));
        push("facts", Dtype::U8, vec![rest.len()], rest);
    }
    Ok(parts)
}

/// The memories of such a model that a file holds.
pub fn read(tensors: &SafeTensors, config: &ModelConfig) -> Result<Bank, CheckpointError> {
    let mut bank = Bank::new(config);
    let layers: Vec<_> =
        bank.memories().map(|(layer, memory)| (layer, memory.store.shape())).collect();
    for (layer, shape) in layers {
        let Ok(facts) = tensors.tensor(&name(layer, "facts")) else { continue };
        let Rest { next_id, pairs, slots: facts } =
            serde_json::from_slice(facts.data()).map_err(damaged("slots.facts"))?;
        let rows = |of: &str, width: usize| {
            let name = name(layer, of);
            let refuse = |what: String| CheckpointError::Tensor { name: name.clone(), what };
            let view = tensors.tensor(&name).map_err(|_| refuse("is missing".into()))?;
            if view.dtype() != Dtype::F32 || view.shape() != [facts.len(), width] {
                let (wanted, shape) = ([facts.len(), width], view.shape());
                return Err(refuse(format!("is {shape:?} where F32 {wanted:?} is expected")));
            }
            Ok(from_le_bytes(view.data()))
        };
        let (keys, values) = (rows("keys", shape.d_key)?, rows("values", shape.d_value)?);
        let rows = keys.chunks(shape.d_key).zip(values.chunks(shape.d_value));
        let slots = facts.into_iter().zip(rows).map(|(facts, (key, value))| {
            let Facts { id, origin, hits, last, merged } = facts;
            let new = NewSlot { key: key.to_vec(), value: value.to_vec(), origin };
            Slot { id, new, hits, last, merged: merged.max(1) }
        });
        let store = Exact::of_slots(shape, slots.collect(), next_id).map_err(|error| {
            CheckpointError::Tensor {
                name: name(layer, "keys"),
                what: format!("is refused: {error}"),
            }
        })?;
        bank.restore(layer, Memory { store: store.into(), pairs });
    }
    Ok(bank)
}

fn name(layer: usize, of: &str) -> String {
    format!("blocks.{layer}.memory.slots.{of}")
}

fn damaged<E: ToString>(key: &'static str) -> impl Fn(E) -> CheckpointError {
    move |error| CheckpointError::Metadata { key, why: error.to_string() }
}
