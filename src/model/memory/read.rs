//! Reads of a layer's store: the slots found by a batch, and those it would write.

#[cfg(feature = "cli")]
use std::sync::Arc;

use burn::tensor::{ExecutionError, Tensor, TensorData, Transaction};

use crate::kernel::transfer::floats;
use crate::kernel::recall::{Found, OnGpu};
use crate::memory::{self, Read};

/// Slots that a layer read for a batch, and those it would write, for its store to learn from.
#[derive(Clone, Debug)]
pub struct LayerRead {
    /// Slots found by `n = batch * seq` tokens.
    pub found: Found,
    /// Key and value that each token would write: `[n, d_key]` each.
    pub keys: Tensor<2>,
    pub values: Tensor<2>,
    /// The values found, by which a gradient can be taken, if they are trained: `[n * k, d_key]`.
    pub trained: Option<Tensor<2>>,
}

impl LayerRead {
    /// Appends what the rows that follow read.
    ///
    /// # Panics
    /// If they were read on a GPU, and [`on_host`](Self::on_host) was not called.
    pub fn append(&mut self, next: Self) {
        let (Found::OnHost(found, _), Found::OnHost(more, _)) = (&mut self.found, next.found) else {
            unreachable!("what parts of a batch found is read back first");
        };
        found.append(more);
        for (of, more) in [(&mut self.keys, next.keys), (&mut self.values, next.values)] {
            *of = Tensor::cat(vec![of.clone(), more], 0);
        }
    }

    /// The same, with what was found read back from a GPU, without keys and values.
    ///
    /// A GPU that fails here is taken to have found nothing, and shows it again as the step's loss is read.
    #[cfg(feature = "cli")]
    pub fn on_host(self) -> Self {
        let found = match self.found {
            Found::OnGpu(found) => {
                let read = Transaction::default();
                let read = read.register(found.places()).register(found.distances());
                let read = read.try_execute().ok().and_then(|read| <[_; 2]>::try_from(read).ok());
                let found = read.map(|[places, far]| found_at(&found, &places, far));
                Found::OnHost(found.unwrap_or_default(), Arc::default())
            }
            found @ Found::OnHost(..) => found,
        };
        Self { found, ..self }
    }

    /// Slots found, without their keys and values, and those to be written, of every layer, all read back at once. With each
    /// stands the gradient by the values found, which are to move by `rate`.
    ///
    /// # Shapes
    /// The gradients: `[n * k, d_key]`
    ///
    /// # Errors
    /// If the device failed.
    pub async fn read_all(
        reads: Vec<(Self, Option<Tensor<2>>)>,
        rate: f32,
    ) -> Result<Vec<(memory::Found, Read)>, ExecutionError> {
        let mut asked = Transaction::default();
        for (Self { found, keys, values, .. }, gradient) in &reads {
            asked = asked.register(keys.clone()).register(values.clone());
            if let Found::OnGpu(found) = found {
                asked = asked.register(found.places()).register(found.distances());
            }
            if let Some(gradient) = gradient {
                asked = asked.register(gradient.clone());
            }
        }
        let mut asked = asked.execute_async().await?.into_iter();
        let mut next = || asked.next().unwrap_or_else(|| unreachable!("as many are read as asked"));
        let of_layer = |(read, gradient): (Self, Option<Tensor<2>>)| {
            let (keys, values) = (floats(next()), floats(next()));
            let found = match read.found {
                Found::OnHost(found, _) => found,
                Found::OnGpu(found) => {
                    let (places, distances) = (next(), next());
                    found_at(&found, &places, distances)
                }
            };
            let gradient = gradient.map(|_| (floats(next()), rate));
            (found, Read { keys, values, gradient })
        };
        Ok(reads.into_iter().map(of_layer).collect())
    }
}

/// Slots at places that were read back, without keys and values.
fn found_at(found: &OnGpu, places: &TensorData, distances: TensorData) -> memory::Found {
    let by_place = found.mirror.ids();
    let ids = places.iter::<u32>().map(|index| by_place[index as usize]).collect();
    memory::Found { k: found.k(), ids, distances: floats(distances), ..memory::Found::default() }
}
