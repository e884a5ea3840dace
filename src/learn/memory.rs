//! Learning of a model's memories from a batch.

use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::data::Batch;
use crate::kernel::recall::Found;
use crate::kernel::transfer::floats;
#[cfg(feature = "cli")]
use crate::memory::Shape;
use crate::memory::{self, Tokens};
use crate::model::memory::LayerRead;
use crate::tokenizer::Tokenizer;

/// Reads and tokens of a batch, for memories to learn from.
pub(crate) struct Learned {
    /// Each memory layer's, and the gradient by the values it found.
    pub(super) reads: Vec<(usize, LayerRead, Option<Tensor<2>>)>,
    /// Each token, and what is to follow it.
    pub(super) ids: Vec<(u32, Option<u32>)>,
    seq: usize,
}

/// A layer's reads, off the device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReadOnHost {
    layer: usize,
    found: memory::Found,
    /// Keys and values that each token would write.
    written: [Vec<f32>; 2],
    /// The gradient by the values found.
    gradient: Option<Vec<f32>>,
}

impl Learned {
    /// `None` of a model without memories, and of a batch without tokens, which no slot could be told by.
    pub(super) fn new(
        reads: Vec<(usize, LayerRead)>,
        mut gradients: Gradients,
        batch: &Batch,
    ) -> Option<Self> {
        if reads.is_empty() || batch.ids.is_empty() {
            return None;
        }
        let with_gradient = |(layer, read): (usize, LayerRead)| {
            let trained = read.trained.as_ref();
            let gradient = trained.and_then(|values| values.grad_remove(&mut gradients));
            (layer, read, gradient)
        };
        Some(Self::of(reads.into_iter().map(with_gradient).collect(), batch))
    }

    fn of(reads: Vec<(usize, LayerRead, Option<Tensor<2>>)>, batch: &Batch) -> Self {
        let ids = batch.ids.iter().zip(&batch.fields);
        let ids = ids.map(|((id, next), field)| (*id, field.map(|_| *next))).collect();
        Self { reads, ids, seq: batch.inputs.dims()[1] }
    }

    /// The reads with what was found read back from a GPU, as the parts of a batch are joined.
    #[cfg(feature = "cli")]
    pub(super) fn read_back(self) -> Self {
        let of_layer = |(layer, read, gradient): (usize, LayerRead, _)| (layer, read.on_host(), gradient);
        Self { reads: self.reads.into_iter().map(of_layer).collect(), ..self }
    }

    /// Reads of rows of a batch, as they travel.
    ///
    /// # Panics
    /// If what was found is on a GPU.
    pub(super) fn on_host(self) -> Vec<ReadOnHost> {
        let of_layer = |(layer, read, gradient): (usize, LayerRead, Option<Tensor<2>>)| {
            let LayerRead { found, keys, values, .. } = read;
            let Found::OnHost(found, _) = found else {
                unreachable!("what parts of a batch found is read back first");
            };
            let written = [keys, values].map(|written| floats(written.into_data()));
            let gradient = gradient.map(|gradient| floats(gradient.into_data()));
            ReadOnHost { layer, found, written, gradient }
        };
        self.reads.into_iter().map(of_layer).collect()
    }

    /// Reads of `batch` that have travelled; `None` if there are none.
    pub(super) fn of_host(reads: Vec<ReadOnHost>, batch: &Batch, device: &Device) -> Option<Self> {
        if reads.is_empty() {
            return None;
        }
        let of_layer = |ReadOnHost { layer, found, written, gradient }: ReadOnHost| {
            let rows = |values: Vec<f32>, count: usize| {
                let width = values.len() / count.max(1);
                Tensor::<2>::from_data(TensorData::new(values, [count, width]), device)
            };
            let count = batch.ids.len();
            let gradient = gradient.map(|gradient| rows(gradient, count * found.k));
            let [keys, values] = written.map(|values| rows(values, count));
            let found = Found::OnHost(found, Arc::default());
            (layer, LayerRead { found, keys, values, trained: None }, gradient)
        };
        Some(Self::of(reads.into_iter().map(of_layer).collect(), batch))
    }

    /// Appends the reads of rows that follow.
    pub(super) fn append(&mut self, next: Self) {
        self.ids.extend(next.ids);
        for ((_, read, gradient), (_, more, by_more)) in self.reads.iter_mut().zip(next.reads) {
            read.append(more);
            if let (Some(gradient), Some(by_more)) = (gradient, by_more) {
                *gradient = Tensor::cat(vec![gradient.clone(), by_more], 0);
            }
        }
    }

    /// The batch's tokens, as stores know them.
    pub(super) fn tokens(&self, tokenizer: &Tokenizer, step: u64, is_taught: bool) -> Tokens {
        let text = |id: u32| tokenizer.token(id).unwrap_or("�").to_owned();
        Tokens {
            step,
            is_taught,
            seq: self.seq,
            read: self.ids.iter().map(|(id, _)| text(*id)).collect(),
            next: self.ids.iter().map(|(_, next)| next.map(text)).collect(),
        }
    }
}

#[cfg(feature = "cli")]
impl ReadOnHost {
    /// True if `n` tokens found `k` slots of such a shape each in the memory of `layer`, without their keys and values, and
    /// wrote keys and values of so many numbers.
    pub(super) fn is_of(
        &self,
        layer: usize,
        written: [usize; 2],
        Shape { d_value, .. }: Shape,
        (n, k): (usize, usize),
    ) -> bool {
        let found = &self.found;
        let rows = |values: &[f32], width: usize| values.len() == n * k * width;
        self.layer == layer
            && found.k == k
            && rows(&found.distances, 1)
            && found.ids.len() == n * k
            && found.keys.is_empty()
            && found.values.is_empty()
            && self.written.iter().zip(written).all(|(values, width)| values.len() == n * width)
            && self.gradient.as_ref().is_none_or(|gradient| rows(gradient, d_value))
    }
}
