//! Slots that a memory layer searches, on the device where its model computes, and those found.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::Distance;
use crate::kernel::embedding::embed;
use crate::kernel::is_cpu;
use crate::kernel::nearest::nearest;
use crate::kernel::param::{FlatParameters, Param, ParamSlice};
use crate::kernel::transfer::{floats, to_device};
use crate::memory::{Exact, Found, Store};

/// The slots of a store.
#[derive(Clone, Debug)]
pub enum Slots {
    Empty,
    OnHost(Arc<Exact>),
    OnGpu(Arc<Mirror>),
}

/// A copy on a GPU.
#[derive(Debug)]
pub struct Mirror {
    keys: Param<2>,   // [slots, d_key]
    values: Param<2>, // [slots, d_value]
    distance: Distance,
    pub(super) store: Arc<Exact>,
}

/// Slots found by `n` queries.
#[derive(Clone, Debug)]
pub enum Nearest {
    OnHost(Found),
    OnGpu(Box<Places>),
}

/// Places of the nearest in a copy on a GPU.
#[derive(Clone, Debug)]
pub struct Places {
    pub(super) places: Tensor<2, Int>, // [n, k]
    pub(super) distances: Tensor<2>,   // [n, k]
    pub(super) mirror: Arc<Mirror>,
}

impl Slots {
    pub fn new(store: &Arc<Exact>, device: &Device) -> Self {
        if store.keys().is_empty() {
            return Self::Empty;
        }
        if is_cpu(device) {
            return Self::OnHost(store.clone());
        }
        let shape = store.shape();
        let rows = |values: &[f32], width| {
            let flat = to_device(values.to_vec(), &device.clone().inner());
            let (parameters, shape) =
                (Arc::new(FlatParameters::new(&flat)), [values.len() / width, width]);
            Param::Slice(ParamSlice { parameters, start: 0, shape })
        };
        let keys = rows(store.keys(), shape.d_key);
        let values = rows(store.values(), shape.d_value);
        let distance = shape.distance;
        Self::OnGpu(Arc::new(Mirror { keys, values, distance, store: store.clone() }))
    }

    /// The nearest to these queries, at most `k` slots each. No gradient is taken of it.
    ///
    /// # Shapes
    /// `queries`: `[n, d_key]`
    pub fn nearest(&self, queries: Tensor<2>, k: usize) -> Nearest {
        match self {
            Self::Empty => Nearest::OnHost(Found::default()),
            Self::OnHost(store) => {
                let found = store.search(&floats(queries.into_data()), k);
                Nearest::OnHost(found.expect("queries are as wide as keys"))
            }
            Self::OnGpu(mirror) => {
                let k = k.min(mirror.keys.shape()[0]);
                let (places, distances) =
                    nearest(queries, mirror.keys.tensor(), k, mirror.distance);
                Nearest::OnGpu(Box::new(Places { places, distances, mirror: mirror.clone() }))
            }
        }
    }
}

impl Nearest {
    /// Slots a query.
    pub fn k(&self) -> usize {
        match self {
            Self::OnHost(found) => found.k,
            Self::OnGpu(found) => found.places.dims()[1],
        }
    }

    /// Distances of `n` queries from them: `[n, k]`.
    pub fn distances(&self, n: usize, device: &Device) -> Tensor<2> {
        match self {
            Self::OnHost(Found { k, distances, .. }) => {
                Tensor::from_data(TensorData::new(distances.clone(), [n, *k]), device)
            }
            Self::OnGpu(found) => found.distances.clone(),
        }
    }

    /// The keys and values found, constants, of `n` queries: `[n, k, d_key]` and `[n, k, d_value]`.
    pub fn slots(&self, n: usize, device: &Device) -> [Tensor<3>; 2] {
        let k = self.k();
        match self {
            Self::OnHost(Found { keys, values, .. }) => [keys, values].map(|rows| {
                let width = rows.len() / (n * k);
                Tensor::from_data(TensorData::new(rows.clone(), [n, k, width]), device)
            }),
            Self::OnGpu(found) => {
                let Places { places, mirror, .. } = &**found;
                [&mirror.keys, &mirror.values].map(|rows| {
                    let found = embed(places.clone(), rows, None, 0);
                    if device.is_autodiff() { found.autodiff() } else { found }
                })
            }
        }
    }
}
