//! Reads of a layer's store: the slots found by a batch, and those it would write.

use burn::tensor::{ExecutionError, Tensor, Transaction};

use crate::kernel::transfer::floats;
use crate::memory::{Found, Read};
use crate::model::slots::{Nearest, Places};

/// Slots that a layer read for a batch, and those it would write, for its store to learn from.
#[derive(Clone, Debug)]
pub struct LayerRead {
    /// Slots found by `n = batch * seq` tokens.
    pub nearest: Nearest,
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
        let (Nearest::OnHost(found), Nearest::OnHost(more)) = (&mut self.nearest, next.nearest) else {
            unreachable!("only the CPU reads a batch in parts");
        };
        found.append(more);
        for (of, more) in [(&mut self.keys, next.keys), (&mut self.values, next.values)] {
            *of = Tensor::cat(vec![of.clone(), more], 0);
        }
    }

    /// Slots found, without keys and values, and those to be written, read back at once. `gradient` is that by
    /// the values found, with the rate at which they are to move.
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
                let ids = next().iter::<u32>().map(|index| by_place[index as usize]).collect();
                Found { k, ids, distances: floats(next()), ..Found::default() }
            }
        };
        let gradient = gradient.map(|(_, rate)| (floats(next()), rate));
        Ok((found, Read { keys, values, gradient }))
    }
}
