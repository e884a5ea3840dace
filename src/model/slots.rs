//! What a memory layer searches, where its model computes, and what it finds there.

use std::sync::Arc;

use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData, Transaction};

use super::memory::LayerRead;
use super::weights::to_device;
use crate::config::Distance;
use crate::kernel::embedding::embed;
use crate::kernel::is_cpu;
use crate::kernel::nearest::nearest;
use crate::kernel::param::{Memory, Param, Part};
use crate::memory::{Exact, Found, Read, Store};
use crate::trainer::floats;

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
    store: Arc<Exact>,
}

/// What was found by `n` queries.
#[derive(Clone, Debug)]
pub enum Nearest {
    OnHost(Found),
    OnGpu(Box<Places>),
}

/// Where in a copy on a GPU the nearest lie.
#[derive(Clone, Debug)]
pub struct Places {
    places: Tensor<2, Int>, // [n, k]
    distances: Tensor<2>,   // [n, k]
    mirror: Arc<Mirror>,
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
            let (memory, shape) = (Arc::new(Memory::new(&flat)), [values.len() / width, width]);
            Param::Part(Part { memory, start: 0, shape })
        };
        let keys = rows(store.keys(), shape.d_key);
        let values = rows(store.values(), shape.d_value);
        let distance = shape.distance;
        Self::OnGpu(Arc::new(Mirror { keys, values, distance, store: store.clone() }))
    }

    /// What is nearest to these queries, at most `k` slots each, which no gradient is taken of.
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

    /// How far they are, of `n` queries: `[n, k]`.
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

impl LayerRead {
    /// What its tokens found, but for keys and values, and what they would be written down as, read back at
    /// once. `gradient` is that by the values found, with what they are to be moved by.
    ///
    /// # Shapes
    /// `gradient`: `[n * k, d_key]`
    ///
    /// # Errors
    /// If the device failed.
    pub async fn read(
        self,
        gradient: Option<(Tensor<2>, f32)>,
    ) -> Result<(Found, Read), ExecutionError> {
        let mut asked = Transaction::default().register(self.keys).register(self.values);
        if let Nearest::OnGpu(found) = &self.nearest {
            asked = asked.register(found.places.clone()).register(found.distances.clone());
        }
        if let Some((gradient, _)) = &gradient {
            asked = asked.register(gradient.clone());
        }
        let mut asked = asked.execute_async().await?.into_iter();
        let mut next = || asked.next().unwrap_or_else(|| unreachable!("as many are read as asked"));
        let (keys, values) = (floats(next()), floats(next()));
        let found = match self.nearest {
            Nearest::OnHost(found) => found,
            Nearest::OnGpu(found) => {
                let Places { places, mirror, .. } = *found;
                let [_, k] = places.dims();
                let by_place: Vec<u64> = mirror.store.ids().collect();
                let ids = next().iter::<u32>().map(|place| by_place[place as usize]).collect();
                Found { k, ids, distances: floats(next()), ..Found::default() }
            }
        };
        let gradient = gradient.map(|(_, rate)| (floats(next()), rate));
        Ok((found, Read { keys, values, gradient }))
    }
}
