//! Slots of a memory on the device where its model computes, and those that queries find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use super::form::Form;
use super::{cpu, gpu};
use crate::kernel::is_cpu;
use crate::memory::{self, Exact};

/// The slots of a store.
#[derive(Clone, Debug)]
pub enum Slots {
    Empty,
    OnHost(Arc<Exact>),
    OnGpu(Arc<gpu::Mirror>),
}

/// Slots found by the queries of `n` tokens.
#[derive(Clone, Debug)]
pub enum Found {
    /// Distances and ids, and the keys and values.
    OnHost(memory::Found, Arc<cpu::Slots>),
    OnGpu(Box<gpu::Found>),
}

/// Answer of a memory.
#[derive(Clone, Debug)]
pub struct Asked {
    pub found: Found,
    /// Key and value that each token would write: `[n, width]` each, keys of length 1.
    pub keys: Tensor<2>,
    pub values: Tensor<2>,
}

/// Copies of a model's memories on a GPU, which are kept from pass to pass so that only changed slots are sent.
#[derive(Clone, Debug, Default)]
pub struct Mirrors(Arc<Mutex<BTreeMap<usize, Arc<gpu::Mirror>>>>);

impl Mirrors {
    /// The slots of `layer`'s store. What reads an older state of them keeps it.
    pub fn slots(&self, layer: usize, store: &Arc<Exact>, device: &Device) -> Slots {
        if store.keys().is_empty() {
            return Slots::Empty;
        }
        if is_cpu(device) {
            return Slots::OnHost(store.clone());
        }
        let mut mirrors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = mirrors.remove(&layer);
        let mirror = gpu::Mirror::of(store, &device.clone().inner(), held);
        mirrors.insert(layer, mirror.clone());
        Slots::OnGpu(mirror)
    }

    /// Slots sent to a GPU so far.
    pub fn sent(&self) -> usize {
        let mirrors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.values().map(|mirror| mirror.sent).sum()
    }
}

impl Slots {
    /// The `top_k` slots nearest to each query, or all there are. No gradient is taken of it.
    ///
    /// # Shapes
    /// `projected`: `[batch, seq, width]`, queries, which are also what is written down; or `[batch, seq, 3 * width]`,
    /// queries with keys and values to write beside them
    pub fn find(&self, projected: Tensor<3>, form: Form, top_k: usize) -> Asked {
        let (store, mirror) = match self {
            Self::Empty => (None, None),
            Self::OnHost(store) => (Some(&**store), None),
            Self::OnGpu(mirror) => (None, Some(mirror)),
        };
        let (found, [keys, values]) = if is_cpu(&projected.device()) {
            let (found, slots, written) = cpu::find(store, projected, form, top_k);
            (Found::OnHost(found, Arc::new(slots)), written)
        } else {
            let (found, written) = gpu::find(mirror, projected, form, top_k);
            (found.map_or_else(Found::default, |found| Found::OnGpu(Box::new(found))), written)
        };
        Asked { found, keys, values }
    }
}

impl Found {
    /// Slots a query.
    pub fn k(&self) -> usize {
        match self {
            Self::OnHost(found, _) => found.k,
            Self::OnGpu(found) => found.k(),
        }
    }
}

impl Default for Found {
    fn default() -> Self {
        Self::OnHost(memory::Found::default(), Arc::default())
    }
}
