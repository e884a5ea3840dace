//! Reads of a layer's store: the slots found by a batch, and those it would write.

use burn::tensor::{ExecutionError, Tensor, Transaction};

use crate::kernel::transfer::floats;
use crate::kernel::recall::Found;
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
    /// Appends what the rows that follow read, on the CPU.
    ///
    /// # Panics
    /// If they were read on a GPU, which takes a batch as a whole.
    pub fn append(&mut self, next: Self) {
        let (Found::OnHost(found, _), Found::OnHost(more, _)) = (&mut self.found, next.found) else {
            unreachable!("only the CPU reads a batch in parts");
        };
        found.append(more);
        for (of, more) in [(&mut self.keys, next.keys), (&mut self.values, next.values)] {
            *of = Tensor::cat(vec![of.clone(), more], 0);
        }
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
                    let by_place = found.mirror.ids();
                    let ids = next().iter::<u32>().map(|index| by_place[index as usize]).collect();
                    let distances = floats(next());
                    memory::Found { k: found.k(), ids, distances, ..memory::Found::default() }
                }
            };
            let gradient = gradient.map(|_| (floats(next()), rate));
            (found, Read { keys, values, gradient })
        };
        Ok(reads.into_iter().map(of_layer).collect())
    }
}
