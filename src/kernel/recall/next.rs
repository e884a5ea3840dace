//! Predictions mixed with what followed the nearest of what was read before (Khandelwal et al. 2020).

use burn::tensor::{Tensor, TensorData};

use super::gpu;
use super::slots::Found;
use crate::arch::SHARPNESS;
use crate::base::softmax::softmax;
use crate::kernel::transfer::floats;

/// The logarithms of `(1 - lambda) p + lambda q`: `p` is what the logits predict, `q` what followed the nearest, weighted by
/// `softmax(-8 distance)`. Values of the slots are tokens. No gradient is taken of it.
///
/// # Shapes
/// `logits` and the result: `[n, vocab]`
pub fn mix_next(logits: Tensor<2>, found: &Found, lambda: f32) -> Tensor<2> {
    let (found, slots) = match found {
        Found::OnGpu(found) => return gpu::mix_next(logits, found, lambda),
        Found::OnHost(found, slots) => (found, slots),
    };
    let (shape @ [_, vocab], device, k) = (logits.dims(), logits.device(), found.k);
    let mut mixed = floats(logits.into_data());
    let rows = mixed.chunks_mut(vocab).zip(found.distances.chunks(k).zip(slots.values.chunks(k)));
    for (row, (distances, next)) in rows {
        softmax(row, 1.0);
        row.iter_mut().for_each(|p| *p *= 1.0 - lambda);
        let mut weights: Vec<f32> = distances.iter().map(|far| -far).collect();
        softmax(&mut weights, SHARPNESS);
        for (weight, token) in weights.iter().zip(next) {
            // A token that the model does not have is not predicted.
            if let Some(p) = row.get_mut(*token as usize) {
                *p += lambda * weight;
            }
        }
        row.iter_mut().for_each(|p| *p = p.max(f32::MIN_POSITIVE).ln());
    }
    Tensor::from_data(TensorData::new(mixed, shape), &device)
}
