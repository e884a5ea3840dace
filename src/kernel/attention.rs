//! Causal attention of every head, from queries, keys and values.

mod backward;
mod cpu;
mod forward;

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use self::cpu::{Heads, Inputs, Outputs};
use super::fused::{self, Fused};
use crate::model::dropout;

/// Which keys a query sees: those up to its own place, but for hidden ones.
#[derive(Clone, Debug)]
pub struct Mask {
    /// Added to the scores: 0, or at least [`HIDDEN`]; `[batch or 1, 1, query, key]`.
    added: Tensor<4>,
    /// `[batch, key]`, on the CPU alone.
    hidden: Option<Arc<[bool]>>,
}

/// What is added to the score of a key that is not to be seen.
const HIDDEN: f32 = -1e9;

impl Mask {
    /// No token sees a later one, nor any of the `hidden` ones, which must not be first.
    ///
    /// # Shapes
    /// `hidden`: `[batch, seq]`
    pub fn causal(seq: usize, hidden: Option<Tensor<2, Bool>>, device: &Device) -> Self {
        let values = (0..seq)
            .flat_map(|query| (0..seq).map(move |key| if key <= query { 0.0 } else { HIDDEN }))
            .collect::<Vec<_>>();
        let mut added = Tensor::from_data(TensorData::new(values, [1, 1, seq, seq]), device);
        let Some(hidden) = hidden else {
            return Self { added, hidden: None };
        };
        let [batch, _] = hidden.dims();
        let on_host =
            fused::runs_on(device).then(|| hidden.clone().into_data().iter::<bool>().collect());
        added = added + hidden.float().mul_scalar(HIDDEN).reshape([batch, 1, 1, seq]);
        Self { added, hidden: on_host }
    }
}

/// `softmax(q kᵀ / sqrt(d_head)) v` of every head. Without a `mask` every query sees every key.
/// A share `p` of the pattern is dropped.
///
/// # Shapes
/// `q` and the result: `[batch, query, d_model]`; `k` and `v`: `[batch, key, d_model]`
pub fn attend(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    n_heads: usize,
    mask: Option<&Mask>,
    p: f64,
) -> Tensor<3> {
    match mask {
        Some(mask) if p == 0.0 && fused::runs_on(&q.device()) => {
            let attend = Attend { n_heads, hidden: mask.hidden.clone() };
            fused::apply(attend, [q, k, v].map(Tensor::into_dispatch))
        }
        _ => reference(q, k, v, n_heads, mask, p),
    }
}

/// [`attend`] in plain tensor operations.
pub fn reference(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    n_heads: usize,
    mask: Option<&Mask>,
    p: f64,
) -> Tensor<3> {
    let shape = q.dims();
    let pattern = dropout(pattern(q, k, n_heads, mask), p);
    pattern.matmul(split(v, n_heads)).swap_dims(1, 2).reshape(shape)
}

/// How much each query takes from each key, its rows adding up to 1.
///
/// # Shapes
/// As in [`attend`]; the result: `[batch, head, query, key]`
pub fn pattern(q: Tensor<3>, k: Tensor<3>, n_heads: usize, mask: Option<&Mask>) -> Tensor<4> {
    let (q, k) = (split(q, n_heads), split(k, n_heads));
    let d_head = q.dims()[3] as f64;
    let mut scores = q.div_scalar(d_head.sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    if let Some(mask) = mask {
        scores = scores + mask.added.clone();
    }
    softmax(scores, 3)
}

fn split(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, seq, d_model] = x.dims();
    x.reshape([batch, seq, n_heads, d_model / n_heads]).swap_dims(1, 2) // [batch, head, seq, d_head]
}

/// Attention of `q`, `k` and `v` of one length on the CPU.
#[derive(Clone, Debug)]
struct Attend {
    n_heads: usize,
    hidden: Option<Arc<[bool]>>, // [batch, key]
}

impl Attend {
    fn heads(&self, [_, seq, d_model]: [usize; 3]) -> Heads {
        Heads { seq, n_heads: self.n_heads, d_head: d_model / self.n_heads }
    }
}

impl Fused<3> for Attend {
    /// The output, and its `log_sums`.
    type Saved = (FlexTensor, Vec<f32>);

    fn forward(&self, inputs: &[FlexTensor; 3]) -> (FlexTensor, Self::Saved) {
        let shape = fused::dims(&inputs[0]);
        let [q, k, v] = inputs.each_ref().map(fused::values);
        let hidden = self.hidden.as_deref();
        let (z, log_sums) = cpu::forward(self.heads(shape), Inputs { q, k, v }, hidden);
        let z = fused::tensor(z, shape);
        (z.clone(), (z, log_sums))
    }

    fn backward(
        &self,
        inputs: &[FlexTensor; 3],
        (z, log_sums): &Self::Saved,
        dz: &FlexTensor,
    ) -> [FlexTensor; 3] {
        let shape = fused::dims(z);
        let [q, k, v] = inputs.each_ref().map(fused::values);
        let outputs = Outputs { z: fused::values(z), dz: fused::values(dz), log_sums };
        let hidden = self.hidden.as_deref();
        cpu::backward(self.heads(shape), Inputs { q, k, v }, hidden, outputs)
            .map(|gradient| fused::tensor(gradient, shape))
    }
}
