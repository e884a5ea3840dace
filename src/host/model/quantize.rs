//! A model whose matrices are rounded to 8 or 4 bits, so that a token reads fewer bytes.

use super::{HostModel, Linear};
use crate::base::quantized::Bits;

/// A matrix that cannot be rounded.
#[derive(Debug, thiserror::Error)]
#[error(
    "rounding {tensor} to {}: a number of it is not finite; take an earlier step of the run, or import the model anew",
    bits.name()
)]
pub struct NotFinite {
    pub tensor: String,
    pub bits: Bits,
}

impl HostModel {
    /// Rounds the matrices of attention, of MLPs and of the unembedding. Embeddings, of which a token reads one row,
    /// norms, biases and memories stay as they are, so a tied unembedding is rounded and its embedding is not.
    ///
    /// # Errors
    /// If a number of a matrix is not finite.
    pub fn quantize(mut self, bits: Bits) -> Result<Self, NotFinite> {
        for (tensor, linear) in self.projections() {
            *linear = linear.quantized(bits).ok_or(NotFinite { tensor, bits })?;
        }
        // Else the embedding would keep the whole file or flat vector that it lies in.
        self.w_e = self.w_e.apart();
        Ok(self)
    }

    /// Bytes of the matrices that [`quantize`](Self::quantize) rounds: a token reads them all.
    pub fn projection_bytes(&mut self) -> usize {
        self.projections().map(|(_, linear)| linear.bytes()).sum()
    }

    /// Matrices that a token is multiplied with, by name.
    fn projections(&mut self) -> impl Iterator<Item = (String, &mut Linear)> {
        let of_blocks = self.blocks.iter_mut().enumerate().flat_map(|(layer, block)| {
            block.projections().map(move |(end, linear)| (format!("blocks.{layer}.{end}"), linear))
        });
        let unembed = ("unembed.W_U".to_owned(), &mut self.unembed);
        of_blocks.chain([unembed])
    }
}
